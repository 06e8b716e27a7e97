/** What Node is started with for the store: a larger young generation is memory that saves nothing that can be measured. */
export const nodeFlags = ['--max-semi-space-size=16'];
