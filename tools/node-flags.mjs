/**
 * What Node is started with for the store as one process. A small request leaves garbage of its own size many times over: a young
 * generation that begins and stays at 32 MiB is collected seldom, which takes a tenth off each. The old one is collected when it
 * has doubled, or it would grow by more than a hundred MiB under large bodies; `npm run bench -- memory` holds the sum. The way of
 * a request is many small functions: with a budget for larger ones the compiler joins more of them, which takes off a twentieth.
 */
export const nodeFlags = [
  '--max-semi-space-size=32',
  '--min-semi-space-size=32',
  '--heap-growing-percent=100',
  '--max-inlined-bytecode-size=1500',
  '--max-inlined-bytecode-size-cumulative=4000',
];
