/** The store on real files. */
import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KIB, MIB } from '@holdfast/stdx';
import { ExtentStore } from './extent-store.js';
import { CLUSTER_ID, authority, bytesOf, headerOf, put } from './testing/store-fixture.js';

describe('extent store on a file', () => {
  let folder: string;
  let path: string;
  const opened: ExtentStore[] = [];
  const openStore = async (at = path): Promise<ExtentStore> => {
    const store = await ExtentStore.open(at);
    opened.push(store);
    return store;
  };
  const format = (at = path, deviceId: string = randomUUID()): Promise<void> =>
    ExtentStore.format(at, { deviceId, clusterId: CLUSTER_ID, generation: 1, capacityBytes: 64 * MIB });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'extent-store-'));
    path = join(folder, 'device');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await rm(folder, { recursive: true });
  });

  it('keeps units over a reopen in a file of fixed size', async () => {
    const deviceId = randomUUID();
    await format(path, deviceId);
    const store = await openStore();
    expect(store.superblock).toEqual({ deviceId, clusterId: CLUSTER_ID, generation: 1, capacityBytes: 64 * MIB });
    const sizes = Array.from({ length: 200 }, (_, number) => (number % 10 === 0 ? 700 * KIB : 4 * KIB + number));
    await Promise.all(sizes.map((sizeBytes, number) => put(store, number, sizeBytes)));
    const freed = sizes.flatMap((_, number) => (number % 3 === 0 ? [headerOf(number, 0)] : []));
    expect(await store.free(freed, authority(9n))).toBe(freed.length);
    await store.close();
    const again = await openStore();
    for (const [number, sizeBytes] of sizes.entries()) {
      const unit = await again.read(headerOf(number, 0).chunkId, number % 3);
      if (number % 3 === 0) expect(unit).toBeUndefined();
      else expect(unit?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
    }
    expect((await stat(path)).size).toBe(64 * MIB);
    expect(again.status()).toMatchObject({ state: 'live', unitCount: 200 - freed.length, highestSequence: 9n });
  });

  it('opens without a clean close', async () => {
    await format();
    const store = await openStore();
    await put(store, 1, 5000);
    const copy = join(folder, 'copy');
    await writeFile(copy, await readFile(path));
    await store.close();
    const again = await openStore(copy);
    expect((await again.read(headerOf(1, 0).chunkId, 1))?.bytes.equals(bytesOf(1, 5000))).toBe(true);
  });

  it('one process owns a device, a copy of it under another path included, until it is closed', async () => {
    await format();
    const store = await openStore();
    const busy = ExtentStore.open(path);
    await expect(busy).rejects.toMatchObject({ code: 'DeviceBusy' });
    await expect(busy).rejects.toThrow(path);
    const copy = join(folder, 'copy');
    await writeFile(copy, await readFile(path));
    await expect(ExtentStore.open(copy)).rejects.toMatchObject({ code: 'BadDevice' });
    await expect(ExtentStore.open(copy)).rejects.toThrow(`${copy} and ${path} are the same device`);
    await store.close();
    await (await openStore()).close();
    await (await openStore(copy)).close();
    await openStore();
  });

  it('a device that another process has open is told with its path and id, and nothing is held of it', async () => {
    const deviceId = randomUUID();
    await format(path, deviceId);
    const script = `require('node:net').createServer().listen('\\0holdfast-device-${deviceId}', () => console.log('held'))`;
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    for (let round = 0; round < 2; round += 1) {
      await expect(ExtentStore.open(path)).rejects.toMatchObject({ code: 'DeviceBusy' });
      await expect(ExtentStore.open(path)).rejects.toThrow(`${path}, device ${deviceId}, is open in another process`);
    }
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await openStore();
  });

  it('the kernel gives a device back when its process dies', async () => {
    const deviceId = randomUUID();
    await format(path, deviceId);
    const hold = `require('node:net').createServer().listen('\\0holdfast-device-${deviceId}', () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', hold]).signal).toBe('SIGKILL');
    await openStore();
  });

  it('refuses what is no device, a newer format, a file cut off, and says what to do', async () => {
    const refuse = async (what: string, says: string): Promise<void> => {
      const opening = ExtentStore.open(path);
      await expect(opening).rejects.toMatchObject({ code: 'BadDevice' });
      await expect(opening).rejects.toThrow(path);
      await expect(opening.catch((error: Error) => `${what}: ${error.message}`)).resolves.toContain(says);
    };
    await refuse('missing', 'a new device is formatted before it is opened');
    await writeFile(path, 'a letter to my aunt');
    await refuse('foreign', 'is not a Holdfast device');
    await expect(format()).rejects.toThrow('holds something else');
    expect(await readFile(path, 'utf8')).toBe('a letter to my aunt');
    await rm(path);
    await format();
    await expect(format()).rejects.toThrow('is a Holdfast device already');
    await truncate(path, 32 * MIB);
    await refuse('shrunk', 'is cut off');
    await truncate(path, 65 * MIB);
    await refuse('grown', 'has grown');
    await truncate(path, 64 * MIB);
    const before = await readFile(path);
    for (const [version, says] of [
      [3, 'open it with the newer version'],
      [1, 'of the simple store that was replaced'],
    ] as const) {
      const file = await open(path, 'r+');
      for (let copy = 0; copy < 4; copy += 1) await file.write(Buffer.from([version, 0, 0, 0]), 0, 4, copy * 4096 + 8);
      await file.close();
      await refuse(`version ${version}`, says);
      const after = await readFile(path);
      for (let copy = 0; copy < 4; copy += 1) after.writeUInt32LE(2, copy * 4096 + 8);
      expect(after.equals(before)).toBe(true);
    }
  });

  it('a pair of files is one device: log and pages on the one, data blocks on the other', async () => {
    const metadataPath = join(folder, 'metadata');
    const options = { deviceId: randomUUID(), clusterId: CLUSTER_ID, generation: 1, capacityBytes: 64 * MIB };
    await ExtentStore.format(path, { ...options, metadataPath });
    const store = await ExtentStore.open(path, { metadataPath });
    for (const [number, sizeBytes] of [100, 5000, 700 * KIB].entries()) await put(store, number, sizeBytes);
    await store.checkpoint();
    await store.close();
    const again = await ExtentStore.open(path, { metadataPath });
    opened.push(again);
    for (const [number, sizeBytes] of [100, 5000, 700 * KIB].entries()) {
      const unit = await again.read(headerOf(number, 0).chunkId, number % 3);
      expect(unit?.bytes.equals(bytesOf(number, sizeBytes))).toBe(true);
      expect((await readFile(path)).includes(bytesOf(number, sizeBytes))).toBe(true);
    }
    await expect(ExtentStore.open(path)).rejects.toThrow('the data blocks of a pair, not a whole device');
    const other = join(folder, 'other');
    await ExtentStore.format(other, {
      ...options,
      deviceId: randomUUID(),
      metadataPath: join(folder, 'other-metadata'),
    });
    await expect(ExtentStore.open(other, { metadataPath: join(folder, 'other-metadata-2') })).rejects.toThrow(
      'cannot be opened',
    );
    await again.close();
    await expect(ExtentStore.open(other, { metadataPath })).rejects.toThrow('belong to different devices');
  });

  it('a format that was cut off can be begun again; impossible parameters are refused', async () => {
    await writeFile(path, Buffer.alloc(MIB));
    await format();
    await openStore();
    const other = join(folder, 'other');
    const options = { deviceId: randomUUID(), clusterId: CLUSTER_ID, generation: 1, capacityBytes: 64 * MIB };
    for (const change of [
      { deviceId: 'x' },
      { capacityBytes: 64 * MIB + 1 },
      { capacityBytes: 64 * KIB },
      { generation: -1 },
      { segmentBytes: 4096 },
    ]) {
      await expect(ExtentStore.format(other, { ...options, ...change })).rejects.toThrow(RangeError);
    }
    await expect(stat(other)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reads and closes side by side without touching a closed file', async () => {
    await format();
    const store = await openStore();
    await put(store, 1, 700 * KIB);
    const reads = Array.from({ length: 20 }, () => store.read(headerOf(1, 0).chunkId, 1));
    const late = put(store, 2, 700 * KIB).catch((error: { code: string }) => error.code);
    const [outcomes] = await Promise.all([Promise.allSettled(reads), store.close()]);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') expect(outcome.value?.bytes.length).toBe(700 * KIB);
    }
    expect(['written', 'DeviceDead']).toContain(await late);
  });
});
