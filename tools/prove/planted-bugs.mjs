// Each bug of a list is put into a build of the engine, and its suite must see it; without a bug every suite must pass.
import { withEngineBuild } from './engine/engine-build.mjs';
import { plantedBugs } from './engine/planted-bugs.mjs';

export const description =
  'bugs put into the chunk engine on purpose: each is caught by the suite that is there for it';

export const options = { only: { type: 'string', hint: 'TEXT: bugs whose name holds it' } };

/** By suite: the module, its function, and how much of it is run. */
const suites = {
  'crash-states': ['testing/trials', 'crashStateTrials', { trials: 3000 }],
  'crash-in-recovery': ['testing/trials', 'nestedCrashTrials', { trials: 4000 }],
  'failed-calls': ['testing/trials', 'failedCallTrials', { trials: 1e9, rounds: 4 }],
  'device-faults': ['testing/device-fault-trials', 'deviceFaultTrials', { trials: 60 }],
  'engine-model': ['testing/model-trials', 'modelTrials', { trials: 400 }],
};

const quickBugs = 6;
const runMs = 60_000;

/** Runs a suite of a build until something fails; a build that hangs or breaks has failed too. */
function runSuite(suite, seed, signal, bug) {
  const [module, name, extent] = suites[suite];
  return withEngineBuild(async (load) => {
    const run = (await load(module))[name];
    const ended = AbortSignal.any([signal, AbortSignal.timeout(runMs)]);
    const isOver = new Promise((resolve) =>
      ended.addEventListener('abort', () => setTimeout(resolve, 2000, 'it hangs')),
    );
    // Trials that only one failure stops: what was seen first is what is told.
    const outcome = run({ seed, ...extent, failuresMax: 1, signal: ended }).catch((error) =>
      String(error.message ?? error),
    );
    const report = await Promise.race([outcome, isOver]);
    if (typeof report === 'string') return { failures: 1, trials: 0, problem: report };
    return { failures: report.failures, trials: report.trials, problem: report.problems[0] };
  }, bug);
}

/** A bug may break a promise that nobody waits for; that is seen here instead of ending the proof. */
function noteStrayErrors() {
  const stray = [];
  const note = (error) => stray.push(String(error?.message ?? error));
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  return stray;
}

export async function run({ size, seed, log, signal, options: given }) {
  const stray = noteStrayErrors();
  const start = seed % 100_000;
  const wanted = plantedBugs.filter(({ name }) => given.only === undefined || name.includes(given.only));
  // A quick run takes some of them, others with every seed.
  const count = size === 'full' || given.only !== undefined ? wanted.length : quickBugs;
  const bugs = Array.from({ length: count }, (_, index) => wanted[(start + index * 5) % wanted.length]);
  const caught = [];
  const missed = [];
  for (const bug of new Set(size === 'full' ? wanted : bugs)) {
    if (signal.aborted) break;
    stray.length = 0;
    const { failures, trials, problem } = await runSuite(bug.suite, start, signal, bug);
    const state = problem ?? stray[0];
    if (failures > 0 || stray.length > 0) caught.push({ bug: bug.name, suite: bug.suite, trials, state });
    else missed.push({ bug: bug.name, suite: bug.suite, trials });
    log(
      `${failures > 0 || stray.length > 0 ? 'caught' : 'MISSED'}  ${bug.name} (${bug.suite}, ${trials} trials): ${state ?? ''}`,
    );
  }
  stray.length = 0;
  return { trials: caught.length + missed.length, failures: missed.length, caught, missed };
}
