/** When a change is seen, when it is answered, and what is on the device by then. */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceEvent, Piece } from './device/simulated-device.js';
import { SUPERBLOCK_BYTES } from './format/device-layout.js';
import { decodeSuperblockCopy } from './format/superblock.js';
import { decodeRecords } from './log/log-record.codec.js';
import { content, fill, gate, isSettled, text } from './testing/catalogue-fixture.js';
import {
  authority,
  formattedImage,
  formattedPair,
  openImage,
  openPair,
  put,
  unitOf,
  type OpenImageOptions,
} from './testing/store-fixture.js';
import { movedTooEarly, orderProblems } from './testing/write-order.js';

const name = text('BUCKET_1_obj_index');
const open = async (options: OpenImageOptions = {}) => openImage(await formattedImage(), options);
const kindsOf = (events: readonly DeviceEvent[]) =>
  events.map((event) => (event.type === 'write' ? event.kind : 'durable'));

describe('the close of a transaction', () => {
  it('seed-1.14: changes are visible from the close on, wholly, and nothing is written before it', async () => {
    const { turn, shut, open: letGo } = gate();
    const sizes: number[] = [];
    let size = (): number => 0;
    const record = (event: DeviceEvent): void => void (event.type === 'write' && sizes.push(size()));
    const { device, store } = await open({ turn, record });
    const catalogue = await store.createCatalogue(name);
    await store.checkpoint();
    size = () => catalogue.size;
    sizes.length = 0;
    shut();
    const calls = device.writes.length;
    const first = catalogue.put(text('a'), text('1'), {});
    expect(await content(catalogue)).toEqual({});
    while (catalogue.size === 0) await Promise.resolve();
    expect(device.writes.slice(calls).map(({ kind }) => kind)).toEqual(['log']);
    expect(sizes).toEqual([1]);
    expect(await content(catalogue)).toEqual({ a: '1' });
    const more = Array.from({ length: 5 }, (_, index) => ({ key: text(`b${index}`), value: text('2') }));
    const second = catalogue.change([{ key: text('a') }, ...more]);
    expect(await isSettled(second)).toBe(false);
    // The second is not closed while the group of the first is being written: nobody sees a part of it.
    expect(await content(catalogue)).toEqual({ a: '1' });
    letGo();
    const seen = new Set<number>();
    while (!seen.has(5)) {
      seen.add(catalogue.size);
      await Promise.resolve();
    }
    expect([...seen]).toEqual([1, 5]);
    await Promise.all([first, second]);
    expect(Object.keys(await content(catalogue))).toEqual(['b0', 'b1', 'b2', 'b3', 'b4']);
    // Whoever is told of the close finds it.
    await catalogue.change([{ key: text('c'), value: text('3') }], 'closed');
    expect(catalogue.size).toBe(6);
  });

  it('seed-1.15: an answer at the close comes without the device, a durable one after log write and flush', async () => {
    const { turn, shut, open: letGo } = gate();
    const { device, store } = await open({ turn });
    const catalogue = await store.createCatalogue(name);
    await store.checkpoint();
    shut();
    let from = device.events.length;
    const since = (): DeviceEvent[] => device.events.slice(from);
    expect(await catalogue.change([{ key: text('a'), value: text('1') }], 'closed')).toEqual([false]);
    // Its group is on its way, and nothing of it has arrived.
    expect(kindsOf(since())).toEqual(['log']);
    expect(await content(catalogue)).toEqual({ a: '1' });
    letGo();
    await catalogue.put(text('b'), text('2'));
    for (const answered of ['c', 'd']) {
      shut();
      from = device.events.length;
      const waiting = catalogue.put(text(answered), text('3'));
      while (catalogue.size < (answered === 'c' ? 3 : 4)) await Promise.resolve();
      // Closed and visible, written, and not answered: it is not durable.
      expect(await isSettled(waiting)).toBe(false);
      expect(kindsOf(since())).toEqual(['log']);
      letGo();
      await waiting;
      expect(kindsOf(since())).toEqual(['log', 'durable']);
    }
  });
});

describe('the order of writes', () => {
  it('seed-1.16: log, flush, then the pages and blocks that it covers, flush, superblock, flush', async () => {
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    for (let round = 0; round < 60; round += 1) {
      const work = [0, 1, 2].map((step) => catalogue.put(text(`key ${(3 * round + step) * 7919}`), Buffer.alloc(900)));
      await Promise.all([...work, put(store, round, 5000), put(store, 1000 + round, 100)]);
      if (round > 3) await store.free([unitOf(round - 3)], authority(BigInt(round)));
      if (round % 10 === 9) await Promise.all([store.checkpoint(), put(store, 2000 + round, 8000)]);
    }
    await store.close();
    expect(device.writes.filter(({ kind }) => kind === 'page').length).toBeGreaterThan(20);
    expect(device.writes.filter(({ kind }) => kind === 'data').length).toBeGreaterThan(5);
    expect(orderProblems(device.events)).toEqual([]);
    expect(movedTooEarly(device.events)).toEqual([]);
  });

  it('seed-1.16: the same with large units beside, in one file and in a pair', async () => {
    for (const isPair of [false, true]) {
      const events: DeviceEvent[] = [];
      const record = (event: DeviceEvent): void => void events.push(event);
      const { store } = isPair ? await openPair(await formattedPair(), { record }) : await open({ record });
      for (let round = 0; round < 40; round += 1) {
        await Promise.all([put(store, round, 20_000), put(store, 100 + round, 4096), put(store, 200 + round, 16_384)]);
        await store.free([unitOf(round), unitOf(200 + round)], authority(BigInt(round)));
      }
      // Small units alone: only the checkpoint flushes their blocks.
      for (let round = 0; round < 12; round += 1) {
        await Promise.all([300, 400, 500].map((base) => put(store, base + round, 4096)));
        if (round % 3 === 2) await store.checkpoint();
      }
      await store.close();
      expect(orderProblems(events)).toEqual([]);
      // In a pair the blocks that a group names are durable before the group is written.
      if (isPair) expect(logBeforeBlocks(events)).toEqual([]);
    }
  });

  it('seed-2.17: what a crash left in one superblock copy stands in all of them before anything else is written', async () => {
    const { device, store } = await open();
    await put(store, 1, 20_000);
    await store.checkpoint();
    const before = Buffer.from(device.image.subarray(0, SUPERBLOCK_BYTES));
    await put(store, 2, 20_000);
    await store.checkpoint();
    const newest = decodeSuperblockCopy(device.image.subarray(0, BLOCK_BYTES), 0);
    // The power went when the first copy stood.
    before.copy(device.image, BLOCK_BYTES, BLOCK_BYTES);
    const { device: again, store: reopened } = await openImage(device.image);
    await put(reopened, 3, 100);
    const first = again.events.findIndex((event) => event.type === 'write' && event.kind !== 'superblock');
    const renewed = again.events.slice(0, first).flatMap((event) => (event.type === 'write' ? event.pieces : []));
    expect(renewed.map(({ position }) => position / BLOCK_BYTES).sort()).toEqual([0, 1, 2, 3]);
    for (const { position, bytes } of renewed)
      expect(decodeSuperblockCopy(bytes, position / BLOCK_BYTES)).toMatchObject({
        checkpoint: newest?.checkpoint,
        rootPage: newest?.rootPage,
        rootChecksum: newest?.rootChecksum,
        firstGroupSequence: newest?.firstGroupSequence,
      });
    // And is flushed; the copy that counted is written last.
    expect(again.events.slice(0, first).at(-1)?.type).toBe('durable');
    expect(renewed.at(-1)?.position).toBeLessThan(2 * BLOCK_BYTES);
  });

  it('seed-2.24: of an answer at the close, log and then pages come to the meta-device afterwards, and nothing to the other', async () => {
    const { turn, shut, open: letGo } = gate();
    const events: DeviceEvent[] = [];
    const { meta, data, store } = await openPair(await formattedPair(), {
      turn,
      record: (event) => void events.push(event),
    });
    const catalogue = await store.createCatalogue(name);
    await fill(catalogue, 40);
    await store.checkpoint();
    const [from, dataCalls] = [events.length, data.calls];
    shut();
    await catalogue.change([{ key: text('a'), value: text('1') }], 'closed');
    expect(kindsOf(events.slice(from))).toEqual(['log']);
    const checkpoint = store.checkpoint();
    expect(await isSettled(checkpoint)).toBe(false);
    expect(kindsOf(events.slice(from))).toEqual(['log']);
    letGo();
    await checkpoint;
    const later = events.slice(from).filter(({ device }) => device === 'meta');
    const firstOf = (kind: string): number => kindsOf(later).indexOf(kind as 'log');
    expect(firstOf('log')).toBe(0);
    expect(firstOf('durable')).toBe(1);
    expect(firstOf('page')).toBeGreaterThan(1);
    expect(firstOf('superblock')).toBeGreaterThan(firstOf('page'));
    expect(orderProblems(events)).toEqual([]);
    // Of the other file only flushes.
    expect(data.writes).toEqual([]);
    expect(data.calls - dataCalls).toBeLessThanOrEqual(2);
    const { store: again } = await openPair({ meta: meta.image, data: data.image });
    expect(await (await again.catalogue(name)).get(text('a'))).toEqual(text('1'));
  });
});

describe('devices side by side', () => {
  it('seed-1.21, seed-2.6, seed-2.7: a device that is slow or fails holds up no other', async () => {
    const { turn, shut, open: letGo } = gate();
    const slow = await open({ turn });
    const fast = await open();
    const dead = await open({ fault: () => 'EIO' as const });
    const catalogues = await Promise.all([slow.store.createCatalogue(name), fast.store.createCatalogue(name)]);
    await put(fast.store, 9, 300_000);
    shut();
    const held = [catalogues[0].put(text('a'), text('1')), put(slow.store, 1, 5000), put(slow.store, 2, 70_000)];
    await catalogues[1].put(text('a'), text('1'));
    for (const sizeBytes of [5000, 70_000])
      await expect(put(dead.store, 1, sizeBytes)).rejects.toMatchObject({ code: 'DeviceDead' });
    await put(fast.store, 2, 70_000);
    await put(fast.store, 1, 5000);
    await fast.store.checkpoint();
    // What the others wrote stays, whatever became of the same unit elsewhere.
    expect(fast.store.status()).toMatchObject({ state: 'live', unitCount: 3 });
    for (const each of held) expect(await isSettled(each)).toBe(false);
    letGo();
    await Promise.all(held);
    expect(await content(catalogues[0])).toEqual(await content(catalogues[1]));
    await fast.store.free([unitOf(9)], authority(1n));
    expect(await slow.store.list({ limit: 10 })).toEqual(await fast.store.list({ limit: 10 }));
  });
});

/** Groups of a pair that were written while blocks that they name were not durable. */
function logBeforeBlocks(events: readonly DeviceEvent[]): string[] {
  const loose = new Map<string, readonly Piece[]>();
  const problems: string[] = [];
  for (const event of events) {
    if (event.type === 'durable') for (const call of event.calls) loose.delete(`${event.device}/${call}`);
    else if (event.kind === 'data') loose.set(`${event.device}/${event.call}`, event.pieces);
    else if (event.kind === 'log') {
      const group = Buffer.concat(event.pieces.map(({ bytes }) => bytes));
      const named = [...decodeRecords(group.subarray(72, 72 + group.readUInt32LE(56)))].flatMap((record) =>
        record.kind === 'unit' ? record.extents : [],
      );
      for (const { position } of [...loose.values()].flat()) {
        const block = position / BLOCK_BYTES - 4;
        if (named.some(({ start, blocks }) => start <= block && block < start + blocks))
          problems.push(`group ${group.readBigUInt64LE(40)} before block ${block}`);
      }
    }
  }
  return problems;
}
