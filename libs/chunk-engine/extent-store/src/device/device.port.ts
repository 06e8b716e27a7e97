/** The device as the engine sees it. A simulated one cuts the power, lies, or fails at any call. */

/** What a read or write is for; counted by the simulated device, so that tests can hold the order of writes. */
export type BlockKind = 'superblock' | 'log' | 'page' | 'data';

/**
 * How bytes go: through the page cache of the kernel, or past it, straight between the device and the memory given. Past it
 * only where positions and memory are whole pages (`isPageAligned` of stdx) and the file system can; else through it. Both
 * see the same bytes.
 */
export type IoPath = 'through-cache' | 'past-cache';

export abstract class DeviceFile {
  /**
   * Fills `target` from `position`; resolves to the bytes read, fewer only at the end of the device. By default through the
   * cache.
   */
  abstract read(target: Uint8Array, position: number, kind: BlockKind, path?: IoPath): Promise<number>;
  /**
   * Writes all buffers one after the other from `position`. The bytes are durable only after `flush`, whichever way they
   * went; by default through the cache.
   */
  abstract write(buffers: readonly Uint8Array[], position: number, kind: BlockKind, path?: IoPath): Promise<void>;
  /**
   * Writes one buffer, whole blocks of 4 KiB from `memory`, which is durable when this resolves. It says nothing about
   * other writes.
   */
  abstract writeThrough(bytes: Uint8Array, position: number, kind: BlockKind): Promise<void>;
  /** Resolves when every write that resolved before the call is durable. */
  abstract flush(): Promise<void>;
  /** Zeroed memory that `writeThrough` can write from. */
  abstract memory(sizeBytes: number): Buffer;
  /** Bytes of the file or block device. */
  abstract sizeBytes(): Promise<number>;
  /**
   * Makes a regular file at least this long; a block device is as long as it is. Resolves to true when every block of it has
   * its place on the disk already; otherwise a block gets one when it is first written.
   */
  abstract reserve(capacityBytes: number): Promise<boolean>;
  /** Resolves when nothing is under way any more; later calls of the others reject. */
  abstract close(): Promise<void>;
}

export abstract class DevicePort {
  /** Opens an existing device file for reading and, unless `readOnly`, for writing. */
  abstract open(path: string, options?: { readOnly?: boolean }): Promise<DeviceFile>;
  /** Opens the file, or makes an empty one whose directory entry is durable. */
  abstract create(path: string): Promise<DeviceFile>;
  /** Takes the device for this process; resolves to the function that gives it back. DeviceBusy when it is taken. */
  abstract claim(deviceId: string, path: string): Promise<() => Promise<void>>;
}
