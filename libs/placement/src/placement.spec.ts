import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  chooseProfile,
  errorBudget,
  homeSet,
  layoutFor,
  permuteSlots,
  secondarySet,
  smallObjectProfile,
  smallerProfiles,
  type PlacementDevice,
} from './index.js';

const chunkIdOf = (number: number): string => createHash('md5').update(String(number)).digest('hex');
/** Ids that differ in their last digits only, as counters would make them. */
const sequentialChunkIdOf = (number: number): string => number.toString(16).padStart(32, '0');

function setOf(nodes: number, controllers: number, devices: number): PlacementDevice[] {
  const found: PlacementDevice[] = [];
  for (let node = 0; node < nodes; node += 1) {
    for (let controller = 0; controller < controllers; controller += 1) {
      for (let device = 0; device < devices; device += 1) {
        const names = { nodeId: `n${node}`, controllerId: 'AB'[controller] };
        found.push({ slot: found.length, ...names, live: true, writable: true });
      }
    }
  }
  return found;
}

/** Pearson's statistic against equal expectations. Limits below are far in the tail (p < 1e-6), and ids are fixed. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

const byName = (devices: readonly PlacementDevice[]) => ({
  nodeOf: (slot: number): string => devices[slot].nodeId,
  controllerOf: (slot: number): string => `${devices[slot].nodeId}/${devices[slot].controllerId}`,
});

describe('slot permutation', () => {
  it('seed-2.5: no two units of a group share a device, and nodes come before controllers before devices', () => {
    const devices = setOf(3, 2, 2);
    const { nodeOf, controllerOf } = byName(devices);
    for (let number = 0; number < 500; number += 1) {
      const slots = permuteSlots(chunkIdOf(number), devices);
      expect(new Set(slots).size).toBe(12);
      expect(new Set(slots.slice(0, 3).map(nodeOf)).size).toBe(3);
      expect(new Set(slots.slice(3, 6).map(nodeOf)).size).toBe(3);
      expect(new Set(slots.slice(0, 6).map(controllerOf)).size).toBe(6);
    }
  });

  it.each([
    ['hashed', chunkIdOf],
    ['sequential', sequentialChunkIdOf],
  ])('seed-2.5: 100,000 groups of %s ids lie uniformly: chi-square', (_name, idOf) => {
    const devices = setOf(3, 2, 2);
    const first = Array.from({ length: 12 }, () => 0);
    const last = Array.from({ length: 12 }, () => 0);
    const parityPairs = Array.from({ length: 144 }, () => 0);
    for (let number = 0; number < 100_000; number += 1) {
      const slots = permuteSlots(idOf(number), devices);
      first[slots[0]] += 1;
      last[slots[5]] += 1;
      parityPairs[slots[0] * 12 + slots[1]] += 1;
    }
    // 11 degrees of freedom: p(> 50) < 1e-6. Pairs lie on two nodes: 96 possible cells, 95 degrees: p(> 180) < 1e-6.
    expect(chiSquare(first)).toBeLessThan(50);
    expect(chiSquare(last)).toBeLessThan(50);
    const possible = parityPairs.filter((_count, cell) => Math.floor(cell / 48) !== Math.floor((cell % 12) / 4));
    expect(possible.length).toBe(96);
    expect(possible.reduce((sum, count) => sum + count, 0)).toBe(100_000);
    expect(chiSquare(possible)).toBeLessThan(180);
  });

  it('a node with more devices comes first in proportion', () => {
    const devices = setOf(1, 1, 4).map((device) => (device.slot === 3 ? { ...device, nodeId: 'small' } : device));
    let smallFirst = 0;
    for (let number = 0; number < 10_000; number += 1) {
      if (permuteSlots(chunkIdOf(number), devices)[0] === 3) smallFirst += 1;
    }
    expect(smallFirst).toBeGreaterThan(2300);
    expect(smallFirst).toBeLessThan(2700);
  });

  it('follows from the chunk id alone, not from the order of the devices', () => {
    const devices = setOf(3, 2, 2);
    const id = chunkIdOf(7);
    expect(permuteSlots(id, [...devices].reverse())).toEqual(permuteSlots(id, devices));
    expect(permuteSlots(chunkIdOf(8), devices)).not.toEqual(permuteSlots(id, devices));
    for (const bad of ['not hex', `${id}0`, `${id.slice(1)}g`, `A${id.slice(1)}`, `${id.slice(1)}/`, `:${id.slice(1)}`])
      expect(() => permuteSlots(bad, devices)).toThrow('A chunk id');
  });

  it('seed-0.1: two controllers of a node are two failure domains, two nodes may name theirs alike', () => {
    const devices = setOf(3, 2, 1);
    const { controllerOf } = byName(devices);
    const layout = layoutFor(chunkIdOf(1), { k: 4, m: 2 }, devices);
    expect(new Set(layout?.slots.map(controllerOf)).size).toBe(6);
  });
});

describe('profiles and layouts', () => {
  it('chooses by the number of devices', () => {
    const chosen = [1, 2, 3, 4, 5, 6, 12].map((count) => chooseProfile(count)).map(({ k, m }) => `${k}+${m}`);
    expect(chosen).toEqual(['1+0', '1+1', '2+1', '2+2', '2+2', '4+2', '4+2']);
  });

  it.each([
    ['4+2', 5, '2+2 2+1 1+1'],
    ['4+2', 3, '2+1 1+1'],
    ['4+2', 2, '1+1'],
    ['4+2', 1, ''],
    ['2+2', 3, '2+1 1+1'],
    ['2+1', 2, '1+1'],
    ['8+3', 10, '4+2 2+2 2+1 1+1'],
    ['1+2', 2, '1+1'],
    ['1+1', 1, ''],
    ['1+0', 1, ''],
    ['4+0', 2, '2+0 1+0'],
  ])('the ladder below %s with %i live devices is "%s"', (profile, live, expected) => {
    const [k, m] = profile.split('+').map(Number);
    expect(
      smallerProfiles({ k, m }, live)
        .map((step) => `${step.k}+${step.m}`)
        .join(' '),
    ).toBe(expected);
  });

  it('keeps small objects as m + 1 copies', () => {
    expect(smallObjectProfile({ k: 4, m: 2 })).toEqual({ k: 1, m: 2 });
    expect(smallObjectProfile({ k: 1, m: 0 })).toEqual({ k: 1, m: 0 });
  });

  it('lays out over live and writable devices, smaller when it must, never without margin', () => {
    const without = (dead: number[], full: number[] = []): PlacementDevice[] =>
      setOf(3, 2, 1).map((device) => ({
        ...device,
        live: !dead.includes(device.slot),
        writable: !full.includes(device.slot),
      }));
    const shapeOf = (devices: PlacementDevice[], margin?: 0 | 1): string => {
      const layout = layoutFor(chunkIdOf(3), { k: 4, m: 2 }, devices, margin);
      if (layout === undefined) return 'none';
      expect(layout.slots.length).toBe(layout.k + layout.m);
      for (const slot of layout.slots) expect(devices[slot].live && devices[slot].writable).toBe(true);
      return `${layout.k}+${layout.m}`;
    };
    expect(shapeOf(without([]))).toBe('4+2');
    expect(shapeOf(without([2, 3]))).toBe('2+2');
    expect(shapeOf(without([2], [3]))).toBe('2+2');
    expect(shapeOf(without([0, 2, 3, 4]))).toBe('1+1');
    expect(shapeOf(without([0, 1, 2, 3, 4]))).toBe('none');
    expect(shapeOf(without([0, 1, 2, 3, 4]), 0)).toBe('1+0');
    expect(shapeOf(without([0, 1, 2, 3, 4, 5]), 0)).toBe('none');
  });

  it('spreads over nodes again after some died', () => {
    const devices = setOf(3, 2, 2).map((device) => ({ ...device, live: device.slot % 2 === 0 || device.slot === 1 }));
    const { nodeOf } = byName(devices);
    for (let number = 0; number < 200; number += 1) {
      const layout = layoutFor(chunkIdOf(number), { k: 2, m: 1 }, devices);
      expect(new Set(layout?.slots.map(nodeOf)).size).toBe(3);
    }
  });
});

describe('error budget', () => {
  it('seed-0.15: a write stands when its failed units are fewer than its parity', () => {
    const accepted = (m: number, margin?: 0 | 1): number[] =>
      [0, 1, 2, 3, 4].filter((failed) => errorBudget(m, failed, margin));
    expect(accepted(1)).toEqual([0]);
    expect(accepted(2)).toEqual([0, 1]);
    expect(accepted(3)).toEqual([0, 1, 2]);
    expect(accepted(2, 0)).toEqual([0, 1, 2]);
    expect(accepted(1, 0)).toEqual([0, 1]);
    expect(accepted(0)).toEqual([0]);
    expect(accepted(0, 0)).toEqual([0]);
  });

  it('seed-0.16: each parity group is judged alone', () => {
    const failures = [1, 1, 1];
    expect(failures.every((failed) => errorBudget(2, failed))).toBe(true);
    expect(errorBudget(2, 3)).toBe(false);
  });
});

describe('home set', () => {
  const sets = [1, 2, 3, 4].map((id) => ({ id, weight: id === 4 ? 200 : 100, accepting: true }));
  const names = Array.from({ length: 10_000 }, (_, index) => `bucket-${index}`);

  it('shares buckets by weight', () => {
    const counts = [0, 0, 0, 0, 0];
    for (const name of names) counts[homeSet(name, sets) as number] += 1;
    const deviations = [1, 2, 3, 4].map(
      (id) => (counts[id] - (id === 4 ? 4000 : 2000)) ** 2 / (id === 4 ? 4000 : 2000),
    );
    // 3 degrees of freedom: p(> 31) < 1e-6.
    expect(deviations.reduce((sum, part) => sum + part, 0)).toBeLessThan(31);
  });

  it('moves only what a new set wins, and what a lost set held goes to its secondary', () => {
    const fewer = sets.slice(0, 3);
    for (const name of names.slice(0, 1000)) {
      const before = homeSet(name, fewer);
      const after = homeSet(name, sets);
      expect([before, 4]).toContain(after);
      const passedOver = sets.map((set) => ({ ...set, accepting: set.id !== after }));
      expect(homeSet(name, passedOver)).toBe(secondarySet(name, sets, after as number));
      expect(secondarySet(name, sets, after as number)).not.toBe(after);
    }
  });

  it('passes over sets that accept nothing and knows when none is left', () => {
    expect(homeSet('b', [{ id: 'a', weight: 1, accepting: false }])).toBeUndefined();
    expect(homeSet('b', [{ id: 'a', weight: 0, accepting: true }])).toBeUndefined();
    expect(secondarySet('b', [{ id: 'a', weight: 1, accepting: true }], 'a')).toBeUndefined();
    expect(homeSet('b', [])).toBeUndefined();
  });
});
