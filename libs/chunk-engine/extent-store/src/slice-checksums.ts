/**
 * The checksum of a slice: CRC-32 (zlib's) of its bytes, begun from a seed of chunk id, unit index and slice number. A
 * block that was written to or read from the wrong place therefore does not verify, even when it is whole in itself.
 */
import { crc32 } from 'node:zlib';
import { SLICE_BYTES } from './device-layout.js';
import type { UnitKey } from './unit-header.js';

/** Seeds of the slices of one unit. */
export function unitSeed({ chunkId, unitIndex }: UnitKey): number {
  return crc32(`${chunkId}/${unitIndex}`);
}

/** Checksum of slice `sliceIndex` of the unit with this seed. */
export function sliceChecksum(seed: number, sliceIndex: number, bytes: Uint8Array): number {
  return crc32(bytes, sliceStart(seed, sliceIndex));
}

function sliceStart(seed: number, sliceIndex: number): number {
  return (seed ^ Math.imul(sliceIndex, 0x9e37_79b1)) >>> 0;
}

/** Checksums of the unit whose bytes are these buffers one after the other. */
export function checksumsOf(key: UnitKey, buffers: readonly Uint8Array[]): number[] {
  const seed = unitSeed(key);
  const checksums: number[] = [];
  let running = sliceStart(seed, 0);
  let filled = 0;
  for (const buffer of buffers) {
    for (let from = 0; from < buffer.length;) {
      const taken = Math.min(buffer.length - from, SLICE_BYTES - filled);
      running = crc32(buffer.subarray(from, from + taken), running);
      from += taken;
      filled += taken;
      if (filled < SLICE_BYTES) continue;
      checksums.push(running);
      running = sliceStart(seed, checksums.length);
      filled = 0;
    }
  }
  if (filled > 0) checksums.push(running);
  return checksums;
}
