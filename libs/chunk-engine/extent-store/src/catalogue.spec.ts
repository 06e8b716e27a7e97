/** Catalogues on one device, and on two without a coordinator: transactions, their order on the device, their answers. */
import { describe, expect, it } from '@jest/globals';
import type { CallKind, DeviceEvent, SimulatedDevice } from './device/simulated-device.js';
import type { Catalogue } from './engine/catalogue.js';
import { crashStates } from './testing/crash-states.js';
import { seededRandom } from './testing/seeded-random.js';
import { SEGMENT_BYTES, formattedImage, openImage, put } from './testing/store-fixture.js';

const name = Buffer.from('BUCKET_1_obj_index');
const text = (value: string): Buffer => Buffer.from(value);
const open = async (image?: Buffer, options = {}) => openImage(image ?? (await formattedImage()), options);

async function content(catalogue: Catalogue): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of catalogue.scan()) found[key.toString()] = value.toString();
  return found;
}

async function fill(catalogue: Catalogue, count: number, valueBytes = 100): Promise<void> {
  for (let from = 0; from < count; from += 20) {
    const changes = Array.from({ length: Math.min(20, count - from) }, (_, index) => ({
      key: text(`key ${(from + index) * 7919}`),
      value: Buffer.alloc(valueBytes, 'v'),
    }));
    await catalogue.change(changes);
  }
}

/** Lets writes and flushes wait while it is shut. */
function gate() {
  let isShut = false;
  let held: (() => void)[] = [];
  return {
    turn: (kind: CallKind | 'read'): Promise<void> =>
      isShut && kind !== 'read' ? new Promise((resolve) => held.push(resolve)) : Promise.resolve(),
    shut: () => (isShut = true),
    open: () => {
      isShut = false;
      for (const letGo of held) letGo();
      held = [];
    },
  };
}

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false;
  const note = (): void => void (isSettled = true);
  promise.then(note, note);
  for (let step = 0; step < 200; step += 1) await Promise.resolve();
  return isSettled;
};

describe('catalogues', () => {
  it('seed-1.4: are found through the catalogue of catalogues, each page read once; an unknown one is told', async () => {
    const { device, store } = await open();
    await expect(store.catalogue(name)).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await fill(await store.createCatalogue(name), 400);
    await expect(store.createCatalogue(name)).rejects.toMatchObject({ code: 'CatalogueExists' });
    await store.checkpoint();
    await store.close();
    const cold = await open(device.image);
    const before = cold.device.reads.page;
    const catalogue = await cold.store.catalogue(name);
    expect(cold.device.reads.page - before).toBe(1);
    expect((await catalogue.get(text('key 7919')))?.length).toBe(100);
    expect(cold.device.reads.page - before).toBe(1 + catalogue.height);
    expect(catalogue.height).toBeGreaterThan(1);
    await catalogue.get(text('key 7919'));
    await cold.store.catalogue(name);
    expect(cold.device.reads.page - before).toBe(1 + catalogue.height);
  });

  it('seed-1.6: a handle gives the same after splits and joins; one of a dropped catalogue asks by name again', async () => {
    const { store } = await open();
    const handle = await store.createCatalogue(name);
    await handle.put(text('first'), text('1'));
    const other = await store.catalogue(name);
    await fill(other, 300);
    expect(await handle.get(text('first'))).toEqual(text('1'));
    for (let number = 0; number < 300; number += 1) await other.delete(text(`key ${number * 7919}`));
    expect(await content(handle)).toEqual({ first: '1' });
    await store.dropCatalogue(name);
    await expect(handle.get(text('first'))).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await expect(handle.put(text('first'), text('2'))).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await (await store.createCatalogue(name)).put(text('second'), text('3'));
    expect(await content(handle)).toEqual({ second: '3' });
  });

  it('a dropped catalogue gives all its pages back, and stays dropped', async () => {
    const { device, store } = await open();
    await store.checkpoint();
    const pagesBefore = (await store.check()).pageCount;
    await fill(await store.createCatalogue(name), 200, 700);
    await store.dropCatalogue(name);
    await expect(store.dropCatalogue(name)).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await store.checkpoint();
    await store.checkpoint();
    const report = await store.check();
    expect(report).toMatchObject({ problems: [], catalogueCount: 0 });
    expect(report.pageCount).toBeLessThanOrEqual(pagesBefore + 1);
    await store.close();
    await expect((await open(device.image)).store.catalogue(name)).rejects.toMatchObject({ code: 'CatalogueMissing' });
  });

  it('seed-1.13: a put replaces the value, or is refused when the key must be absent; all changes of a transaction or none', async () => {
    const { store } = await open();
    const catalogue = await store.createCatalogue(name);
    expect(await catalogue.put(text('a'), text('1'))).toBe(false);
    expect(await catalogue.put(text('a'), text('2'))).toBe(true);
    await expect(catalogue.put(text('a'), text('3'), { onlyIfAbsent: true })).rejects.toMatchObject({
      code: 'KeyExists',
    });
    const both = catalogue.change([
      { key: text('b'), value: text('4') },
      { key: text('a'), value: text('5'), onlyIfAbsent: true },
    ]);
    await expect(both).rejects.toMatchObject({ code: 'KeyExists' });
    expect(await content(catalogue)).toEqual({ a: '2' });
    expect([await catalogue.delete(text('a')), await catalogue.delete(text('a'))]).toEqual([true, false]);
    const race = await Promise.allSettled(
      [1, 2, 3].map((each) => catalogue.put(text('c'), text(`${each}`), { onlyIfAbsent: true })),
    );
    expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('seed-1.9: a transaction opens when log space is reserved, waits while the log is full, and fails whole when it is too large', async () => {
    const { turn, shut, open: letGo } = gate();
    const { store } = await open(undefined, { turn });
    const catalogue = await store.createCatalogue(name);
    await catalogue.put(text('a'), text('1'));
    const tooLarge = Array.from({ length: 10 }, (_, index) => ({ key: text(`${index}`), value: Buffer.alloc(5000) }));
    await expect(catalogue.change(tooLarge)).rejects.toMatchObject({ code: 'TooLarge' });
    await expect(catalogue.put(Buffer.alloc(1101), text('1'))).rejects.toMatchObject({ code: 'TooLarge' });
    await expect(catalogue.put(text('b'), Buffer.alloc(65_537))).rejects.toMatchObject({ code: 'TooLarge' });
    expect(await content(catalogue)).toEqual({ a: '1' });
    shut();
    const many = Array.from({ length: 80 }, (_, index) => catalogue.put(text(`many ${index}`), Buffer.alloc(3000)));
    const all = Promise.all(many);
    expect(await settled(all)).toBe(false);
    // What was reserved is less than the log holds, and the rest waits without having changed anything.
    expect(catalogue.size).toBeLessThan((2 * SEGMENT_BYTES) / 3000);
    letGo();
    await all;
    expect(catalogue.size).toBe(81);
  });

  it('seed-1.14: changes are visible from the close on, wholly, and nothing is written before it', async () => {
    const { turn, shut, open: letGo } = gate();
    const { device, store } = await open(undefined, { turn });
    const catalogue = await store.createCatalogue(name);
    shut();
    const calls = device.writes.length;
    const first = catalogue.put(text('a'), text('1'), {});
    while (catalogue.size === 0) await Promise.resolve();
    expect(device.writes.length - calls).toBeLessThanOrEqual(1);
    expect(await content(catalogue)).toEqual({ a: '1' });
    const second = catalogue.change([{ key: text('a') }, { key: text('b'), value: text('2') }]);
    expect(await settled(second)).toBe(false);
    // The second is not closed while the group of the first is being written: nobody sees a part of it.
    expect(await content(catalogue)).toEqual({ a: '1' });
    letGo();
    await Promise.all([first, second]);
    expect(await content(catalogue)).toEqual({ b: '2' });
  });

  it('seed-1.15: an answer at the close comes without the device, a durable one after log write and flush', async () => {
    const { turn, shut, open: letGo } = gate();
    const { device, store } = await open(undefined, { turn });
    const catalogue = await store.createCatalogue(name);
    shut();
    const events = device.events.length;
    const durable = (): DeviceEvent[] => device.events.slice(events).filter(({ type }) => type === 'durable');
    expect(await catalogue.change([{ key: text('a'), value: text('1') }], 'closed')).toEqual([false]);
    expect(durable()).toEqual([]);
    const waiting = catalogue.put(text('b'), text('2'));
    expect(await settled(waiting)).toBe(false);
    letGo();
    await waiting;
    expect(durable().length).toBeGreaterThan(0);
  });

  it('seed-1.16, seed-2.24: log, flush, then the pages and blocks that it covers, flush, superblock, flush', async () => {
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    for (let round = 0; round < 40; round += 1) {
      await Promise.all([catalogue.put(text(`key ${round * 7919}`), Buffer.alloc(900)), put(store, round, 5000)]);
    }
    expect(device.writes.filter(({ kind }) => kind === 'page').length).toBeGreaterThan(5);
    expect(orderOf(device)).toEqual([]);
  });

  it('seed-1.12: of two replicas one has split its pages and one has not: their content is equal', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const [large, small] = [await one.store.createCatalogue(name), await other.store.createCatalogue(name)];
    await fill(large, 60);
    for (let number = 1; number < 60; number += 2) await large.delete(text(`key ${number * 7919}`));
    for (let number = 0; number < 60; number += 2)
      await small.put(text(`key ${number * 7919}`), Buffer.alloc(100, 'v'));
    expect(large.height).toBeGreaterThan(small.height);
    expect(await content(large)).toEqual(await content(small));
  });

  it('seed-1.17: a change that a crash took from one replica is whole on the other, and absent on the first', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const [first, second] = [await one.store.createCatalogue(name), await other.store.createCatalogue(name)];
    const before = Buffer.from(one.device.image);
    await Promise.all([first.put(text('a'), text('1')), second.put(text('a'), text('1'))]);
    const { store: again } = await open(before);
    expect(await (await again.catalogue(name)).get(text('a'))).toBeUndefined();
    const { store: kept } = await open(other.device.image);
    expect(await (await kept.catalogue(name)).get(text('a'))).toEqual(text('1'));
  });

  it('seed-1.21, seed-2.6, seed-2.7: a device that is slow or fails holds up no other', async () => {
    const { turn, shut, open: letGo } = gate();
    const slow = await open(undefined, { turn });
    const fast = await open();
    const dead = await open(undefined, { fault: () => 'EIO' as const });
    const catalogues = await Promise.all([slow.store.createCatalogue(name), fast.store.createCatalogue(name)]);
    shut();
    const held = catalogues[0].put(text('a'), text('1'));
    await catalogues[1].put(text('a'), text('1'));
    await expect(put(dead.store, 1, 5000)).rejects.toMatchObject({ code: 'DeviceDead' });
    await put(fast.store, 1, 5000);
    expect(await settled(held)).toBe(false);
    letGo();
    await held;
    expect(await content(catalogues[0])).toEqual(await content(catalogues[1]));
  });

  it('seed-1.11: a split is cut at any point: the tree is the old one or the new one, whole', async () => {
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    await fill(catalogue, 30);
    await store.checkpoint();
    await store.close();
    const timeline: { event: DeviceEvent }[] = [];
    const { store: again } = await open(device.image, {
      record: (event: DeviceEvent) => void timeline.push({ event }),
    });
    const more = await again.catalogue(name);
    const before = await content(more);
    await fill(more, 60);
    await again.checkpoint();
    expect(more.height).toBeGreaterThan(1);
    const options = { random: seededRandom(1), exhaustiveMax: 4, mixed: 2, seen: new Set<string>() };
    for (const { images } of crashStates({ '': device.image }, timeline, undefined, options)) {
      const { store: cut } = await open(images['']);
      const left = await content(await cut.catalogue(name));
      expect([30, 40, 60]).toContain(Object.keys(left).length);
      expect(left).toMatchObject(before);
      expect((await cut.check()).problems).toEqual([]);
    }
  });

  it('scans backwards and within bounds while keys come and go', async () => {
    const { store } = await open();
    const catalogue = await store.createCatalogue(name);
    await fill(catalogue, 200);
    const seen: string[] = [];
    for await (const { key } of catalogue.scan({ from: text('key 3'), to: text('key 7'), reverse: true })) {
      seen.push(key.toString());
      if (seen.length % 10 === 0) await catalogue.delete(key);
    }
    expect(seen).toEqual([...seen].sort().reverse());
    expect(seen.every((key) => key >= 'key 3' && key < 'key 7')).toBe(true);
    expect(seen.length).toBeGreaterThan(50);
  });
});

/** What is wrong with the order of writes on the device: a page or block before its log, or a superblock before its pages. */
function orderOf(device: SimulatedDevice): string[] {
  const problems: string[] = [];
  const loose = new Map<number, string>();
  for (const event of device.events) {
    if (event.type === 'durable') for (const call of event.calls) loose.delete(call);
    else {
      const has = (kind: string): boolean => [...loose.values()].includes(kind);
      // Blocks may be loose: those of small units that came since move for the next checkpoint.
      if (event.kind === 'superblock' && has('page')) problems.push(`superblock before pages, ${event.call}`);
      if (event.kind === 'page' && has('superblock'))
        problems.push(`page before the superblock is flushed, ${event.call}`);
      // A group is written while nothing of a group before it is loose.
      if (event.kind === 'log' && has('log')) problems.push(`log before the group before it is durable, ${event.call}`);
      loose.set(event.call, event.kind);
    }
  }
  return problems;
}
