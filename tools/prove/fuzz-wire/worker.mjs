// One target in a thread of its own, so that an input which never comes back can be told and ended.
import { parentPort, workerData } from 'node:worker_threads';
import { Draw } from './seeded-random.mjs';
import { targets } from './targets/index.mjs';
import { Finding, HANG_MS, Trial } from './trial.mjs';

const FINDINGS_MAX = 5;
/** A slow input is made again: the machine may have been busy, the code is slow every time. */
const SLOW_REPEATS = 3;

const { name, plant, seed, from, count, progress } = workerData;
const target = targets.find((one) => one.name === name);
const subject = target.open ? await target.open(plant) : plant === undefined ? target.subject : target.planted[plant];

async function once(input) {
  const trial = new Trial();
  try {
    await target.trial(new Draw(seed, name, input), trial, subject);
    return { slowestMs: trial.slowestMs };
  } catch (error) {
    const message = error instanceof Finding ? error.message : `crash: ${error?.stack ?? error}`;
    return { slowestMs: trial.slowestMs, finding: message };
  }
}

async function judge(input) {
  let { slowestMs, finding } = await once(input);
  for (let repeat = 1; repeat < SLOW_REPEATS && finding === undefined && slowestMs > HANG_MS; repeat += 1)
    slowestMs = Math.min(slowestMs, (await once(input)).slowestMs);
  if (finding === undefined && slowestMs > HANG_MS) finding = `hang: ${slowestMs.toFixed(0)} ms`;
  return { slowestMs, finding };
}

const view = new Int32Array(progress);
const findings = [];
let made = 0;
let slowestMs = 0;
for (let input = from; input < from + count; input += 1) {
  Atomics.store(view, 0, input + 1);
  const judged = await judge(input);
  made += 1;
  slowestMs = Math.max(slowestMs, judged.slowestMs);
  if (judged.finding !== undefined) findings.push({ input, message: judged.finding });
  if (findings.length >= (plant === undefined ? FINDINGS_MAX : 1)) break;
}
await target.close?.(subject);
parentPort.postMessage({ made, slowestMs, findings });
