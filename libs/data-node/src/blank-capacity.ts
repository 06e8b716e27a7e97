/** Finds out whether a file or block device that is there already may become a device: only one that holds nothing may. */
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { BLOCK_BYTES, MIB } from '@holdfast/stdx';

/** The first and the last bytes that must be zero. Wide enough for the marks of file systems, volumes and partition tables. */
const PROBE_BYTES = MIB;
const SECTOR_BYTES = 512;
/** The largest device that the format can address. */
const CAPACITY_MAX_BYTES = 2 ** 32 * BLOCK_BYTES;

/**
 * Bytes a new device at `path` is to have: `createBytes` when nothing is there or an empty file, its own size when it is a file
 * or block device of zeros. Undefined when it holds anything, or is neither. Errors: those of the file system.
 */
export async function blankCapacityBytes(path: string, createBytes: number): Promise<number | undefined> {
  const kind = await stat(path).catch(() => undefined);
  // Opening a pipe would wait for its other end.
  if (kind !== undefined && !kind.isFile() && !kind.isBlockDevice()) return undefined;
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return createBytes;
  try {
    const found = await file.stat();
    if (found.isFile() && found.size === 0) return createBytes;
    const sizeBytes = found.isFile() ? found.size : await blockDeviceBytes(found.rdev);
    const lastStart = Math.max(0, sizeBytes - PROBE_BYTES);
    if (!(await isZero(file, 0)) || !(await isZero(file, lastStart))) return undefined;
    return Math.min(CAPACITY_MAX_BYTES, Math.floor(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES);
  } finally {
    await file.close();
  }
}

/** The kernel's own number: Node cannot ask a block device for its size. */
async function blockDeviceBytes(device: number): Promise<number> {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * SECTOR_BYTES;
}

async function isZero(file: FileHandle, start: number): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, start);
  return buffer.subarray(0, bytesRead).every((byte) => byte === 0);
}
