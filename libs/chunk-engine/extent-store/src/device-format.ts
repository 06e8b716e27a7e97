/** Makes a device of an empty file or block device. */
import { BLOCK_BYTES, MIB } from '@holdfast/stdx';
import {
  CAPACITY_MAX_BYTES,
  LOG_HALF_MIN_BYTES,
  LOG_START,
  SUPERBLOCK_COPIES,
  defaultLogHalfBytes,
  layoutOf,
} from './device-layout.js';
import type { DeviceFile, DevicePort } from './device.port.js';
import { ExtentStoreError } from './extent-store-error.js';
import { looksLikeDevice, uuidToBytes, writeSuperblock, type Superblock } from './superblock.js';

export interface FormatParameters {
  readonly deviceId: string;
  readonly clusterId: string;
  readonly generation: number;
  readonly capacityBytes: number;
  readonly logHalfBytes?: number;
}

export async function formatDevice(io: DevicePort, path: string, parameters: FormatParameters): Promise<void> {
  const superblock = firstSuperblock(parameters);
  const device = await io.create(path).catch((cause: Error) => {
    throw new ExtentStoreError('BadDevice', `${path} cannot be made: ${cause.message}`, { cause });
  });
  try {
    await refuseUsed(device, path);
    await device.reserve(superblock.capacityBytes);
    await zeroLog(device, 2 * superblock.logHalfBytes);
    // Last, so that a format that was cut off leaves no device and can be begun again.
    await writeSuperblock(device, superblock);
  } finally {
    await device.close();
  }
}

function firstSuperblock(parameters: FormatParameters): Superblock {
  const { deviceId, clusterId, generation, capacityBytes } = parameters;
  const logHalfBytes = parameters.logHalfBytes ?? defaultLogHalfBytes(capacityBytes);
  uuidToBytes(deviceId);
  uuidToBytes(clusterId);
  if (!Number.isSafeInteger(generation) || generation < 0) throw new RangeError(`generation: ${generation}`);
  if (capacityBytes % BLOCK_BYTES !== 0 || capacityBytes > CAPACITY_MAX_BYTES) {
    throw new RangeError(`capacityBytes is a multiple of ${BLOCK_BYTES}, at most 16 TiB: ${capacityBytes}`);
  }
  if (logHalfBytes % BLOCK_BYTES !== 0 || logHalfBytes < LOG_HALF_MIN_BYTES) {
    throw new RangeError(`logHalfBytes is a multiple of ${BLOCK_BYTES}, at least 64 KiB: ${logHalfBytes}`);
  }
  if (capacityBytes < LOG_START + 2 * logHalfBytes + 16 * BLOCK_BYTES) {
    throw new RangeError(`capacityBytes ${capacityBytes} leaves no room for data beside the log`);
  }
  return {
    deviceId,
    clusterId,
    deviceGeneration: generation,
    sequence: 1,
    capacityBytes: layoutOf(capacityBytes, logHalfBytes).capacityBytes,
    logHalfBytes,
    activeHalf: 0,
    logGeneration: 1,
    reservedLogGeneration: 1,
    firstGroupSequence: 1,
    knownFlushed: 0,
    databaseGeneration: 0,
    highestSequence: 0n,
  };
}

async function refuseUsed(device: DeviceFile, path: string): Promise<void> {
  if (await looksLikeDevice(device)) {
    const advice = 'Open it instead, or remove it first when its units are not needed.';
    throw new ExtentStoreError('BadDevice', `${path} is a Holdfast device already. ${advice}`);
  }
  const first = Buffer.alloc(SUPERBLOCK_COPIES * BLOCK_BYTES);
  await device.read(first, 0);
  if (first.some((byte) => byte !== 0)) {
    const advice = 'Choose another path, or empty the file (of a block device: zero its first 16 KiB).';
    throw new ExtentStoreError('BadDevice', `${path} holds something else. ${advice}`);
  }
}

/** The log must never run out of room in the file system below: frees need it even when the disk is full. */
async function zeroLog(device: DeviceFile, sizeBytes: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(MIB, sizeBytes));
  for (let done = 0; done < sizeBytes; done += zeros.length) {
    await device.write([zeros.subarray(0, Math.min(zeros.length, sizeBytes - done))], LOG_START + done);
  }
}
