import { describe, expect, it } from '@jest/globals';
import { KIB, MIB, isPageAligned } from '@holdfast/stdx';
import { UnitMemory } from './unit-memory.js';

describe('memory of units', () => {
  it('begins at a page, and is at least as large as asked for', () => {
    const memory = new UnitMemory();
    for (const sizeBytes of [1, 64 * KIB, 64 * KIB + 1, MIB, MIB + 1, 8 * MIB]) {
      const { bytes } = memory.lend(sizeBytes);
      expect(bytes.length).toBeGreaterThanOrEqual(sizeBytes);
      expect(isPageAligned(bytes)).toBe(true);
    }
  });

  it('lends again what came back, and never what is still lent', () => {
    const memory = new UnitMemory();
    const one = memory.lend(MIB);
    const other = memory.lend(MIB);
    expect(other.bytes).not.toBe(one.bytes);
    one.release();
    expect(memory.lend(MIB).bytes).toBe(one.bytes);
    expect(memory.lend(MIB).bytes).not.toBe(one.bytes);
    other.release();
    expect(memory.lend(2 * MIB).bytes).not.toBe(other.bytes);
    expect(() => other.release()).toThrow('released once');
  });

  it('keeps no more than 16 MiB that nobody uses', () => {
    const memory = new UnitMemory();
    const lent = Array.from({ length: 20 }, () => memory.lend(MIB));
    for (const { release } of lent) release();
    const again = Array.from({ length: 20 }, () => memory.lend(MIB).bytes);
    const known = new Set(lent.map(({ bytes }) => bytes));
    expect(again.filter((bytes) => known.has(bytes))).toHaveLength(16);
  });

  it('keeps what is used most, however much of larger sizes was used before', () => {
    const memory = new UnitMemory();
    const large = Array.from({ length: 4 }, () => memory.lend(4 * MIB));
    for (const { release } of large) release();
    const lent = Array.from({ length: 8 }, () => memory.lend(MIB));
    for (const { release } of lent) release();
    const known = new Set([...large, ...lent].map(({ bytes }) => bytes));
    const again = [...Array.from({ length: 8 }, () => MIB), ...Array.from({ length: 3 }, () => 4 * MIB)];
    expect(again.filter((sizeBytes) => known.has(memory.lend(sizeBytes).bytes))).toHaveLength(8 + 2);
  });
});
