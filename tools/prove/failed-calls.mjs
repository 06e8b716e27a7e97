// EIO and ENOSPC at every write and flush call of a run, once each, on simulated devices.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description = 'every write and flush call fails once: the device is dead, nothing is tried again or lost';

export const quickSeed = 1;

/** 40 rounds of the units are 200 operations. */
const rounds = { quick: 6, full: 40 };

export function run({ size, seed, signal }) {
  return withEngineBuild(async (load) => {
    const { failedCallTrials } = await load('testing/trials');
    return failedCallTrials({ seed: seed % 100_000, trials: 1e9, rounds: rounds[size], signal });
  });
}
