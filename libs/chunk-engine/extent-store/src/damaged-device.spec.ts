/** Damage that only shows later: what is damaged stays damaged, whatever moves or checks it. */
import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { SimulatedDevice } from './device/simulated-device.js';
import type { ExtentStore } from './extent-store.js';
import { mapDevice } from './testing/device-map.js';
import {
  authority,
  bytesOf,
  formattedImage,
  formattedPair,
  openImage,
  openPair,
  put,
  unitOf,
} from './testing/store-fixture.js';

const SMALL = 5000;
const SMALL_BYTES = 8192;

const readBack = (store: ExtentStore, number: number) => store.read(unitOf(number).chunkId, unitOf(number).unitIndex);

/** A device whose free space is single blocks alone. */
async function fragmented() {
  const { device, store } = await openImage(await formattedImage());
  const numbers: number[] = [];
  while (store.status().state === 'live') {
    const number = numbers.length;
    const outcome = await put(store, number, 4096).catch((error: { code: string }) => error.code);
    if (outcome !== 'written') break;
    numbers.push(number);
  }
  await store.free(numbers.filter((number) => number % 2 === 1).map(unitOf), authority(1n));
  await store.checkpoint();
  await store.checkpoint();
  return { device, store };
}

/** Where the last payload of the log lies. */
function lastPayload(device: SimulatedDevice): number {
  const last = device.writes.filter(({ kind }) => kind === 'log').at(-1);
  return (last?.position ?? 0) + BLOCK_BYTES;
}

describe('a damaged device', () => {
  it('seed-2.26: a small unit that was damaged in the log is damaged after its move, also in several extents', async () => {
    const { device, store } = await fragmented();
    // These take the reserve, which lies in one piece.
    await put(store, SMALL + 1, SMALL_BYTES);
    await put(store, SMALL + 2, SMALL_BYTES);
    await store.checkpoint();
    await put(store, SMALL, SMALL_BYTES);
    await store.close();
    device.image[lastPayload(device) + 100] ^= 1;
    const { store: again } = await openImage(device.image);
    await expect(readBack(again, SMALL)).rejects.toMatchObject({ code: 'UnitDamaged' });
    await again.checkpoint();
    await expect(readBack(again, SMALL)).rejects.toMatchObject({ code: 'UnitDamaged' });
    expect((await again.scrub()).damaged).toMatchObject([unitOf(SMALL)]);
    expect(await put(again, SMALL, SMALL_BYTES)).toBe('rewritten');
    expect((await readBack(again, SMALL))?.bytes.equals(bytesOf(SMALL, SMALL_BYTES))).toBe(true);
  });

  it('seed-2.26: a page that is damaged while the device is open is told by the scrub, whatever it belongs to', async () => {
    const { device, store } = await openImage(await formattedImage());
    const catalogue = await store.createCatalogue(Buffer.from('names'));
    for (let number = 0; number < 40; number += 1) {
      const value = Buffer.alloc(number % 10 === 0 ? 9000 : 400, number);
      await catalogue.put(Buffer.from(`key ${number}`), value);
      await put(store, number, 1000);
    }
    await store.free([unitOf(3), unitOf(7)], authority(1n));
    await store.checkpoint();
    const told = new Set<string>();
    const damageAll = async (isMeant: (name: string) => boolean): Promise<void> => {
      const blocks = mapDevice({ '': device.image }, { smallUnitMaxBytes: 8192 });
      for (const { name, position } of blocks.filter((block) => /page|leaf/.test(block.name) && isMeant(block.name))) {
        expect(await store.scrubPages()).toEqual([]);
        device.image[position + 2000] ^= 1;
        expect([name, await store.scrubPages()]).toEqual([name, [expect.stringContaining('does not verify')]]);
        device.image[position + 2000] ^= 1;
        told.add(name);
      }
    };
    // The freed extents have gone back to these trees, so that new versions of their pages are in memory.
    await damageAll((name) => !name.startsWith('balloc'));
    await store.checkpoint();
    await damageAll((name) => name.startsWith('balloc'));
    expect(told.size).toBe(11);
  });

  it('seed-2.26: the zeros behind a unit, in the log or in data blocks, are verified by the scrub and by a second write', async () => {
    for (const sizeBytes of [SMALL_BYTES - 100, 40_000]) {
      const { device, store } = await openImage(await formattedImage());
      await put(store, SMALL, sizeBytes);
      if (sizeBytes > SMALL_BYTES) await store.checkpoint();
      await store.close();
      const last = bytesOf(SMALL, sizeBytes).subarray(-50);
      device.image[device.image.indexOf(last) + last.length + 7] ^= 4;
      for (const isMoved of [false, true]) {
        const { store: again } = await openImage(device.image);
        if (isMoved) await again.checkpoint();
        expect((await readBack(again, SMALL))?.bytes.equals(bytesOf(SMALL, sizeBytes))).toBe(true);
        expect((await again.scrub()).damaged).toMatchObject([unitOf(SMALL)]);
        expect(await put(again, SMALL, sizeBytes)).toBe('rewritten');
        expect((await again.scrub()).damaged).toEqual([]);
      }
    }
  });

  it('a group whose last block arrived without its end is a cut: dropped when nothing names it as flushed', async () => {
    const { device, store } = await openImage(await formattedImage());
    await put(store, 1, SMALL);
    await put(store, 2, SMALL);
    const tail = lastPayload(device) + SMALL;
    device.image[tail + 1000] = 0x5a;
    const { store: again } = await openImage(device.image);
    expect((await again.list({ limit: 9 })).map(({ chunkId }) => chunkId)).toEqual([unitOf(1).chunkId]);
    expect((await again.scrub()).damaged).toEqual([]);
  });

  it('an older group that came back by a lost write does not hide the groups behind it', async () => {
    const { device, store } = await openImage(await formattedImage());
    await store.checkpoint();
    await put(store, 1, SMALL_BYTES);
    const older = Buffer.from(device.image);
    const { position } = device.writes.filter(({ kind }) => kind === 'log')[0];
    await store.checkpoint();
    await store.checkpoint();
    // Two blocks and one, in the place of three.
    await put(store, 2, 100);
    await put(store, 3, 20_000);
    expect(device.writes.filter(({ kind }) => kind === 'log').map((write) => write.position)).toEqual([
      position,
      position,
      position + 2 * BLOCK_BYTES,
    ]);
    older.copy(device.image, position, position, position + BLOCK_BYTES);
    await expect(openImage(device.image)).rejects.toMatchObject({ code: 'MetadataDamaged' });
  });

  it('a damaged superblock copy is told, in either file of a pair, and the others serve', async () => {
    for (const file of ['meta', 'data'] as const) {
      const images = await formattedPair();
      const { meta, data, store } = await openPair(images);
      await put(store, 1, 5000);
      await store.close();
      ({ meta, data })[file].image[2 * BLOCK_BYTES + 70] ^= 1;
      const { store: again } = await openPair({ meta: meta.image, data: data.image });
      expect((await readBack(again, 1))?.bytes.equals(bytesOf(1, 5000))).toBe(true);
      expect((await again.check()).copies).toEqual([expect.stringContaining('superblock copy 2')]);
    }
  });
});
