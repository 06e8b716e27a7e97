import { describe, expect, it } from '@jest/globals';
import { headerOf } from './store-fixture.js';
import { unitRecordBytes, type UnitEntry } from './log-group.js';
import { UnitIndex } from './unit-index.js';
import { sortKeyOf } from './unit-header.js';

const entryOf = (number: number): UnitEntry => ({ header: headerOf(number, 0), extents: [], checksums: [] });
const keyOf = (number: number): string => sortKeyOf(headerOf(number, 0));

describe('unit index', () => {
  it('keeps keys in order through thousands of additions and removals, from any place', () => {
    const index = new UnitIndex();
    const kept = new Set<string>();
    for (let number = 0; number < 3000; number += 1) {
      index.add(entryOf(number));
      kept.add(keyOf(number));
      if (number % 3 !== 2) continue;
      index.delete(keyOf(number - 2));
      kept.delete(keyOf(number - 2));
    }
    const sorted = [...kept].sort();
    const keysAfter = (after?: string): string[] => [...index.inOrder(after)].map((entry) => sortKeyOf(entry.header));
    expect(keysAfter()).toEqual(sorted);
    for (const at of [0, 1, 500, 1999]) expect(keysAfter(sorted[at])).toEqual(sorted.slice(at + 1));
    expect(keysAfter(keyOf(0))).toEqual(sorted.filter((key) => key > keyOf(0)));
    expect(keysAfter('f'.repeat(34))).toEqual([]);
    expect(index.size).toBe(sorted.length);
    expect(index.liveRecordBytes).toBe(sorted.length * unitRecordBytes(entryOf(0)));
    for (const key of sorted) index.delete(key);
    expect(keysAfter()).toEqual([]);
    index.add(entryOf(1));
    expect(keysAfter()).toEqual([keyOf(1)]);
  });

  it('holds a unit once', () => {
    const index = new UnitIndex();
    index.add(entryOf(1));
    expect(() => index.add(entryOf(1))).toThrow('A unit is recorded once');
    expect(() => index.delete(keyOf(2))).toThrow('A freed unit is there');
  });
});
