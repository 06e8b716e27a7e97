import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { authority, bytesOf, formattedImage, headerOf, openImage, put } from './store-fixture.js';
import type { SimulatedDevice } from './simulated-device.js';

const prepared = { stretchBlocks: 8, stretchesFreeMin: 2 };
const open = async (image?: Buffer) => openImage(image ?? (await formattedImage()), undefined, undefined, prepared);
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const zeroWrites = (device: SimulatedDevice): number =>
  device.writes.filter(({ sizeBytes }) => sizeBytes === prepared.stretchBlocks * BLOCK_BYTES).length;

describe('prepared space', () => {
  it('small units go where zeros were written and flushed before; each unit has blocks of its own', async () => {
    const { device, store } = await open();
    await put(store, 1, 5000);
    await settled();
    expect(zeroWrites(device)).toBe(1);
    for (let number = 2; number < 20; number += 1) {
      await put(store, number, 4096);
      await settled();
    }
    expect(zeroWrites(device)).toBeGreaterThan(2);
    for (let number = 1; number < 20; number += 1) {
      const unit = await store.read(headerOf(number, 0).chunkId, number % 3);
      expect(unit?.bytes.equals(bytesOf(number, number === 1 ? 5000 : 4096))).toBe(true);
    }
  });

  it('a stretch that was not used is free again after a close, and nothing leaks while units come and go', async () => {
    const { device, store } = await open();
    const before = store.status().freeBytes;
    for (let round = 0; round < 10; round += 1) {
      for (let step = 0; step < 6; step += 1) await put(store, round * 6 + step, 4096);
      await settled();
      const units = Array.from({ length: 6 }, (_, step) => round * 6 + step);
      await store.free(
        units.map((number) => ({ chunkId: headerOf(number, 0).chunkId, unitIndex: number % 3 })),
        authority(BigInt(round + 1)),
      );
    }
    expect(store.status().freeBytes).toBe(before);
    await store.close();
    const { store: again } = await open(device.image);
    expect(again.status()).toMatchObject({ freeBytes: before, unitCount: 0 });
  });

  it('is given up for the units themselves when little is free', async () => {
    const { store } = await open();
    let written = 0;
    for (; store.status().state === 'live' && written < 1000; written += 1) {
      await put(store, written, 4096).catch(() => undefined);
    }
    expect(store.status().state).toBe('full');
    expect(store.status().freeBytes).toBeLessThan(3 * prepared.stretchBlocks * BLOCK_BYTES);
  });
});
