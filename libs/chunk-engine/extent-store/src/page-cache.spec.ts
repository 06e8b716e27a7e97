/** The memory of a device is bounded, and however small it is, what was begun comes to its end. */
import { describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import { SimulatedDevice, SimulatedDevicePort } from './device/simulated-device.js';
import { ExtentStore } from './extent-store.js';
import { CLUSTER_ID, DEVICE_ID, authority, put, unitOf } from './testing/store-fixture.js';

const READS_MAX = 50_000;

/** A device that refuses to be read for ever: what goes round in circles fails. */
async function openBounded(pageCount: number) {
  let reads = 0;
  const turn = async (kind: string): Promise<void> => {
    if (kind === 'read') reads += 1;
    if (reads > READS_MAX) throw new Error('too many reads');
  };
  const capacityBytes = 32 * MIB;
  const ids = { deviceId: DEVICE_ID, clusterId: CLUSTER_ID, generation: 1 };
  const blank = new SimulatedDevice(Buffer.alloc(capacityBytes));
  const io = new SimulatedDevicePort({ sim: blank });
  await ExtentStore.format('sim', { ...ids, capacityBytes, segmentBytes: 256 * KIB, pageCount, io });
  const device = new SimulatedDevice(blank.image, { turn });
  return ExtentStore.open('sim', {
    io: new SimulatedDevicePort({ sim: device }),
    cacheBytes: 0,
    turn: () => Promise.resolve(),
  });
}

describe('page cache', () => {
  it.each([480, 4096])(
    'units all over the trees of %i pages are freed at once with the smallest cache',
    async (pageCount) => {
      const store = await openBounded(pageCount);
      const numbers = Array.from({ length: 1600 }, (_, number) => number);
      for (let from = 0; from < numbers.length; from += 40)
        await Promise.all(numbers.slice(from, from + 40).map((number) => put(store, number, 100)));
      await store.checkpoint();
      const freed = numbers.filter((number) => number % 5 === 0).map(unitOf);
      expect(await store.free(freed, authority(1n))).toBe(freed.length);
      await store.checkpoint();
      expect(store.status().unitCount).toBe(numbers.length - freed.length);
      expect((await store.check()).problems).toEqual([]);
    },
  );
});
