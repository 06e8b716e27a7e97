/**
 * Where things lie on a device; all sizes are multiples of the 4 KiB block.
 *
 *   0            4 superblock copies, 4 KiB each
 *   16 KiB       log half 0
 *   16 KiB + L   log half 1                       (L = log half size)
 *   16 KiB + 2L  data area, in blocks of 4 KiB, numbered from 0
 */
import { BLOCK_BYTES, KIB, MIB, assert } from '@holdfast/stdx';

export const SUPERBLOCK_COPIES = 4;
export const LOG_START = SUPERBLOCK_COPIES * BLOCK_BYTES;
export const LOG_HALF_MIN_BYTES = 64 * KIB;
const LOG_HALF_MAX_BYTES = 128 * MIB;
/** Bytes covered by one checksum of a unit. */
export const SLICE_BYTES = 64 * KIB;
/** An extent in a record has 32-bit block numbers. */
export const CAPACITY_MAX_BYTES = 2 ** 32 * BLOCK_BYTES;
/** Part of the data area that new units may not take. */
const RESERVE_SHARE = 0.02;
/** Part of a log half that the live records may fill, so that a snapshot leaves room to append. */
const LIVE_RECORDS_SHARE = 0.6;
const GROUP_MAX_BYTES = 256 * KIB;
/** Bytes of a log group before its records. */
export const GROUP_HEADER_BYTES = 64;
const EXTENTS_MAX = 512;

/** Consecutive blocks of the data area. */
export interface Extent {
  readonly start: number;
  readonly blocks: number;
}

export interface DeviceLayout {
  readonly capacityBytes: number;
  readonly logHalfBytes: number;
  readonly dataStart: number;
  readonly dataBlocks: number;
  readonly reserveBlocks: number;
  /** Largest log group, header and padding included. */
  readonly groupMaxBytes: number;
  /** Most extents in one unit; an eighth of a group at most, so that groups of a snapshot are filled well. */
  readonly extentsMax: number;
  /** Most bytes the records of live units may take. */
  readonly liveRecordsMaxBytes: number;
}

export function defaultLogHalfBytes(capacityBytes: number): number {
  return Math.min(LOG_HALF_MAX_BYTES, Math.max(LOG_HALF_MIN_BYTES, roundDown(capacityBytes / 32)));
}

export function layoutOf(capacityBytes: number, logHalfBytes: number): DeviceLayout {
  assert(logHalfBytes % BLOCK_BYTES === 0 && logHalfBytes >= LOG_HALF_MIN_BYTES, 'A log half', { logHalfBytes });
  assert(capacityBytes % BLOCK_BYTES === 0 && capacityBytes <= CAPACITY_MAX_BYTES, 'A capacity', { capacityBytes });
  const dataStart = LOG_START + 2 * logHalfBytes;
  const dataBlocks = (capacityBytes - dataStart) / BLOCK_BYTES;
  assert(dataBlocks > 0, 'A device has room for data', { capacityBytes, logHalfBytes });
  const groupMaxBytes = Math.min(GROUP_MAX_BYTES, roundDown(logHalfBytes / 8));
  const extentsMax = Math.min(EXTENTS_MAX, Math.floor((groupMaxBytes / 8 - 576) / 8));
  return {
    capacityBytes,
    logHalfBytes,
    dataStart,
    dataBlocks,
    reserveBlocks: Math.ceil(dataBlocks * RESERVE_SHARE),
    groupMaxBytes,
    extentsMax,
    liveRecordsMaxBytes: Math.floor(logHalfBytes * LIVE_RECORDS_SHARE),
  };
}

export function groupPayloadMax(layout: DeviceLayout): number {
  return layout.groupMaxBytes - GROUP_HEADER_BYTES;
}

export function logHalfStart(layout: DeviceLayout, half: 0 | 1): number {
  return LOG_START + half * layout.logHalfBytes;
}

export function blocksFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES);
}

export function slicesFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / SLICE_BYTES);
}

export function positionOf(layout: DeviceLayout, block: number): number {
  return layout.dataStart + block * BLOCK_BYTES;
}

function roundDown(sizeBytes: number): number {
  return Math.floor(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}
