// Blocks of each kind flipped, zeroed, stale or misplaced, on simulated devices.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description = 'damage to any kind of block is told, and never a wrong byte or an absence is answered';

const trialsOfEachBlock = { quick: 60, full: 5000 };

export function run({ size, seed, signal }) {
  return withEngineBuild(async (load) => {
    const { deviceFaultTrials } = await load('testing/device-fault-trials');
    return deviceFaultTrials({ seed: seed % 100_000, trials: trialsOfEachBlock[size], signal });
  });
}
