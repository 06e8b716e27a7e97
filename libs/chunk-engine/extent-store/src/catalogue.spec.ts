/** What catalogues on one device hold, and on two without a coordinator. */
import { describe, expect, it } from '@jest/globals';
import type { Catalogue } from './engine/catalogue.js';
import { content, fill, text } from './testing/catalogue-fixture.js';
import { seededRandom } from './testing/seeded-random.js';
import { formattedImage, openImage } from './testing/store-fixture.js';

const name = text('BUCKET_1_obj_index');
const open = async (image?: Buffer) => openImage(image ?? (await formattedImage()));

describe('catalogues', () => {
  it('seed-1.4: each name leads through the catalogue of catalogues to its own tree, each page read once; an unknown one is told', async () => {
    const { device, store } = await open();
    await expect(store.catalogue(name)).rejects.toMatchObject({ code: 'CatalogueMissing' });
    // Names long enough that the catalogue of catalogues has two levels.
    const names = Array.from({ length: 60 }, (_, index) => text(`${index}-${'n'.repeat(90)}`));
    const create = async (each: Buffer, index: number): Promise<unknown> =>
      (await store.createCatalogue(each)).put(text('who'), text(`${index}`));
    await Promise.all(names.map(create));
    await fill(await store.catalogue(names[7]), 400);
    for (const each of names.slice(0, 3))
      await expect(store.createCatalogue(each)).rejects.toMatchObject({ code: 'CatalogueExists' });
    for (const [index, each] of names.entries())
      expect(await (await store.catalogue(each)).get(text('who'))).toEqual(text(`${index}`));
    await store.checkpoint();
    await store.close();
    const cold = await open(device.image);
    const readsOf = async (work: () => Promise<unknown>): Promise<number> => {
      const before = cold.device.reads.page;
      await work();
      return cold.device.reads.page - before;
    };
    expect(await readsOf(() => cold.store.catalogue(names[7]))).toBe(2);
    const catalogue = await cold.store.catalogue(names[7]);
    expect(catalogue.height).toBe(2);
    expect(await readsOf(() => catalogue.get(text('key 7919')))).toBe(catalogue.height);
    expect(await readsOf(() => catalogue.get(text('key 7919')))).toBe(0);
    expect(await readsOf(() => cold.store.catalogue(names[7]))).toBe(0);
    for (const unknown of ['', '7', `7-${'n'.repeat(89)}`, `7-${'n'.repeat(91)}`, 'zzz'])
      await expect(cold.store.catalogue(text(unknown))).rejects.toMatchObject({ code: 'CatalogueMissing' });
    for (const [index, each] of names.entries())
      expect(await (await cold.store.catalogue(each)).get(text('who'))).toEqual(text(`${index}`));
  });

  it('seed-1.6: a handle gives the same after splits and joins; one of a dropped catalogue asks by name again', async () => {
    const { store } = await open();
    const handle = await store.createCatalogue(name);
    await handle.put(text('first'), text('1'));
    const other = await store.catalogue(name);
    await fill(other, 600);
    const expected = await content(other);
    expect(Object.keys(expected)).toHaveLength(601);
    expect(await content(handle)).toEqual(expected);
    // Nine of ten keys go, so that pages are joined while those around them stay.
    for (let number = 0; number < 600; number += 1) {
      if (number % 10 === 3) continue;
      await other.delete(text(`key ${number * 7919}`));
      delete expected[`key ${number * 7919}`];
    }
    expect(await content(handle)).toEqual(expected);
    expect([handle.size, handle.height]).toEqual([61, other.height]);
    const scan = handle.scan();
    await scan.next();
    // Handed over before the drop is applied, and applied behind it.
    const dropped = store.dropCatalogue(name);
    const late = handle.put(text('late'), text('2'));
    await expect(late).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await dropped;
    for (let found = await scan.next(); found.done !== true; found = await scan.next())
      expect(Object.keys(expected)).toContain(found.value.key.toString());
    await expect(handle.get(text('first'))).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await expect(handle.put(text('first'), text('2'))).rejects.toMatchObject({ code: 'CatalogueMissing' });
    await (await store.createCatalogue(name)).put(text('second'), text('3'));
    expect(await content(handle)).toEqual({ second: '3' });
    await fill(await store.catalogue(name), 600);
    expect(handle.height).toBe(2);
    for (let number = 0; number < 600; number += 1) await handle.delete(text(`key ${number * 7919}`));
    expect(await content(handle)).toEqual({ second: '3' });
    expect(handle.height).toBe(1);
  });

  it('seed-1.7: binary names, keys and values come back byte for byte, from memory, from the log and from the pages', async () => {
    const { device, store } = await open();
    const names = ['\xff', '\xfe', '\x00', 'a\\x00'];
    const values = { '': 'of the empty key', '\x00': '', '\xff\xfe': '\x80\x00\xff', 'a\xe9': 'v'.repeat(3000) };
    for (const each of names) await store.createCatalogue(text(each));
    await store.checkpoint();
    for (const each of names) {
      const entries = Object.entries(values).map(([key, value]) => ({ key: text(key), value: text(value + each) }));
      await (await store.catalogue(text(each))).change([...entries, { key: text('empty'), value: Buffer.alloc(0) }]);
    }
    const expectAll = async (found: typeof store): Promise<void> => {
      for (const each of names) {
        const catalogue = await found.catalogue(text(each));
        for (const [key, value] of Object.entries(values))
          expect(await catalogue.get(text(key))).toEqual(text(value + each));
        expect(await catalogue.get(text('empty'))).toEqual(Buffer.alloc(0));
        expect(await catalogue.get(text('absent'))).toBeUndefined();
        expect(catalogue.size).toBe(5);
      }
    };
    await expectAll(store);
    await expectAll((await open(device.image)).store);
    await store.checkpoint();
    await store.close();
    await expectAll((await open(device.image)).store);
  });

  it('seed-1.10: what a transaction changes is looked up before: of a cold tree all pages are read before the log is written', async () => {
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    await fill(catalogue, 500);
    for (let number = 0; number < 5; number += 1) await catalogue.put(text(`long ${number}`), Buffer.alloc(9000, 'l'));
    await store.checkpoint();
    const expected = await content(catalogue);
    await store.close();
    const cold = await open(device.image);
    const again = await cold.store.catalogue(name);
    const readsBefore = cold.device.reads.page;
    const work: Promise<unknown>[] = [];
    for (let number = 0; number < 500; number += 13) {
      const key = text(`key ${number * 7919}`);
      work.push(number % 2 === 0 ? again.put(key, text('new')) : again.delete(key));
      if (number % 2 === 0) expected[key.toString()] = 'new';
      else delete expected[key.toString()];
    }
    work.push(again.put(text('long 1'), text('short')), again.delete(text('long 2')));
    expected['long 1'] = 'short';
    delete expected['long 2'];
    // Nothing is changed before it was looked up.
    expect(again.size).toBe(505);
    await Promise.all(work);
    expect(cold.device.reads.page - readsBefore).toBeGreaterThan(10);
    expect(await content(again)).toEqual(expected);
    expect(again.size).toBe(Object.keys(expected).length);
    expect((await cold.store.check()).problems).toEqual([]);
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
    const { device, store } = await open();
    const catalogue = await store.createCatalogue(name);
    expect(await catalogue.put(text('a'), text('1'))).toBe(false);
    expect(await catalogue.put(text('a'), text('2'))).toBe(true);
    expect(catalogue.size).toBe(1);
    const refused = catalogue.put(text('a'), text('3'), { onlyIfAbsent: true });
    await expect(refused).rejects.toMatchObject({ code: 'KeyExists' });
    const both = catalogue.change([
      { key: text('b'), value: text('4') },
      { key: text('a'), value: text('5'), onlyIfAbsent: true },
    ]);
    await expect(both).rejects.toMatchObject({ code: 'KeyExists' });
    expect(await content(catalogue)).toEqual({ a: '2' });
    expect(await content(await (await open(device.image)).store.catalogue(name))).toEqual({ a: '2' });
    expect(await catalogue.put(text('fresh'), text('6'), { onlyIfAbsent: true })).toBe(false);
    expect([await catalogue.delete(text('a')), await catalogue.delete(text('a'))]).toEqual([true, false]);
    const race = await Promise.allSettled(
      [1, 2, 3].map((each) => catalogue.put(text('c'), text(`${each}`), { onlyIfAbsent: true })),
    );
    expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await content(catalogue)).toEqual({ c: '1', fresh: '6' });
    expect(catalogue.size).toBe(2);
    // The same by what the log alone says, and a checkpoint later.
    await catalogue.put(text('a'), text('7'));
    await store.checkpoint();
    await catalogue.change([{ key: text('a') }, { key: text('c'), value: text('8') }]);
    await catalogue.put(text('c'), text('1'));
    const byLog = Buffer.from(device.image);
    await store.checkpoint();
    for (const image of [byLog, device.image]) {
      const again = await (await open(image)).store.catalogue(name);
      expect(await content(again)).toEqual({ c: '1', fresh: '6' });
      expect(again.size).toBe(2);
    }
  });

  it('seed-1.12: of two replicas one has split and joined its pages and one has not: their content is equal', async () => {
    const [one, other] = await Promise.all([open(), open()]);
    const [large, small] = [await one.store.createCatalogue(name), await other.store.createCatalogue(name)];
    await fill(large, 600);
    const grown = large.height;
    for (let number = 0; number < 600; number += 1)
      if (number % 20 !== 7) await large.delete(text(`key ${number * 7919}`));
    for (let number = 587; number > 0; number -= 20)
      await small.put(text(`key ${number * 7919}`), Buffer.alloc(100, 'v'));
    expect(grown).toBeGreaterThan(small.height);
    await expectEqual(large, small);
    await fill(large, 60);
    for (let number = 0; number < 60; number += 1)
      await small.put(text(`key ${number * 7919}`), Buffer.alloc(100, 'v'));
    await expectEqual(large, small);
    await Promise.all([one.store.checkpoint(), one.store.close(), other.store.close()]);
    const [first, second] = await Promise.all([open(one.device.image), open(other.device.image)]);
    await expectEqual(await first.store.catalogue(name), await second.store.catalogue(name));
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

/** Equal by every way to look: scans both ways, look-ups, counts. */
async function expectEqual(one: Catalogue, other: Catalogue): Promise<void> {
  const found = await content(one);
  expect(found).toEqual(await content(other));
  expect(one.size).toBe(other.size);
  expect(Object.keys(found)).toHaveLength(one.size);
  const keys = Object.keys(found);
  const random = seededRandom(3);
  for (let round = 0; round < 20; round += 1) {
    const key = text(keys[Math.floor(random() * keys.length)]);
    expect(await one.get(key)).toEqual(await other.get(key));
  }
}
