// The steps, the order in which servers take turns, and what of the figures goes into the table.
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Connection } from './connection.mjs';
import { runStep } from './load.mjs';
import { sha256Hex, Signer } from './sigv4.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const bucket = 'bench-s3';
/** Of what a warm-up or the last round reached, so many requests are prepared; who runs out of them ends early. */
const preparedShare = 1.5;
const firstGuessPerSecond = 4000;

/** `operationsMax` bounds what is stored in a step; `keysPerWorker` how many of them are read again. */
const sizes = (connections) => [
  { label: '4 KiB', sizeBytes: 4 * KIB, connections, operationsMax: 200_000, keysPerWorker: 64 },
  { label: '1 MiB', sizeBytes: MIB, connections: 16, operationsMax: 512, keysPerWorker: 8 },
  { label: '64 MiB', sizeBytes: 64 * MIB, connections: 4, operationsMax: 12, keysPerWorker: 2 },
];

export const stepsOf = (connections) =>
  sizes(connections).flatMap((size) => [
    { ...size, name: `PUT ${size.label}`, method: 'PUT' },
    { ...size, name: `GET ${size.label}`, method: 'GET' },
  ]);

/** What is stored in all rounds, as a bound for the size of devices. */
export function storedBytesMax(steps, rounds, seconds) {
  const perRound = steps
    .filter((step) => step.method === 'PUT')
    .reduce((sum, step) => sum + step.sizeBytes * Math.min(step.operationsMax, 40_000 * seconds), 0);
  return perRound * (rounds + 1);
}

/** Random bytes that come again from the same seed: a different body for each worker of each size. */
function randomBody(seed, label, sizeBytes) {
  const block = Buffer.concat(
    Array.from({ length: 32_768 }, (_, at) => createHash('sha256').update(`${seed}/${label}/${at}`).digest()),
  );
  const body = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += block.length) {
    block.copy(body, at);
    body.writeUInt32BE(at / block.length, at);
  }
  return body;
}

/** One server with what the client knows of it: its signer, its rates, the keys that it holds. */
export class Contender {
  constructor(server, bodies) {
    this.server = server;
    this.bodies = bodies;
    const host = `${server.host}:${server.port}`;
    this.signer = new Signer({ host, accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey });
    this.lastPerSecond = new Map();
    this.stored = new Map();
    this.runs = 0;
  }

  /** @throws when the server does not make the bucket */
  async makeBucket() {
    const connection = new Connection(this.server.host, this.server.port);
    const head = this.signer.head('PUT', `/${bucket}`);
    const { status, text } = await new Promise((done) => connection.exchange(head, undefined, undefined, done));
    connection.close();
    const isThere = status === 200 || text.includes('BucketAlreadyOwnedByYou');
    if (!isThere) throw new Error(`${this.server.name} does not make a bucket: status ${status} ${text}`);
  }

  #putPlans(step, seconds, operationsMax) {
    this.runs += 1;
    const guess = this.lastPerSecond.get(step.name) ?? firstGuessPerSecond;
    const wanted = Math.min(operationsMax, Math.ceil(guess * seconds * preparedShare) + step.connections);
    const each = Math.ceil(wanted / step.connections);
    return Array.from({ length: step.connections }, (_, worker) => {
      const { body, sha256 } = this.bodies.of(step, worker);
      const folder = `/${bucket}/${step.sizeBytes}-w${String(worker).padStart(3, '0')}`;
      const paths = Array.from(
        { length: each },
        (_unused, at) => `${folder}/r${String(this.runs).padStart(3, '0')}-${String(at).padStart(7, '0')}`,
      );
      const heads = paths.map((path) => this.signer.head('PUT', path, { sha256, sizeBytes: body.length }));
      return { heads, body, paths };
    });
  }

  #getPlans(step) {
    const stored = this.stored.get(step.sizeBytes) ?? [];
    return stored.map((paths, worker) => ({
      heads: paths.slice(-step.keysPerWorker).map((path) => this.signer.head('GET', path)),
      body: this.bodies.of(step, worker).body,
    }));
  }

  async run(step, seconds, operationsMax = step.operationsMax) {
    const plans = step.method === 'PUT' ? this.#putPlans(step, seconds, operationsMax) : this.#getPlans(step);
    if (plans.length === 0 || plans.some((plan) => plan.heads.length === 0))
      return { operations: 0, errorCount: 1, errors: ['nothing was stored that could be read'] };
    const measured = await runStep(this.server, step, plans, seconds);
    this.lastPerSecond.set(step.name, measured.perSecond);
    if (step.method === 'PUT')
      this.stored.set(
        step.sizeBytes,
        plans.map((plan, worker) => measured.succeeded[worker].map((at) => plan.paths[at])),
      );
    return measured;
  }
}

export class Bodies {
  #made = new Map();

  constructor(seed) {
    this.seed = seed;
  }

  of(step, worker) {
    const label = `${step.sizeBytes}/${worker}`;
    let made = this.#made.get(label);
    if (made === undefined) {
      const body = randomBody(this.seed, label, step.sizeBytes);
      made = { body, sha256: sha256Hex(body) };
      this.#made.set(label, made);
    }
    return made;
  }
}

/** What is not yet on the disk of one server must not slow the next one. */
const flushMachine = () => promisify(execFile)('sync', []);

/** Calls back with (step, contender, measured) for each step of one round, the servers in turns. */
export async function runRound({ contenders, steps, round, seconds, signal, onMeasured, share = 1 }) {
  const turns = round % 2 === 0 ? contenders : [...contenders].reverse();
  for (const step of steps)
    for (const contender of turns) {
      signal.throwIfAborted();
      const operationsMax = Math.max(step.connections, Math.ceil(step.operationsMax * share));
      const measured = await contender.run(step, seconds, operationsMax);
      await flushMachine();
      onMeasured(step, contender, measured);
    }
}
