/** Power cuts while catalogues change: what is there afterwards is a first part of what was asked for. */
import { describe, expect, it } from '@jest/globals';
import type { DeviceEvent } from './device/simulated-device.js';
import type { ExtentStore } from './extent-store.js';
import { content, fill, text } from './testing/catalogue-fixture.js';
import { crashStates, type EnumerationOptions, type TimelineEntry } from './testing/crash-states.js';
import { seededRandom } from './testing/seeded-random.js';
import { authority, formattedImage, openImage, put, unitOf } from './testing/store-fixture.js';

const name = text('BUCKET_1_obj_index');
const open = async (image?: Buffer, options = {}) => openImage(image ?? (await formattedImage()), options);
const all = (seed: number): EnumerationOptions => ({
  random: seededRandom(seed),
  exhaustiveMax: 4,
  mixed: 2,
  seen: new Set(),
});

/** What was answered at a moment of a run. */
interface Answered {
  count: number;
}

/** A store whose writes are recorded from here on, with a catalogue of `before`. */
async function recorded(before: Record<string, string>) {
  const { device, store } = await open();
  const catalogue = await store.createCatalogue(name);
  for (const [key, value] of Object.entries(before)) await catalogue.put(text(key), text(value));
  await store.close();
  const base = { '': Buffer.from(device.image) };
  const timeline: TimelineEntry<Answered>[] = [];
  const record = (event: DeviceEvent): void => void timeline.push({ event });
  const { device: later, store: again } = await open(device.image, { record });
  const answered = (): void => void timeline.push({ mark: (ledger) => void (ledger.count += 1) });
  return { base, timeline, device: later, store: again, catalogue: await again.catalogue(name), answered };
}

async function contentOf(image: Buffer): Promise<Record<string, string>> {
  const { store } = await open(image);
  expect((await store.check()).problems).toEqual([]);
  return content(await store.catalogue(name));
}

describe('catalogues and power cuts', () => {
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
    for (const { images } of crashStates({ '': device.image }, timeline, undefined, all(1))) {
      const { store: cut } = await open(images['']);
      const left = await content(await cut.catalogue(name));
      expect([30, 40, 60]).toContain(Object.keys(left).length);
      expect(left).toMatchObject(before);
      expect((await cut.check()).problems).toEqual([]);
    }
  });

  it('seed-1.17: a change cut before its log was flushed is absent on that replica, wholly, and whole on the other', async () => {
    const [one, other] = [await recorded({ kept: '0' }), await recorded({ kept: '0' })];
    const changes = Array.from({ length: 6 }, (_, index) => ({ key: text(`new ${index}`), value: Buffer.alloc(900) }));
    await Promise.all([one.catalogue.change(changes), other.catalogue.change(changes)]);
    const whole = await content(other.catalogue);
    expect(Object.keys(whole)).toHaveLength(7);
    const durableAt = one.timeline.findLastIndex((entry) => 'event' in entry && entry.event.type === 'durable');
    let absent = 0;
    let present = 0;
    const cutOff = one.timeline.slice(0, durableAt);
    for (const { images } of crashStates(one.base, cutOff, { count: 0 }, all(2))) {
      const left = await contentOf(images['']);
      const isAbsent = Object.keys(left).length === 1;
      expect(left).toEqual(isAbsent ? { kept: '0' } : whole);
      if (isAbsent) absent += 1;
      else present += 1;
    }
    expect(absent).toBeGreaterThan(10);
    expect(present).toBeGreaterThan(0);
    // What was answered is there after the crash of whoever answered it.
    expect(await contentOf(one.device.image)).toEqual(whole);
    expect(await contentOf(other.device.image)).toEqual(whole);
  });

  it('seed-1.18: what is in the log alone is there after a crash, of every kind, as often as it is replayed', async () => {
    const { device, store } = await open();
    for (const number of [1, 2, 3]) await put(store, number, 4096);
    await put(store, 4, 50_000);
    for (const each of ['kept', 'dropped']) await fill(await store.createCatalogue(text(each)), 40);
    await store.checkpoint();
    // From here on all is in the log.
    const from = device.writes.length;
    const kept = await store.catalogue(text('kept'));
    await Promise.all([
      kept.change([{ key: text('key 0') }, { key: text('key 7919'), value: text('another') }]),
      kept.put(text('long'), Buffer.alloc(3000, 'l')),
      store.dropCatalogue(text('dropped')),
      store.free([unitOf(1), unitOf(4)], authority(77n, 5)),
    ]);
    await (await store.createCatalogue(text('new'))).put(text('a'), text('1'));
    await Promise.all([100, 60_000, 0].map((sizeBytes, number) => put(store, 10 + number, sizeBytes)));
    expect(device.writes.slice(from).map(({ kind }) => kind)).not.toContain('superblock');
    const expected = await stateOf(store);
    expect(expected.catalogues).toMatchObject({ kept: { 'key 7919': 'another' }, new: { a: '1' } });
    expect(expected.status).toMatchObject({ unitCount: 5, highestSequence: 77n });
    let image = Buffer.from(device.image);
    for (let round = 0; round < 3; round += 1) {
      const { device: next, store: again } = await open(image);
      expect(await stateOf(again)).toEqual(expected);
      expect((await again.check()).problems).toEqual([]);
      const older = again.free([unitOf(2)], authority(77n, 4));
      await expect(older).rejects.toMatchObject({ code: 'ForeignDatabase' });
      expect(next.calls).toBe(0);
      image = Buffer.from(next.image);
    }
    // And it goes on from there.
    const { device: last, store: again } = await open(image);
    await put(again, 20, 60_000);
    await again.checkpoint();
    await again.close();
    const { store: reopened } = await open(last.image);
    await reopened.free([unitOf(20)], authority(77n, 5));
    await reopened.checkpoint();
    expect(await stateOf(reopened)).toEqual(expected);
    expect((await reopened.check()).problems).toEqual([]);
  });

  it('seed-1.20: after a crash there is a first part of the changes in the order of their closes, all answered ones in it', async () => {
    const run = await recorded({ count: '0' });
    const changesMax = 20;
    const changes = Array.from({ length: changesMax }, async (_, index) => {
      const number = index + 1;
      const own = { key: text(`key ${number}`), value: Buffer.alloc(2000, 'v') };
      await run.catalogue.change([{ key: text('count'), value: text(`${number}`) }, own]);
      run.answered();
    });
    await Promise.all(changes);
    const found = new Set<number>();
    for (const { images, ledger } of crashStates(run.base, run.timeline, { count: 0 }, all(3))) {
      const left = await contentOf(images['']);
      const count = Number(left['count']);
      const keys = Array.from({ length: count }, (_, index) => `key ${index + 1}`);
      expect(Object.keys(left).sort()).toEqual(['count', ...keys].sort());
      expect(count).toBeGreaterThanOrEqual(ledger.count);
      found.add(count);
    }
    expect(found.size).toBeGreaterThan(2);
    expect(Math.max(...found)).toBe(changesMax);
  });
});

/** Everything that the users of a store can see. */
async function stateOf(store: ExtentStore) {
  const catalogues: Record<string, unknown> = {};
  for await (const each of store.catalogueNames())
    catalogues[each.toString()] = await content(await store.catalogue(each));
  const units = await store.list({ limit: 100 });
  const bytes = await Promise.all(units.map(({ chunkId, unitIndex }) => store.read(chunkId, unitIndex)));
  return { status: store.status(), catalogues, units, bytes: bytes.map((unit) => unit?.bytes.toString('latin1')) };
}
