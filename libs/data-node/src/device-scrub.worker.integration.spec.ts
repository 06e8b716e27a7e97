/** The background scrub over a real device file. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Deadline, KIB, MIB } from '@holdfast/stdx';
import { ExtentStore } from '@holdfast/extent-store';
import { DeviceScrubber, type DeviceScrubState, type DeviceScrubberOptions } from './device-scrub.worker.js';

const UNITS = 8;
const UNIT_BYTES = 64 * KIB;

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries += 1) {
    if (tries === 2000) throw new Error('it did not come to that');
    await sleep(5);
  }
}

describe('scrub of a data node', () => {
  const deviceId = randomUUID();
  let folder: string;
  let path: string;
  let store: ExtentStore;
  let scrubber: DeviceScrubber;

  const scrubWith = (options: DeviceScrubberOptions): DeviceScrubber => {
    scrubber = new DeviceScrubber([{ deviceId, generation: 1, store }], { restMs: 5, ...options });
    scrubber.start();
    return scrubber;
  };
  const state = (): DeviceScrubState => scrubber.states[0];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'device-scrub-'));
    path = join(folder, 'device');
    await ExtentStore.format(path, { deviceId, clusterId: randomUUID(), generation: 1, capacityBytes: 16 * MIB });
    store = await ExtentStore.open(path);
    for (let number = 0; number < UNITS; number += 1) {
      const chunkId = String(number).padStart(32, '0');
      const shape = { k: 1, m: 0, chunkSizeBytes: UNIT_BYTES, unitSizeBytes: UNIT_BYTES, unitIndex: 0 };
      const header = { chunkId, ...shape, bucketId: 1n, writeId: chunkId, writtenAtMs: 1 };
      const bytes = Buffer.alloc(UNIT_BYTES, number + 1);
      await store.write(
        header,
        UNIT_BYTES,
        async function* () {
          yield bytes;
        },
        Deadline.in(30_000),
      );
    }
    await store.checkpoint();
  });
  afterEach(async () => {
    await scrubber.stop();
    await store.close();
    await rm(folder, { recursive: true });
  });

  it('reads everything again and again, and counts a unit that was damaged meanwhile', async () => {
    scrubWith({});
    await until(() => state().passCount >= 1);
    expect(state()).toMatchObject({ deviceId, running: true, damagedUnitCount: 0, damagedPageCount: 0 });
    const at = (await readFile(path)).indexOf(Buffer.alloc(UNIT_BYTES, 6));
    const file = await open(path, 'r+');
    await file.write(Buffer.from('?'), 0, 1, at + 777);
    await file.close();
    await until(() => state().damagedUnitCount >= 1);
    await scrubber.stop();
    expect(state()).toMatchObject({ running: false, damagedPageCount: 0 });
    expect(state().unitCount).toBeGreaterThanOrEqual(UNITS + 6);
  });

  it('goes on after a restart behind the unit where it was, and reads no faster than it is set to', async () => {
    const startedMs = performance.now();
    scrubWith({ bytesPerSecond: 1 * MIB });
    await until(() => state().unitCount >= 3);
    expect(performance.now() - startedMs).toBeGreaterThan(120);
    await scrubber.stop();
    const before = state();
    expect(before.passCount).toBe(0);
    await store.close();
    store = await ExtentStore.open(path);
    scrubWith({ restMs: 50 });
    await until(() => state().passCount === 1);
    await scrubber.stop();
    expect(before.unitCount + state().unitCount).toBe(UNITS);
  });

  it('reads nothing when it is set to 0', async () => {
    scrubWith({ bytesPerSecond: 0 });
    await sleep(50);
    expect(state()).toMatchObject({ running: false, passCount: 0, unitCount: 0 });
  });
});
