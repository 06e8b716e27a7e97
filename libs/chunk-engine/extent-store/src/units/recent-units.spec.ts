import { describe, expect, it } from '@jest/globals';
import type { UnitHeader } from '../unit-header.js';
import { authority, openImage, formattedImage, put, unitOf } from '../testing/store-fixture.js';
import { RecentUnits } from './recent-units.js';

const KIB = 1024;
const chunk = (number: number): string => String(number).padStart(32, '0');
const header = (number: number, unitSizeBytes: number): UnitHeader => ({
  chunkId: chunk(number),
  unitIndex: 1,
  k: 1,
  m: 1,
  chunkSizeBytes: unitSizeBytes,
  unitSizeBytes,
  bucketId: 1n,
  writeId: chunk(0),
  writtenAtMs: 0,
});

function add(units: RecentUnits, number: number, sizeBytes = 4 * KIB): void {
  units.add(header(number, sizeBytes), Buffer.alloc(sizeBytes, number), units.moment);
}

describe('the memory of units read lately', () => {
  it('gives a unit by its chunk and index', () => {
    const units = new RecentUnits(64 * KIB);
    add(units, 7);
    expect(units.get(chunk(7), 1)?.bytes).toEqual(Buffer.alloc(4 * KIB, 7));
    expect(units.get(chunk(7), 0)).toBeUndefined();
    expect(units.get(chunk(8), 1)).toBeUndefined();
  });

  it('stays within its bytes, and keeps what is asked for', () => {
    const units = new RecentUnits(64 * KIB);
    add(units, 1);
    for (let number = 2; number < 200; number += 1) {
      expect(units.get(chunk(1), 1)).toBeDefined();
      add(units, number);
    }
    const held = Array.from({ length: 200 }, (_, number) => number).filter((number) => units.get(chunk(number), 1));
    expect(held.length).toBeGreaterThan(8);
    expect(held.length).toBeLessThanOrEqual(16);
    expect(held[0]).toBe(1);
  });

  it('takes in no part of a unit, no large unit, and nothing that is larger than itself', () => {
    const units = new RecentUnits(8 * KIB);
    units.add(header(1, 4 * KIB), Buffer.alloc(KIB), units.moment);
    add(units, 2, 17 * KIB);
    add(units, 3, 8 * KIB);
    for (const number of [1, 2, 3]) expect(units.get(chunk(number), 1)).toBeUndefined();
  });

  it('forgets a unit that is removed, also one whose reading began before that', () => {
    const units = new RecentUnits(64 * KIB);
    const { moment } = units;
    add(units, 1);
    units.remove(chunk(1));
    expect(units.get(chunk(1), 1)).toBeUndefined();
    units.add(header(1, KIB), Buffer.alloc(KIB), moment);
    expect(units.get(chunk(1), 1)).toBeUndefined();
  });

  it('tells nobody of a unit that is being freed, nor takes one in, until all frees of it are over', () => {
    const units = new RecentUnits(64 * KIB);
    add(units, 1);
    units.beginFree(chunk(1));
    units.beginFree(chunk(1));
    expect(units.get(chunk(1), 1)).toBeUndefined();
    units.endFree(chunk(1));
    const { moment } = units;
    add(units, 1);
    expect(units.get(chunk(1), 1)).toBeUndefined();
    units.endFree(chunk(1));
    units.add(header(1, KIB), Buffer.alloc(KIB), moment);
    expect(units.get(chunk(1), 1)).toBeUndefined();
    add(units, 1);
    expect(units.get(chunk(1), 1)).toBeDefined();
  });
});

describe('a store with a memory of units', () => {
  const read = { chunkId: unitOf(1).chunkId, unitIndex: unitOf(1).unitIndex };

  async function storeWithUnit() {
    const { store, device } = await openImage(await formattedImage(), { recentUnitBytes: 64 * KIB });
    await put(store, 1, 5000);
    await store.checkpoint();
    return { store, device };
  }

  /** Wherever the bytes lie. */
  function damage(image: Buffer, bytes: Buffer = Buffer.alloc(0)): void {
    let places = 0;
    for (let at = image.indexOf(bytes); at !== -1; at = image.indexOf(bytes, at)) {
      image[at] ^= 1;
      places += 1;
    }
    expect(places).toBeGreaterThan(0);
  }

  it('reads the device once, and any range from memory', async () => {
    const { store, device } = await storeWithUnit();
    const whole = await store.read(read.chunkId, read.unitIndex);
    damage(device.image, whole?.bytes);
    const again = await store.read(read.chunkId, read.unitIndex, { offset: 100, length: 9999 });
    expect(again?.bytes).toEqual(whole?.bytes.subarray(100));
    await store.close();
  });

  it('a freed unit is absent', async () => {
    const { store } = await storeWithUnit();
    await store.read(read.chunkId, read.unitIndex);
    await store.free([unitOf(1)], authority(1n));
    expect(await store.read(read.chunkId, read.unitIndex)).toBeUndefined();
    await store.close();
  });

  it('the scrub reads the device all the same', async () => {
    const { store, device } = await storeWithUnit();
    const whole = await store.read(read.chunkId, read.unitIndex);
    damage(device.image, whole?.bytes);
    const report = await store.scrub();
    expect(report.damaged.map(({ chunkId }) => chunkId)).toEqual([read.chunkId]);
    await store.close();
  });
});
