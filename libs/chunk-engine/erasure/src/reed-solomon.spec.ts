import { describe, expect, it } from '@jest/globals';
import { joinChunk, splitChunk, storedUnitSize } from './chunk-split.js';
import { invert, multiply } from './galois-field.js';
import { parityMatrix } from './matrix.js';
import { ReedSolomon } from './reed-solomon.js';
import { multiplySlowly, parityByDefinition } from './testing/galois-oracle.js';

/** The same bytes everywhere, without a library: a linear congruence. */
function pseudoRandom(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = seed;
  for (let index = 0; index < sizeBytes; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/**
 * Computed outside this code, from the definition in matrix.ts with x = {0, 1} and y = {2, 3, 4, 5}: the second row is
 * (1/3, 1/2, 1/5, 1/4) over (1/2, 1/3, 1/4, 1/5), scaled so that it begins with one. A change here breaks stored units.
 */
const KNOWN_SECOND_ROW = [1, 70, 245, 101];
const KNOWN_PARITY = ['0008', 'eb0c'];

function encodeChunk(code: ReedSolomon, chunk: Buffer) {
  const { unitSizeBytes, units } = splitChunk(chunk, code.k);
  const parity = Array.from({ length: code.m }, () => Buffer.alloc(storedUnitSize(chunk.length, code.k, code.k), 0xee));
  code.encode(units, parity);
  return { unitSizeBytes, all: [...units, ...parity] };
}

/** All ways to lose up to `most` of `count` units, as bit masks. */
function lossPatterns(count: number, most: number): number[] {
  return Array.from({ length: 1 << count }, (_, mask) => mask).filter((mask) => bitCount(mask) <= most);
}

function bitCount(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}

const lose = <Unit>(units: readonly Unit[], mask: number): (Unit | undefined)[] =>
  units.map((unit, index) => ((mask >> index) & 1 ? undefined : unit));

describe('Reed-Solomon', () => {
  it('multiplies and inverts as the definition of the field says', () => {
    for (let a = 0; a < 256; a += 1) {
      for (let b = 0; b < 256; b += 1) {
        if (multiply(a, b) !== multiplySlowly(a, b)) throw new Error(`${a} * ${b}`);
      }
      if (a > 0) expect(multiplySlowly(a, invert(a))).toBe(1);
    }
  });

  it('has a first row and a first column of ones, whatever k and m', () => {
    for (let k = 1; k <= 31; k += 1) {
      const rows = parityMatrix(k, 32 - k);
      expect([...rows[0]]).toEqual(Array.from({ length: k }, () => 1));
      expect(rows.every((row) => row[0] === 1 && row.every((value) => value !== 0))).toBe(true);
    }
  });

  it('seed-2.3: known answers', () => {
    const parityOf = (k: number, m: number, data: number[][]): string[] => {
      const parity = Array.from({ length: m }, () => Buffer.alloc(data[0].length));
      new ReedSolomon(k, m).encode(
        data.map((unit) => Buffer.from(unit)),
        parity,
      );
      return parity.map((unit) => unit.toString('hex'));
    };
    expect([...parityMatrix(4, 2)[1]]).toEqual(KNOWN_SECOND_ROW);
    const unitVectors = [0, 1, 2, 3].map((index) => [0, 1, 2, 3].map((at) => (at === index ? 1 : 0)));
    expect(parityOf(4, 2, unitVectors)).toEqual(['01010101', Buffer.from(KNOWN_SECOND_ROW).toString('hex')]);
    expect(
      parityOf(2, 1, [
        [0x0f, 0xff],
        [0xf1, 0x01],
      ]),
    ).toEqual(['fefe']);
    expect(
      parityOf(4, 2, [
        [1, 2],
        [3, 4],
        [5, 6],
        [7, 8],
      ]),
    ).toEqual(KNOWN_PARITY);
  });

  it('seed-2.3: one parity unit equals XOR', () => {
    const data = [1, 2, 3, 4, 5].map((seed) => pseudoRandom(1001, seed));
    const parity = [Buffer.alloc(1001)];
    new ReedSolomon(5, 1).encode(data, parity);
    const expected = Buffer.from(
      Uint8Array.from({ length: 1001 }, (_, i) => data.reduce((sum, unit) => sum ^ unit[i], 0)),
    );
    expect(parity[0].equals(expected)).toBe(true);
  });

  it('seed-2.3: with one data unit every unit is a copy', () => {
    for (const sizeBytes of [0, 1, 4097]) {
      const chunk = pseudoRandom(sizeBytes);
      const { all } = encodeChunk(new ReedSolomon(1, 3), chunk);
      expect(all.every((unit) => unit.equals(chunk))).toBe(true);
    }
  });

  it.each([
    [1, 1],
    [2, 1],
    [2, 2],
    [4, 2],
    [8, 3],
  ])('seed-2.3: %i+%i rebuilds every unit after every loss it promises to survive', (k, m) => {
    const code = new ReedSolomon(k, m);
    for (const sizeBytes of [0, 1, 4095, 4096, 4097, 4096 * k - 1, 4096 * k, 4096 * k + 1]) {
      const chunk = pseudoRandom(sizeBytes, sizeBytes + 1);
      const { unitSizeBytes, all } = encodeChunk(code, chunk);
      parityByDefinition(all.slice(0, k), m, all[k].length).forEach((parity, index) =>
        expect(Buffer.compare(parity, all[k + index])).toBe(0),
      );
      for (const mask of lossPatterns(k + m, m)) {
        const wanted = all.flatMap((_, index) => ((mask >> index) & 1 ? [index] : []));
        const left = lose(all, mask);
        const rebuilt = code.rebuild(left, unitSizeBytes, wanted);
        rebuilt.forEach((unit, at) => {
          const stored = unit.subarray(0, storedUnitSize(sizeBytes, k, wanted[at]));
          if (!stored.equals(all[wanted[at]])) throw new Error(`size ${sizeBytes} mask ${mask} unit ${wanted[at]}`);
        });
        const data = all.slice(0, k).map((_, index) => left[index] ?? rebuilt[wanted.indexOf(index)]);
        if (!joinChunk(data, sizeBytes).equals(chunk)) throw new Error(`size ${sizeBytes} mask ${mask}`);
      }
    }
  });

  it('seed-2.3: rebuilds what is asked for and nothing else, also what is there', () => {
    const code = new ReedSolomon(4, 2);
    const { unitSizeBytes, all } = encodeChunk(code, pseudoRandom(4 * 4096));
    const left = lose(all, 0b100010);
    const rebuilt = code.rebuild(left, unitSizeBytes, [5, 0]);
    expect(rebuilt.map((unit, at) => unit.equals(all[[5, 0][at]]))).toEqual([true, true]);
    expect(code.rebuild(left, unitSizeBytes, [])).toEqual([]);
  });

  it('seed-2.3: refuses to rebuild after one loss too many', () => {
    for (const [k, m] of [
      [1, 1],
      [4, 2],
      [2, 0],
    ]) {
      const code = new ReedSolomon(k, m);
      const { unitSizeBytes, all } = encodeChunk(code, pseudoRandom(4096 * k));
      const mask = (1 << (m + 1)) - 1;
      expect(() => code.rebuild(lose(all, mask), unitSizeBytes, [0])).toThrow('At least k units are needed');
    }
  });

  it('does not care where buffers begin', () => {
    const code = new ReedSolomon(3, 3);
    const plain = [1, 2, 3].map((seed) => pseudoRandom(40_003, seed));
    const expected = [0, 1, 2].map(() => Buffer.alloc(40_003));
    code.encode(plain, expected);
    const shifted = (buffer: Buffer, by: number): Buffer => {
      const wide = Buffer.alloc(buffer.length + 8, 0x55);
      buffer.copy(wide, by);
      return wide.subarray(by, by + buffer.length);
    };
    for (let by = 1; by < 4; by += 1) {
      const parity = [0, 1, 2].map((index) => shifted(Buffer.alloc(40_003), (by + index) % 4));
      code.encode(
        plain.map((unit, index) => shifted(unit, (by + index) % 4)),
        parity,
      );
      parity.forEach((unit, index) => expect(unit.equals(expected[index])).toBe(true));
    }
  });

  it('refuses impossible shapes', () => {
    for (const [k, m] of [
      [0, 1],
      [1, -1],
      [30, 3],
      [1.5, 1],
    ]) {
      expect(() => new ReedSolomon(k, m)).toThrow();
    }
    expect(() => new ReedSolomon(2, 1).encode([Buffer.alloc(1)], [Buffer.alloc(1)])).toThrow('k data units');
    expect(() => new ReedSolomon(1, 1).encode([Buffer.alloc(2)], [Buffer.alloc(1)])).toThrow('not longer');
  });
});
