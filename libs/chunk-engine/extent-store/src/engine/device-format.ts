/** Makes a device of files that are empty or not there. */
import { MIB } from '@holdfast/stdx';
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

const ZEROS_BYTES = MIB;

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
  if (metadataPath !== undefined) await formatFile(io, path, options, layout, 'data');
  await formatFile(io, metadataPath ?? path, options, layout, metadataPath === undefined ? 'all' : 'metadata');
}

async function formatFile(
  io: DevicePort,
  path: string,
  options: FormatOptions,
  layout: DeviceLayout,
  role: FileRole,
): Promise<void> {
  const sizeBytes = role === 'metadata' ? metadataBytes(layout) : layout.capacityBytes;
  const file = await io.create(path).catch((cause: Error) => {
    throw new ExtentStoreError('BadDevice', `${path} cannot be made: ${cause.message}`, { cause });
  });
  try {
    await checkBlank(file, path);
    await file.reserve(sizeBytes);
    // The log is written ahead of its use: an append then changes no block of the file system but its own.
    if (role !== 'data') await fillWithZeros(file, segmentStart(layout, 0), 2 * layout.segmentBytes);
    await file.flush();
    // Last, so that a format that was cut off leaves no device and can be begun again.
    await writeSuperblock(file, firstSuperblock(options, layout, role));
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
  };
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

async function fillWithZeros(file: DeviceFile, start: number, sizeBytes: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(ZEROS_BYTES, sizeBytes));
  for (let at = 0; at < sizeBytes; at += zeros.length)
    await file.write([zeros.subarray(0, Math.min(zeros.length, sizeBytes - at))], start + at, 'log');
}
