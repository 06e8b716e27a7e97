// Random command sequences against a Map, on simulated devices whose calls end in an order of the seed.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description = 'random commands, several at once, with reopens and cuts: the engine holds what a Map holds';

export const quickSeed = 1;

const trials = { quick: 400, full: 20_000 };

export function run({ size, seed, signal }) {
  return withEngineBuild(async (load) => {
    const { modelTrials } = await load('testing/model-trials');
    return modelTrials({ seed: seed % 100_000, trials: trials[size], signal });
  });
}
