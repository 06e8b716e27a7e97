// Every loss that a code promises to survive, and every one too many, against a definition of the code written apart.
import { createHash } from 'node:crypto';
import { ReedSolomon, SimdKernel, splitChunk, storedUnitSize } from '@holdfast/erasure';
import { combineByDefinition, parityByDefinition } from '../../libs/chunk-engine/erasure/src/testing/galois-oracle.ts';
import { seededRandom } from './kill-one/bodies.mjs';

export const description =
  'every loss pattern of every code is rebuilt byte for byte or refused; WebAssembly is equal to the definition';

const plants = ['wrong-product', 'no-refusal'];
export const options = {
  plant: { type: 'string', hint: `${plants.join('|')}: breaks the code so, and the proof must then fail` },
};

const codes = [
  { k: 2, m: 1 },
  { k: 4, m: 2 },
  { k: 8, m: 3 },
  { k: 8, m: 4 },
  { k: 10, m: 4 },
  { k: 1, m: 1 },
  { k: 1, m: 2 },
  { k: 1, m: 3 },
];

/** SHA-256 over the parity of 4,096 bytes a unit, byte i of unit j being (i * 31 + j * 7 + 3) mod 256: stored units depend on it. */
const knownParity = {
  '2+1': '49ae40d2e6575d07ebb28089d068599ec688c32a5c9f3adb69f1e0fed1179a03',
  '4+2': '52f3b900694a21044a253d254a7be297bf76cf3ca321aa9ddeb7562ff442237a',
  '8+3': 'b0767171d32bcb7ca54fd2811c637b7e05353f255c48f7929a6a0f64800aea90',
  '8+4': '59a07a3abd7a77147773b4c7b1c5b7d76bb9733940d92f2ff47d03aa6d4d9d43',
  '10+4': 'd379fbb8d10334e4b3e09413cb837dbbb6f208d22293fd8832e7c99a4aadc62c',
  '1+1': '69d4e9cb55737ca3f2321a7e60e01d5620db969a062d0d539f06116b43a538cf',
  '1+2': '7a52706f0c81158e1826dfd3f2a293178d05dae7bc7b63943d90916391a800f1',
  '1+3': '9c37b5ee67bb1865f85963cc3a6fc7d8b90b160a22235ed7d9f41d5bb2146794',
};

/** Indexes of the lost units, for every way to lose `count` of `of`. */
function* losses(of, count, from = 0) {
  if (count === 0) return void (yield []);
  for (let first = from; first <= of - count; first += 1)
    for (const rest of losses(of, count - 1, first + 1)) yield [first, ...rest];
}

/** Sizes of chunks at the edges of units and blocks. */
function sizesOf(k, size) {
  const unit = 4096;
  const edges = [0, 1, unit * k - 1, unit * k, unit * k + 1, 3 * unit * k - 5];
  return size === 'full' ? [...edges, unit - 1, unit, unit + 1, 5 * unit * k + 17] : edges;
}

class Broken {
  constructor(kernel) {
    this.kernel = kernel;
  }
  combine(rows, sources, targets) {
    this.kernel.combine(rows, sources, targets);
    const last = targets.at(-1);
    if (last !== undefined && last.length > 7) last[7] ^= 1;
  }
}

function makeCode({ k, m }, plant) {
  const code = plant === 'wrong-product' ? new ReedSolomon(k, m, new Broken(new SimdKernel())) : new ReedSolomon(k, m);
  if (plant !== 'no-refusal') return code;
  const rebuild = code.rebuild.bind(code);
  code.rebuild = (units, sizeBytes, wanted) => {
    try {
      return rebuild(units, sizeBytes, wanted);
    } catch {
      return wanted.map(() => Buffer.alloc(sizeBytes));
    }
  };
  return code;
}

/** Counts of one code: how many patterns were tried and how many came out wrong. */
function tryCode(shape, { size, random, plant, log }) {
  const { k, m } = shape;
  const code = makeCode(shape, plant);
  const counts = { rebuilt: 0, refused: 0, encodings: 0, failures: 0 };
  const fail = (what) => {
    counts.failures += 1;
    if (counts.failures <= 3) log(`${k}+${m}: ${what}`);
  };
  for (const chunkBytes of sizesOf(k, size)) {
    const chunk = Buffer.from(Uint8Array.from({ length: chunkBytes }, () => random() * 256));
    const { unitSizeBytes, units: data } = splitChunk(chunk, k);
    const parity = Array.from({ length: m }, () => Buffer.alloc(storedUnitSize(chunkBytes, k, k), 0xee));
    code.encode(data, parity);
    counts.encodings += 1;
    const expected = parityByDefinition(data, m, parity[0].length);
    if (parity.some((unit, index) => Buffer.compare(unit, expected[index]) !== 0))
      fail(`the parity of ${chunkBytes} bytes is not that of the definition`);
    const all = [...data, ...parity];
    for (let count = 1; count <= m; count += 1) {
      for (const lost of losses(k + m, count)) {
        const left = all.map((unit, index) => (lost.includes(index) ? undefined : unit));
        const rebuilt = code.rebuild(left, unitSizeBytes, lost);
        counts.rebuilt += 1;
        const isRight = rebuilt.every((unit, at) => {
          const stored = all[lost[at]];
          return (
            unit.subarray(0, stored.length).equals(stored) && unit.subarray(stored.length).every((byte) => byte === 0)
          );
        });
        if (!isRight) fail(`${chunkBytes} bytes without units ${lost.join(' ')} come back different`);
      }
    }
    for (const lost of losses(k + m, m + 1)) {
      const left = all.map((unit, index) => (lost.includes(index) ? undefined : unit));
      counts.refused += 1;
      try {
        code.rebuild(left, unitSizeBytes, lost);
        fail(`${chunkBytes} bytes without units ${lost.join(' ')} are not refused`);
      } catch {
        // As it must be.
      }
    }
  }
  return counts;
}

/** Random rows and sizes: the kernel against the definition. */
function tryKernel(rounds, random, log) {
  const kernel = new SimdKernel();
  const below = (limit) => Math.floor(random() * limit);
  let failures = 0;
  for (let round = 0; round < rounds; round += 1) {
    const k = 1 + below(12);
    const sizeBytes = below(3) === 0 ? 16_384 - 40 + below(80) : below(300);
    const ones = below(2) === 0;
    const rows = Array.from({ length: 1 + below(5) }, (_, r) =>
      Uint8Array.from({ length: k }, (_unused, j) => (ones && (r === 0 || j === 0) ? 1 : below(256))),
    );
    const sources = Array.from({ length: k }, () =>
      Uint8Array.from({ length: below(4) === 0 ? below(sizeBytes + 1) : sizeBytes }, () => below(256)),
    );
    const targets = rows.map(() => Buffer.alloc(sizeBytes, 0xee));
    kernel.combine(rows, sources, targets);
    const expected = combineByDefinition(rows, sources, sizeBytes);
    if (targets.some((target, index) => Buffer.compare(target, expected[index]) !== 0)) {
      failures += 1;
      log(`kernel: round ${round} with k ${k}, ${rows.length} rows, ${sizeBytes} bytes differs from the definition`);
    }
  }
  return failures;
}

function parityDigest({ k, m }, encode) {
  const data = Array.from({ length: k }, (_, j) =>
    Buffer.from(Uint8Array.from({ length: 4096 }, (_unused, i) => i * 31 + j * 7 + 3)),
  );
  const hash = createHash('sha256');
  for (const unit of encode(data)) hash.update(unit);
  return { name: `${k}+${m}`, digest: hash.digest('hex') };
}

function tryKnownAnswers(log) {
  let failures = 0;
  for (const shape of codes) {
    const { name, digest } = parityDigest(shape, (data) => {
      const parity = Array.from({ length: shape.m }, () => Buffer.alloc(4096));
      new ReedSolomon(shape.k, shape.m).encode(data, parity);
      return parity;
    });
    if (digest === knownParity[name]) continue;
    failures += 1;
    log(`${name}: the parity of the known data has digest ${digest}`);
  }
  return failures;
}

export async function run({ size, seed, log, signal, options: { plant } }) {
  if (plant !== undefined && !plants.includes(plant)) throw new Error(`--plant is ${plants.join(' or ')}`);
  const random = seededRandom(seed);
  const facts = { patternsRebuilt: 0, patternsRefused: 0, encodings: 0 };
  const kernelRounds = size === 'full' ? 20_000 : 1500;
  let failures = tryKnownAnswers(log) + tryKernel(kernelRounds, random, log);
  for (const shape of codes) {
    if (signal.aborted) break;
    const counts = tryCode(shape, { size, random, plant, log });
    facts.patternsRebuilt += counts.rebuilt;
    facts.patternsRefused += counts.refused;
    facts.encodings += counts.encodings;
    failures += counts.failures;
    log(
      `${shape.k}+${shape.m}: ${counts.rebuilt} patterns rebuilt, ${counts.refused} refused, ${counts.failures} wrong`,
    );
  }
  // The proof itself is tried: what is broken must be seen.
  for (const broken of plants) {
    const { failures: seen } = tryCode({ k: 4, m: 2 }, { size: 'quick', random, plant: broken, log: () => undefined });
    if (seen === 0) {
      failures += 1;
      log(`a code with ${broken} was not noticed`);
    }
  }
  const trials =
    codes.length + kernelRounds + facts.encodings + facts.patternsRebuilt + facts.patternsRefused + plants.length;
  return { trials, failures, ...facts, kernelRounds, plantsSeen: plants };
}
