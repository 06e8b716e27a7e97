// Runs one suite of a build of the engine, in a thread of its own: one that hangs can be ended.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const { folder, module, name, runMs, options } = workerData;
// A bug may break a promise that nobody waits for; that is seen, too.
const note = (error) => parentPort.postMessage({ failures: 1, trials: 0, problem: String(error?.message ?? error) });
process.on('unhandledRejection', note);
process.on('uncaughtException', note);

try {
  const suite = await import(pathToFileURL(join(folder, `${module}.js`)).href);
  const { failures, trials, problems } = await suite[name]({ ...options, signal: AbortSignal.timeout(runMs) });
  parentPort.postMessage({ failures, trials, problem: problems[0] });
} catch (error) {
  note(error);
}
