import { describe, expect, it } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import { joinChunk, splitChunk, storedUnitSize, unitSizeFor } from './chunk-split.js';

const patterned = (sizeBytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, i) => i * 31 + 7));

describe('chunk split', () => {
  it('seed-2.2: a chunk of 8 MiB at k=8 is 8 units of 1 MiB', () => {
    const { unitSizeBytes, units } = splitChunk(Buffer.alloc(8 * MIB), 8);
    expect(unitSizeBytes).toBe(MIB);
    expect(units.map((unit) => unit.length)).toEqual(Array.from({ length: 8 }, () => MIB));
  });

  it('seed-2.2: the last partial chunk carries its real bytes only, in views of the chunk', () => {
    const chunk = patterned(2 * 4096 + 1);
    const { unitSizeBytes, units } = splitChunk(chunk, 4);
    expect(unitSizeBytes).toBe(4096);
    expect(units.map((unit) => unit.length)).toEqual([4096, 4096, 1, 0]);
    expect(units[1].buffer).toBe(chunk.buffer);
  });

  it.each([1, 2, 4, 8])('seed-2.2: the size is exact after split and join at k=%i', (k) => {
    for (const sizeBytes of [0, 1, 4095, 4096, 4097, 4096 * k - 1, 4096 * k, 4096 * k + 1, 100_003]) {
      const chunk = patterned(sizeBytes);
      const { unitSizeBytes, units } = splitChunk(chunk, k);
      expect(unitSizeBytes).toBe(unitSizeFor(sizeBytes, k));
      expect(unitSizeBytes % 4096).toBe(0);
      expect(unitSizeBytes * k).toBeGreaterThanOrEqual(sizeBytes);
      expect(units.map((unit) => unit.length)).toEqual(units.map((_, index) => storedUnitSize(sizeBytes, k, index)));
      expect(joinChunk(units, sizeBytes).equals(chunk)).toBe(true);
      const padded = units.map((unit) => Buffer.concat([unit, Buffer.alloc(unitSizeBytes - unit.length)]));
      expect(joinChunk(padded, sizeBytes).equals(chunk)).toBe(true);
    }
  });

  it('a parity unit carries as much as the first data unit', () => {
    expect(storedUnitSize(10, 4, 4)).toBe(10);
    expect(storedUnitSize(5000, 4, 4)).toBe(4096);
    expect(storedUnitSize(0, 4, 5)).toBe(0);
  });

  it('refuses to join units that lack real bytes', () => {
    expect(() => joinChunk([Buffer.alloc(4096), Buffer.alloc(0)], 4097)).toThrow('A unit carries its real bytes');
  });
});
