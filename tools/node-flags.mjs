/**
 * What Node is started with for the store. A larger young generation makes small PUTs about a tenth faster, and one process then
 * needs more than 512 MiB for many large bodies at once (`npm run bench -- memory`).
 */
export const nodeFlags = ['--max-semi-space-size=32', '--min-semi-space-size=32', '--heap-growing-percent=100'];
