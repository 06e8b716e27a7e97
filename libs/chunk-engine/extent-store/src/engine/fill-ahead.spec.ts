/** Space that is filled with zeros ahead of its use, and what happens when the file system below gives no more. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, KIB, MIB, ManualClock } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort, type CallKind, type DeviceEvent } from '../device/simulated-device.js';
import { ExtentStore } from '../extent-store.js';
import { blockPosition, layoutOf, pagePosition } from '../format/device-layout.js';
import { decodeSuperblockCopy, encodeSuperblock } from '../format/superblock.js';
import {
  CLUSTER_ID,
  DEVICE_ID,
  LAYOUT,
  authority,
  bytesOf,
  formattedImage,
  formattedPair,
  headerOf,
  openImage,
  openPair,
  pullOf,
  put,
  soon,
  unitOf,
} from '../testing/store-fixture.js';

const frontierAtFormat = blockPosition(LAYOUT, LAYOUT.fillBlocks);
const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

async function expectUnit(store: ExtentStore, number: number, sizeBytes: number): Promise<void> {
  const { chunkId, unitIndex } = unitOf(number);
  const unit = await store.read(chunkId, unitIndex);
  expect(unit?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
}

/** Blocks of units that were written to a place which had not been written, and flushed, before. */
function firstWrites(events: readonly DeviceEvent[], firstUnfilled: number): number[] {
  const durable = new Set<number>();
  const written = new Map<string, readonly number[]>();
  const found: number[] = [];
  for (const event of events) {
    if (event.type === 'durable') {
      for (const call of event.calls)
        for (const position of written.get(`${event.device}/${call}`) ?? []) durable.add(position);
    } else if (event.kind === 'data') {
      for (const { bytes, position } of event.pieces)
        if (!isZero(bytes) && position >= firstUnfilled && !durable.has(position)) found.push(position);
      written.set(
        `${event.device}/${event.call}`,
        event.pieces.map(({ position }) => position),
      );
    }
  }
  return found;
}

/** Large and small units until the device is full, some of them freed; resolves to those that are there. */
async function fillUp(store: ExtentStore, firstSequence = 0): Promise<Map<number, number>> {
  const there = new Map<number, number>();
  for (let number = 1; number < 1000; number += 1) {
    const sizeBytes = [4096, 30_000, 9000, 100, 60_000][number % 5];
    const outcome = await put(store, number, sizeBytes).catch((error: { code: string }) => error.code);
    if (outcome === 'DeviceFull') return there;
    expect(outcome).toBe('written');
    there.set(number, sizeBytes);
    if (number % 7 !== 0) continue;
    await store.free([unitOf(number - 3)], authority(BigInt(firstSequence + number)));
    there.delete(number - 3);
  }
  throw new Error('the device took everything');
}

/** A store whose writes of zeros wait until the test lets them go; later ones do not. */
async function heldFilling() {
  const held: (() => void)[] = [];
  const events: DeviceEvent[] = [];
  let isHolding = true;
  const { device, store } = await openImage(await formattedImage(), {
    record: (event) => void events.push(event),
    turn: (kind) => {
      const last = events.at(-1);
      const isFilling = kind === 'write' && last?.type === 'write' && last.pieces.every(({ bytes }) => isZero(bytes));
      return isFilling && isHolding ? new Promise((resolve) => held.push(resolve)) : Promise.resolve();
    },
  });
  const letGo = (): void => {
    isHolding = false;
    for (const resolve of held) resolve();
  };
  return { device, store, held, letGo };
}

describe('filling ahead', () => {
  it.each(['file', 'pair'] as const)('seed-2.13: no unit is the first to write its place, in a %s', async (layout) => {
    const events: DeviceEvent[] = [];
    const record = (event: DeviceEvent): void => void events.push(event);
    const isPair = layout === 'pair';
    const { store } = isPair
      ? await openPair(await formattedPair(), { record })
      : await openImage(await formattedImage(), { record });
    // More than is filled: it waits for the next step, and for its flush.
    await put(store, 1500, 300_000);
    const there = await fillUp(store);
    await store.close();
    const dataStart = isPair ? 4 * BLOCK_BYTES : LAYOUT.dataStart;
    const isOfUnit = (event: DeviceEvent): boolean =>
      event.type === 'write' && event.kind === 'data' && event.pieces.some(({ bytes }) => !isZero(bytes));
    expect(events.filter(isOfUnit).length).toBeGreaterThan(10);
    expect(firstWrites(events, dataStart + LAYOUT.fillBlocks * BLOCK_BYTES)).toEqual([]);
    expect(there.size).toBeGreaterThan(10);
  });

  it('fills nothing that is in use, also where an open finds no hint of what was filled', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 2000, 300_000);
    await put(store, 2001, 4096);
    await store.close();
    for (let copy = 0; copy < 4; copy += 1) {
      const block = device.image.subarray(copy * BLOCK_BYTES, (copy + 1) * BLOCK_BYTES);
      const superblock = decodeSuperblockCopy(block, copy);
      if (superblock === undefined) throw new Error(`copy ${copy} does not verify`);
      expect(superblock.filledBlocks).toBeGreaterThan(300_000 / BLOCK_BYTES);
      encodeSuperblock({ ...superblock, filledBlocks: 0, filledPages: 0 }, copy).copy(block);
    }
    const { device: again, store: reopened } = await openImage(device.image);
    const there = await fillUp(reopened);
    expect(firstWrites(again.events, frontierAtFormat + 300_000)).toEqual([]);
    await expectUnit(reopened, 2000, 300_000);
    await expectUnit(reopened, 2001, 4096);
    for (const [number, sizeBytes] of there) await expectUnit(reopened, number, sizeBytes);
    expect((await reopened.check()).problems).toEqual([]);
  });

  it('begins before blocks and pages are used up; nobody waits for it but the close', async () => {
    const { device, store, held, letGo } = await heldFilling();
    const catalogue = await store.createCatalogue(Buffer.from('names'));
    await put(store, 1, (LAYOUT.fillBlocks / 2) * BLOCK_BYTES);
    for (let number = 0; number < 60; number += 1) await catalogue.put(Buffer.alloc(900, number), Buffer.alloc(400));
    expect(await put(store, 2, 9000)).toBe('written');
    // One step of the blocks and one of the pages.
    expect(held).toHaveLength(2);
    let isClosed = false;
    const closed = store.close().then(() => (isClosed = true));
    await delay(5);
    expect(isClosed).toBe(false);
    letGo();
    await closed;
    const superblock = decodeSuperblockCopy(device.image.subarray(0, BLOCK_BYTES), 0);
    expect(superblock).toMatchObject({ filledBlocks: 2 * LAYOUT.fillBlocks, filledPages: 2 * LAYOUT.fillPages });
  });

  it('lets what needs pages wait for the step under way, and refuses none of it', async () => {
    const { store, held, letGo } = await heldFilling();
    const catalogue = await store.createCatalogue(Buffer.from('names'));
    let count = 0;
    const keys = Array.from({ length: 60 }, (_, number) => Buffer.from(`${number}`.padStart(200, 'k')));
    const work = Promise.all(keys.map((key) => catalogue.put(key, Buffer.alloc(900)).then(() => (count += 1))));
    await delay(20);
    expect(count).toBeLessThan(keys.length);
    expect(held).toHaveLength(1);
    letGo();
    await work;
    await store.close();
  });

  it('keeps the part of a step that found room, and begins with the first step at the format', async () => {
    const sizes = { capacityBytes: 80 * MIB, segmentBytes: 64 * KIB, pageCount: 176 };
    const layout = layoutOf({ ...sizes, isPair: false });
    const blank = new SimulatedDevice(Buffer.alloc(sizes.capacityBytes), { isImageShared: true });
    const ids = { deviceId: DEVICE_ID, clusterId: CLUSTER_ID, generation: 1 };
    await ExtentStore.format('sim', { ...ids, ...sizes, io: new SimulatedDevicePort({ sim: blank }) });
    const filledAtFormat = (kind: 'page' | 'data'): number =>
      blank.writes.filter((write) => write.kind === kind).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(filledAtFormat('data')).toBe(layout.fillBlocks * BLOCK_BYTES);
    expect(filledAtFormat('page')).toBe(layout.fillPages * BLOCK_BYTES);
    // The second mebibyte of the next step has no room.
    expect(layout.fillBlocks * BLOCK_BYTES).toBeGreaterThan(MIB);
    const end = blockPosition(layout, layout.fillBlocks) + MIB;
    const { device, store } = await openImage(blank.image, {
      isImageShared: true,
      fault: (_call, kind) => (kind === 'write' && (device.writes.at(-1)?.position ?? 0) >= end ? 'ENOSPC' : undefined),
    });
    await put(store, 1, layout.fillBlocks * BLOCK_BYTES);
    // What is filled is less than the reserve.
    await expect(put(store, 2, MIB)).rejects.toMatchObject({ code: 'DeviceFull' });
    await store.close();
    expect(decodeSuperblockCopy(device.image.subarray(0, BLOCK_BYTES), 0)?.filledBlocks).toBe(
      layout.fillBlocks + MIB / BLOCK_BYTES,
    );
  });

  it('does not fill again what an open finds filled', async () => {
    const { device, store } = await openImage(await formattedImage());
    const there = await fillUp(store);
    await store.free([...there.keys()].map(unitOf), authority(5000n));
    await store.close();
    const { device: again, store: reopened } = await openImage(device.image);
    await fillUp(reopened, 10_000);
    const fillings = again.events.filter(
      (event) => event.type === 'write' && event.kind === 'data' && event.pieces.every(({ bytes }) => isZero(bytes)),
    );
    expect(fillings).toEqual([]);
  });
});

describe('a file system below without room', () => {
  async function failing(kind: 'EIO' | 'ENOSPC') {
    const clock = new ManualClock();
    const armed = { on: false };
    // What was written once has its place.
    const isBehind = (device: SimulatedDevice): boolean => (device.writes.at(-1)?.position ?? 0) >= frontierAtFormat;
    const { device, store } = await openImage(await formattedImage(), {
      fault: (_call: number, at: CallKind) => (armed.on && at === 'write' && isBehind(device) ? kind : undefined),
      clock,
      storeTurn: () => delay(1),
    });
    await put(store, 1, 5000);
    armed.on = true;
    return { device, store, armed, clock };
  }

  it('seed-2.13: what is filled is used up, the rest is refused before a byte is pulled, and it passes', async () => {
    const { device, store, armed, clock } = await failing('ENOSPC');
    let pulls = 0;
    const pull = async function* (): AsyncGenerator<Buffer> {
      pulls += 1;
      yield* pullOf(bytesOf(3, 300_000))();
    };
    const refused = store.write(headerOf(3, 300_000), 300_000, pull, soon());
    await expect(refused).rejects.toMatchObject({ code: 'DeviceFull' });
    expect(pulls).toBe(0);
    expect(store.status().state).toBe('live');
    expect(store.status().freeBytes).toBeLessThan(LAYOUT.fillBlocks * BLOCK_BYTES);
    const stored = new Map<number, number>();
    const sizes = [10_000, 100];
    for (let number = 10; sizes.length > 0; number += 1) {
      const outcome = await put(store, number, sizes[0]).catch((error: { code: string }) => error.code);
      if (outcome === 'DeviceFull') sizes.shift();
      else stored.set(number, sizes[0]);
    }
    expect(stored.size).toBeGreaterThan(10);
    expect(store.status().state).toBe('full');
    await store.checkpoint();
    expect((await store.check()).problems).toEqual([]);
    // What is freed is used again.
    await store.free([...stored.keys()].slice(0, 5).map(unitOf), authority(1n));
    expect(await put(store, 5, 40_000)).toBe('written');
    armed.on = false;
    await expect(put(store, 3, 300_000)).rejects.toMatchObject({ code: 'DeviceFull' });
    clock.advance(1001);
    expect(store.status().state).toBe('live');
    expect(await put(store, 3, 300_000)).toBe('written');
    await store.close();
    const { store: again } = await openImage(device.image);
    for (const [number, sizeBytes] of [...stored].slice(5)) await expectUnit(again, number, sizeBytes);
    await expectUnit(again, 3, 300_000);
  });

  it('seed-2.13: small units in the log wait for room when what was filled has gone to others', async () => {
    const { device, store, armed, clock } = await failing('ENOSPC');
    const small = Array.from({ length: 10 }, (_, index) => 10 + index);
    const written = [
      put(store, 2, 40 * BLOCK_BYTES),
      put(store, 3, 20 * BLOCK_BYTES),
      ...small.map((number) => put(store, number, 4096)),
    ];
    expect(new Set(await Promise.all(written))).toEqual(new Set(['written']));
    let ended = false;
    const checkpoint = store.checkpoint().then(() => (ended = true));
    await delay(20);
    expect(ended).toBe(false);
    expect(store.status().state).toBe('full');
    for (const number of small) await expectUnit(store, number, 4096);
    armed.on = false;
    clock.advance(1001);
    await checkpoint;
    clock.advance(1001);
    expect(await put(store, 4, 5000)).toBe('written');
    await store.close();
    const { store: again } = await openImage(device.image);
    for (const number of small) await expectUnit(again, number, 4096);
    expect((await again.check()).problems).toEqual([]);
  });

  it('seed-2.13: what has no room for its pages is refused before a checkpoint would wait for it; removals go on', async () => {
    const behind = { page: pagePosition(LAYOUT, LAYOUT.fillPages), data: frontierAtFormat };
    const { device, store } = await openImage(await formattedImage(), {
      fault: (_call: number, at: CallKind) => {
        const { kind, position } = device.writes.at(-1) ?? { kind: 'log', position: 0 };
        return at === 'write' && (kind === 'page' || kind === 'data') && position >= behind[kind]
          ? 'ENOSPC'
          : undefined;
      },
    });
    await put(store, 1, 9000);
    const catalogue = await store.createCatalogue(Buffer.from('names'));
    const key = (number: number): Buffer => Buffer.from(`${number}`.padStart(200, 'k'));
    let count = 0;
    for (let outcome = ''; outcome !== 'DeviceFull'; count += 1) {
      const work = catalogue.put(key(count), Buffer.alloc(900, count));
      outcome = await work.then(
        () => 'written',
        (error: { code: string }) => error.code,
      );
      expect(['written', 'DeviceFull']).toContain(outcome);
    }
    expect(count).toBeGreaterThan(40);
    expect(store.status().state).toBe('full');
    await store.checkpoint();
    for (let number = 0; number < count; number += 1) await catalogue.delete(key(number));
    expect(await store.free([unitOf(1)], authority(1n))).toBe(1);
    await store.checkpoint();
    await catalogue.put(key(0), Buffer.alloc(900));
    await store.close();
    expect((await (await openImage(device.image)).store.check()).problems).toEqual([]);
  });

  it('seed-2.22: a write of zeros that fails is the end of the device', async () => {
    const { store } = await failing('EIO');
    await expect(put(store, 3, 300_000)).rejects.toMatchObject({ code: 'DeviceDead' });
    expect(store.status().state).toBe('dead');
    await expect(put(store, 4, 10)).rejects.toMatchObject({ code: 'DeviceDead' });
    await expectUnit(store, 1, 5000);
    await store.close();
  });
});
