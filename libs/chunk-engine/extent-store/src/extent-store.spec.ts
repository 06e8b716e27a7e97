import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, Deadline, KIB, MIB, ManualClock } from '@holdfast/stdx';
import { ExtentStore } from './extent-store.js';
import { SimulatedDevice, SimulatedDevicePort, type CallKind } from './device/simulated-device.js';
import {
  CLUSTER_ID,
  DEVICE_ID,
  SEGMENT_BYTES,
  authority,
  bytesOf,
  formattedImage,
  headerOf,
  openImage,
  pullOf,
  put,
  soon,
  unitOf,
} from './testing/store-fixture.js';

const open = async (image?: Buffer) => openImage(image ?? (await formattedImage()));
const readBack = (store: ExtentStore, number: number) => store.read(unitOf(number).chunkId, unitOf(number).unitIndex);

async function expectUnit(store: ExtentStore, number: number, sizeBytes: number): Promise<void> {
  const unit = await readBack(store, number);
  expect(unit?.header).toEqual(headerOf(number, sizeBytes));
  expect(unit?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
}

/** Pulls that say when they are asked, and yield when they are let. */
function heldPull(bytes: Buffer) {
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let asked: () => void = () => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const pull = async function* () {
    asked();
    await held;
    yield bytes;
  };
  return { pull, isAsked, letGo };
}

describe('extent store', () => {
  it('seed-2.27: units of edge sizes come back as they were, also after a reopen', async () => {
    const sizes = [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 300_000];
    const { device, store } = await open();
    for (const [number, sizeBytes] of sizes.entries()) expect(await put(store, number, sizeBytes)).toBe('written');
    for (const [number, sizeBytes] of sizes.entries()) await expectUnit(store, number, sizeBytes);
    const before = store.status();
    await store.close();
    const { store: again } = await open(device.image);
    for (const [number, sizeBytes] of sizes.entries()) await expectUnit(again, number, sizeBytes);
    expect(again.status()).toEqual(before);
    expect(await again.list({ limit: 100 })).toHaveLength(sizes.length);
    expect((await again.check()).problems).toEqual([]);
  });

  it('seed-2.26: a flipped bit or a swapped block is told, and only by the slice that is read', async () => {
    const { device, store } = await open();
    await put(store, 1, 200_000);
    await put(store, 4, 4096);
    await put(store, 7, 4096);
    await store.checkpoint();
    await store.close();
    const image = Buffer.from(device.image);
    // What the log held before is not what is read.
    image.fill(0, 4 * BLOCK_BYTES, 4 * BLOCK_BYTES + 2 * SEGMENT_BYTES);
    const at = image.indexOf(bytesOf(1, 200_000).subarray(0, 64));
    image[at + 70_000] ^= 4;
    const [four, seven] = [4, 7].map((number) => image.indexOf(bytesOf(number, 4096)));
    bytesOf(4, 4096).copy(image, seven);
    bytesOf(7, 4096).copy(image, four);
    const { store: again } = await open(image);
    for (const number of [1, 4, 7])
      await expect(readBack(again, number)).rejects.toMatchObject({ code: 'UnitDamaged' });
    const { chunkId, unitIndex } = unitOf(1);
    const whole = await again.read(chunkId, unitIndex, { offset: 140_000, length: 100_000 });
    expect(whole?.bytes.equals(bytesOf(1, 200_000).subarray(140_000))).toBe(true);
    const damaged = again.read(chunkId, unitIndex, { offset: 65_536, length: 1 });
    await expect(damaged).rejects.toMatchObject({ code: 'UnitDamaged' });
  });

  it('reads ranges across extents and slices', async () => {
    const { store } = await open();
    await put(store, 1, 200_000);
    const { chunkId, unitIndex } = unitOf(1);
    for (const [offset, length] of [
      [0, 1],
      [65_535, 2],
      [199_999, 10],
      [10, 199_000],
      [200_000, 5],
      [300_000, 5],
      [7, 0],
    ]) {
      const unit = await store.read(chunkId, unitIndex, { offset, length });
      expect(unit?.bytes.equals(bytesOf(1, 200_000).subarray(offset, offset + length))).toBe(true);
    }
    expect(await store.read(chunkId, 99)).toBeUndefined();
    expect(await store.stat(chunkId, unitIndex)).toEqual(headerOf(1, 200_000));
    expect(await store.stat(chunkId, 99)).toBeUndefined();
  });

  it('the same unit again with equal bytes is no change, with others UnitExists, also at the same time', async () => {
    const { device, store } = await open();
    const both = await Promise.all([put(store, 1, 5000), put(store, 1, 5000)]);
    expect(both.sort()).toEqual(['unchanged', 'written']);
    const writes = device.writes.length;
    expect(await put(store, 1, 5000)).toBe('unchanged');
    const other = store.write(headerOf(1, 5000), 5000, pullOf(bytesOf(2, 5000)), soon());
    await expect(other).rejects.toMatchObject({ code: 'UnitExists' });
    const otherWrite = headerOf(1, 5000, { writeId: 'f'.repeat(32) });
    await expect(store.write(otherWrite, 5000, pullOf(bytesOf(1, 5000)), soon())).rejects.toMatchObject({
      code: 'UnitExists',
    });
    expect(device.writes.length).toBe(writes);
    expect(store.status().unitCount).toBe(1);
  });

  it('refuses a write whose deadline passed before or during the pull', async () => {
    const { store } = await open();
    const clock = new ManualClock();
    const late = Deadline.in(0, clock);
    await expect(store.write(headerOf(1, 10), 10, pullOf(bytesOf(1, 10)), late)).rejects.toMatchObject({
      code: 'LateWrite',
    });
    const { pull, isAsked, letGo } = heldPull(bytesOf(1, 10));
    const write = store.write(headerOf(1, 10), 10, pull, Deadline.in(100, clock));
    await isAsked;
    clock.advance(101);
    letGo();
    await expect(write).rejects.toMatchObject({ code: 'LateWrite' });
    expect(store.status().unitCount).toBe(0);
  });

  it('many waiting writers share one write and one flush', async () => {
    const { device, store } = await open();
    await put(store, 0, 100);
    const before = device.events.length;
    await Promise.all(Array.from({ length: 3 }, (_, number) => put(store, number + 1, 4096)));
    const names = device.events.slice(before).map((event) => (event.type === 'write' ? event.kind : event.by));
    // The move to data blocks comes after the answers and waits for nothing.
    expect(names.filter((name) => name !== 'data')).toEqual(['log', 'write-through']);
  });

  it('lists pages in order, by age', async () => {
    const { store } = await open();
    const headers = Array.from({ length: 40 }, (_, number) => headerOf(number, 10));
    await Promise.all(headers.map((_, number) => put(store, number, 10)));
    const sorted = [...headers].sort((a, b) => (a.chunkId < b.chunkId ? -1 : 1));
    const found = [];
    let after: { chunkId: string; unitIndex: number } | undefined;
    for (;;) {
      const page = await store.list({ after, limit: 7 });
      found.push(...page);
      if (page.length < 7) break;
      after = page[6];
    }
    expect(found).toEqual(sorted);
    const young = await store.list({ limit: 100, writtenBeforeMs: headers[10].writtenAtMs });
    expect(young.map((header) => header.writtenAtMs - 1_700_000_000_000).sort((a, b) => a - b)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  it('seed-2.29: freed space is counted once, reused, and stays freed after a reopen', async () => {
    const { device, store } = await open();
    const { freeBytes } = store.status();
    for (let number = 0; number < 10; number += 1) await put(store, number, 8192);
    const keys = [0, 1, 2, 3].map(unitOf);
    const counts = await Promise.all([
      store.free([...keys, unitOf(77)], authority(5n)),
      store.free(keys, authority(5n)),
    ]);
    expect(counts).toEqual([4, 0]);
    expect(await store.free(keys, authority(6n))).toBe(0);
    expect(store.status()).toMatchObject({ unitCount: 6, freeBytes: freeBytes - 6 * 8192, highestSequence: 6n });
    expect(await readBack(store, 0)).toBeUndefined();
    await put(store, 20, 32_768);
    await store.close();
    const { store: again } = await open(device.image);
    expect(again.status()).toEqual(store.status());
    for (const number of [4, 5, 6, 7, 8, 9]) await expectUnit(again, number, 8192);
    await expectUnit(again, 20, 32_768);
  });

  it('a unit that is freed while it is written is gone, and leaves nothing behind', async () => {
    const { device, store } = await open();
    const writing = put(store, 1, 5000);
    const kept = put(store, 2, 5000);
    // The bytes are pulled first; then the free comes into the group of the unit.
    for (let step = 0; step < 20; step += 1) {
      await Promise.resolve();
      void store.free([unitOf(1)], authority(1n));
    }
    await Promise.all([writing, kept]);
    await store.free([unitOf(1)], authority(1n));
    expect(await store.stat(unitOf(1).chunkId, 1)).toBeUndefined();
    await store.checkpoint();
    expect((await store.check()).problems).toEqual([]);
    expect(store.status().unitCount).toBe(1);
    await store.close();
    const { store: again } = await open(device.image);
    expect(await again.stat(unitOf(1).chunkId, 1)).toBeUndefined();
    await expectUnit(again, 2, 5000);
  });

  it('frees nothing for another cluster, an older database or a lower sequence, also after a reopen', async () => {
    const { device, store } = await open();
    await put(store, 1, 10);
    await store.free([], authority(50n, 2));
    const refuse = async (on: ExtentStore, by: Parameters<ExtentStore['free']>[1]): Promise<void> => {
      await expect(on.free([unitOf(1)], by)).rejects.toMatchObject({ code: 'ForeignDatabase' });
      expect(on.status().unitCount).toBe(1);
    };
    const { store: again } = await open(device.image);
    for (const on of [store, again]) {
      await refuse(on, { ...authority(60n, 2), clusterId: '00000000-0000-4000-8000-000000000bad' });
      await refuse(on, authority(60n, 1));
      await refuse(on, authority(49n, 3));
    }
    expect(again.status().highestSequence).toBe(50n);
    expect(await again.free([unitOf(1)], authority(50n, 2))).toBe(1);
  });

  it('seed-2.13, seed-2.14: a fragmented device joins extents; a full one refuses early, serves reads and frees', async () => {
    const { device, store } = await open();
    const numbers: number[] = [];
    for (let number = 0; ; number += 1) {
      const outcome = await put(store, number, 4096).catch((error: { code: string }) => error.code);
      if (outcome === 'DeviceFull') break;
      expect(outcome).toBe('written');
      numbers.push(number);
    }
    expect(store.status()).toMatchObject({ state: 'full', freeBytes: 0 });
    await expectUnit(store, 0, 4096);
    // The reserve is kept: 2 % of all blocks.
    await store.checkpoint();
    const { usedBlocks, freeBlocks } = await store.check();
    expect(usedBlocks).toBe(numbers.length);
    expect(freeBlocks).toBe(Math.ceil((usedBlocks + freeBlocks) * 0.02));
    await store.free(numbers.filter((number) => number % 2 === 1).map(unitOf), authority(1n));
    expect(store.status().state).toBe('live');
    // Only single free blocks are left beside the reserve.
    expect(await put(store, 1000, 40 * KIB)).toBe('written');
    await expectUnit(store, 1000, 40 * KIB);
    const { chunkId, unitIndex } = unitOf(1000);
    const middle = await store.read(chunkId, unitIndex, { offset: 6000, length: 20_000 });
    expect(middle?.bytes.equals(bytesOf(1000, 40 * KIB).subarray(6000, 26_000))).toBe(true);
    await store.close();
    const { store: again } = await open(device.image);
    await expectUnit(again, 1000, 40 * KIB);
    for (const number of numbers.filter((each) => each % 2 === 0)) await expectUnit(again, number, 4096);
  });

  it('a unit freed while it is read is not here, not damaged', async () => {
    const held: (() => void)[] = [];
    let isHolding = false;
    const turn = (kind: CallKind | 'read'): Promise<void> =>
      isHolding && kind === 'read' ? new Promise((resolve) => held.push(resolve)) : Promise.resolve();
    const { store } = await openImage(await formattedImage(), { turn });
    await put(store, 1, 40_000);
    isHolding = true;
    const reading = readBack(store, 1);
    while (held.length === 0) await Promise.resolve();
    isHolding = false;
    await store.free([unitOf(1)], authority(1n));
    await store.checkpoint();
    for (const number of [2, 3, 4, 5, 6, 7]) await put(store, number, 40_000);
    for (const letGo of held) letGo();
    expect(await reading).toBeUndefined();
  });

  it('refuses what no record can hold', async () => {
    const { store } = await open();
    const refuse = (change: object) =>
      expect(store.write(headerOf(1, 10, change), 10, pullOf(bytesOf(1, 10)), soon())).rejects.toThrow(RangeError);
    for (const change of [
      { chunkId: 'XYZ' },
      { unitIndex: 3 },
      { k: 0 },
      { unitSizeBytes: 11 },
      { bucketId: -1n },
      { writeId: '' },
      { writtenAtMs: 1.5 },
      { chunkSizeBytes: 2 ** 32 },
    ]) {
      await refuse(change);
    }
  });
});

describe('a device whose metadata pages run out', () => {
  it('seed-2.13: refuses units early, reads and frees go on, and it takes units again', async () => {
    const { device, store } = await open();
    const numbers: number[] = [];
    for (let number = 0; number < 20_000; number += 50) {
      const burst = Array.from({ length: 50 }, (_, step) => number + step);
      const outcomes = await Promise.allSettled(burst.map((each) => put(store, each, 0)));
      outcomes.forEach((outcome, step) => outcome.status === 'fulfilled' && numbers.push(number + step));
      const refused = outcomes.find(({ status }) => status === 'rejected');
      if (refused === undefined) continue;
      expect(refused).toMatchObject({ reason: { code: 'DeviceFull' } });
      break;
    }
    expect(numbers.length).toBeGreaterThan(500);
    expect(store.status()).toMatchObject({ state: 'full', unitCount: numbers.length });
    await expectUnit(store, numbers[0], 0);
    for (let from = 0; from < numbers.length; from += 200)
      await store.free(numbers.slice(from, from + 200).map(unitOf), authority(1n));
    await store.checkpoint();
    expect(store.status()).toMatchObject({ state: 'live', unitCount: 0 });
    await put(store, 1, 5000);
    expect((await store.check()).problems).toEqual([]);
    await store.close();
    const { store: again } = await open(device.image);
    await expectUnit(again, 1, 5000);
  });
});

describe('a device with more data blocks than its pages can name', () => {
  it('seed-2.13: refuses units before the move out of the log lacks pages', async () => {
    const device = new SimulatedDevice(Buffer.alloc(16 * MIB));
    const io = new SimulatedDevicePort({ sim: device });
    const sizes = { capacityBytes: 16 * MIB, segmentBytes: MIB, pageCount: 128 };
    await ExtentStore.format('sim', { deviceId: DEVICE_ID, clusterId: CLUSTER_ID, generation: 1, ...sizes, io });
    const { store } = await openImage(device.image);
    const numbers: number[] = [];
    for (let number = 0; store.status().state === 'live'; number += 200) {
      const burst = Array.from({ length: 200 }, (_, step) => number + step);
      const outcomes = await Promise.allSettled(burst.map((each) => put(store, each, 100)));
      outcomes.forEach((outcome, step) => outcome.status === 'fulfilled' && numbers.push(number + step));
    }
    expect(numbers.length).toBeGreaterThan(500);
    expect(store.status()).toMatchObject({ state: 'full', unitCount: numbers.length });
    await store.checkpoint();
    expect((await store.check()).problems).toEqual([]);
    const kept = numbers.splice(100, 1)[0];
    await store.free(numbers.map(unitOf), authority(1n));
    await store.checkpoint();
    await expectUnit(store, kept, 100);
    await put(store, numbers[0], 100);
  });
});

describe('a device that fails', () => {
  async function failing(kind: 'EIO' | 'ENOSPC', matches: (device: SimulatedDevice, at: CallKind) => boolean) {
    const clock = new ManualClock();
    const armed = { on: false };
    const { device, store } = await openImage(await formattedImage(), {
      fault: (_call, at) => (armed.on && matches(device, at) ? kind : undefined),
      clock,
      storeTurn: () => delay(1),
    });
    await put(store, 1, 5000);
    return { device, store, armed, clock };
  }

  it.each([
    ['a flush', (_device: SimulatedDevice, at: CallKind) => at === 'flush'],
    ['a write', (_device: SimulatedDevice, at: CallKind) => at === 'write'],
  ])('seed-2.22: EIO at %s is the end of writing; reads go on', async (_name, matches) => {
    const { freeBytes } = (await open()).store.status();
    const { device, store, armed } = await failing('EIO', matches);
    armed.on = true;
    await expect(put(store, 3, 300_000)).rejects.toMatchObject({ code: 'DeviceDead' });
    await expect(put(store, 2, 5000)).rejects.toMatchObject({ code: 'DeviceDead' });
    armed.on = false;
    const { calls } = device;
    await expect(put(store, 4, 10)).rejects.toMatchObject({ code: 'DeviceDead' });
    await expect(store.free([unitOf(1)], authority(2n))).rejects.toMatchObject({ code: 'DeviceDead' });
    expect(store.status().state).toBe('dead');
    await expectUnit(store, 1, 5000);
    // Time does not heal it.
    await delay(5);
    await expect(put(store, 5, 300_000)).rejects.toMatchObject({ code: 'DeviceDead' });
    expect(store.status().state).toBe('dead');
    await store.close();
    // Nothing was tried again.
    expect(device.calls).toBe(calls);
    // What had claimed blocks holds none after the next open, whether or not its record came through.
    const { store: again } = await open(device.image);
    const units = await again.list({ limit: 10 });
    const usedBlocks = units.reduce((sum, { unitSizeBytes }) => sum + Math.ceil(unitSizeBytes / BLOCK_BYTES), 0);
    expect(again.status()).toMatchObject({ state: 'live', freeBytes: freeBytes - usedBlocks * BLOCK_BYTES });
    expect((await again.check()).problems).toEqual([]);
    await expectUnit(again, 1, 5000);
  });

  it('seed-2.13: no room in the file system below for a unit is full, not dead, and passes', async () => {
    const inData = (device: SimulatedDevice): boolean => device.writes.at(-1)?.kind === 'data';
    const { store, armed, clock } = await failing('ENOSPC', (device, at) => at === 'write' && inData(device));
    const { freeBytes } = store.status();
    armed.on = true;
    await expect(put(store, 3, 100_000)).rejects.toMatchObject({ code: 'DeviceFull' });
    armed.on = false;
    expect(store.status()).toMatchObject({ state: 'full', freeBytes });
    await expectUnit(store, 1, 5000);
    expect(await store.free([unitOf(1)], authority(1n))).toBe(1);
    clock.advance(1001);
    expect(store.status().state).toBe('live');
    expect(await put(store, 2, 5000)).toBe('written');
  });

  it('seed-2.13: a checkpoint without room for its pages waits for it; what was written is read and freed meanwhile', async () => {
    const inPages = (device: SimulatedDevice): boolean => device.writes.at(-1)?.kind === 'page';
    const { device, store, armed, clock } = await failing('ENOSPC', (of, at) => at === 'write' && inPages(of));
    armed.on = true;
    let ended = false;
    const checkpoint = store.checkpoint().then(() => (ended = true));
    const tried = device.calls;
    await delay(20);
    expect([ended, device.calls > tried]).toEqual([false, true]);
    await expect(put(store, 3, 300_000)).rejects.toMatchObject({ code: 'DeviceFull' });
    expect(store.status().state).toBe('full');
    await expectUnit(store, 1, 5000);
    expect(await store.free([unitOf(1)], authority(1n))).toBe(1);
    armed.on = false;
    await checkpoint;
    clock.advance(1001);
    expect(await put(store, 2, 5000)).toBe('written');
    await store.close();
    const { store: again } = await open(device.image);
    expect((await again.list({ limit: 10 })).map(({ chunkId }) => chunkId)).toEqual([unitOf(2).chunkId]);
    expect((await again.check()).problems).toEqual([]);
  });

  it('seed-2.13: a store that is closed while it waits for room has lost nothing', async () => {
    const inPages = (device: SimulatedDevice): boolean => device.writes.at(-1)?.kind === 'page';
    const { device, store, armed } = await failing('ENOSPC', (of, at) => at === 'write' && inPages(of));
    armed.on = true;
    const checkpoint = store.checkpoint();
    checkpoint.catch(() => undefined);
    await delay(5);
    await store.close();
    await expect(checkpoint).rejects.toMatchObject({ code: 'DeviceDead' });
    const { store: again } = await open(device.image);
    await expectUnit(again, 1, 5000);
    expect((await again.check()).problems).toEqual([]);
  });
});
