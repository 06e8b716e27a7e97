// Blocks of each kind damaged on simulated devices, as found at an open and by devices that lie while the store runs.
import { withEngineBuild } from './engine/engine-build.mjs';

export const description = 'damage to any kind of block is told, and never a wrong byte or an absence is answered';

export const quickSeed = 1;

/** Of each fault of each kind of block in each layout. */
const trials = { quick: { atRest: 8, inFlight: 3 }, full: { atRest: 1000, inFlight: 250 } };

export function run({ size, seed: given, signal }) {
  return withEngineBuild(async (load) => {
    const seed = given % 100_000;
    const { damageAtRestTrials } = await load('testing/damage-at-rest');
    const { damageInFlightTrials } = await load('testing/damage-in-flight');
    const atRest = await damageAtRestTrials({ seed, trials: trials[size].atRest, signal });
    const inFlight = await damageInFlightTrials({ seed, trials: trials[size].inFlight, signal });
    return {
      trials: atRest.trials + inFlight.trials,
      failures: atRest.failures + inFlight.failures,
      atRest,
      inFlight,
    };
  });
}
