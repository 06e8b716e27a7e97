import { statfs } from 'node:fs/promises';
import { BLOCK_BYTES, GIB, MIB } from '@holdfast/stdx';

const SHARE_OF_FREE = 0.7;
const LARGEST_BYTES = 256 * GIB;
const SMALLEST_BYTES = 256 * MIB;

/**
 * Size of one of `count` new device files in `directory` when nobody says one: together seven tenths of what is free there.
 * The files grow as they are written, so this is a limit and not what is taken at once.
 */
export async function deviceCapacityBytes(directory: string, count: number): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  const share = (bavail * bsize * SHARE_OF_FREE) / count;
  const bounded = Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, share));
  return Math.floor(bounded / BLOCK_BYTES) * BLOCK_BYTES;
}
