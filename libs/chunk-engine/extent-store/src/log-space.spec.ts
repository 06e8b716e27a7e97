/** Who waits for room in the log, who is refused, and that the log is used again and again. */
import { describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort, type DeviceEvent } from './device/simulated-device.js';
import { ExtentStore } from './extent-store.js';
import { content, gate, isSettled, text, turns } from './testing/catalogue-fixture.js';
import {
  CLUSTER_ID,
  DEVICE_ID,
  SEGMENT_BYTES,
  authority,
  bytesOf,
  formattedImage,
  headerOf,
  openImage,
  put,
  soon,
  unitOf,
  type OpenImageOptions,
} from './testing/store-fixture.js';
import { orderProblems } from './testing/write-order.js';

const name = text('BUCKET_1_obj_index');
const open = async (options: OpenImageOptions = {}) => openImage(await formattedImage(), options);
/** Of each segment the last group's worth may stay unused. */
const ROOM_BYTES = 2 * (SEGMENT_BYTES - SEGMENT_BYTES / 4);
/** One block of records and one of payload. */
const SMALL_GROUP_BYTES = 8 * KIB;

/** Writes of small units whose bytes come when they are let, and fail from the number on that is named. */
function heldWrites(store: ExtentStore, count: number, failing = new Set<number>()) {
  const asked: number[] = [];
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const writes = Array.from({ length: count }, (_, number) => {
    const pull = async function* () {
      asked.push(number);
      await held;
      if (failing.has(number)) throw new Error('the sender has gone');
      yield bytesOf(number, 4096);
    };
    return store.write(headerOf(number, 4096), 4096, pull, soon());
  });
  return { asked, letGo, all: Promise.allSettled(writes) };
}

describe('log space', () => {
  it('seed-1.9: a transaction opens with its log space reserved; those for which there is none wait in order, and go on', async () => {
    const { store } = await open();
    const { asked, letGo, all } = heldWrites(store, 60);
    await turns();
    // A unit is asked for when its transaction is open.
    expect(asked).toHaveLength(ROOM_BYTES / SMALL_GROUP_BYTES);
    expect(store.status().unitCount).toBe(0);
    letGo();
    expect((await all).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(asked).toEqual(Array.from({ length: 60 }, (_, number) => number));
    expect(store.status().unitCount).toBe(60);
  });

  it('seed-1.9: a catalogue that changes while the log is full waits, and none of it is seen before', async () => {
    const { turn, shut, open: letGo } = gate();
    const { store } = await open({ turn });
    const catalogue = await store.createCatalogue(name);
    await catalogue.put(text('a'), text('1'));
    shut();
    const all = Promise.all(
      Array.from({ length: 80 }, (_, index) => catalogue.put(text(`many ${index}`), Buffer.alloc(3000))),
    );
    expect(await isSettled(all)).toBe(false);
    expect(catalogue.size).toBeLessThan(ROOM_BYTES / 3000);
    letGo();
    await all;
    expect(catalogue.size).toBe(81);
  });

  it('seed-1.9: a transaction that no group can hold fails whole, at exactly the limit', async () => {
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    await catalogue.put(text('a'), text('1'));
    const calls = device.calls;
    const tooLarge = Array.from({ length: 10 }, (_, index) => ({ key: text(`${index}`), value: Buffer.alloc(5000) }));
    await expect(catalogue.change(tooLarge)).rejects.toMatchObject({ code: 'TooLarge' });
    // A group of 16 KiB: 72 bytes of header, 12 of the record, one of the key.
    const mostBytes = SEGMENT_BYTES / 4 - 72 - 12 - 1;
    await expect(catalogue.put(text('b'), Buffer.alloc(mostBytes + 1))).rejects.toMatchObject({ code: 'TooLarge' });
    await expect(catalogue.put(Buffer.alloc(1101), text('1'))).rejects.toMatchObject({ code: 'TooLarge' });
    expect(device.calls).toBe(calls);
    expect(await content(catalogue)).toEqual({ a: '1' });
    await catalogue.put(text('b'), Buffer.alloc(mostBytes));
    await catalogue.put(Buffer.alloc(1100, 'k'), text('1'));
    expect(Object.keys(await content(catalogue))).toEqual(['a', 'b', 'k'.repeat(1100)]);
  });

  it('seed-1.9: with a log that takes them, keys and values have their limits, to the byte', async () => {
    const blank = new SimulatedDevice(Buffer.alloc(8 * MIB));
    const ids = { deviceId: DEVICE_ID, clusterId: CLUSTER_ID, generation: 1 };
    const sizes = { capacityBytes: 8 * MIB, segmentBytes: MIB };
    await ExtentStore.format('sim', { ...ids, ...sizes, io: new SimulatedDevicePort({ sim: blank }) });
    const { store } = await openImage(blank.image);
    const catalogue = await store.createCatalogue(name);
    const [key, value] = [Buffer.alloc(1100, 1), Buffer.alloc(64 * KIB, 2)];
    expect(await catalogue.put(key, value)).toBe(false);
    expect(await catalogue.get(key)).toEqual(value);
    const tooLong = Buffer.alloc(64 * KIB + 1);
    await expect(catalogue.put(text('b'), tooLong)).rejects.toMatchObject({ code: 'TooLarge' });
    await expect(catalogue.put(Buffer.alloc(1101), text('b'))).rejects.toMatchObject({ code: 'TooLarge' });
    await expect(catalogue.delete(Buffer.alloc(1101))).rejects.toMatchObject({ code: 'TooLarge' });
    expect(catalogue.size).toBe(1);
    await store.close();
  });

  it('seed-1.9, seed-1.22: whoever is refused or breaks off gives its space back, to those who wait', async () => {
    const { store } = await open();
    await store.checkpoint();
    const failing = new Set(Array.from({ length: 40 }, (_, number) => number));
    const { asked, letGo, all } = heldWrites(store, 60, failing);
    await turns();
    expect(asked).toHaveLength(ROOM_BYTES / SMALL_GROUP_BYTES);
    letGo();
    const outcomes = await all;
    expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
      outcomes.map((_, number) => failing.has(number)),
    );
    const catalogue = await store.createCatalogue(name);
    await catalogue.put(text('there'), text('1'));
    const large = async function* () {
      yield Buffer.alloc(10);
    };
    // Many times the size of the log.
    for (let round = 0; round < 80; round += 1) {
      const refused = catalogue.put(text('there'), Buffer.alloc(3000), { onlyIfAbsent: true });
      await expect(refused).rejects.toMatchObject({ code: 'KeyExists' });
      const short = store.write(headerOf(500, 50_000), 50_000, large, soon());
      await expect(short).rejects.toMatchObject({ code: 'ShortTransfer' });
    }
    expect(await put(store, 1000, 50_000)).toBe('written');
    expect(store.status().unitCount).toBe(21);
  });

  it('seed-1.22: many writers go on through many times the size of the log, and nothing needed is written over', async () => {
    const events: DeviceEvent[] = [];
    const { device, store } = await open({ record: (event) => void events.push(event) });
    const catalogue = await store.createCatalogue(name);
    await put(store, 1, 6000);
    for (let round = 0; round < 40; round += 1) {
      const numbers = Array.from({ length: 20 }, (_, step) => 100 + 20 * round + step);
      const sizeOf = (number: number): number => (number % 10 === 0 ? 20_000 : 3000);
      const puts = numbers.map((number) => put(store, number, sizeOf(number)));
      await Promise.all([...puts, catalogue.put(text(`key ${round % 7}`), Buffer.alloc(2000, round))]);
      await store.free(numbers.map(unitOf), authority(BigInt(round)));
    }
    const logBytes = device.writes.reduce((sum, { kind, sizeBytes }) => (kind === 'log' ? sum + sizeBytes : sum), 0);
    expect(logBytes).toBeGreaterThan(20 * SEGMENT_BYTES);
    expect(orderProblems(events)).toEqual([]);
    const { store: cut } = await openImage(device.image);
    await store.close();
    const { store: again } = await openImage(device.image);
    for (const reopened of [cut, again]) {
      expect(reopened.status()).toMatchObject({ unitCount: 1, state: 'live' });
      expect((await reopened.read(unitOf(1).chunkId, 1))?.bytes.equals(bytesOf(1, 6000))).toBe(true);
      expect((await reopened.catalogue(name)).size).toBe(7);
      expect((await reopened.check()).problems).toEqual([]);
    }
  });

  it('seed-1.22: who waits while a checkpoint is written goes on when it is durable', async () => {
    const { record, turn, shut, open: letGo } = gate('page');
    const { store } = await open({ record, turn });
    await store.checkpoint();
    await put(store, 0, 4096);
    shut();
    const checkpoint = store.checkpoint();
    await turns();
    const writes = Promise.all(Array.from({ length: 40 }, (_, number) => put(store, number + 1, 4096)));
    expect(await isSettled(Promise.race([writes, checkpoint]))).toBe(false);
    expect(store.status().unitCount).toBeGreaterThan(2);
    expect(store.status().unitCount).toBeLessThan(20);
    letGo();
    await Promise.all([writes, checkpoint]);
    expect(store.status().unitCount).toBe(41);
  });
});
