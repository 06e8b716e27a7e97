/** What the file device asks of the kernel, and what it makes of the kernel's answers. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type * as FileSystem from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BLOCK_BYTES, pageMemory } from '@holdfast/stdx';
import type { DeviceFile } from './device.port.js';

const real = await import('node:fs');
const { O_DIRECT, O_DSYNC } = real.constants;

/** Calls of the kernel in order, and what they are to answer. */
const calls: string[] = [];
const kernel = { takesBytes: Infinity, error: undefined as string | undefined, knowsDirect: true };
/** What each descriptor was opened for. */
const flagsOf = new Map<number, number>();

const failure = (code: string): Error => Object.assign(new Error(code), { code });

jest.unstable_mockModule('node:fs', () => ({
  ...real,
  open: ((path, flags, ...rest) => {
    const done = rest.at(-1) as (error: Error | null, descriptor?: number) => void;
    if (!kernel.knowsDirect && (Number(flags) & O_DIRECT) !== 0) return done(failure('EINVAL'));
    // The file system of the test may not know direct I/O: what was asked for is noted.
    real.open(path, Number(flags) & ~O_DIRECT, 0o600, (error, descriptor) => {
      if (error === null) flagsOf.set(descriptor, Number(flags));
      done(error, descriptor);
    });
  }) as typeof FileSystem.open,
  writev: ((descriptor: number, buffers: readonly Uint8Array[], position: number, done: FileSystem.NoParamCallback) => {
    const isDirect = ((flagsOf.get(descriptor) ?? 0) & (O_DIRECT | O_DSYNC)) === (O_DIRECT | O_DSYNC);
    const isPastCache = ((flagsOf.get(descriptor) ?? 0) & O_DIRECT) !== 0;
    calls.push(isDirect ? 'write durably' : isPastCache ? 'write past the cache' : 'write');
    if (kernel.error !== undefined) return done(failure(kernel.error));
    const taken = Buffer.concat(buffers).subarray(0, kernel.takesBytes);
    real.write(descriptor, taken, 0, taken.length, position, done);
  }) as unknown as typeof FileSystem.writev,
  fdatasync: ((descriptor, done) => {
    calls.push('flush');
    if (kernel.error !== undefined) return done(failure(kernel.error));
    real.fdatasync(descriptor, done);
  }) as typeof FileSystem.fdatasync,
}));

const { FileDevicePort } = await import('./file-device.js');

describe('file device', () => {
  let folder: string;
  let path: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'file-device-'));
    path = join(folder, 'device');
  });
  afterAll(() => rm(folder, { recursive: true }));
  beforeEach(async () => {
    Object.assign(kernel, { takesBytes: Infinity, error: undefined, knowsDirect: true });
    await writeFile(path, Buffer.alloc(8 * BLOCK_BYTES, 0xee));
  });

  async function withDevice(work: (device: DeviceFile) => Promise<void>): Promise<void> {
    const device = await new FileDevicePort().open(path);
    calls.length = 0;
    await work(device);
    await device.close();
  }

  const parts = [1000, 0, 4096, 7096].map((sizeBytes, index) => Buffer.alloc(sizeBytes, index + 1));
  const expected = Buffer.alloc(8 * BLOCK_BYTES, 0xee);
  Buffer.concat(parts).copy(expected, BLOCK_BYTES);

  it('seed-2.22: a write of which the kernel takes a part goes on with the rest, behind it', async () => {
    for (const takesBytes of [12_192, 4096, 999, 1000, 1001]) {
      kernel.takesBytes = takesBytes;
      await writeFile(path, Buffer.alloc(8 * BLOCK_BYTES, 0xee));
      await withDevice(async (device) => {
        await device.write(parts, BLOCK_BYTES, 'data');
        expect(calls).toHaveLength(Math.ceil(12_192 / takesBytes));
      });
      expect((await readFile(path)).equals(expected)).toBe(true);
    }
  });

  it('seed-2.22: a write of which the kernel takes nothing, and any error of it, is an error', async () => {
    await withDevice(async (device) => {
      kernel.takesBytes = 0;
      await expect(device.write(parts, 0, 'data')).rejects.toMatchObject({ code: 'EIO' });
      await expect(device.writeThrough(parts[2], 0, 'log')).rejects.toMatchObject({ code: 'EIO' });
      kernel.takesBytes = Infinity;
      for (const error of ['EIO', 'ENOSPC']) {
        kernel.error = error;
        await expect(device.write(parts, 0, 'data')).rejects.toMatchObject({ code: error });
        await expect(device.writeThrough(parts[2], 0, 'log')).rejects.toMatchObject({ code: error });
        await expect(device.flush()).rejects.toMatchObject({ code: error });
      }
    });
  });

  it('seed-2.21: what is written through is durable by its own call, or flushed where the file system knows no such call', async () => {
    for (const knowsDirect of [true, false]) {
      kernel.knowsDirect = knowsDirect;
      await withDevice(async (device) => {
        const bytes = device.memory(BLOCK_BYTES).fill(knowsDirect ? 3 : 4);
        await device.writeThrough(bytes, 2 * BLOCK_BYTES, 'log');
        expect(calls).toEqual(knowsDirect ? ['write durably'] : ['write', 'flush']);
        const there = (await readFile(path)).subarray(2 * BLOCK_BYTES, 3 * BLOCK_BYTES);
        expect(there.equals(bytes)).toBe(true);
      });
    }
  });

  it('writes past the cache what lies in whole pages, where it was asked to and the file system can', async () => {
    const memory = Buffer.from(pageMemory(4 * BLOCK_BYTES).buffer, 0, 4 * BLOCK_BYTES).fill(9);
    const [first, second] = [memory.subarray(0, BLOCK_BYTES), memory.subarray(2 * BLOCK_BYTES)];
    const cases: [readonly Uint8Array[], number, boolean, string[]][] = [
      [[first, second], BLOCK_BYTES, true, ['write past the cache']],
      [[first, second], 100, true, ['write']],
      [[first, memory.subarray(1, 4097)], 0, true, ['write']],
      [[first, Buffer.alloc(BLOCK_BYTES, 9)], 0, true, ['write']],
      [[first, memory.subarray(0, 4095)], 0, true, ['write']],
      [[first, second], BLOCK_BYTES, false, ['write']],
    ];
    for (const [buffers, position, knowsDirect, expectedCalls] of cases) {
      kernel.knowsDirect = knowsDirect;
      await withDevice(async (device) => {
        await device.write(buffers, position, 'data', 'past-cache');
        expect(calls).toEqual(expectedCalls);
        await device.write(buffers, position, 'data');
        expect(calls.at(-1)).toBe('write');
        const back = device.memory(Buffer.concat(buffers).length);
        expect(await device.read(back, position, 'data', 'past-cache')).toBe(back.length);
        expect(back.every((byte) => byte === 9)).toBe(true);
      });
    }
  });

  it('goes on through the cache when a write past it ended within a page', async () => {
    kernel.takesBytes = 5000;
    await withDevice(async (device) => {
      await device.write([device.memory(2 * BLOCK_BYTES).fill(5)], 0, 'data', 'past-cache');
      expect(calls).toEqual(['write past the cache', 'write']);
    });
    expect((await readFile(path)).subarray(0, 2 * BLOCK_BYTES).every((byte) => byte === 5)).toBe(true);
  });

  it('seed-2.21: a write is none without a flush, and a flush asks the kernel for one', async () => {
    await withDevice(async (device) => {
      await device.write(parts, BLOCK_BYTES, 'data');
      expect(calls).toEqual(['write']);
      await device.flush();
      expect(calls).toEqual(['write', 'flush']);
    });
    expect((await readFile(path)).equals(expected)).toBe(true);
  });

  it('opens for reading only what is only looked at', async () => {
    const device = await new FileDevicePort().open(path, { readOnly: true });
    await expect(device.write(parts, 0, 'data')).rejects.toMatchObject({ code: 'EBADF' });
    await device.close();
    expect((await readFile(path)).every((byte) => byte === 0xee)).toBe(true);
  });
});
