// Power cuts at every write and flush of three workloads, in one file and in a pair, on simulated devices.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description =
  'every state that a power cut can leave is recovered: nothing acknowledged lost, nothing half';

export const quickSeed = 1;

const trials = { quick: 1500, full: 100_000 };

export function run({ size, seed, signal }) {
  return withEngineBuild(async (load) => {
    const { crashStateTrials } = await load('testing/trials');
    return crashStateTrials({ seed: seed % 100_000, trials: trials[size], signal });
  });
}
