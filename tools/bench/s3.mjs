import { Bodies, Contender, runRound, stepsOf, storedBytesMax } from './s3/rounds.mjs';
import { parseAgainst, startHoldfast, startYardstick } from './s3/servers.mjs';
import { printProgress, rowsOf } from './s3/table.mjs';

export const description = 'PUT and GET of 4 KiB, 1 MiB and 64 MiB beside a bare node:http server that flushes';

export const options = {
  seconds: { type: 'string', hint: 'N: of each step (3; with --size full 6)' },
  rounds: { type: 'string', hint: 'N (3; with --size full 5)' },
  connections: { type: 'string', hint: 'N: of the steps of 4 KiB (32)' },
  against: { type: 'string', multiple: true, hint: 'NAME=http://HOST:PORT,ACCESS,SECRET[,pid=N]: one more S3 server' },
  only: { type: 'string', hint: 'TEXT: steps whose name holds it, such as "4 KiB" or "64"' },
};

const GIB = 1024 ** 3;
// Long enough for the compiler to be done with the way of a small request: that takes some twenty thousand of them.
const warmUpSeconds = 4;
const warmUpShare = 0.25;

function number(name, text, fallback, max) {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new Error(`--${name} is a whole number from 1 to ${max}`);
  return value;
}

function planOf(size, given) {
  const full = size === 'full';
  const steps = stepsOf(number('connections', given.connections, 32, 512)).filter(
    (step) => given.only === undefined || step.name.includes(given.only),
  );
  if (steps.length === 0) throw new Error(`--only ${given.only}: no step has that in its name`);
  return {
    steps,
    seconds: number('seconds', given.seconds, full ? 6 : 3, 600),
    rounds: number('rounds', given.rounds, full ? 5 : 3, 100),
    others: (given.against ?? []).map(parseAgainst),
  };
}

/** Three devices of 2+1 hold one and a half times the bytes; as much again as they need is for logs and what is not reused. */
const deviceBytesFor = (storedBytes) => Math.ceil(storedBytes / GIB + 2) * GIB;

async function measure({ servers, plan, seed, log, signal }) {
  const { steps, seconds, rounds } = plan;
  const bodies = new Bodies(seed);
  const contenders = servers.map((server) => new Contender(server, bodies));
  for (const contender of contenders) await contender.makeBucket();
  log(`warm-up of ${warmUpSeconds} s a step, then ${rounds} rounds of ${seconds} s a step`);
  const ignore = () => undefined;
  await runRound({
    contenders,
    steps,
    round: 0,
    seconds: warmUpSeconds,
    signal,
    onMeasured: ignore,
    share: warmUpShare,
  });
  const measurements = [];
  for (let round = 0; round < rounds; round += 1) {
    const onMeasured = (step, contender, measured) => {
      measurements.push({ step, server: contender.server.name, round, ...measured });
      printProgress(log, step, contender.server.name, round, measured);
    };
    await runRound({ contenders, steps, round, seconds, signal, onMeasured });
  }
  return measurements;
}

export async function run({ size, seed, log, signal, options: given }) {
  const plan = planOf(size, given);
  const servers = [];
  const leftBehind = [];
  try {
    servers.push(await startYardstick());
    servers.push(await startHoldfast(deviceBytesFor(storedBytesMax(plan.steps, plan.rounds, plan.seconds)), signal));
    servers.push(...plan.others);
    const measurements = await measure({ servers, plan, seed, log, signal });
    const failures = measurements.filter((one) => one.errorCount > 0).length;
    const rows = rowsOf({ measurements, steps: plan.steps, names: servers.map((server) => server.name) });
    return {
      trials: measurements.length,
      failures,
      rounds: plan.rounds,
      secondsPerStep: plan.seconds,
      rows,
      ...(failures === 0 ? {} : { error: `${failures} of ${measurements.length} measurements had errors` }),
    };
  } finally {
    for (const server of servers) leftBehind.push(...(await server.remove()));
    for (const line of leftBehind) log(line);
  }
}
