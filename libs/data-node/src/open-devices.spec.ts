import { randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MIB } from '@holdfast/stdx';
import { closeDevices, openDevices, type DeviceSetting } from './open-devices.js';

let folder: string;
let path: string;
const clusterId = randomUUID();
const deviceId = randomUUID();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-devices-'));
  path = join(folder, 'device');
});

afterEach(() => rm(folder, { recursive: true }));

/** Opens one device and closes it; resolves to the capacity it has. */
async function capacityOf(over: Partial<DeviceSetting> = {}, cluster = clusterId): Promise<number> {
  const devices = await openDevices({
    clusterId: cluster,
    devices: [{ deviceId, path, generation: 2, createBytes: 32 * MIB, ...over }],
  });
  await closeDevices(devices);
  return devices[0].store.superblock.capacityBytes;
}

const later = { createBytes: undefined };

describe('making a device at the first start', () => {
  it('makes a file that is not there, of the size asked for', async () => {
    expect(await capacityOf()).toBe(32 * MIB);
    expect(await capacityOf(later)).toBe(32 * MIB);
  });

  it('takes an empty file, of the size asked for', async () => {
    await writeFile(path, '');
    expect(await capacityOf()).toBe(32 * MIB);
    expect(await capacityOf(later)).toBe(32 * MIB);
  });

  it.each([
    ['sparse', async () => truncate(path, 48 * MIB + 100)],
    ['written', async () => writeFile(path, Buffer.alloc(48 * MIB + 100))],
  ])('takes a %s file of zeros, which keeps its size, whole blocks of it', async (_how, prepare) => {
    await writeFile(path, '');
    await prepare();
    expect(await capacityOf()).toBe(48 * MIB);
    expect((await stat(path)).size).toBe(48 * MIB + 100);
    expect(await capacityOf(later)).toBe(48 * MIB);
  });

  it('opens one that was made at a start before this was written down', async () => {
    await capacityOf();
    expect(await capacityOf({ createBytes: 64 * MIB })).toBe(32 * MIB);
  });

  it.each([
    ['at its head', 0],
    ['behind its head', 64 * 1024],
    ['at its end', 48 * MIB - 1],
  ])('refuses a file that holds a byte %s, and leaves it as it is', async (_where, position) => {
    await writeFile(path, '');
    await truncate(path, 48 * MIB);
    const file = await open(path, 'r+');
    await file.write('x', position);
    await file.close();
    const before = await readFile(path);
    await expect(capacityOf()).rejects.toThrow(path);
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it('refuses a file too small to hold a device, and a folder', async () => {
    await writeFile(path, Buffer.alloc(8192));
    await expect(capacityOf()).rejects.toThrow(`${path} cannot become a device`);
    await expect(capacityOf({ path: folder })).rejects.toThrow(folder);
  });
});

describe('opening a device later', () => {
  it('refuses a missing file, and makes none', async () => {
    await expect(capacityOf(later)).rejects.toThrow(`${path} is not there: give the path of device ${deviceId}`);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('refuses a file of zeros: a device that lost its bytes is not made anew', async () => {
    await writeFile(path, Buffer.alloc(32 * MIB));
    await expect(capacityOf(later)).rejects.toThrow(path);
    expect((await readFile(path)).every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    ['another device', { deviceId: randomUUID() }, clusterId],
    ['another cluster', {}, randomUUID()],
    ['an older generation', { generation: 3 }, clusterId],
    ['a newer generation', { generation: 1 }, clusterId],
  ])('refuses %s, whether or not it might have been made', async (_what, over, cluster) => {
    await capacityOf();
    const told = `${path} holds device ${deviceId} of cluster ${clusterId}, generation 2, not device`;
    await expect(capacityOf({ ...later, ...over }, cluster)).rejects.toThrow(told);
    await expect(capacityOf(over, cluster)).rejects.toThrow(told);
    expect(await capacityOf(later)).toBe(32 * MIB);
  });

  it('gives back the devices that were open already when one is refused', async () => {
    await capacityOf();
    const missing = { deviceId: randomUUID(), path: join(folder, 'other'), generation: 1 };
    const both = openDevices({ clusterId, devices: [{ deviceId, path, generation: 2 }, missing] });
    await expect(both).rejects.toThrow('is not there');
    expect(await capacityOf(later)).toBe(32 * MIB);
  });
});
