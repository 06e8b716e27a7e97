// Mutated inputs over everything that reads what a client sends: no crash, no hang, no 5xx, and the same meaning as a plain
// second reading gives it. Every target is first shown bugs that were planted for it, and has to find each.
import { Worker } from 'node:worker_threads';
import { MissingDependency } from '../missing-dependency.mjs';

export const description =
  'mutated signatures, chunks, XML, forms, policies, targets, ranges and requests: no crash, no hang, no 5xx';

export const options = {
  inputs: { type: 'string', hint: 'N: inputs of all targets together' },
  only: { type: 'string', hint: 'TARGET or TARGET:INPUT: one target, or one input of it again' },
};

const inputsOf = { quick: 30_000, full: 600_000 };
const PLANTED_INPUTS_MAX = 20_000;
/** So long may one input keep its thread from the next; the requests of a connection have their own time. */
const STUCK_MS = 15_000;
const POLL_MS = 250;
const FINDINGS_SHOWN = 5;

async function loadTargets() {
  try {
    return (await import('./fuzz-wire/targets/index.mjs')).targets;
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDependency(error.message, { cause: error });
  }
}

/** Inputs `from` to `from + count` of a target in a thread, which is ended when it does not come back from one. */
function runTarget({ name, plant, seed, from, count, signal }) {
  return new Promise((resolve, reject) => {
    const progress = new SharedArrayBuffer(4);
    const view = new Int32Array(progress);
    const workerData = { name, plant, seed, from, count, progress };
    const worker = new Worker(new URL('./fuzz-wire/worker.mjs', import.meta.url), { workerData });
    let seen = 0;
    let sinceMs = performance.now();
    const end = (result) => {
      clearInterval(watch);
      signal.removeEventListener('abort', abort);
      void worker.terminate().then(() => resolve(result));
    };
    const abort = () => end({ made: Math.max(0, view[0] - from), slowestMs: 0, findings: [] });
    const watch = setInterval(() => {
      const now = Atomics.load(view, 0);
      if (now !== seen) [seen, sinceMs] = [now, performance.now()];
      else if (performance.now() - sinceMs > STUCK_MS)
        end({
          made: now - from,
          slowestMs: STUCK_MS,
          findings: [{ input: now - 1, message: `hang: over ${STUCK_MS} ms` }],
        });
    }, POLL_MS);
    signal.addEventListener('abort', abort);
    worker.once('message', end);
    worker.once('error', (error) => {
      clearInterval(watch);
      reject(error);
    });
  });
}

function chosen(targets, only) {
  if (only === undefined) return { targets, input: undefined };
  const [name, input] = only.split(':');
  const found = targets.filter((target) => target.name === name || target.name.startsWith(name));
  if (found.length === 0)
    throw new Error(`no target '${name}'; there are ${targets.map((one) => one.name).join('; ')}`);
  return { targets: found, input: input === undefined ? undefined : Number(input) };
}

/** The bugs that were planted for a target and not found. */
async function missedPlants(target, seed, signal, log) {
  const missed = [];
  for (const plant of Object.keys(target.planted)) {
    const { made, findings } = await runTarget({
      name: target.name,
      plant,
      seed,
      from: 0,
      count: PLANTED_INPUTS_MAX,
      signal,
    });
    if (signal.aborted) return [];
    if (findings.length === 0) missed.push(plant);
    const told = findings.length === 0 ? 'MISSED' : `found at input ${findings[0].input}`;
    log(`  ${target.name}: planted: ${plant}: ${told} of ${made}`);
  }
  return missed;
}

export async function run({ size, seed, log, signal, options: given }) {
  const { targets, input } = chosen(await loadTargets(), given.only);
  const total = given.inputs === undefined ? inputsOf[size] : Number(given.inputs);
  if (!Number.isSafeInteger(total) || total < 1) throw new Error('--inputs is a number above 0');
  const shares = targets.reduce((sum, target) => sum + target.share, 0);
  const facts = { trials: 0, failures: 0, planted: 0, plantedFound: 0, targets: {} };
  const waiting = [...targets];
  const work = async () => {
    for (let target = waiting.shift(); target !== undefined && !signal.aborted; target = waiting.shift()) {
      const { name } = target;
      if (input === undefined) {
        const missed = await missedPlants(target, seed, signal, log);
        const planted = Object.keys(target.planted).length;
        facts.planted += planted;
        facts.plantedFound += planted - missed.length;
        facts.failures += missed.length;
      }
      const range =
        input === undefined
          ? { from: 0, count: Math.ceil((total * target.share) / shares) }
          : { from: input, count: 1 };
      const { made, slowestMs, findings } = await runTarget({ name, seed, ...range, signal });
      facts.trials += made;
      facts.failures += findings.length;
      facts.targets[name] = { inputs: made, findings: findings.length, slowestMs: Number(slowestMs.toFixed(1)) };
      log(`${name}: ${made} inputs, ${findings.length} findings, slowest ${slowestMs.toFixed(1)} ms`);
      for (const { input: at, message } of findings.slice(0, FINDINGS_SHOWN))
        log(`  --seed ${seed} --only '${name}:${at}': ${message.slice(0, 2000)}`);
    }
  };
  await Promise.all([work(), work()]);
  return facts;
}
