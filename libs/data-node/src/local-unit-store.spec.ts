/** What callers are told of a device that does not know what it holds. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import { backgroundCall, newId, TraceLog } from '@holdfast/contracts';
import { LocalUnitStore } from './local-unit-store.js';
import { closeDevices, openDevices } from './open-devices.js';

const call = () => backgroundCall(20_000);

describe('a device with damaged metadata', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-units-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('is told by name, with the file, the page and what to do, by every call that meets the damage', async () => {
    const [clusterId, deviceId] = [randomUUID(), randomUUID()];
    const path = join(folder, 'device');
    const setting = { deviceId, path, generation: 1, createBytes: 64 * MIB };
    const header = {
      chunkId: newId(),
      unitIndex: 0,
      k: 1,
      m: 1,
      chunkSizeBytes: 100,
      unitSizeBytes: 100,
      bucketId: 1n,
      writeId: newId(),
    };
    const device = { deviceId, nodeId: 'n1', address: '' };
    const pull = async function* () {
      yield randomBytes(100);
    };
    const before = await openDevices({ clusterId, devices: [setting] });
    await new LocalUnitStore({ devices: before, trace: new TraceLog('test') }).write(call(), device, header, 1n, pull);
    await before[0].store.checkpoint();
    await closeDevices(before);
    const devices = await openDevices({ clusterId, devices: [setting] });
    // Root and bitmaps were read at the open; the leaf of the units was not.
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(682 * 4 * KIB, 0x5a), 0, 682 * 4 * KIB, 16 * KIB + 4 * MIB);
    await file.close();
    const units = new LocalUnitStore({ devices, trace: new TraceLog('test') });
    const told = expect.objectContaining({
      code: 'MetadataDamaged',
      status: 503,
      message: expect.stringMatching(/device: metadata page \d+ does not verify: .*Replace the device/),
    });
    await expect(units.read(call(), device, header, 0, 100)).rejects.toEqual(told);
    await expect(units.list(call(), device, { limit: 5, minimumAgeMs: 0 })).rejects.toEqual(told);
    await expect(units.write(call(), device, header, 1n, pull)).rejects.toEqual(told);
    await closeDevices(devices);
  });
});
