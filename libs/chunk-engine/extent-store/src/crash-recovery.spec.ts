/**
 * Power cuts and corruption on a simulated device. The promise under test: what was acknowledged is there afterwards with its
 * bytes; what was not is there whole or not at all; the device goes on working; and corruption is no crash.
 */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceEvent, SimulatedDevice } from './device/simulated-device.js';
import type { ExtentStore } from './extent-store.js';
import { crashStates, type CrashState, type EnumerationOptions, type Images } from './testing/crash-states.js';
import { Ledger, WORKLOADS, openImages, record } from './testing/crash-workloads.js';
import { seededRandom } from './testing/seeded-random.js';
import { SEGMENT_BYTES, authority, bytesOf, formattedImage, openImage, put, unitOf } from './testing/store-fixture.js';

const LOG_START = 4 * BLOCK_BYTES;
const quick = (seed: number): EnumerationOptions => ({
  random: seededRandom(seed),
  exhaustiveMax: 4,
  mixed: 1,
  share: 0.3,
  seen: new Set(),
});

async function checkState({ images, ledger, name }: CrashState<Ledger>, goesOn: boolean): Promise<void> {
  try {
    const store = await openImages(images);
    await ledger.check(store);
    expect((await store.check()).problems).toEqual([]);
    if (!goesOn) return;
    ledger.uncertain.set(90_000, 5000);
    await put(store, 90_000, 5000);
    await ledger.check(store);
    await store.close();
  } catch (error) {
    throw new Error(`state ${name}: ${String(error)}`, { cause: error });
  }
}

describe('power cuts', () => {
  const runs = WORKLOADS.flatMap((workload) =>
    (['file', 'pair'] as const).map((layout) => [workload, layout] as const),
  );

  it.each(runs)(
    'seed-2.17: %s in a %s: at every write and flush, in many combinations, nothing acknowledged is lost',
    async (workload, layout) => {
      const { base, timeline } = await record(workload, workload === 'catalogues' ? 20 : 2, seededRandom(1), layout);
      let states = 0;
      for (const state of crashStates(base, timeline, new Ledger(), quick(2))) {
        states += 1;
        await checkState(state, states % 40 === 0);
      }
      expect(states).toBeGreaterThan(60);
    },
  );

  it('seed-2.17, seed-1.18: a cut after a cut: the first recovery is cut again at every call', async () => {
    const { base, timeline } = await record('units', 2, seededRandom(3));
    let outer = 0;
    let inner = 0;
    for (const { images, ledger } of crashStates(base, timeline, new Ledger(), quick(4))) {
      outer += 1;
      if (outer % 20 !== 0) continue;
      const again = await recordRecovery(images);
      ledger.uncertain.set(90_000, 5000);
      for (const state of crashStates(images, again, ledger, { ...quick(outer), exhaustiveMax: 3 })) {
        inner += 1;
        await checkState(state, false);
      }
    }
    expect(inner).toBeGreaterThan(100);
  });

  it('seed-1.18: recovery twice is the same as once, and writes nothing', async () => {
    const { base, timeline } = await record('units', 3, seededRandom(5));
    let number = 0;
    for (const { images } of crashStates(base, timeline, new Ledger(), quick(6))) {
      number += 1;
      if (number % 12 !== 0) continue;
      const { device, store } = await openImage(images['']);
      expect(device.calls).toBe(0);
      const { store: again } = await openImage(device.image);
      expect(again.status()).toEqual(store.status());
      expect(await again.list({ limit: 1000 })).toEqual(await store.list({ limit: 1000 }));
    }
  });

  it('seed-1.19: torn at every byte of the last group: the groups before stand, the last one stands only when it is whole', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    const before = Buffer.from(device.image);
    await put(store, 2, 100);
    const { position, sizeBytes } = lastLogWrite(device);
    const bytesThatCount = BLOCK_BYTES + 100;
    for (let cut = 0; cut < sizeBytes; cut += cut < 300 || cut > BLOCK_BYTES - 20 ? 1 : 97) {
      const image = Buffer.from(before);
      device.image.copy(image, position, position, position + cut);
      const { store: again } = await openImage(image);
      await expectUnit(again, 1, 3000);
      // The records and the bytes of the unit decide; padding does not.
      const isWhole =
        image.compare(device.image, position, position + bytesThatCount, position, position + bytesThatCount) === 0;
      expect([cut, again.status().unitCount]).toEqual([cut, isWhole ? 2 : 1]);
      expect((await again.check()).problems).toEqual([]);
    }
  });

  it('seed-1.19: any byte of the last group that is wrong: it does not count, and the groups before stand', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    await put(store, 2, 100);
    const { position } = lastLogWrite(device);
    const records = 72 + device.image.readUInt32LE(position + 56);
    for (let at = 0; at < BLOCK_BYTES + 100; at += at < records + 8 || at >= BLOCK_BYTES ? 1 : 61) {
      const image = Buffer.from(device.image);
      image[position + at] ^= 1 << (at % 8);
      const { store: again } = await openImage(image);
      await expectUnit(again, 1, 3000);
      expect([at, again.status().unitCount]).toEqual([at, 1]);
    }
  });

  it('seed-1.17, seed-1.20: what a crash leaves is what some first part of the changes made', async () => {
    // The ledger of the catalogue holds the order in which changes were handed over and looks for exactly that.
    const { base, timeline } = await record('catalogues', 12, seededRandom(7));
    for (const state of crashStates(base, timeline, new Ledger(), { ...quick(8), mixed: 1 }))
      await checkState(state, false);
  });

  it('seed-1.17, seed-1.18: a dropped tail stays dropped after later writes', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    const before = Buffer.from(device.image);
    await put(store, 2, 3000);
    await put(store, 3, 3000);
    const { position, sizeBytes } = lastLogWrite(device);
    // The third arrived and the second, of which no one was told, did not.
    const image = Buffer.from(before);
    device.image.copy(image, position, position, position + sizeBytes);
    image.writeBigUInt64LE(0n, position + 48);
    const { device: next, store: again } = await openImage(image);
    expect(again.status().unitCount).toBe(1);
    await put(again, 4, 3000);
    await again.close();
    const { store: last } = await openImage(next.image);
    expect((await last.list({ limit: 10 })).map(({ chunkId }) => chunkId).sort()).toEqual(
      [unitOf(1), unitOf(4)].map(({ chunkId }) => chunkId).sort(),
    );
  });
});

describe('corruption', () => {
  it('a damaged group below what is known flushed is corruption, named with file and position, and nothing is changed', async () => {
    const { device, store } = await openImage(await formattedImage());
    for (const number of [1, 2, 3]) await put(store, number, 3000);
    const groups = device.writes.filter(({ kind }) => kind === 'log');
    for (const { position } of groups.slice(-3, -1)) {
      const image = Buffer.from(device.image);
      image[position + 80] ^= 1;
      const before = Buffer.from(image);
      await expect(openImage(image)).rejects.toMatchObject({ code: 'MetadataDamaged' });
      await expect(openImage(image)).rejects.toThrow(/^sim: log group \d+ is damaged or gone/);
      expect(image.equals(before)).toBe(true);
    }
  });

  it('after a clean close damage to the last group is corruption too', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    const { position } = lastLogWrite(device);
    await store.close();
    const image = Buffer.from(device.image);
    image[position + 80] ^= 1;
    await expect(openImage(image)).rejects.toMatchObject({ code: 'MetadataDamaged' });
  });

  it('any one, two or three damaged superblock copies do no harm', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    await store.close();
    for (let mask = 1; mask < 16; mask += 1) {
      const image = Buffer.from(device.image);
      for (let copy = 0; copy < 4; copy += 1) if ((mask >> copy) & 1) image[copy * BLOCK_BYTES + 60] ^= 1;
      if (mask === 15) await expect(openImage(image)).rejects.toThrow('all are damaged');
      else await expectUnit((await openImage(image)).store, 1, 3000);
    }
  });

  it('a second process that wrote the superblock is noticed at the next checkpoint', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    const { device: other, store: second } = await openImage(device.image);
    await put(second, 2, 3000);
    other.image.copy(device.image, 0, 0, LOG_START);
    await expect(store.checkpoint()).rejects.toMatchObject({ code: 'DeviceDead' });
    expect(store.status().state).toBe('dead');
  });

  it('a log of another device, or from another place of the log, does not count', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, 3000);
    const { position, sizeBytes } = lastLogWrite(device);
    const image = Buffer.from(device.image);
    device.image.copy(image, position + sizeBytes, position, position + sizeBytes);
    device.image.copy(
      image,
      LOG_START + (position < LOG_START + SEGMENT_BYTES ? SEGMENT_BYTES : 0),
      position,
      position + sizeBytes,
    );
    const { store: again } = await openImage(image);
    expect(again.status().unitCount).toBe(1);
    expect(await again.free([unitOf(1)], authority(1n))).toBe(1);
  });
});

/** The first write after an open, with the checkpoint before it, as a timeline. */
async function recordRecovery(images: Images): Promise<{ event: DeviceEvent }[]> {
  const timeline: { event: DeviceEvent }[] = [];
  const store = await openImages(images, { record: (event) => void timeline.push({ event }) });
  await put(store, 90_000, 5000);
  return timeline;
}

function lastLogWrite(device: SimulatedDevice): { position: number; sizeBytes: number } {
  const last = device.writes.filter(({ kind }) => kind === 'log').at(-1);
  assert(last !== undefined, 'The log was written');
  return last;
}

async function expectUnit(store: ExtentStore, number: number, sizeBytes: number): Promise<void> {
  const unit = await store.read(unitOf(number).chunkId, unitOf(number).unitIndex);
  expect(unit?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
}
