/** The way of one unit: looked up, claimed, pulled, written, recorded; and what is left when it ends before. */
import { describe, expect, it, jest } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { CallKind, DeviceEvent } from './device/simulated-device.js';
import { SimulatedDevice, SimulatedDevicePort } from './device/simulated-device.js';
import { ExtentStore } from './extent-store.js';
import { decodeRecords, type LogRecord } from './log/log-record.codec.js';
import { gate, isSettled, turns } from './testing/catalogue-fixture.js';
import {
  PAGE_COUNT,
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
  type OpenImageOptions,
} from './testing/store-fixture.js';

const SMALL = 5000;
const LARGE = 50_000;
const DATA_START = 4 * BLOCK_BYTES + 2 * SEGMENT_BYTES + PAGE_COUNT * BLOCK_BYTES;
const open = async (options: OpenImageOptions = {}) => openImage(await formattedImage(), options);
const readBack = (store: ExtentStore, number: number) => store.read(unitOf(number).chunkId, unitOf(number).unitIndex);
const blocksOf = (sizeBytes: number): number => Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;

function recordsOf(device: SimulatedDevice, from = 0): LogRecord[] {
  return device.writes
    .slice(from)
    .filter(({ kind }) => kind === 'log')
    .flatMap(({ position }) => {
      const group = device.image.subarray(position);
      return [...decodeRecords(group.subarray(72, 72 + group.readUInt32LE(56)))];
    });
}

/** A pull that says when it is asked, and yields when it is let. */
function heldPull(bytes: Buffer) {
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  const pull = jest.fn(async function* () {
    await held;
    yield bytes;
  });
  return { pull, letGo };
}

describe('the look-up', () => {
  it('seed-2.8: cold it reads a page for each level and warm none; the record is made in the transaction of the bytes', async () => {
    const { device, store } = await open();
    for (let number = 0; number < 200; number += 1) await put(store, number, 0);
    await store.checkpoint();
    await store.close();
    const { device: cold, store: again } = await openImage(device.image);
    const readsOf = async (number: number): Promise<number> => {
      const before = cold.reads.page;
      await again.stat(unitOf(number).chunkId, unitOf(number).unitIndex);
      return cold.reads.page - before;
    };
    // 67 bytes each: more than one leaf, fewer than one inner page names.
    expect(await readsOf(1)).toBe(2);
    expect(await readsOf(1)).toBe(0);
    const rest: number[] = [];
    for (let number = 0; number < 200; number += 1) rest.push(await readsOf(number));
    expect(Math.max(...rest)).toBe(1);
    expect(rest.filter((reads) => reads === 1).length).toBeGreaterThan(2);
    expect(await readsOf(5000)).toBe(0);
    for (const [number, sizeBytes] of [SMALL, LARGE].entries()) {
      const writes = cold.writes.length;
      expect(await put(again, 500 + number, sizeBytes)).toBe('written');
      const records = recordsOf(cold, writes);
      expect(records).toMatchObject([{ kind: sizeBytes === SMALL ? 'small-unit' : 'unit' }]);
      expect(records[0]).toMatchObject({ header: headerOf(500 + number, sizeBytes) });
    }
  });

  it('seed-2.8, seed-2.15: a damaged unit written again has one record, new blocks in the same transaction, also after a crash', async () => {
    for (const sizeBytes of [SMALL, LARGE]) {
      const { device, store } = await open();
      await put(store, 1, sizeBytes);
      await put(store, 2, sizeBytes);
      await store.checkpoint();
      await store.close();
      const at = device.image.indexOf(bytesOf(1, sizeBytes).subarray(0, 512), DATA_START);
      device.image[at + 100] ^= 1;
      const { device: damaged, store: again } = await openImage(device.image);
      const { freeBytes } = again.status();
      const writes = damaged.writes.length;
      expect(await put(again, 1, sizeBytes)).toBe('rewritten');
      expect(recordsOf(damaged, writes)).toHaveLength(1);
      expect(damaged.image.subarray(at, at + 101).equals(device.image.subarray(at, at + 101))).toBe(true);
      const crashed = await openImage(damaged.image);
      await again.checkpoint();
      const later = await openImage(damaged.image);
      for (const { store: found } of [crashed, later]) {
        expect(found.status()).toMatchObject({ unitCount: 2, freeBytes });
        expect((await readBack(found, 1))?.bytes.equals(bytesOf(1, sizeBytes))).toBe(true);
        expect(await found.list({ limit: 10 })).toHaveLength(2);
        expect((await found.check()).problems).toEqual([]);
      }
    }
  });
});

describe('space', () => {
  it('seed-2.10: what is claimed is off the free bytes by its length, recorded or not, and a crash gives back what was not', async () => {
    for (const sizeBytes of [SMALL, LARGE]) {
      const { device, store } = await open();
      await put(store, 1, LARGE);
      const { freeBytes } = store.status();
      const { pull, letGo } = heldPull(bytesOf(2, sizeBytes));
      const write = store.write(headerOf(2, sizeBytes), sizeBytes, pull, soon());
      while (pull.mock.calls.length === 0) await Promise.resolve();
      expect(store.status().freeBytes).toBe(freeBytes - blocksOf(sizeBytes));
      // A checkpoint between claim and record holds the claim as free.
      await store.checkpoint();
      const { store: crashed } = await openImage(device.image);
      expect(crashed.status().freeBytes).toBe(freeBytes);
      expect((await crashed.check()).problems).toEqual([]);
      letGo();
      await write;
      for (const found of [store, (await openImage(device.image)).store]) {
        expect(found.status().freeBytes).toBe(freeBytes - blocksOf(sizeBytes));
        expect((await found.check()).problems).toEqual([]);
      }
    }
  });

  it('seed-2.15: what was freed is reused when the checkpoint without it is durable, not when it begins, and is never lost', async () => {
    const { record, turn, shut, open: letGo } = gate('page');
    const { device, store } = await open({ record, turn });
    const { freeBytes } = store.status();
    const freed = [1, 11, 12, 13, 14];
    for (const number of freed) await put(store, number, LARGE);
    const places = freed.map((number) => device.image.indexOf(bytesOf(number, LARGE)));
    const isUntouched = (): boolean =>
      freed.every((number, index) => device.image.indexOf(bytesOf(number, LARGE)) === places[index]);
    const [place] = places;
    for (const number of freed) await store.free([unitOf(number)], authority(1n));
    expect(store.status().freeBytes).toBe(freeBytes);
    await put(store, 20, LARGE);
    expect(isUntouched()).toBe(true);
    await store.free([unitOf(20)], authority(1n));
    shut();
    const checkpoint = store.checkpoint();
    await turns();
    await put(store, 2, LARGE);
    expect(isUntouched()).toBe(true);
    letGo();
    await checkpoint;
    await put(store, 3, LARGE);
    expect(device.image.indexOf(bytesOf(3, LARGE))).toBe(place);
    await put(store, 4, SMALL);
    await store.free([unitOf(2), unitOf(3), unitOf(4)], authority(2n));
    expect(store.status().freeBytes).toBe(freeBytes);
    await store.checkpoint();
    for (const found of [store, (await openImage(device.image)).store]) {
      expect(found.status().freeBytes).toBe(freeBytes);
      expect((await found.check()).problems).toEqual([]);
    }
  });
});

describe('the pull', () => {
  it('seed-2.18: bytes are asked for once, after log and space are claimed, and never for a unit that is refused', async () => {
    const { store } = await open();
    await store.checkpoint();
    const { freeBytes } = store.status();
    let left = freeBytes;
    let pulls = 0;
    for (const [number, sizeBytes] of [SMALL, LARGE, 300_000].entries()) {
      const pull = async function* () {
        pulls += 1;
        expect(store.status().freeBytes).toBe(left - blocksOf(sizeBytes));
        yield* pullOf(bytesOf(number, sizeBytes))();
      };
      await store.write(headerOf(number, sizeBytes), sizeBytes, pull, soon());
      expect(pulls).toBe(number + 1);
      left -= blocksOf(sizeBytes);
    }
    const { pull } = heldPull(Buffer.alloc(0));
    const asked = (number: number, sizeBytes: number, change = {}) =>
      store.write(headerOf(number, sizeBytes, change), sizeBytes, pull, soon());
    await expect(asked(9, left + BLOCK_BYTES)).rejects.toMatchObject({ code: 'DeviceFull' });
    await expect(asked(1, LARGE, { writeId: 'f'.repeat(32) })).rejects.toMatchObject({ code: 'UnitExists' });
    await expect(asked(9, LARGE, { unitIndex: 9 })).rejects.toThrow(RangeError);
    expect(pull).not.toHaveBeenCalled();
  });

  it('seed-2.19: a short, long or broken transfer is an error, nothing is recorded, and its space comes back', async () => {
    const { device, store } = await open();
    await put(store, 7, LARGE);
    for (const sizeBytes of [SMALL, LARGE]) {
      const { freeBytes } = store.status();
      const broken = async function* () {
        yield Buffer.alloc(10);
        throw new Error('connection reset');
      };
      for (const pull of [pullOf(Buffer.alloc(sizeBytes - 1)), pullOf(Buffer.alloc(sizeBytes + 1)), broken]) {
        const writes = device.writes.length;
        const write = store.write(headerOf(1, sizeBytes), sizeBytes, pull, soon());
        await expect(write).rejects.toMatchObject({ code: 'ShortTransfer' });
        expect(recordsOf(device, writes)).toEqual([]);
        expect(store.status()).toMatchObject({ unitCount: 1, freeBytes });
        expect(await readBack(store, 1)).toBeUndefined();
      }
      expect((await store.check()).problems).toEqual([]);
    }
    expect(await put(store, 1, LARGE)).toBe('written');
  });

  it('seed-2.19: the buffers that came go to the device as they are; those of small units are copied once, into the log', async () => {
    const given: Uint8Array[] = [];
    class Watched extends SimulatedDevice {
      override write(...call: Parameters<SimulatedDevice['write']>): Promise<void> {
        if (call[2] === 'data') given.push(...call[0]);
        return super.write(...call);
      }
    }
    const io = new SimulatedDevicePort({ sim: new Watched(await formattedImage()) });
    const store = await ExtentStore.open('sim', { io });
    await store.checkpoint();
    const pieces = [30_000, 12_288, 7712].map((sizeBytes, index) => Buffer.alloc(sizeBytes, index + 1));
    const pull = async function* () {
      yield* pieces;
    };
    await store.write(headerOf(1, LARGE), LARGE, pull, soon());
    // Cut where an extent ends, and zeros behind the last; never copied.
    const own = given.filter(({ buffer }) => pieces.some((piece) => piece.buffer === buffer));
    expect(own.reduce((sum, { length }) => sum + length, 0)).toBe(LARGE);
    expect(given.length - own.length).toBeLessThanOrEqual(1);
    const small = pieces.map((piece) => piece.subarray(0, 1000));
    const joins = jest.spyOn(Buffer, 'concat');
    try {
      const writing = store.write(
        headerOf(2, 3000),
        3000,
        async function* () {
          yield* small;
        },
        soon(),
      );
      await turns(20);
      expect(joins.mock.calls.filter(([parts]) => parts.some(({ length }) => length === 1000))).toEqual([]);
      joins.mockRestore();
      await writing;
    } finally {
      joins.mockRestore();
    }
    await store.close();
  });
});

describe('the write', () => {
  it('seed-2.21: bytes lie in whole blocks where their record says, on the device and durable before the answer', async () => {
    const { device, store } = await open();
    await put(store, 9, LARGE);
    const from = device.writes.length;
    for (const [number, sizeBytes] of [SMALL, LARGE, LARGE + 1].entries()) await put(store, number, sizeBytes);
    for (const record of recordsOf(device, from)) {
      if (record.kind !== 'unit') continue;
      const { unitSizeBytes, unitIndex } = record.header;
      for (const { start, blocks, offset } of record.extents) {
        const there = device.image.subarray(DATA_START + start * BLOCK_BYTES).subarray(0, blocks * BLOCK_BYTES);
        const bytes = bytesOf(unitIndex, unitSizeBytes).subarray(offset, offset + blocks * BLOCK_BYTES);
        expect(there.subarray(0, bytes.length).equals(bytes)).toBe(true);
        expect(there.subarray(bytes.length).every((byte) => byte === 0)).toBe(true);
      }
    }
    expect(recordsOf(device, from).map(({ kind }) => kind)).toEqual(['small-unit', 'unit', 'unit']);
    for (const { position, sizeBytes } of device.writes)
      expect([position % BLOCK_BYTES, sizeBytes % BLOCK_BYTES]).toEqual([0, 0]);
  });

  it.each(['write', 'flush'] as const)('seed-2.21: there is no answer while a %s of it is under way', async (held) => {
    for (const sizeBytes of [SMALL, LARGE]) {
      let letGo: (() => void)[] = [];
      let isShut = false;
      const turn = (kind: CallKind | 'read'): Promise<void> =>
        isShut && kind === held ? new Promise((resolve) => letGo.push(resolve)) : Promise.resolve();
      const events: DeviceEvent[] = [];
      const { store } = await open({ turn, record: (event) => void events.push(event) });
      await store.checkpoint();
      isShut = true;
      events.length = 0;
      const write = put(store, 1, sizeBytes);
      // The log of a small unit is one write that is durable by itself.
      if (held === 'write' || sizeBytes === LARGE) expect(await isSettled(write)).toBe(false);
      isShut = false;
      for (const go of letGo) go();
      letGo = [];
      await write;
      const loose = new Set(events.flatMap((event) => (event.type === 'write' ? [event.call] : [])));
      for (const event of events) if (event.type === 'durable') for (const call of event.calls) loose.delete(call);
      expect(loose.size).toBe(0);
    }
  });
});
