/** Every rule of the check is broken once, in memory, and told. */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort } from '../device/simulated-device.js';
import { authority, formattedImage, headerOf, openImage, put, unitOf } from '../testing/store-fixture.js';
import { missing } from '../tree/b-tree.js';
import { encodeExtent, extentKey, unitKeyBytes } from '../units/unit-record.codec.js';
import { openDevice } from './device-opening.js';
import type { DeviceParts } from './device-state.js';
import { checkDevice } from './fsck.js';
import { recover } from './recovery.js';

/** Units 1 to 6, all moved to their blocks, holes between them, and two catalogues. */
async function filledImage(): Promise<Buffer> {
  const { device, store } = await openImage(await formattedImage());
  for (let number = 1; number <= 6; number += 1) await put(store, number, 20_000);
  await store.free([unitOf(2), unitOf(4)], authority(1n));
  for (const name of ['one', 'two'])
    await (await store.createCatalogue(Buffer.from(name))).put(Buffer.from('key'), Buffer.alloc(9000));
  await store.checkpoint();
  await store.checkpoint();
  await store.close();
  return device.image;
}

async function partsOf(image: Buffer): Promise<DeviceParts> {
  const io = new SimulatedDevicePort({ sim: new SimulatedDevice(image) });
  const opened = await openDevice(io, { path: 'sim' });
  const pause = (): Promise<void> => Promise.resolve();
  return (await recover(opened, { path: 'sim', cachePagesMax: 1000, pause })).parts;
}

/** Breaks one rule; synchronous, all pages are in memory. */
type Damage = (parts: DeviceParts) => unknown;

const keyOf = (number: number): Buffer => unitKeyBytes(headerOf(number, 0));

function extentsOf({ table }: DeviceParts, number: number) {
  const found = table.extents(keyOf(number));
  if (found === missing || found.length === 0) throw new Error('the unit is there and its pages are in memory');
  return found;
}

const DAMAGES: readonly (readonly [what: string, told: RegExp, damage: Damage])[] = [
  [
    'blocks between two units that are neither free nor used',
    /^sim: blocks \d+ to \d+ are neither free nor used$/,
    ({ space }) => space.allocator.claim([{ start: 5, blocks: 2 }]),
  ],
  [
    'blocks at the end that are neither',
    /^sim: blocks \d+ to \d+ are neither free nor used$/,
    ({ space, layout }) => space.allocator.claim([{ start: layout.dataBlocks - 3, blocks: 3 }]),
  ],
  [
    'blocks of a unit that are free too',
    /are (free|used) and something else/,
    (parts) => parts.space.allocator.release(extentsOf(parts, 3)[0]),
  ],
  [
    'blocks of two units',
    /are used and something else/,
    (parts) => {
      const [{ start, blocks }] = extentsOf(parts, 3);
      const [own] = extentsOf(parts, 5);
      parts.table.extmap.put(extentKey(keyOf(5), 0), encodeExtent({ ...own, start, blocks }));
    },
  ],
  [
    'blocks behind the end of the device',
    /blocks up to \d+ are named, and the device has \d+/,
    (parts) => {
      const [own] = extentsOf(parts, 5);
      const start = parts.layout.dataBlocks - 2;
      parts.table.extmap.put(extentKey(keyOf(5), 0), encodeExtent({ ...own, start }));
    },
  ],
  [
    'a unit without its extents',
    /: unit [0-9a-f]{34}: 20000 bytes in 0 blocks/,
    ({ table }) => table.extmap.delete(extentKey(keyOf(3), 0)),
  ],
  [
    'a unit with too few blocks',
    /: unit [0-9a-f]{34}: 20000 bytes in 4 blocks/,
    (parts) => {
      const [own] = extentsOf(parts, 3);
      parts.table.extmap.put(extentKey(keyOf(3), 0), encodeExtent({ ...own, blocks: 4 }));
    },
  ],
  [
    'a hole at the beginning of a unit',
    /: unit [0-9a-f]{34}: a hole or an overlap at 4096/,
    (parts) => {
      const [own] = extentsOf(parts, 3);
      parts.table.extmap.delete(extentKey(keyOf(3), 0));
      parts.table.extmap.put(extentKey(keyOf(3), BLOCK_BYTES), encodeExtent(own));
    },
  ],
  ['extents of no unit', /: extents of [0-9a-f]{34}, which is no unit/, ({ table }) => table.cob.delete(keyOf(3))],
  [
    'a wrong count of free blocks',
    /: \d+ blocks are free, and \d+ are counted/,
    ({ space }) => Object.assign(space.allocator, { free: space.allocator.freeBlocks + 1 }),
  ],
  [
    'a wrong count of units',
    /: cob: 4 entries, and 5 are counted/,
    ({ table }) => Object.assign(table.cob, { entryCount: 5 }),
  ],
  [
    'a page that is in use for nothing',
    /: metadata page \d+ is in use and reached from nowhere/,
    ({ pages }) => pages.space.take(),
  ],
  [
    'a page of a tree that counts as free',
    /: metadata page \d+ of extmap counts as free/,
    ({ pages, table }) => pages.space.drop(table.extmap.rootPageNumber),
  ],
  [
    'a page that two catalogues have',
    /: metadata page \d+ is reached from catalogue one and from catalogue three/,
    ({ catalogues }) => catalogues.meta.put(Buffer.from('three'), catalogues.meta.find(Buffer.from('one')) as Buffer),
  ],
];

describe('fsck', () => {
  it('seed-2.29: of a sound device free and used extents are all of it, each unit has its extents, and nothing is told', async () => {
    const parts = await partsOf(await filledImage());
    const report = await checkDevice(parts);
    expect(report).toMatchObject({ problems: [], copies: [], unitCount: 4, usedBlocks: 20, catalogueCount: 2 });
    expect(report.freeBlocks).toBe(parts.layout.dataBlocks - 20);
    let end = 0;
    for (const { start, blocks } of report.extents) {
      expect(start).toBe(end);
      end += blocks;
    }
    expect(end).toBe(parts.layout.dataBlocks);
    const used = report.extents.filter(({ use }) => use === 'used').map(({ start, blocks }) => ({ start, blocks }));
    const mapped = [1, 3, 5, 6].map((number) => extentsOf(parts, number)[0]);
    expect(used).toEqual(mapped.map(({ start, blocks }) => ({ start, blocks })).sort((a, b) => a.start - b.start));
  });

  it.each(DAMAGES)('seed-2.29: tells %s', async (_what, told, damage) => {
    const parts = await partsOf(await filledImage());
    // Brings all pages into memory.
    expect((await checkDevice(parts)).problems).toEqual([]);
    damage(parts);
    const { problems } = await checkDevice(parts);
    expect(problems).toContainEqual(expect.stringMatching(told));
  });
});
