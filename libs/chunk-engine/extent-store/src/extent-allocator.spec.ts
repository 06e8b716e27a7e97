import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Extent } from './device-layout.js';
import { ExtentAllocator } from './extent-allocator.js';

function allocatorWith(blocks: number, free: readonly [start: number, blocks: number][]): ExtentAllocator {
  const allocator = new ExtentAllocator(blocks);
  allocator.release(free.map(([start, length]) => ({ start, blocks: length })));
  return allocator;
}

const take = (allocator: ExtentAllocator, blocks: number, extentsMax = 64): Extent[] | undefined => {
  const found = allocator.find(blocks, extentsMax);
  if (found !== undefined) allocator.claim(found);
  return found;
};

describe('extent allocator', () => {
  it('seed-2.9: finds the best fit in one piece and changes nothing by it', () => {
    const allocator = allocatorWith(200, [
      [0, 7],
      [10, 5],
      [20, 6],
      [100, 60],
    ]);
    const before = allocator.freeList();
    expect(allocator.find(5, 64)).toEqual([{ start: 10, blocks: 5 }]);
    expect(allocator.find(6, 64)).toEqual([{ start: 20, blocks: 6 }]);
    expect(allocator.find(8, 64)).toEqual([{ start: 100, blocks: 8 }]);
    expect(allocator.find(0, 64)).toEqual([]);
    expect(allocator.freeList()).toEqual(before);
    expect(allocator.freeBlocks).toBe(78);
  });

  it('seed-2.9: neighbours in time lie side by side', () => {
    const allocator = allocatorWith(100, [[0, 100]]);
    expect([3, 1, 5].map((blocks) => take(allocator, blocks))).toEqual([
      [{ start: 0, blocks: 3 }],
      [{ start: 3, blocks: 1 }],
      [{ start: 4, blocks: 5 }],
    ]);
  });

  it('seed-2.10: a claim takes exactly its length, and what is taken cannot be claimed', () => {
    const allocator = allocatorWith(50, [[10, 20]]);
    allocator.claim([{ start: 10, blocks: 4 }]);
    expect(allocator.freeBlocks).toBe(16);
    expect(allocator.freeList()).toEqual([{ start: 14, blocks: 16 }]);
    expect(() => allocator.claim([{ start: 10, blocks: 1 }])).toThrow('A claimed extent begins a free one');
  });

  it('seed-2.12: frees merge left, right, both and neither; a double free is refused', () => {
    const freed = (extents: readonly [number, number][]): Extent[] => allocatorWith(64, extents).freeList();
    const whole = [{ start: 10, blocks: 6 }];
    expect(
      freed([
        [10, 3],
        [13, 3],
      ]),
    ).toEqual(whole);
    expect(
      freed([
        [13, 3],
        [10, 3],
      ]),
    ).toEqual(whole);
    expect(
      freed([
        [10, 2],
        [14, 2],
        [12, 2],
      ]),
    ).toEqual(whole);
    expect(
      freed([
        [10, 2],
        [14, 2],
      ]).length,
    ).toBe(2);
    for (const again of [
      [10, 1],
      [12, 3],
      [8, 3],
      [0, 64],
    ]) {
      const allocator = allocatorWith(64, [[10, 3]]);
      expect(() => allocator.release([{ start: again[0], blocks: again[1] }])).toThrow('A block is freed once');
    }
    expect(() => allocatorWith(64, [[60, 5]])).toThrow('A freed extent lies on the device');
  });

  it('seed-2.13: joins pieces when no single one is large enough, as many as are allowed', () => {
    const pieces = Array.from({ length: 10 }, (_, index): [number, number] => [index * 4, 2]);
    const allocator = allocatorWith(64, pieces);
    expect(allocator.find(9, 4)).toBeUndefined();
    const found = allocator.find(9, 5);
    expect(found?.reduce((sum, extent) => sum + extent.blocks, 0)).toBe(9);
    expect(allocator.find(21, 64)).toBeUndefined();
    expect(take(allocator, 20)?.length).toBe(10);
    expect(allocator.freeBlocks).toBe(0);
  });

  it('seed-2.10: under any history no block is held twice, and free and held blocks make up the device', () => {
    const step = fc.record({ blocks: fc.integer({ min: 1, max: 40 }), frees: fc.boolean(), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const allocator = allocatorWith(300, [[0, 300]]);
        const held: Extent[][] = [];
        for (const { blocks, frees, which } of steps) {
          if (frees && held.length > 0) allocator.release(held.splice(which % held.length, 1)[0]);
          else {
            const found = take(allocator, blocks);
            if (found !== undefined) held.push(found);
            else expect(allocator.freeBlocks).toBeLessThan(blocks);
          }
        }
        const owners = new Uint8Array(300);
        for (const { start, blocks } of [...held.flat(), ...allocator.freeList()]) {
          for (let block = start; block < start + blocks; block += 1) owners[block] += 1;
        }
        expect(owners.every((count) => count === 1)).toBe(true);
        const free = allocator.freeList();
        expect(free.reduce((sum, extent) => sum + extent.blocks, 0)).toBe(allocator.freeBlocks);
        // Maximal: no two free extents touch.
        expect(
          free.every((extent, index) => index === 0 || free[index - 1].start + free[index - 1].blocks < extent.start),
        ).toBe(true);
      }),
      { seed: 20_261_121, numRuns: 200 },
    );
  });
});
