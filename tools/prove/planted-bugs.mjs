// Each bug of a list is put into a build of the engine, and its suite must see it; without a bug every suite must pass.
import { Worker } from 'node:worker_threads';
import { withEngineBuild } from './engine/engine-build.mjs';
import { plantedBugs } from './engine/planted-bugs.mjs';

export const description =
  'bugs put into the chunk engine on purpose: each is caught by the suite that is there for it';

export const quickSeed = 1;

export const options = { only: { type: 'string', hint: 'TEXT: bugs whose name holds it' } };

/** By suite: the module, its function, and how much of it is run; a bug may ask for other `trials`, and for more time. */
const suites = {
  'crash-states': ['testing/trials', 'crashStateTrials', { trials: 3000 }],
  'crash-in-recovery': ['testing/trials', 'nestedCrashTrials', { trials: 4000 }],
  'failed-calls': ['testing/trials', 'failedCallTrials', { trials: 1e9, rounds: 4 }],
  'device-faults': ['testing/damage-at-rest', 'damageAtRestTrials', { trials: 40 }],
  'device-lies': ['testing/damage-in-flight', 'damageInFlightTrials', { trials: 2 }],
  'engine-model': ['testing/model-trials', 'modelTrials', { trials: 400 }],
};

const quickBugs = 6;
/** A suite that is only slow ends by itself after this time, and has not seen the bug; one that hangs is ended. */
const runMs = 30_000;
const graceMs = 5000;
const workerFile = new URL('engine/suite-worker.mjs', import.meta.url);

/** Runs a suite of a build until something fails; a build that hangs or breaks has failed too. */
function runSuite(bug, seed, signal) {
  const [module, name, extent] = suites[bug.suite];
  const timeMs = bug.runMs ?? runMs;
  const options = { seed, ...extent, trials: bug.trials ?? extent.trials, failuresMax: 1 };
  return withEngineBuild(async (_load, folder) => {
    const worker = new Worker(workerFile, {
      workerData: { folder, module, name, runMs: timeMs, options },
    });
    const ended = AbortSignal.any([signal, AbortSignal.timeout(timeMs + graceMs)]);
    // What was seen first is what is told.
    const report = await new Promise((resolve) => {
      const broken = (problem) => resolve({ failures: 1, trials: 0, problem });
      worker.once('message', resolve);
      worker.once('error', (error) => broken(String(error)));
      ended.addEventListener('abort', () => broken('it hangs'));
    });
    await worker.terminate();
    return report;
  }, bug);
}

export async function run({ size, seed, log, signal, options: given }) {
  const start = seed % 100_000;
  const wanted = plantedBugs.filter(({ name }) => given.only === undefined || name.includes(given.only));
  // A quick run takes some of them, others with every seed.
  const count = size === 'full' || given.only !== undefined ? wanted.length : quickBugs;
  const bugs = Array.from({ length: count }, (_, index) => wanted[(start + index * 5) % wanted.length]);
  const caught = [];
  const missed = [];
  for (const bug of new Set(size === 'full' ? wanted : bugs)) {
    if (signal.aborted) break;
    const { failures, trials, problem } = await runSuite(bug, start, signal);
    if (failures > 0) caught.push({ bug: bug.name, suite: bug.suite, trials, problem });
    else missed.push({ bug: bug.name, suite: bug.suite, trials });
    log(`${failures > 0 ? 'caught' : 'MISSED'}  ${bug.name} (${bug.suite}, ${trials} trials): ${problem ?? ''}`);
  }
  return { trials: caught.length + missed.length, failures: missed.length, caught, missed };
}
