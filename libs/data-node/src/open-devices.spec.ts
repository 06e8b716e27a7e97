import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, open, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
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

describe('what is refused', () => {
  /** Size, times and bytes of a file. */
  async function traceOf(file: string) {
    const { size, mtimeMs, ino } = await stat(file);
    return {
      size,
      mtimeMs,
      ino,
      digest: createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    };
  }

  async function refuse(over: Partial<DeviceSetting>, code: string, told: readonly (string | RegExp)[]): Promise<void> {
    const settings = [over, { ...over, createBytes: undefined }];
    for (const setting of settings) {
      const opening = capacityOf(setting);
      await expect(opening).rejects.toMatchObject({ name: 'ExtentStoreError', code });
      for (const text of [setting.path ?? path, ...told]) await expect(opening).rejects.toThrow(text);
    }
  }

  it('names a directory and a pipe, and does not wait for the other end', async () => {
    const pipe = join(folder, 'pipe');
    expect(spawnSync('sh', ['-c', `mkfifo "${pipe}"`]).status).toBe(0);
    await refuse({ path: pipe }, 'BadDevice', ['no file or block device', 'Check the path']);
    await refuse({ path: folder }, 'BadDevice', ['it is a directory', 'Check the path']);
  });

  it.each([
    ['cut by one byte', 32 * MIB - 1, ['is cut off', `has ${32 * MIB - 1}`, 'Bring back the whole file']],
    ['cut to a block', 4096, ['is cut off', 'has 4096', 'Bring back the whole file']],
    ['cut within its first block', 100, ['superblock copies, and all are damaged', 'Replace the device']],
    ['grown by a block', 32 * MIB + 4096, ['has grown', `has ${32 * MIB + 4096}`, 'cut the file back']],
  ])('a device %s, and leaves it as it is', async (_what, sizeBytes, told) => {
    await capacityOf();
    await truncate(path, sizeBytes);
    const before = await traceOf(path);
    await refuse({}, 'BadDevice', told);
    expect(await traceOf(path)).toEqual(before);
  });

  it('an empty file where a device was, later', async () => {
    await writeFile(path, '');
    const opening = capacityOf(later);
    await expect(opening).rejects.toMatchObject({ code: 'BadDevice' });
    await expect(opening).rejects.toThrow(`${path} is not a Holdfast device`);
    expect((await stat(path)).size).toBe(0);
  });

  it('two devices with one id: a copy beside its original, each file as it was; and one device named twice', async () => {
    await capacityOf();
    const copy = join(folder, 'copy');
    await copyFile(path, copy);
    const before = await traceOf(copy);
    const both = (other: string) =>
      openDevices({
        clusterId,
        devices: [
          { deviceId, path, generation: 2 },
          { deviceId, path: other, generation: 2 },
        ],
      });
    await expect(both(copy)).rejects.toMatchObject({ code: 'BadDevice' });
    await expect(both(copy)).rejects.toThrow(
      `${copy} and ${path} are the same device, ${deviceId}. One file is a copy`,
    );
    const link = join(folder, 'link');
    await symlink(path, link);
    for (const same of [path, link]) {
      await expect(both(same)).rejects.toMatchObject({ code: 'DeviceBusy' });
      await expect(both(same)).rejects.toThrow(`${same} is open in this process already. Name each device once`);
    }
    expect(await traceOf(copy)).toEqual(before);
    // Nothing is held any more, and either file alone opens, also by a link or under another name.
    for (const alone of [link, copy, path]) expect(await capacityOf({ ...later, path: alone })).toBe(32 * MIB);
  });

  it('the device of another data node in its place, and says which is which', async () => {
    const theirs = { deviceId: randomUUID(), path: join(folder, 'theirs') };
    await capacityOf();
    await capacityOf(theirs);
    const traces = [await traceOf(path), await traceOf(theirs.path)];
    await refuse({ path: theirs.path }, 'BadDevice', [`holds device ${theirs.deviceId}`, `not device ${deviceId}`]);
    await refuse({ ...theirs, path }, 'BadDevice', [`holds device ${deviceId}`, `not device ${theirs.deviceId}`]);
    expect([await traceOf(path), await traceOf(theirs.path)]).toEqual(traces);
  });
});
