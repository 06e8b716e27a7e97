import { assert, BLOCK_BYTES } from '@holdfast/stdx';
import { LIMITS, type RedundancyProfile } from '@holdfast/contracts';
import { splitChunk, storedUnitSize } from '@holdfast/erasure';
import { smallerProfiles } from '@holdfast/placement';
import { codeFor } from './erasure-codes.js';

const DEVICES_MAX = 32;

/**
 * Bytes of parity that a chunk may need in the profile or in any smaller layout. With k = 1 parity units are the chunk
 * itself.
 */
function parityBytesMax(sizeBytes: number, profile: Pick<RedundancyProfile, 'k' | 'm'>): number {
  const shapes = [profile, ...smallerProfiles(profile, DEVICES_MAX)].filter(({ k }) => k > 1);
  return Math.max(0, ...shapes.map(({ k, m }) => m * roundToBlock(storedUnitSize(sizeBytes, k, k))));
}

const roundToBlock = (sizeBytes: number): number => Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;

/** Memory for a chunk of at most `sizeBytes` and its parity, whatever layout it ends in. */
export function groupBytesFor(sizeBytes: number, profile: Pick<RedundancyProfile, 'k' | 'm'>): number {
  return roundToBlock(sizeBytes) + parityBytesMax(sizeBytes, profile);
}

/**
 * The k+m units of a chunk as views: data units of `chunk`, parity computed into `parity` (which the views then use). With
 * k = 1 every unit is the chunk.
 */
export function encodeGroup(chunk: Buffer, parity: Buffer, k: number, m: number): Buffer[] {
  if (k === 1) {
    const copies = [chunk];
    while (copies.length <= m) copies.push(chunk);
    return copies;
  }
  const units = splitChunk(chunk, k).units;
  const parityUnitBytes = storedUnitSize(chunk.length, k, k);
  const stride = roundToBlock(parityUnitBytes);
  assert(parity.length >= m * stride, 'the buffer of a chunk holds its parity', { k, m, parity: parity.length });
  const parityUnits: Buffer[] = [];
  for (let index = 0; index < m; index += 1)
    parityUnits.push(parity.subarray(index * stride, index * stride + parityUnitBytes));
  codeFor(k, m).encode(units, parityUnits);
  return [...units, ...parityUnits];
}

/** The data region and the parity region of a group's memory. */
export function groupRegions(memory: Buffer, sizeBytesMax: number): { data: Buffer; parity: Buffer } {
  assert(sizeBytesMax <= LIMITS.chunkBytesMax, 'a chunk is at most 8 MiB', { sizeBytesMax });
  return { data: memory.subarray(0, sizeBytesMax), parity: memory.subarray(roundToBlock(sizeBytesMax)) };
}
