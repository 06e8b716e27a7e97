/**
 * Where things lie; all sizes are multiples of the 4 KiB block. A device is one file
 *
 *   0             4 superblock copies, 4 KiB each
 *   16 KiB        log segment 0
 *   16 KiB + S    log segment 1                        (S = segment size)
 *   16 KiB + 2S   metadata pages, numbered from 0      (page 0 is never used: number 0 means "none")
 *   then          data blocks, numbered from 0
 *
 * or a pair of files: superblock, log and pages in the one, superblock and data blocks in the other.
 */
import { BLOCK_BYTES, KIB, MIB } from '@holdfast/stdx';

export const SUPERBLOCK_COPIES = 4;
export const SUPERBLOCK_BYTES = SUPERBLOCK_COPIES * BLOCK_BYTES;
export const SEGMENT_MIN_BYTES = 64 * KIB;
const SEGMENT_DEFAULT_MIN_BYTES = 256 * KIB;
const SEGMENT_DEFAULT_MAX_BYTES = 8 * MIB;
/** By default one 4 KiB page for 24 blocks of capacity: enough for a device full of 4 KiB units. */
const PAGE_SHARE = 24;
export const PAGES_MIN = 64;
/** Bits that one bitmap page holds. */
export const BITMAP_PAGE_BITS = (BLOCK_BYTES - 64) * 8;
/** The root page names each bitmap page with 8 bytes. */
export const BITMAP_PAGES_MAX = 440;
const PAGES_MAX = BITMAP_PAGES_MAX * BITMAP_PAGE_BITS;
/** A block number has 32 bits. */
export const CAPACITY_MAX_BYTES = 2 ** 32 * BLOCK_BYTES;
/** Part of the data area that new units may not take. */
const RESERVE_SHARE = 0.02;
const RESERVE_PAGES_MIN = 32;
const FREE_KEYS_MAX = 64;
const GROUP_MAX_BYTES = MIB;
/** Units up to this size travel in the log. */
const SMALL_UNIT_MAX_BYTES = 16 * KIB;
/** A segment full of small units moves in so many parts. */
const MOVES_OF_A_SEGMENT = 16;
/** Part of the data blocks, and of the pages, that is filled with zeros at a time, ahead of its use. */
const FILL_SHARE = 1 / 64;
const FILL_MIN = 64;
const FILL_BLOCKS_MAX = 4096;
const FILL_PAGES_MAX = 1024;
/** Most extents in one unit. */
const EXTENTS_MAX = 64;

/** Consecutive blocks of the data area. */
export interface Extent {
  readonly start: number;
  readonly blocks: number;
}

export interface LayoutSizes {
  /** Bytes of the file that holds the data blocks. */
  readonly capacityBytes: number;
  readonly segmentBytes: number;
  readonly pageCount: number;
  /** Log and pages lie in a file of their own. */
  readonly isPair: boolean;
}

export interface DeviceLayout extends LayoutSizes {
  readonly pagesStart: number;
  readonly dataStart: number;
  readonly dataBlocks: number;
  readonly reserveBlocks: number;
  /** Pages that only frees and checkpoints may take. */
  readonly reservePages: number;
  /** As `reservePages`, of those that were written once: the file system below may have no room for others. */
  readonly reserveFilledPages: number;
  /** Units that one transaction frees: its pages fit into the reserve. */
  readonly freeKeysMax: number;
  /** Largest log group, header, padding and payload included. */
  readonly groupMaxBytes: number;
  readonly smallUnitMaxBytes: number;
  /** Blocks of small units that move out of the log at a time. */
  readonly moveBlocksMax: number;
  readonly extentsMax: number;
  /** Data blocks and pages that are filled with zeros at a time. */
  readonly fillBlocks: number;
  readonly fillPages: number;
}

export function defaultSizes(capacityBytes: number): Pick<LayoutSizes, 'segmentBytes' | 'pageCount'> {
  const segmentBytes = clamp(roundDown(capacityBytes / 32), SEGMENT_DEFAULT_MIN_BYTES, SEGMENT_DEFAULT_MAX_BYTES);
  const pageCount = clamp(Math.floor(capacityBytes / BLOCK_BYTES / PAGE_SHARE), 2 * PAGES_MIN, PAGES_MAX);
  return { segmentBytes, pageCount };
}

/** Bytes that superblock, log and pages take in their file. */
export function metadataBytes({ segmentBytes, pageCount }: Pick<LayoutSizes, 'segmentBytes' | 'pageCount'>): number {
  return SUPERBLOCK_BYTES + 2 * segmentBytes + pageCount * BLOCK_BYTES;
}

/** @throws RangeError for sizes that make no device */
export function layoutOf(sizes: LayoutSizes): DeviceLayout {
  const { capacityBytes, segmentBytes, pageCount, isPair } = sizes;
  if (!isBlocks(capacityBytes) || capacityBytes > CAPACITY_MAX_BYTES)
    throw new RangeError(`capacityBytes: ${capacityBytes}`);
  if (!isBlocks(segmentBytes) || segmentBytes < SEGMENT_MIN_BYTES)
    throw new RangeError(`segmentBytes: ${segmentBytes}`);
  if (!Number.isInteger(pageCount) || pageCount < PAGES_MIN || pageCount > PAGES_MAX)
    throw new RangeError(`pageCount: ${pageCount}`);
  const dataStart = isPair ? SUPERBLOCK_BYTES : metadataBytes(sizes);
  const dataBlocks = (capacityBytes - dataStart) / BLOCK_BYTES;
  if (dataBlocks < 1) throw new RangeError(`${capacityBytes} bytes leave no room for data behind ${dataStart}`);
  const reservePages = Math.max(RESERVE_PAGES_MIN, Math.ceil(pageCount / 32));
  const groupMaxBytes = Math.min(GROUP_MAX_BYTES, roundDown(segmentBytes / 4));
  const fillPages = fillStep(pageCount, FILL_PAGES_MAX);
  return {
    ...sizes,
    pagesStart: SUPERBLOCK_BYTES + 2 * segmentBytes,
    dataStart,
    dataBlocks,
    reserveBlocks: Math.ceil(dataBlocks * RESERVE_SHARE),
    reservePages,
    reserveFilledPages: Math.min(reservePages, fillPages / 2),
    freeKeysMax: Math.min(FREE_KEYS_MAX, Math.floor(reservePages / 8)),
    groupMaxBytes,
    smallUnitMaxBytes: Math.min(SMALL_UNIT_MAX_BYTES, groupMaxBytes / 2),
    moveBlocksMax: segmentBytes / BLOCK_BYTES / MOVES_OF_A_SEGMENT,
    extentsMax: EXTENTS_MAX,
    fillBlocks: fillStep(dataBlocks, FILL_BLOCKS_MAX),
    fillPages,
  };
}

export function segmentStart(layout: Pick<LayoutSizes, 'segmentBytes'>, segment: 0 | 1): number {
  return SUPERBLOCK_BYTES + segment * layout.segmentBytes;
}

export function pagePosition(layout: Pick<DeviceLayout, 'pagesStart'>, page: number): number {
  return layout.pagesStart + page * BLOCK_BYTES;
}

export function blockPosition(layout: Pick<DeviceLayout, 'dataStart'>, block: number): number {
  return layout.dataStart + block * BLOCK_BYTES;
}

export function blocksFor(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES);
}

export function roundUp(sizeBytes: number): number {
  return blocksFor(sizeBytes) * BLOCK_BYTES;
}

/** A multiple of 8: the maps of pages are moved on by whole bytes. */
function fillStep(count: number, most: number): number {
  return clamp(Math.floor((count * FILL_SHARE) / 8) * 8, FILL_MIN, most);
}

function roundDown(sizeBytes: number): number {
  return Math.floor(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function isBlocks(sizeBytes: number): boolean {
  return Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % BLOCK_BYTES === 0;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
