/** Frees that come while something else is under way with the same unit: the write, the move out of the log, the end of the device. */
import { describe, expect, it } from '@jest/globals';
import type { CallKind } from './device/simulated-device.js';
import type { ExtentStore } from './extent-store.js';
import { authority, bytesOf, formattedImage, openImage, put, unitOf } from './testing/store-fixture.js';

const readBack = (store: ExtentStore, number: number) => store.read(unitOf(number).chunkId, unitOf(number).unitIndex);

/** All goes on that can. */
async function aWhile(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function expectSound(store: ExtentStore, units: readonly number[], sizeBytes: number): Promise<void> {
  expect((await store.check()).problems).toEqual([]);
  expect((await store.list({ limit: 100 })).map(({ chunkId }) => chunkId)).toEqual(
    units.map((number) => unitOf(number).chunkId).sort(),
  );
  for (const number of units)
    expect((await readBack(store, number))?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
}

describe('a unit that is freed', () => {
  it('in the group that writes it leaves no extents behind, and can be written again', async () => {
    let groupMayForm = Promise.resolve();
    const { device, store } = await openImage(await formattedImage(), { storeTurn: () => groupMayForm });
    await store.checkpoint();
    const { freeBytes } = store.status();
    let letForm: () => void = () => undefined;
    groupMayForm = new Promise((resolve) => (letForm = resolve));
    const written = put(store, 1, 5000);
    await aWhile();
    const freed = store.free([unitOf(1)], authority(1n));
    await aWhile();
    letForm();
    expect(await Promise.all([written, freed])).toEqual(['written', 1]);
    expect(device.writes.filter(({ kind }) => kind === 'log')).toHaveLength(1);
    await store.checkpoint();
    await expectSound(store, [], 0);
    await store.checkpoint();
    expect(store.status().freeBytes).toBe(freeBytes);
    expect(await put(store, 1, 5000)).toBe('written');
    await store.checkpoint();
    await expectSound(store, [1], 5000);
  });

  it('while the checkpoint moves it out of the log is gone, and its blocks come back', async () => {
    let release: (() => void) | undefined;
    let isHolding = false;
    const turn = async (kind: CallKind | 'read'): Promise<void> => {
      if (!isHolding || kind !== 'write') return;
      isHolding = false;
      await new Promise<void>((resolve) => (release = resolve));
    };
    const { device, store } = await openImage(await formattedImage(), { turn });
    await store.checkpoint();
    const { freeBytes } = store.status();
    for (const number of [1, 2, 3]) await put(store, number, 5000);
    // The next write is that of the moved bytes: the units have their places, and the log their bytes.
    const before = device.writes.length;
    isHolding = true;
    const checkpoint = store.checkpoint();
    while (release === undefined) await aWhile();
    expect(device.writes.slice(before).map(({ kind }) => kind)).toEqual(['data']);
    const freed = store.free([unitOf(2)], authority(1n));
    await aWhile();
    release();
    expect(await freed).toBe(1);
    await checkpoint;
    await store.checkpoint();
    await expectSound(store, [1, 3], 5000);
    expect(store.status().freeBytes).toBe(freeBytes - 4 * 4096);
    const { store: again } = await openImage(device.image);
    await expectSound(again, [1, 3], 5000);
  });

  it('on a device that dies before that is durable is not called absent, and is there when it is opened anew', async () => {
    let fails = false;
    const { device, store } = await openImage(await formattedImage(), { fault: () => (fails ? 'EIO' : undefined) });
    await put(store, 1, 20_000);
    await put(store, 2, 20_000);
    const names = await store.createCatalogue(Buffer.from('names'));
    await names.put(Buffer.from('key'), Buffer.from('value'));
    const safe = Buffer.from(device.image);
    fails = true;
    const outcomes = await Promise.allSettled([
      store.free([unitOf(1)], authority(1n)),
      names.delete(Buffer.from('key')),
    ]);
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'DeviceDead' } });
    await expect(readBack(store, 1)).rejects.toMatchObject({ code: 'DeviceDead' });
    await expect(store.stat(unitOf(1).chunkId, unitOf(1).unitIndex)).rejects.toMatchObject({ code: 'DeviceDead' });
    await expect(names.get(Buffer.from('key'))).rejects.toMatchObject({ code: 'DeviceDead' });
    expect((await readBack(store, 2))?.bytes.equals(bytesOf(2, 20_000))).toBe(true);
    const { store: again } = await openImage(safe);
    await expectSound(again, [1, 2], 20_000);
  });
});
