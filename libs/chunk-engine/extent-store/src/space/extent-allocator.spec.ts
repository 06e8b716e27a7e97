import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KIB, MIB } from '@holdfast/stdx';
import { SimulatedDevice } from '../device/simulated-device.js';
import { layoutOf, type Extent } from '../format/device-layout.js';
import { BTree, EMPTY_ROOT, missing } from '../tree/b-tree.js';
import { PageStore } from '../tree/page-store.js';
import { ExtentAllocator } from './extent-allocator.js';

const layout = layoutOf({ capacityBytes: 4 * MIB, segmentBytes: 64 * KIB, pageCount: 512, isPair: false });

class AllocatorUnderTest {
  readonly pages = new PageStore(new SimulatedDevice(Buffer.alloc(0)), {
    path: 'sim',
    layout,
    deviceIdBytes: randomBytes(16),
    cachePagesMax: 512,
    epoch: 1,
  });
  private readonly trees = [new BTree(this.pages, 3, EMPTY_ROOT), new BTree(this.pages, 4, EMPTY_ROOT)] as const;
  readonly allocator = new ExtentAllocator(...this.trees, 0);

  constructor(free: readonly (readonly [start: number, blocks: number])[]) {
    for (const [start, blocks] of free) this.allocator.release({ start, blocks });
  }

  /** From here on a change of a page makes a copy of it. */
  freeze(): void {
    this.pages.seal();
    for (const tree of this.trees) tree.root();
    this.pages.freeze();
  }

  find(blocks: number, extentsMax = 64): Extent[] | undefined {
    const found = this.allocator.find(blocks, extentsMax);
    if (found === missing) throw new Error('all pages are in memory');
    return found;
  }

  take(blocks: number, extentsMax = 64): Extent[] | undefined {
    const found = this.find(blocks, extentsMax);
    if (found !== undefined) this.allocator.claim(found);
    return found;
  }

  /** What the tree by offset says; the one by length and the count say the same. */
  async list(): Promise<Extent[]> {
    const extents: Extent[] = [];
    for await (const extent of this.allocator.extents()) extents.push(extent);
    const byLength: Extent[] = [];
    for await (const { key } of this.trees[1].scan())
      byLength.push({ start: key.readUInt32BE(4), blocks: key.readUInt32BE(0) });
    expect(byLength.sort((a, b) => a.start - b.start)).toEqual(extents);
    expect(this.allocator.freeBlocks).toBe(extents.reduce((sum, { blocks }) => sum + blocks, 0));
    return extents;
  }
}

describe('extent allocator', () => {
  it('seed-2.9: finds the best fit in one piece and changes nothing by it', async () => {
    const under = new AllocatorUnderTest([
      [0, 7],
      [10, 5],
      [20, 6],
      [100, 60],
    ]);
    const before = await under.list();
    under.freeze();
    expect(under.find(5)).toEqual([{ start: 10, blocks: 5 }]);
    expect(under.find(6)).toEqual([{ start: 20, blocks: 6 }]);
    expect(under.find(8)).toEqual([{ start: 100, blocks: 8 }]);
    expect(under.pages.dirtyCount).toBe(0);
    expect(await under.list()).toEqual(before);
    expect(under.allocator.freeBlocks).toBe(78);
  });

  it('seed-2.9: neighbours in time lie side by side', () => {
    const under = new AllocatorUnderTest([[0, 100]]);
    expect([3, 1, 5].map((blocks) => under.take(blocks))).toEqual([
      [{ start: 0, blocks: 3 }],
      [{ start: 3, blocks: 1 }],
      [{ start: 4, blocks: 5 }],
    ]);
  });

  it('seed-2.10: a claim takes exactly its length, and what is taken cannot be claimed', async () => {
    const under = new AllocatorUnderTest([[10, 20]]);
    under.allocator.claim([{ start: 10, blocks: 4 }]);
    expect(under.allocator.freeBlocks).toBe(16);
    expect(await under.list()).toEqual([{ start: 14, blocks: 16 }]);
    expect(() => under.allocator.claim([{ start: 10, blocks: 1 }])).toThrow('What is claimed is free');
    expect(() => under.allocator.claim([{ start: 28, blocks: 3 }])).toThrow('What is claimed is free');
  });

  it('seed-2.11: who comes second with the same candidate gets another one', () => {
    const under = new AllocatorUnderTest([
      [0, 4],
      [10, 4],
    ]);
    const candidate = under.find(4);
    expect(under.take(4)).toEqual(candidate);
    expect(() => under.allocator.claim(candidate ?? [])).toThrow('What is claimed is free');
    expect(under.take(4)).toEqual([{ start: 10, blocks: 4 }]);
    expect(under.take(1)).toBeUndefined();
  });

  it('seed-2.12: claims cut free extents left, right, in the middle and wholly', async () => {
    for (const [start, blocks, rest] of [
      [10, 3, [[13, 7]]],
      [17, 3, [[10, 7]]],
      [
        11,
        8,
        [
          [10, 1],
          [19, 1],
        ],
      ],
      [
        13,
        3,
        [
          [10, 3],
          [16, 4],
        ],
      ],
      [10, 10, []],
    ] as const) {
      const under = new AllocatorUnderTest([[10, 10]]);
      under.allocator.claim([{ start, blocks }]);
      expect((await under.list()).map((extent) => [extent.start, extent.blocks])).toEqual(rest);
    }
  });

  it('seed-2.12: frees merge left, right, both and neither; a double free is refused', async () => {
    const freed = (extents: readonly (readonly [number, number])[]) => new AllocatorUnderTest(extents).list();
    const whole = [{ start: 10, blocks: 6 }];
    for (const order of [
      [
        [10, 3],
        [13, 3],
      ],
      [
        [13, 3],
        [10, 3],
      ],
      [
        [10, 2],
        [14, 2],
        [12, 2],
      ],
    ] as const)
      expect(await freed(order)).toEqual(whole);
    const apart = await freed([
      [10, 2],
      [14, 2],
    ]);
    expect(apart).toHaveLength(2);
    const under = new AllocatorUnderTest([[10, 6]]);
    for (const again of [
      [10, 6],
      [9, 2],
      [15, 2],
      [12, 1],
      [9, 8],
    ])
      expect(() => under.allocator.release({ start: again[0], blocks: again[1] })).toThrow('What is freed was in use');
  });

  it('seed-2.13: joins the largest extents where no single one is large enough, up to a limit', () => {
    const under = new AllocatorUnderTest([
      [0, 2],
      [10, 5],
      [20, 3],
    ]);
    expect(under.find(9)).toEqual([
      { start: 10, blocks: 5 },
      { start: 20, blocks: 3 },
      { start: 0, blocks: 1 },
    ]);
    expect(under.find(9, 2)).toBeUndefined();
    expect(under.find(11)).toBeUndefined();
  });

  it('seed-2.10: whatever is claimed and freed, no block is given out twice and none is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { maxLength: 200 }), async (steps) => {
        const under = new AllocatorUnderTest([[0, 500]]);
        const held: Extent[][] = [];
        for (const [isClaim, number] of steps) {
          if (isClaim) {
            const taken = under.take(number + 1, 8);
            if (taken !== undefined) held.push(taken);
          } else
            for (const extent of held.splice(number % (held.length || 1), 1).flat()) under.allocator.release(extent);
        }
        const all = [...held.flat(), ...(await under.list())].sort((a, b) => a.start - b.start);
        let end = 0;
        for (const { start, blocks } of all) {
          expect(start).toBe(end);
          end += blocks;
        }
        expect(end).toBe(500);
      }),
      { numRuns: 60 },
    );
  });
});
