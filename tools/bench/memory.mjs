// Resident memory under large bodies. All steps run in one life of the store, and all of them twice: what a process does not
// give back shows in the second round. Bodies are held against their SHA-256.
import { credentials, LaunchedStore } from '../store-process/launched-store.mjs';
import { cpuMsOf } from '../store-process/process-tree.mjs';
import { Bodies } from './memory/bodies.mjs';
import { beginPeaks, residentOf } from './memory/resident.mjs';
import { get, put, putBucket } from './memory/transfers.mjs';
import { Signer } from './s3/sigv4.mjs';

export const description =
  'peak resident memory of each process: bodies of 1 GiB, 32 of 64 MiB at once, clients that stand still';

export const options = {
  app: { type: 'string', hint: 'standalone or cluster (standalone)' },
  limit: { type: 'string', hint: 'MIB: what no process of ours may exceed (512)' },
};

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const bucket = '/bench-memory';
const atOnce = 32;
const stillMs = 20_000;
const rounds = 2;
/** What is stored in all rounds; the devices of standalone (2+1) and of the cluster (4+2) hold one and a half times that. */
const storedBytes = rounds * (GIB + atOnce * 64 * MIB * 2);
const deviceCount = { standalone: 3, cluster: 12 };

class Client {
  longestSmallMs = 0;
  #bodies = new Map();

  /** All bodies are made, and hashed, before the first step: the client must not be what is measured. */
  constructor(server, seed) {
    const { host, port, accessKeyId, secretAccessKey } = server;
    this.server = server;
    this.signer = new Signer({ host: `${host}:${port}`, accessKeyId, secretAccessKey });
    const bodies = new Bodies(seed);
    this.#bodies.set('small', bodies.next(MIB)).set('large', bodies.next(GIB));
    for (let at = 0; at < atOnce; at += 1)
      for (const kind of ['middle', 'mixed']) this.#bodies.set(`${kind}-${at}`, bodies.next(64 * MIB));
  }

  put(name) {
    return put(this.server, this.signer, `${bucket}/${name}`, this.#bodies.get(name));
  }

  get(name, waitMs) {
    return get(this.server, this.signer, `${bucket}/${name}`, this.#bodies.get(name), waitMs);
  }

  /** One after the other, as long as `others` takes; notes the longest. */
  async getMeanwhile(name, others) {
    let isOver = false;
    const over = others.finally(() => (isOver = true));
    over.catch(() => undefined);
    while (!isOver) {
      const startedAtMs = performance.now();
      await this.get(name);
      this.longestSmallMs = Math.max(this.longestSmallMs, performance.now() - startedAtMs);
    }
    await over;
  }
}

const each = (action) => Promise.all(Array.from({ length: atOnce }, (_, at) => action(at)));

const steps = [
  ['PUT 1 GiB', (client) => client.put('large')],
  ['GET 1 GiB', (client) => client.get('large')],
  ['PUT 32 x 64 MiB', (client) => each((at) => client.put(`middle-${at}`))],
  ['GET 32 x 64 MiB', (client) => each((at) => client.get(`middle-${at}`))],
  [
    'PUT and GET',
    (client) => Promise.all([each((at) => client.put(`mixed-${at}`)), each((at) => client.get(`middle-${at}`))]),
  ],
  [
    'GET, still 20 s',
    (client) =>
      client.getMeanwhile(
        'small',
        each((at) => client.get(`middle-${at}`, stillMs)),
      ),
  ],
];

const rounded = (mib) => Math.round(mib);

/** Runs one step; answers its row and the peaks of our own processes. */
async function measure(store, client, round, [name, run]) {
  beginPeaks(store.roots);
  const cpuMs = cpuMsOf(store.roots);
  const startedAtMs = performance.now();
  await run(client);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const resident = [...residentOf(store.roots)].sort(([one], [other]) => (one < other ? -1 : 1));
  const peaks = resident.filter(([, { isOwn }]) => isOwn).map(([process, { peakMib }]) => ({ process, peakMib }));
  const columns = resident.map(([process, { peakMib, nowMib }]) => [
    process,
    `${rounded(peakMib)} (${rounded(nowMib)})`,
  ]);
  const cpuSeconds = ((cpuMsOf(store.roots) - cpuMs) / 1000).toFixed(1);
  return {
    row: { round: round + 1, step: name, seconds: seconds.toFixed(1), cpuSeconds, ...Object.fromEntries(columns) },
    peaks,
  };
}

function parse({ app = 'standalone', limit = '512' }) {
  if (!Object.hasOwn(deviceCount, app)) throw new Error(`--app is ${Object.keys(deviceCount).join(' or ')}`);
  if (!/^[1-9]\d{0,5}$/.test(limit)) throw new Error('--limit is a whole number of MiB');
  return { app, limitMib: Number(limit) };
}

export async function run({ seed, log, signal, options: given }) {
  const { app, limitMib } = parse(given);
  const deviceBytes = Math.ceil((storedBytes * 1.5) / deviceCount[app] / GIB + 2) * GIB;
  const store = await LaunchedStore.start(app, { deviceBytes, signal });
  const rows = [];
  const over = [];
  let client;
  try {
    client = new Client({ host: '127.0.0.1', port: store.port, ...credentials }, seed);
    await putBucket(client.server, client.signer, bucket);
    await client.put('small');
    for (let round = 0; round < rounds; round += 1)
      for (const step of steps) {
        signal.throwIfAborted();
        const { row, peaks } = await measure(store, client, round, step);
        log(`  ${Object.values(row).join('  ')}`);
        rows.push(row);
        for (const { process, peakMib } of peaks)
          if (peakMib > limitMib) over.push(`${process} had ${rounded(peakMib)} MiB (${step[0]}, round ${round + 1})`);
      }
  } finally {
    for (const line of await store.remove()) log(line);
  }
  const facts = { app, limitMib, longestSmallGetMs: rounded(client.longestSmallMs), rows };
  return over.length === 0 ? facts : { ...facts, error: over.join('; ') };
}
