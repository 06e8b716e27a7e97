// Power cuts within the writes that a recovery makes, after power cuts.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description = 'a power cut within a recovery: the next recovery finds what the first would have found';

export const quickSeed = 1;

const trials = { quick: 1200, full: 10_000 };

export function run({ size, seed, signal }) {
  return withEngineBuild(async (load) => {
    const { nestedCrashTrials } = await load('testing/trials');
    return nestedCrashTrials({ seed: seed % 100_000, trials: trials[size], signal });
  });
}
