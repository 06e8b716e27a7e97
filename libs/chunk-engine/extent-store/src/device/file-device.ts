/**
 * The device port over a file or a block device. Node has neither fallocate (space is filled with zeros ahead of its use:
 * engine/fill-ahead.ts) nor flock (see `claim`).
 *
 * Pages and small units go through the page cache of the kernel, from which what was just written is read again; large units
 * past it, as their readers and writers ask. The log is written past it too, by one call that returns when the bytes are
 * durable: half the calls of write and flush, and it never waits for data of others. Where the file system below cannot do
 * that, all goes through the cache, and the log is write and flush.
 */
import { createServer, type Server } from 'node:net';
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fstat,
  fsync,
  fsyncSync,
  ftruncate,
  open,
  openSync,
  read,
  writev,
} from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { BLOCK_BYTES, isPageAligned, pageMemory } from '@holdfast/stdx';
import { DeviceFile, DevicePort, type BlockKind, type IoPath } from './device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';

const openFile = promisify(open);
const truncateFile = promisify(ftruncate);
const statFile = promisify(fstat);
const syncFile = promisify(fsync);
const closeFile = promisify(close);
const syncData = promisify(fdatasync);
/** Linux takes at most 1,024 buffers in one call. */
const VECTOR_MAX = 1024;
const SECTOR_BYTES = 512;

/** One call of the kernel: may take only the first bytes, and says how many. */
type WriteCall = (buffers: readonly Uint8Array[], position: number) => Promise<number>;

/** Descriptors of one file. */
interface Descriptors {
  readonly cached: number;
  /** For direct I/O, and for direct writes that are durable when they return; undefined where that does not work. */
  readonly direct?: number;
  readonly durable?: number;
}

class FileDevice extends DeviceFile {
  private readonly underWay = new Set<Promise<unknown>>();
  private closed = false;
  private readonly descriptor: number;

  constructor(private readonly descriptors: Descriptors) {
    super();
    this.descriptor = descriptors.cached;
  }

  override read(target: Uint8Array, position: number, _kind: BlockKind, path?: IoPath): Promise<number> {
    return this.track(() => this.readAll(target, position, path));
  }

  /** Never in the calling thread: the kernel may make a writer of the page cache wait for the disk. */
  override write(buffers: readonly Uint8Array[], position: number, _kind: BlockKind, path?: IoPath): Promise<void> {
    const write: WriteCall = (left, at) => this.writeOnce(left, at, path);
    return this.track(() => this.writeAll(buffers, position, write));
  }

  override writeThrough(bytes: Uint8Array, position: number, kind: BlockKind): Promise<void> {
    const { durable } = this.descriptors;
    if (durable !== undefined) return this.track(() => this.writePart([bytes], position, writeTo(durable)));
    return this.write([bytes], position, kind).then(() => this.flush());
  }

  override flush(): Promise<void> {
    return this.track(() => syncData(this.descriptor));
  }

  override memory(sizeBytes: number): Buffer {
    return Buffer.from(pageMemory(sizeBytes).buffer, 0, sizeBytes);
  }

  override sizeBytes(): Promise<number> {
    return this.track(async () => {
      const stat = await statFile(this.descriptor);
      return stat.isFile() ? stat.size : blockDeviceBytes(stat.rdev);
    });
  }

  override reserve(capacityBytes: number): Promise<boolean> {
    return this.track(async () => {
      const stat = await statFile(this.descriptor);
      if (stat.isFile() && stat.size < capacityBytes) await truncateFile(this.descriptor, capacityBytes);
      await syncFile(this.descriptor);
      // As `dd` or `fallocate` leave a file; the blocks of the file system below that map its own count too, hence not equal.
      return !stat.isFile() || stat.blocks * SECTOR_BYTES >= capacityBytes;
    });
  }

  override async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.allSettled(this.underWay);
    const { cached, direct, durable } = this.descriptors;
    for (const descriptor of [cached, direct, durable]) if (descriptor !== undefined) await closeFile(descriptor);
  }

  /** The descriptor is closed only when no call uses it: its number may belong to another file a moment later. */
  private async track<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.closed) throw Object.assign(new Error('the device is closed'), { code: 'EBADF' });
    const promise = work();
    this.underWay.add(promise);
    try {
      return await promise;
    } finally {
      this.underWay.delete(promise);
    }
  }

  private async readAll(target: Uint8Array, position: number, path?: IoPath): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const sizeBytes = await this.readOnce(target.subarray(done), position + done, path);
      if (sizeBytes === 0) break;
      done += sizeBytes;
    }
    return done;
  }

  private async writeAll(buffers: readonly Uint8Array[], position: number, write: WriteCall): Promise<void> {
    for (let from = 0, at = position; from < buffers.length; from += VECTOR_MAX) {
      const part = buffers.slice(from, from + VECTOR_MAX);
      await this.writePart(part, at, write);
      for (const buffer of part) at += buffer.length;
    }
  }

  private readOnce(target: Uint8Array, position: number, path?: IoPath): Promise<number> {
    const descriptor = this.descriptorFor([target], position, path);
    return new Promise((resolve, reject) => {
      read(descriptor, target, 0, target.length, position, (error, sizeBytes) => {
        if (error) reject(error);
        else resolve(sizeBytes);
      });
    });
  }

  private async writePart(part: readonly Uint8Array[], position: number, write: WriteCall): Promise<void> {
    let left = part.filter((buffer) => buffer.length > 0);
    let at = position;
    while (left.length > 0) {
      const written = await write(left, at);
      if (written === 0) throw Object.assign(new Error(`no byte was written at ${at}`), { code: 'EIO' });
      at += written;
      left = dropBytes(left, written);
    }
  }

  private writeOnce(buffers: readonly Uint8Array[], position: number, path?: IoPath): Promise<number> {
    return writeTo(this.descriptorFor(buffers, position, path))(buffers, position);
  }

  /** What is left of a call that was cut short may be aligned no more. */
  private descriptorFor(buffers: readonly Uint8Array[], position: number, path?: IoPath): number {
    const { cached, direct } = this.descriptors;
    if (path !== 'past-cache' || direct === undefined || position % BLOCK_BYTES !== 0) return cached;
    return buffers.every(isPageAligned) ? direct : cached;
  }
}

function writeTo(descriptor: number) {
  return (buffers: readonly Uint8Array[], position: number): Promise<number> =>
    new Promise((resolve, reject) => {
      writev(descriptor, buffers as Uint8Array[], position, (error, sizeBytes) => {
        if (error) reject(error);
        else resolve(sizeBytes);
      });
    });
}

/** What is left after a write that took only the first `sizeBytes`. */
function dropBytes(buffers: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  let skip = sizeBytes;
  const left: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      left.push(buffer.subarray(skip));
      skip = 0;
    }
  }
  return left;
}

export class FileDevicePort extends DevicePort {
  override async open(path: string, { readOnly = false } = {}): Promise<DeviceFile> {
    await checkKind(path);
    const access = readOnly ? constants.O_RDONLY : constants.O_RDWR;
    const cached = await openFile(path, access);
    const direct = await openDirect(path, access);
    if (readOnly) return new FileDevice({ cached, direct });
    return new FileDevice({ cached, direct, durable: await openDirect(path, access | constants.O_DSYNC) });
  }

  override async create(path: string): Promise<DeviceFile> {
    await checkKind(path);
    const descriptor = await openFile(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    syncFolder(dirname(path));
    return new FileDevice({ cached: descriptor });
  }

  /** Holds an abstract socket named by the device id: the kernel gives it back when the process ends, however it ends. */
  override async claim(deviceId: string, path: string): Promise<() => Promise<void>> {
    const holder = claimed.get(deviceId);
    if (holder !== undefined) throw await heldHere(deviceId, path, holder);
    claimed.set(deviceId, path);
    const server = createServer((socket) => socket.destroy());
    server.unref();
    try {
      await listen(server, `\0holdfast-device-${deviceId}`, path, deviceId);
    } catch (error) {
      claimed.delete(deviceId);
      throw error;
    }
    return () =>
      new Promise((resolve) => {
        server.close(() => {
          claimed.delete(deviceId);
          resolve();
        });
      });
  }
}

/** Devices that this process holds, with the paths they were opened by. */
const claimed = new Map<string, string>();

/** Why a device cannot be claimed that this process holds already. */
async function heldHere(deviceId: string, path: string, holder: string): Promise<ExtentStoreError> {
  const isSame = async (): Promise<boolean> => (await realpath(path)) === (await realpath(holder));
  if (await isSame().catch(() => path === holder))
    return new ExtentStoreError('DeviceBusy', `${path} is open in this process already. Name each device once.`);
  const advice =
    'One file is a copy of the other: take the copy away, and give each device a file that was formatted for it.';
  return new ExtentStoreError('BadDevice', `${path} and ${holder} are the same device, ${deviceId}. ${advice}`);
}

/** Opening a pipe would wait for its other end, and other things have no blocks. */
async function checkKind(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  // What cannot be asked cannot be opened either: that call says why.
  if (found === undefined || found.isFile() || found.isBlockDevice()) return;
  throw new Error(`it is ${found.isDirectory() ? 'a directory' : 'a pipe or the like'}, and no file or block device`);
}

/** Undefined where the file system knows no direct I/O. */
async function openDirect(path: string, flags: number): Promise<number | undefined> {
  return openFile(path, flags | constants.O_DIRECT).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EINVAL' || error.code === 'EOPNOTSUPP') return undefined;
    throw error;
  });
}

/** The kernel's own number: Node cannot ask a block device for its size. */
async function blockDeviceBytes(device: number): Promise<number> {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * SECTOR_BYTES;
}

function listen(server: Server, name: string, path: string, deviceId: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') reject(error);
      else {
        const advice =
          'Stop the process that has it open, or give this one another device; a file that was copied is no device of its own.';
        reject(
          new ExtentStoreError('DeviceBusy', `${path}, device ${deviceId}, is open in another process. ${advice}`),
        );
      }
    });
    server.listen({ path: name, exclusive: true }, resolve);
  });
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
