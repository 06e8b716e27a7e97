/** Makes a device of files that are empty or not there. */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceFile, DevicePort } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import {
  SUPERBLOCK_BYTES,
  defaultSizes,
  layoutOf,
  metadataBytes,
  segmentStart,
  type DeviceLayout,
} from '../format/device-layout.js';
import { writeZeros } from '../device/zeros.js';
import { looksLikeDevice, uuidToBytes, writeSuperblock, type FileRole, type Superblock } from '../format/superblock.js';

export interface FormatOptions {
  /** UUID, lower case. */
  readonly deviceId: string;
  /** UUID, lower case. */
  readonly clusterId: string;
  /** Generation of the device: which replacement in its slot it is. */
  readonly generation: number;
  /** Size of the file with the data blocks, fixed for its life; a multiple of 4 KiB. */
  readonly capacityBytes: number;
  /** Puts log and metadata pages into a file of their own. */
  readonly metadataPath?: string;
  /** Size of each of the two log segments; by default 1/32 of the capacity, between 256 KiB and 16 MiB. */
  readonly segmentBytes?: number;
  /** Metadata pages of 4 KiB; by default one for 24 blocks of capacity. */
  readonly pageCount?: number;
}

/** @throws ExtentStoreError BadDevice when a file holds anything; RangeError for impossible sizes or ids */
export async function formatDevice(io: DevicePort, path: string, options: FormatOptions): Promise<void> {
  const { capacityBytes, metadataPath, generation } = options;
  uuidToBytes(options.deviceId);
  uuidToBytes(options.clusterId);
  if (!Number.isSafeInteger(generation) || generation < 0) throw new RangeError(`generation: ${generation}`);
  const layout = layoutOf({
    ...defaultSizes(capacityBytes),
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    ...(options.pageCount === undefined ? {} : { pageCount: options.pageCount }),
    capacityBytes,
    isPair: metadataPath !== undefined,
  });
  // The file with the log comes last: without it the other one is no device yet.
  if (metadataPath === undefined) await formatFile(io, path, options, layout, 'all', 0);
  else {
    const filledBlocks = await formatFile(io, path, options, layout, 'data', 0);
    await formatFile(io, metadataPath, options, layout, 'metadata', filledBlocks);
  }
}

/**
 * @param filledBlocks data blocks in the other file that were written; of a file with data blocks 0
 * @returns those of both files
 */
async function formatFile(
  io: DevicePort,
  path: string,
  options: FormatOptions,
  layout: DeviceLayout,
  role: FileRole,
  filledBlocks: number,
): Promise<number> {
  const sizeBytes = role === 'metadata' ? metadataBytes(layout) : layout.capacityBytes;
  const file = await io.create(path).catch((cause: Error) => {
    throw new ExtentStoreError('BadDevice', `${path} cannot be made: ${cause.message}`, { cause });
  });
  try {
    await checkBlank(file, path);
    const hasPlaces = await file.reserve(sizeBytes);
    const blocks = filledBlocks + (await fillData(file, layout, role, hasPlaces));
    const filledPages = await fillMetadata(file, layout, role, hasPlaces);
    await file.flush();
    const filled = role === 'data' ? { filledBlocks: 0, filledPages: 0 } : { filledBlocks: blocks, filledPages };
    // Last, so that a format that was cut off leaves no device and can be begun again.
    await writeSuperblock(file, { ...firstSuperblock(options, layout, role), ...filled });
    return blocks;
  } finally {
    await file.close();
  }
}

function firstSuperblock(options: FormatOptions, layout: DeviceLayout, role: FileRole): Superblock {
  const isData = role === 'data';
  return {
    deviceId: options.deviceId,
    clusterId: options.clusterId,
    deviceGeneration: options.generation,
    sequence: 1,
    capacityBytes: layout.capacityBytes,
    role,
    segmentBytes: isData ? 0 : layout.segmentBytes,
    pageCount: isData ? 0 : layout.pageCount,
    firstSegment: 0,
    logGeneration: 0,
    firstGroupSequence: isData ? 0 : 1,
    knownFlushed: 0,
    databaseGeneration: 0,
    highestSequence: 0n,
    checkpoint: 0,
    rootPage: 0,
    rootChecksum: 0,
    filledBlocks: 0,
    filledPages: 0,
  };
}

/** Writes the first data blocks ahead of their use (see fill-ahead.ts); resolves to how many were written, now or before. */
async function fillData(file: DeviceFile, layout: DeviceLayout, role: FileRole, hasPlaces: boolean): Promise<number> {
  if (role === 'metadata') return 0;
  if (hasPlaces) return layout.dataBlocks;
  const blocks = Math.min(layout.fillBlocks, layout.dataBlocks);
  await writeZeros(file, 'data', layout.dataStart, blocks * BLOCK_BYTES);
  return blocks;
}

/** In the same way the whole log, and the first pages. */
async function fillMetadata(
  file: DeviceFile,
  layout: DeviceLayout,
  role: FileRole,
  hasPlaces: boolean,
): Promise<number> {
  if (role === 'data') return 0;
  await writeZeros(file, 'log', segmentStart(layout, 0), 2 * layout.segmentBytes);
  if (hasPlaces) return layout.pageCount;
  await writeZeros(file, 'page', layout.pagesStart, layout.fillPages * BLOCK_BYTES);
  return layout.fillPages;
}

async function checkBlank(file: DeviceFile, path: string): Promise<void> {
  if (await looksLikeDevice(file)) {
    const advice = 'Open it instead, or remove it first when its units are not needed.';
    throw new ExtentStoreError('BadDevice', `${path} is a Holdfast device already. ${advice}`);
  }
  const advice = 'Choose another path, or empty the file (of a block device: zero its first 16 KiB).';
  const probe = Buffer.alloc(SUPERBLOCK_BYTES);
  const sizeBytes = await file.read(probe, 0, 'superblock');
  if (probe.subarray(0, sizeBytes).some((byte) => byte !== 0))
    throw new ExtentStoreError('BadDevice', `${path} holds something else. ${advice}`);
}
