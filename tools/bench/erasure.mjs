// Parity and rebuild on one core: the kernel on its own memory, the kernel on buffers that lie anywhere, and memcpy of the same
// data units. Rates are of data bytes and of processor time, so that what else runs here tells little.
import { execFileSync } from 'node:child_process';
import { ReedSolomon, SimdKernel } from '@holdfast/erasure';

export const description =
  'parity and rebuild of 2+1, 4+2, 8+3 on one core beside memcpy (and other libraries by --peers)';

export const options = {
  peers: {
    type: 'string',
    hint: 'COMMAND: prints lines of library, code, work, set, GB/s by tabs, of the same work; its rows stand in the table',
  },
};

const MIB = 1024 ** 2;
const codes = [
  { k: 2, m: 1 },
  { k: 4, m: 2 },
  { k: 8, m: 3 },
];
/** `cache`: one stripe again and again; `memory`: so many by turns that no cache holds them. */
const sets = [
  { name: 'cache', unitBytes: 16 * 1024, stripes: 1 },
  { name: 'memory', unitBytes: MIB, stripes: 24 },
];

/** Data bytes a microsecond of processor time (MB/s), the median of some rounds. */
function rate(dataBytes, work, rounds, millis) {
  const rates = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = process.cpuUsage();
    let done = 0;
    let usedUs;
    do {
      for (let again = 0; again < 8; again += 1) work(done++);
      const { user, system } = process.cpuUsage(began);
      usedUs = user + system;
    } while (usedUs < millis * 1000);
    rates.push((done * dataBytes) / usedUs / 1000);
  }
  return rates.sort((a, b) => a - b)[rounds >> 1];
}

function fill(bytes, seed) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let state = seed >>> 0;
  for (let at = 0; at < words.length; at += 1) words[at] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
}

function stripesOf({ k, m }, { unitBytes, stripes }, take, seed) {
  return Array.from({ length: stripes }, (_, stripe) => {
    const units = Array.from({ length: k + m }, () => take(unitBytes));
    units.forEach((unit, index) => fill(unit, seed + stripe * 100 + index));
    return units;
  });
}

function measure(shape, set, seed, { rounds, millis }) {
  const { k, m } = shape;
  const { unitBytes, stripes } = set;
  const kernel = new SimdKernel(unitBytes * (k + m) * stripes);
  const code = new ReedSolomon(k, m, kernel);
  let at = 0;
  const resident = stripesOf(shape, set, (bytes) => kernel.resident.subarray(at, (at += bytes)), seed);
  const anywhere = stripesOf(shape, set, (bytes) => Buffer.allocUnsafeSlow(bytes), seed);
  const out = Buffer.allocUnsafeSlow(unitBytes * k);
  const encode = (units) => code.encode(units.slice(0, k), units.slice(k));
  const lostFirst = (units) => units.map((unit, index) => (index === 0 ? undefined : unit));
  for (const units of [...resident, ...anywhere]) encode(units);
  if (!code.rebuild(lostFirst(anywhere[0]), unitBytes, [0])[0].equals(anywhere[0][0]))
    throw new Error('a rebuilt unit differs');
  const dataBytes = k * unitBytes;
  const of = (work) => rate(dataBytes, work, rounds, millis);
  return {
    memcpy: of((turn) =>
      anywhere[turn % stripes].slice(0, k).forEach((unit, index) => out.set(unit, index * unitBytes)),
    ),
    'encode in place': of((turn) => encode(resident[turn % stripes])),
    'encode anywhere': of((turn) => encode(anywhere[turn % stripes])),
    'rebuild one unit': of((turn) => code.rebuild(lostFirst(anywhere[turn % stripes]), unitBytes, [0])),
  };
}

/** Rows of a program that measures other libraries. */
function peerRows(command) {
  if (command === undefined) return [];
  const text = execFileSync('bash', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter((cells) => cells.length >= 5 && /^\d+\+\d+$/.test(cells[1]) && Number(cells[4]) > 0)
    .map(([library, code, work, set, gigabytes]) => ({
      code,
      set,
      work: `${library} ${work}`,
      'GB/s': gigabytes,
      'of memcpy': '',
    }));
}

export async function run({ size, seed, log, options: { peers } }) {
  const extent = size === 'full' ? { rounds: 9, millis: 300 } : { rounds: 5, millis: 60 };
  const rows = [];
  for (const set of sets) {
    for (const shape of codes) {
      const code = `${shape.k}+${shape.m}`;
      const rates = measure(shape, set, seed, extent);
      log(
        `${code} ${set.name}: ${Object.entries(rates)
          .map(([work, value]) => `${work} ${value.toFixed(1)}`)
          .join(', ')} GB/s`,
      );
      for (const [work, value] of Object.entries(rates))
        rows.push({
          code,
          set: set.name,
          work,
          'GB/s': value.toFixed(2),
          'of memcpy': (value / rates.memcpy).toFixed(2),
        });
    }
  }
  rows.push(...peerRows(peers));
  return { trials: rows.length, failures: 0, rows };
}
