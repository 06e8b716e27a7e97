// kill -9 of one process after the other while a storm of PUTs goes on: no acknowledged object is lost, none is half there.
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, LaunchedStore } from '../store-process/launched-store.mjs';
import { MissingDependency } from '../missing-dependency.mjs';
import { Bodies, seededRandom } from './kill-one/bodies.mjs';
import { ClusterControl } from './kill-one/cluster-control.mjs';
import { checkJudge } from './kill-one/judge-canary.mjs';
import { killPlan } from './kill-one/kill-plan.mjs';
import { absent, Ledger } from './kill-one/ledger.mjs';
import { Storm } from './kill-one/storm.mjs';
import { probeBucket, Verification } from './kill-one/verification.mjs';

export const description =
  'kill -9 of each process of a cluster during a storm of PUTs: nothing acknowledged is lost or half';

const plants = ['lost-object', 'torn-object'];

export const options = {
  plant: { type: 'string', hint: `${plants.join('|')}: does that behind the back of the proof, which must then fail` },
  only: { type: 'string', hint: 'NAMES: kills these processes (a list with commas) and no others' },
  logs: { type: 'string', hint: 'FOLDER: keeps the logs of the processes there' },
};

const MIB = 1024 ** 2;
const buckets = ['storm-a', 'storm-b', 'storm-c', 'storm-d'];
const readyWaitMs = 60_000;
const convergeWaitMs = 30_000;
const violationsShown = 20;

/** Bytes of overwritten and abandoned bodies are freed and used again while the proof runs, not hours later. */
const eagerCollection = {
  HOLDFAST_COLLECT_GRACE_MS: '20000',
  HOLDFAST_COLLECT_INTERVAL_MS: '3000',
  HOLDFAST_FREE_DELAY_MS: '2000',
};

/** `lastKillMs`: no kill begins later than that, counted from the beginning. */
const extents = {
  quick: {
    deviceBytes: 1024 * MIB,
    bytesPerSecond: 6 * MIB,
    calmMs: [500, 1500],
    downMs: [1000, 2000],
    settledSample: 40,
    lastKillMs: 46_000,
    endMs: 85_000,
  },
  full: {
    deviceBytes: 4096 * MIB,
    bytesPerSecond: 5 * MIB,
    calmMs: [500, 4000],
    downMs: [1000, 8000],
    settledSample: 200,
    lastKillMs: 11.5 * 60_000,
    endMs: 14 * 60_000,
  },
};

const between = ([fromMs, toMs], random) => fromMs + random() * (toMs - fromMs);
const seconds = (ms) => Number((ms / 1000).toFixed(1));

async function loadSdk() {
  return import('@aws-sdk/client-s3').catch((error) => {
    throw new MissingDependency(`the AWS SDK is not installed: ${error.message}`, { cause: error });
  });
}

function clientOf(commands, store) {
  return new commands.S3Client({
    endpoint: store.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials,
    requestHandler: { connectionTimeout: 3000, httpAgent: { maxSockets: 64 } },
  });
}

/** Takes an acknowledged object away, or half of it, without telling the ledger. */
async function plantFault(kind, { s3, commands, ledger, bodies, log }) {
  const victim = ledger.changedKeys().find((key) => {
    const [attempt, ...others] = ledger.allowed(key);
    return others.length === 0 && attempt.content !== absent && attempt.sizeBytes > 1;
  });
  if (victim === undefined) throw new Error('there is no object to plant a fault in');
  const target = { Bucket: victim.split('/')[0], Key: victim.slice(victim.indexOf('/') + 1) };
  const [{ recipe }] = ledger.allowed(victim);
  const half = bodies.make(recipe).subarray(0, recipe.sizeBytes >> 1);
  if (kind === 'lost-object') await s3.send(new commands.DeleteObjectCommand(target));
  else await s3.send(new commands.PutObjectCommand({ ...target, Body: half }));
  log(`  planted: ${kind} at ${victim}`);
}

class Proof {
  kills = [];

  /** @param parts { store, control, s3, commands, ledger, bodies, random, buckets, extent, plant, log, signal } */
  constructor(parts) {
    Object.assign(this, parts);
    this.storm = new Storm({ ...parts, bytesPerSecond: parts.extent.bytesPerSecond });
    this.verification = new Verification(parts);
  }

  get violations() {
    return [...this.storm.violations, ...this.verification.violations];
  }

  async prepare() {
    for (const Bucket of [...buckets, probeBucket])
      await this.s3.send(new this.commands.CreateBucketCommand({ Bucket }));
    await this.verification.converge(convergeWaitMs, this.signal);
  }

  /** The storm, and in its midst the death and the return of one process. @returns times in milliseconds */
  async #stormWithDeath(victim) {
    const { control, extent, random, signal, storm } = this;
    storm.start();
    try {
      await sleep(between(extent.calmMs, random), undefined, { signal });
      const ackedBefore = storm.acked;
      const killedAtMs = performance.now();
      const killedPid = await control.kill(victim);
      await sleep(between(extent.downMs, random), undefined, { signal });
      const ackedWhileDown = storm.acked - ackedBefore;
      if (victim.byName) await control.command('start', victim.name);
      await control.waitUntilReady({ name: victim.name, killedPid, waitMs: readyWaitMs, signal });
      this.store.noteProcesses();
      const readyAfterMs = performance.now() - killedAtMs;
      await sleep(300, undefined, { signal });
      return { ackedWhileDown, readyAfterMs };
    } finally {
      await storm.stop();
    }
  }

  /** Keys to read after a kill: those that were written since, and some of the others. */
  #keysToRead() {
    const { ledger, random, extent } = this;
    const changed = ledger.changedKeys();
    const isChanged = new Set(changed);
    const settled = ledger.keys().filter((key) => !isChanged.has(key));
    const share = extent.settledSample / Math.max(1, settled.length);
    return [...changed, ...settled.filter(() => random() < share)];
  }

  async trial(victim, number, of) {
    const { storm, verification, ledger, signal, log } = this;
    const before = { acked: storm.acked, unknown: storm.unknown, violations: this.violations.length };
    const { ackedWhileDown, readyAfterMs } = await this.#stormWithDeath(victim);
    this.kills.push({
      name: victim.name,
      byName: victim.byName,
      readyAfterSeconds: seconds(readyAfterMs),
      ackedWhileDown,
    });
    const convergedMs = await verification.converge(convergeWaitMs, signal);
    if (this.plant !== undefined && number === 1) await plantFault(this.plant, { ...this, ledger });
    const keys = this.#keysToRead();
    await verification.readAll(keys, signal);
    await verification.compareLists(signal);
    const violations = this.violations.length - before.violations;
    log(
      `  ${number}/${of} ${victim.name} ${victim.byName ? 'killed by name' : 'killed by signal'}: ` +
        `${storm.acked - before.acked} acknowledged (${ackedWhileDown} while it was down), ` +
        `${storm.unknown - before.unknown} open; all ready after ${seconds(readyAfterMs)} s, answers well after ` +
        `${seconds(convergedMs)} s more; ${keys.length} objects read, ${violations} violations`,
    );
  }

  async run(plan, startedAtMs) {
    for (const [at, victim] of plan.entries()) {
      if (at > 0 && performance.now() - startedAtMs > this.extent.lastKillMs) {
        this.log(`  the time is over: ${plan.length - at} kills of the plan are not made`);
        break;
      }
      await this.trial(victim, at + 1, plan.length);
    }
    await this.verification.readAll(this.ledger.keys(), this.signal);
    await this.verification.compareLists(this.signal);
  }

  facts() {
    const { storm, verification, ledger, kills, violations } = this;
    return {
      trials: kills.length,
      failures: violations.length,
      keys: ledger.keys().length,
      objectsVerified: verification.objectsRead,
      acknowledged: storm.acked,
      open: storm.unknown,
      refused: storm.refused,
      readsDuringStorm: storm.reads,
      failedReadsDuringStorm: storm.failedReads,
      mebibytesSent: Math.round(storm.sentBytes / MIB),
      errorsDuringStorm: storm.errors,
      kills,
      violations: violations.slice(0, violationsShown),
    };
  }
}

function showViolation(log, { kind, key, found, allowed, differences }) {
  log(`VIOLATION ${kind}\n  key     ${key}\n  found   ${found}\n  allowed ${allowed.join(', ')}`);
  for (const difference of differences ?? []) log(`  ${difference}`);
}

function parseOptions(given) {
  if (given.plant !== undefined && !plants.includes(given.plant))
    throw new Error(`--plant is ${plants.join(' or ')}, not '${given.plant}'`);
  const { checked, problems } = checkJudge();
  if (problems.length > 0) throw new Error(`the judge is blind: ${problems.join('; ')}`);
  return checked;
}

/** Runs the proof on a cluster that stands. Whatever goes wrong after the first kill is a fact beside the others. */
async function prove({ proof, size, only, startedAtMs, log, signal }) {
  try {
    await proof.prepare();
    const names = (await proof.control.status()).map((row) => row.name);
    const plan = killPlan({ names, size, random: proof.random, only });
    log(`storm of PUTs; to be killed: ${plan.map((victim) => victim.name).join(', ')}`);
    await proof.run(proof.plant === undefined ? plan : plan.slice(0, 1), startedAtMs);
    return proof.facts();
  } catch (error) {
    log(`  ${error.stack ?? error}`);
    const why = signal.aborted ? String(signal.reason?.message ?? signal.reason) : error.message;
    return { ...proof.facts(), error: why };
  }
}

export async function run({ size, seed, log, signal: interrupted, options: given }) {
  const startedAtMs = performance.now();
  log(`the judge sees what is planted in ${parseOptions(given)} histories`);
  const commands = await loadSdk();
  const extent = extents[size];
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(extent.endMs)]);
  const store = await LaunchedStore.start('cluster', {
    deviceBytes: extent.deviceBytes,
    env: eagerCollection,
    signal,
  });
  log(`cluster on ${store.directory}, ready after ${seconds(performance.now() - startedAtMs)} s`);
  const random = seededRandom(seed);
  const s3 = clientOf(commands, store);
  const parts = {
    store,
    s3,
    commands,
    ledger: new Ledger(),
    bodies: new Bodies(random),
    random,
    buckets,
    extent,
    log,
    signal,
  };
  const proof = new Proof({ ...parts, control: new ClusterControl(store), plant: given.plant });
  let facts;
  let left;
  try {
    facts = await prove({ proof, size, only: given.only, startedAtMs, log, signal });
  } finally {
    s3.destroy();
    if (given.logs !== undefined) await store.copyLogs(given.logs);
    left = await store.remove();
  }
  for (const violation of facts.violations) showViolation(log, violation);
  for (const line of left) log(`VIOLATION ${line}`);
  return { ...facts, failures: facts.failures + left.length, leftBehind: left };
}
