// Complete against Abort against UploadPart, on two APIs at once: one outcome, the bytes of that outcome, nothing left over.
import { randomFillSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MissingDependency } from '../missing-dependency.mjs';
import { seededRandom } from './kill-one/bodies.mjs';
import { faults } from './multipart-races/faults.mjs';
import { judge, objectEtag, Round } from './multipart-races/round.mjs';

export const description =
  'Complete against Abort against UploadPart on two APIs, real Postgres and devices: one outcome, no byte changed or leaked';

export const options = {
  plant: { type: 'string', hint: `${Object.keys(faults).join('|')}: puts that fault in, and the proof must then fail` },
};

const roundsOf = { quick: 40, full: 200 };
const roundsAtOnce = 4;
const settleMs = 40_000;
const violationsShown = 20;
const bucket = 'races';

/** The judge must see each of these. */
function checkJudge() {
  const [part, rival] = [Buffer.from('part'), Buffer.from('rival')];
  const made = { ok: true, etag: objectEtag([part]) };
  const ok = { ok: true };
  const gone = { ok: false, code: '404 NoSuchUpload' };
  const blind = [
    { completes: [made], aborts: [ok], rivals: [] },
    { completes: [gone], aborts: [gone], rivals: [] },
    { completes: [gone], aborts: [ok, ok], rivals: [] },
    { completes: [{ ok: true, etag: objectEtag([rival]) }], aborts: [gone], rivals: [] },
    { completes: [made], aborts: [gone], rivals: [ok] },
    { completes: [{ ok: false, code: '400 InvalidPart' }], aborts: [ok], rivals: [gone] },
    { completes: [made], aborts: [{ ok: false, code: '500 InternalError' }], rivals: [] },
  ].filter((answers) => judge({ parts: [part], rival }, answers).violations.length === 0);
  if (blind.length > 0) throw new Error(`the judge is blind: ${JSON.stringify(blind)}`);
  const fine = { completes: [made, made], aborts: [gone], rivals: [gone] };
  const { violations } = judge({ parts: [part], rival }, fine);
  if (violations.length > 0) throw new Error(`the judge sees what is not there: ${violations.join('; ')}`);
}

async function load() {
  try {
    const [commands, { TwoApis }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('./multipart-races/two-apis.mjs'),
    ]);
    return { commands, TwoApis };
  } catch (error) {
    throw new MissingDependency(`the store cannot be put together: ${error.message}`, { cause: error });
  }
}

/** Nothing is on the devices but what records name, and no row is without its owner. @returns violations */
async function findLeaks(store, log) {
  const untilMs = performance.now() + settleMs;
  for (;;) {
    await store.data.collector.runOnce();
    const [units, named, stray] = [await store.unitCount(), await store.namedUnitCount(), await store.strayRows()];
    const problems = [
      ...(units === named ? [] : [`${units} units on the devices, ${named} named by records`]),
      ...(stray.partsWithoutOwner === 0 ? [] : [`${stray.partsWithoutOwner} parts without an owner`]),
      ...(stray.freesOwed === 0 ? [] : [`${stray.freesOwed} frees still owed`]),
    ];
    if (problems.length === 0 || performance.now() > untilMs) {
      log(`  ${units} units on the devices, ${named} named by records`);
      return problems;
    }
    await sleep(500);
  }
}

async function prove({ store, commands, size, seed, log, signal }) {
  const random = seededRandom(seed);
  const bodies = { make: (sizeBytes) => randomFillSync(Buffer.allocUnsafe(sizeBytes)) };
  await store.clients[0].send(new commands.CreateBucketCommand({ Bucket: bucket }));
  const outcomes = { completed: 0, aborted: 0 };
  const counts = { completes: 0, aborts: 0, rivals: 0, rivalsAccepted: 0 };
  const violations = [];
  const rounds = [];
  const note = (round, found) => {
    for (const what of found) violations.push(`${round.key}: ${what}`);
  };
  for (let first = 0; first < roundsOf[size] && !signal.aborted; first += roundsAtOnce) {
    const batch = Array.from({ length: Math.min(roundsAtOnce, roundsOf[size] - first) }, (_, index) => {
      return new Round({ clients: store.clients, commands, bodies, random, bucket, key: `round-${first + index}` });
    });
    const results = await Promise.all(batch.map((round) => round.run()));
    for (const [index, { outcome, answers, violations: found }] of results.entries()) {
      outcomes[outcome] += 1;
      for (const who of ['completes', 'aborts', 'rivals']) counts[who] += answers[who].length;
      counts.rivalsAccepted += answers.rivals.filter(({ ok }) => ok).length;
      note(batch[index], found);
      note(batch[index], await batch[index].verify());
    }
    rounds.push(...batch);
  }
  log(`  ${rounds.length} rounds: ${outcomes.completed} completed, ${outcomes.aborted} aborted`);
  const leaks = await findLeaks(store, log);
  violations.push(...leaks);
  // What was freed is used again by now: an acknowledged object shows whether something of it was.
  for (const round of rounds) note(round, await round.verify());
  for (const round of rounds) await round.remove();
  violations.push(...(await findLeaks(store, log)).map((what) => `after everything was deleted: ${what}`));
  if (signal.aborted) violations.push('interrupted');
  return {
    trials: rounds.length,
    failures: violations.length,
    outcomes,
    ...counts,
    violations: violations.slice(0, violationsShown),
  };
}

export async function run({ size, seed, log, signal, options: given }) {
  if (given.plant !== undefined && faults[given.plant] === undefined)
    throw new Error(`--plant is ${Object.keys(faults).join(' or ')}, not '${given.plant}'`);
  checkJudge();
  const { commands, TwoApis } = await load();
  const store = await TwoApis.start(commands);
  // A broken invariant would stop an API; here it is a finding.
  const broken = [];
  const onBroken = (error) => broken.push(`an API stopped: ${error.message}`);
  process.on('uncaughtException', onBroken);
  try {
    if (given.plant !== undefined) await faults[given.plant](store.database);
    const facts = await prove({ store, commands, size, seed, log, signal });
    const violations = [...broken, ...facts.violations];
    for (const violation of violations) log(`VIOLATION ${violation}`);
    return { ...facts, failures: facts.failures + broken.length, violations };
  } finally {
    process.off('uncaughtException', onBroken);
    await store.stop();
  }
}
