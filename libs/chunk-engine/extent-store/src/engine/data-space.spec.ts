/** Claims while the pages of the free extents have to be read: who comes between find and claim. */
import { describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import { SimulatedDevice } from '../device/simulated-device.js';
import { layoutOf, type Extent } from '../format/device-layout.js';
import { ExtentAllocator } from '../space/extent-allocator.js';
import { seededRandom } from '../testing/seeded-random.js';
import { BTree, EMPTY_ROOT, type TreeRoot } from '../tree/b-tree.js';
import { PageStore } from '../tree/page-store.js';
import { DataSpace } from './data-space.js';

const layout = layoutOf({ capacityBytes: 32 * MIB, segmentBytes: 64 * KIB, pageCount: 512, isPair: false });
const EXTENTS = 1500;
const options = { path: 'sim', layout, deviceIdBytes: Buffer.alloc(16, 7), epoch: 1 };

/** Extents of these sizes with a used block behind each, in trees that stand on the device and not in memory. */
async function coldSpace(sizes: readonly number[], random: () => number): Promise<DataSpace> {
  const device = new SimulatedDevice(Buffer.alloc(layout.dataStart));
  const pages = new PageStore(device, { ...options, cachePagesMax: 512 });
  const trees = [new BTree(pages, 3, EMPTY_ROOT), new BTree(pages, 4, EMPTY_ROOT)] as const;
  const allocator = new ExtentAllocator(...trees, 0);
  let start = 0;
  for (const blocks of sizes) {
    allocator.release({ start, blocks });
    start += blocks + 1;
  }
  pages.seal();
  const roots = trees.map((tree): TreeRoot => tree.root());
  const live = [...pages.space.livePages()];
  await pages.write(pages.freeze());
  const turn = async (): Promise<void> => {
    for (let turns = Math.floor(random() * 20); turns > 0; turns -= 1) await Promise.resolve();
  };
  const cold = new PageStore(new SimulatedDevice(device.image, { turn }), { ...options, cachePagesMax: 512, epoch: 2 });
  for (const page of live) while (cold.space.take() !== page);
  const [byOffset, byLength] = roots.map((root, index) => new BTree(cold, 3 + index, root));
  const fill = { moreBlocks: () => Promise.resolve(false), hasNoRoom: false, unfilledBlocks: 0 };
  return new DataSpace(new ExtentAllocator(byOffset, byLength, allocator.freeBlocks), cold, fill);
}

async function freeExtents(space: DataSpace): Promise<Extent[]> {
  const found: Extent[] = [];
  for await (const extent of space.allocator.extents()) found.push(extent);
  return found;
}

describe('data space', () => {
  it('seed-2.11: two that find the same extent while pages are read get two, and the third gets none', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const sizes = Array.from({ length: EXTENTS }, (_, index) => (index === 40 || index === 1300 ? 7 : 2));
      const space = await coldSpace(sizes, seededRandom(seed));
      const claims = await Promise.all([1, 2, 3].map(() => space.claim(7, 1)));
      const starts = claims.flatMap((found) => found?.map(({ start }) => start) ?? []);
      expect(claims.map((found) => found?.length ?? 0).sort()).toEqual([0, 1, 1]);
      expect(starts.sort((a, b) => a - b)).toEqual([40 * 3, 1299 * 3 + 8]);
    }
  });

  it('seed-2.10: claims at the same time never overlap, and take exactly their length', async () => {
    const random = seededRandom(5);
    const sizes = Array.from({ length: EXTENTS }, () => 1 + Math.floor(random() * 9));
    const space = await coldSpace(sizes, random);
    const before = space.availableBlocks;
    expect(before).toBe(sizes.reduce((sum, size) => sum + size, 0));
    const wanted = Array.from({ length: 60 }, () => 1 + Math.floor(random() * 30));
    const claimed = await Promise.all(wanted.map((blocks) => space.claim(blocks, 64)));
    expect(claimed.map((found) => found?.reduce((sum, { blocks }) => sum + blocks, 0))).toEqual(wanted);
    const taken = wanted.reduce((sum, blocks) => sum + blocks, 0);
    expect(space.availableBlocks).toBe(before - taken);
    const all = [...claimed.flatMap((found) => found ?? []), ...(await freeExtents(space))];
    all.sort((a, b) => a.start - b.start);
    for (const [index, { start }] of all.entries())
      if (index > 0) expect(start).toBeGreaterThanOrEqual(all[index - 1].start + all[index - 1].blocks);
    expect(all.reduce((sum, { blocks }) => sum + blocks, 0)).toBe(before);
    // A checkpoint has to tell them as free while nobody recorded them, and no longer.
    expect(space.freeBesideAllocator.reduce((sum, { blocks }) => sum + blocks, 0)).toBe(taken);
    await Promise.all(claimed.map((found) => space.abandon(found ?? [])));
    expect(space.freeBesideAllocator).toEqual([]);
    expect(space.availableBlocks).toBe(before);
    expect(await freeExtents(space)).toHaveLength(EXTENTS);
  });
});
