import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, KIB } from '@holdfast/stdx';
import { SimulatedDevice } from '../device/simulated-device.js';
import { layoutOf } from '../format/device-layout.js';
import { seededRandom } from '../testing/seeded-random.js';
import { BTree, EMPTY_ROOT, missing, type TreeRoot } from './b-tree.js';
import { bulkLoad } from './bulk-load.js';
import { leafCell } from './page.js';
import { PageStore } from './page-store.js';

const layout = layoutOf({ capacityBytes: 8 * 1024 * KIB, segmentBytes: 64 * KIB, pageCount: 1500, isPair: false });
const deviceIdBytes = randomBytes(16);

/** A tree over a simulated device, with a checkpoint that only writes its pages. */
class TreeUnderTest {
  readonly device: SimulatedDevice;
  readonly pages: PageStore;
  tree: BTree;

  constructor(
    image: Buffer = Buffer.alloc(layout.pagesStart + 1500 * BLOCK_BYTES),
    root: TreeRoot = EMPTY_ROOT,
    live: number[] = [],
  ) {
    this.device = new SimulatedDevice(image);
    const options = { path: 'sim', layout, deviceIdBytes, cachePagesMax: 64, epoch: 1 };
    this.pages = new PageStore(this.device, options);
    for (const page of live) while (this.pages.space.take() !== page);
    this.tree = new BTree(this.pages, 20, root);
  }

  async put(key: Buffer, value: Buffer): Promise<boolean> {
    await this.tree.retry(() => this.tree.prepare(key));
    return this.tree.put(key, value);
  }

  async delete(key: Buffer): Promise<boolean> {
    await this.tree.retry(() => this.tree.prepareRemoval(key));
    return this.tree.delete(key);
  }

  async checkpoint(): Promise<TreeRoot> {
    this.pages.seal();
    const root = this.tree.root();
    const frozen = this.pages.freeze();
    await this.pages.write(frozen);
    this.pages.thaw(frozen);
    return root;
  }

  async entries(range = {}): Promise<[string, string][]> {
    const found: [string, string][] = [];
    for await (const { key, value } of this.tree.scan(range))
      found.push([key.toString('latin1'), value.toString('latin1')]);
    return found;
  }
}

const key = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What a sorted map answers. */
function expected(model: ReadonlyMap<string, string>, from = '', to?: string): [string, string][] {
  return [...model]
    .filter(([name]) => name >= from && (to === undefined || name < to))
    .sort(([a], [b]) => Buffer.compare(key(a), key(b)));
}

describe('B+tree', () => {
  it('new keys in ascending runs, among those that are there, with checkpoints and removals between', async () => {
    const under = new TreeUnderTest();
    const random = seededRandom(11);
    const model = new Map<string, string>();
    for (let round = 0; round < 60; round += 1) {
      const names = Array.from({ length: 1 + Math.floor(random() * 80) }, () => `${Math.floor(random() * 1e6)}`)
        .filter((name, index, all) => !model.has(name) && all.indexOf(name) === index)
        .sort();
      for (const [index, name] of names.entries()) {
        const value = `value ${round}`;
        await under.tree.retry(() => under.tree.prepareNew(key(name)));
        under.tree.putNew(key(name), leafCell(key(name), key(value), false));
        model.set(name, value);
        if (index % 25 === 24) await under.checkpoint();
      }
      for (const name of [...model.keys()].filter(() => random() < 0.1)) {
        expect(await under.delete(key(name))).toBe(true);
        model.delete(name);
      }
    }
    expect(await under.entries()).toEqual(expected(model));
    expect(under.tree.size).toBe(model.size);
    expect(under.tree.height).toBeGreaterThan(1);
  });

  it('seed-1.7: gives back binary keys and values byte for byte, empty ones and prefixes of others, in unsigned order', async () => {
    const under = new TreeUnderTest();
    const keys = ['', '\x00', '\x00\x00', 'a', 'aa', 'a\xff', '\x7f', '\x80', '\xff', '\xff\xff'];
    for (const name of [...keys].reverse()) await under.put(key(name), key(`value of ${name}`));
    await under.put(key('a'), Buffer.alloc(0));
    await under.checkpoint();
    expect((await under.entries()).map(([name]) => name)).toEqual(keys);
    for (const name of keys) {
      const value = await under.tree.get(key(name));
      expect(value?.toString('latin1')).toBe(name === 'a' ? '' : `value of ${name}`);
    }
    expect(await under.tree.get(key('b'))).toBeUndefined();
  });

  it('seed-1.7: the same over many pages: every byte as a key, keys that begin others, values of all sizes', async () => {
    const random = seededRandom(17);
    const under = new TreeUnderTest();
    const model = new Map<string, string>();
    const bytes = (length: number): string =>
      Array.from({ length }, () => String.fromCharCode(Math.floor(random() * 256))).join('');
    const sizes = [0, 1, 127, 128, 255, 256, 257, 1000, 1300, 4032, 4033, 65_536];
    for (let code = 0; code < 256; code += 1) {
      const letter = String.fromCharCode(code);
      for (const name of [letter, `${letter}\x00`, `\x80${letter}`, letter.repeat(40)])
        model.set(name, bytes(code % 16 === 0 ? (sizes[code / 16] ?? 3) : code % 5));
    }
    for (const [name, value] of model) expect(await under.put(key(name), key(value))).toBe(true);
    expect(under.tree.height).toBeGreaterThan(1);
    const check = async (): Promise<void> => {
      for (const [name, value] of model) expect((await under.tree.get(key(name)))?.equals(key(value))).toBe(true);
      expect(await under.entries()).toEqual(expected(model));
      for (const absent of ['', '\x00\x01', '\x80\x80\x80', '\xff\xff'])
        expect(await under.tree.get(key(absent))).toBeUndefined();
    };
    await check();
    await under.checkpoint();
    await check();
  });

  it('seed-1.11: against a sorted map through splits, joins and copies on write: equal content, no page lost', async () => {
    const random = seededRandom(7);
    const under = new TreeUnderTest();
    const model = new Map<string, string>();
    for (let step = 0; step < 6000; step += 1) {
      // Grows for two thirds of the run and shrinks to nothing in the last.
      const isGrowing = step < 4000 ? random() < 0.7 : random() < 0.1;
      const name = random() < 0.3 ? randomName(random) : (pick([...model.keys()], random) ?? randomName(random));
      if (isGrowing) {
        const value = 'v'.repeat(Math.floor(random() * (random() < 0.02 ? 20_000 : 300)));
        expect(await under.put(key(name), key(value))).toBe(!model.has(name));
        model.set(name, value);
      } else expect(await under.delete(key(name))).toBe(model.delete(name));
      if (step % 500 === 499) {
        await under.checkpoint();
        expect(await under.entries()).toEqual(expected(model));
        expect(under.tree.size).toBe(model.size);
      }
    }
    for (const name of model.keys()) await under.delete(key(name));
    await under.checkpoint();
    await under.checkpoint();
    expect(under.tree.height).toBe(0);
    expect([...under.pages.space.livePages()]).toEqual([]);
    expect(under.pages.space.freePages).toBe(1499);
  });

  it('scans ranges both ways, from the bounds given', async () => {
    const random = seededRandom(11);
    const under = new TreeUnderTest();
    const model = new Map<string, string>();
    for (let index = 0; index < 1500; index += 1) {
      const name = randomName(random);
      await under.put(key(name), key(String(index)));
      model.set(name, String(index));
    }
    await under.checkpoint();
    for (let round = 0; round < 60; round += 1) {
      const [from, to] = [randomName(random), randomName(random)].sort();
      const forwards = expected(model, from, to);
      expect(await under.entries({ from: key(from), to: key(to) })).toEqual(forwards);
      expect(await under.entries({ from: key(from), to: key(to), reverse: true })).toEqual([...forwards].reverse());
      const first = expected(model, from)[0];
      const found = await under.tree.retry(() => under.tree.findFirst(key(from)));
      expect(found?.key.toString('latin1')).toBe(first?.[0]);
      const last = expected(model, '', from).at(-1);
      const before = await under.tree.retry(() => under.tree.findLastBefore(key(from)));
      expect(before?.key.toString('latin1')).toBe(last?.[0]);
    }
  });

  it('seed-1.5: a descent reads as many pages as the tree is high when cold, and none when warm', async () => {
    const under = new TreeUnderTest();
    for (let index = 0; index < 5000; index += 1) await under.put(key(`key ${index * 7919}`), key('value'));
    const root = await under.checkpoint();
    const cold = new TreeUnderTest(under.device.image, root, [...under.pages.space.livePages()].slice(-1));
    expect(cold.tree.height).toBeGreaterThan(1);
    await cold.tree.get(key('key 7919'));
    expect(cold.device.reads.page).toBe(cold.tree.height);
    await cold.tree.get(key('key 7919'));
    expect(cold.device.reads.page).toBe(cold.tree.height);
    // Another leaf: all but the leaf is in memory.
    await cold.tree.get(key('key 39595'));
    expect(cold.device.reads.page).toBe(cold.tree.height + 1);
    for (const again of ['key 7919', 'key 39595', 'key 7919']) await cold.tree.get(key(again));
    expect(cold.device.reads.page).toBe(cold.tree.height + 1);
  });

  it('keeps no more clean pages in memory than asked for', async () => {
    const under = new TreeUnderTest();
    for (let index = 0; index < 8000; index += 1) await under.put(key(`key ${index * 7919}`), key('value'));
    await under.checkpoint();
    for (let index = 0; index < 8000; index += 111) {
      expect((await under.tree.get(key(`key ${index * 7919}`)))?.toString()).toBe('value');
    }
    expect(under.pages.cachedCount).toBeLessThanOrEqual(64);
  });

  it('fills its pages when keys ascend', async () => {
    const under = new TreeUnderTest();
    for (let index = 0; index < 10_000; index += 1)
      await under.put(key(String(index).padStart(20, '0')), Buffer.alloc(60));
    const leaves = 10_000 / Math.floor((BLOCK_BYTES - 64) / (4 + 20 + 60 + 2));
    expect([...under.pages.space.livePages()].length).toBeLessThan(leaves * 1.05 + 2);
  });

  it('bulk load makes the tree that single puts make', async () => {
    for (const count of [0, 1, 40, 5000]) {
      const under = new TreeUnderTest();
      const entries = Array.from({ length: count }, (_, index) => ({
        key: key(String(index).padStart(8, '0')),
        value: key('x'.repeat(index === 17 ? 9000 : index % 50)),
      }));
      under.tree = new BTree(under.pages, 20, bulkLoad(under.pages, 20, entries));
      await under.checkpoint();
      const found = await under.entries();
      expect(found).toEqual(entries.map((entry) => [entry.key.toString('latin1'), entry.value.toString('latin1')]));
      if (count > 0) await under.put(key('zzz'), key('more'));
      expect(await under.entries()).toHaveLength(count === 0 ? 0 : count + 1);
    }
  });

  it('a damaged, misplaced or older page is an error, never an absence', async () => {
    const under = new TreeUnderTest();
    for (let index = 0; index < 3000; index += 1) await under.put(key(`key ${index}`), key('value'));
    const root = await under.checkpoint();
    const live = [...under.pages.space.livePages()];
    for (const page of live.slice(0, 12)) {
      const position = layout.pagesStart + page * BLOCK_BYTES;
      const other = layout.pagesStart + live[live.length - 1] * BLOCK_BYTES;
      for (const damage of ['flip', 'swap', 'zero'] as const) {
        const image = Buffer.from(under.device.image);
        if (damage === 'flip') image[position + 100 + page] ^= 1;
        if (damage === 'swap') under.device.image.copy(image, position, other, other + BLOCK_BYTES);
        if (damage === 'zero') image.fill(0, position, position + BLOCK_BYTES);
        const again = new TreeUnderTest(image, root, live.slice(-1));
        await expect(again.entries()).rejects.toMatchObject({ code: 'MetadataDamaged' });
      }
    }
  });

  it('seed-1.10: answers missing for a page that is not in memory, and changes nothing that was not looked up before', async () => {
    const under = new TreeUnderTest();
    await under.put(key('a'), key('1'));
    const root = await under.checkpoint();
    const cold = new TreeUnderTest(under.device.image, root, [...under.pages.space.livePages()].slice(-1));
    expect(cold.tree.find(key('a'))).toBe(missing);
    expect(cold.tree.prepare(key('a'))).toBe(missing);
    expect(() => cold.tree.put(key('a'), key('2'))).toThrow('A change is prepared');
    expect(cold.tree.prepareRemoval(key('a'))).toBe(missing);
    expect(() => cold.tree.delete(key('a'))).toThrow('A change is prepared');
    expect(cold.device.reads.page).toBe(0);
    await cold.put(key('a'), key('2'));
    expect([cold.device.reads.page, await cold.entries()]).toEqual([1, [['a', '2']]]);
  });
});

function randomName(random: () => number): string {
  const length = random() < 0.05 ? 900 + Math.floor(random() * 200) : 1 + Math.floor(random() * 30);
  return Array.from({ length }, () => String.fromCharCode(Math.floor(random() * 256))).join('');
}

function pick<Item>(items: readonly Item[], random: () => number): Item | undefined {
  return items[Math.floor(random() * items.length)];
}
