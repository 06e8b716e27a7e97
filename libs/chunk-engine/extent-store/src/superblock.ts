/**
 * The superblock: what the device is, and where its log begins. Four copies, in blocks 0 to 3. Little endian.
 *
 *   offset size
 *   0      8   magic "HOLDFAST"
 *   8      4   format version, 1
 *   12     4   number of this copy, 0 to 3 (its own address)
 *   16     16  device id (UUID)
 *   32     16  cluster id (UUID)
 *   48     8   device generation
 *   56     8   sequence of the superblock, one higher with every change
 *   64     8   capacity of the device in bytes
 *   72     8   size of a log half in bytes
 *   80     4   active log half, 0 or 1
 *   84     4   zero
 *   88     8   log generation: the one that valid groups of the active half carry
 *   96     8   highest log generation ever reserved; a new one is reserved here before a group carries it
 *   104    8   sequence of the first group in the active half
 *   112    8   known flushed: groups up to this sequence were flushed before this superblock was written
 *   120    8   highest database generation that a free has named
 *   128    8   highest database sequence that a free has named
 *   136    3956 zero
 *   4092   4   CRC-32 (zlib's) of bytes 0 to 4091
 *
 * A copy is valid when magic, version, own number and checksum are right. The valid copy with the highest sequence
 * counts. A change writes copies 0 and 1, flushes, writes copies 2 and 3, flushes: at every moment a flushed pair stands.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import { SUPERBLOCK_COPIES } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import { ExtentStoreError } from './extent-store-error.js';

const MAGIC = Buffer.from('HOLDFAST', 'latin1');
const FORMAT_VERSION = 1;
const CHECKSUM_AT = BLOCK_BYTES - 4;

export interface Superblock {
  readonly deviceId: string;
  readonly clusterId: string;
  readonly deviceGeneration: number;
  readonly sequence: number;
  readonly capacityBytes: number;
  readonly logHalfBytes: number;
  readonly activeHalf: 0 | 1;
  readonly logGeneration: number;
  readonly reservedLogGeneration: number;
  readonly firstGroupSequence: number;
  readonly knownFlushed: number;
  readonly databaseGeneration: number;
  readonly highestSequence: bigint;
}

export function uuidToBytes(uuid: string): Buffer {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) throw new RangeError(`not a lower-case UUID: ${uuid}`);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

function uuidFromBytes(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function encodeSuperblock(superblock: Superblock, copy: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  MAGIC.copy(block, 0);
  block.writeUInt32LE(FORMAT_VERSION, 8);
  block.writeUInt32LE(copy, 12);
  uuidToBytes(superblock.deviceId).copy(block, 16);
  uuidToBytes(superblock.clusterId).copy(block, 32);
  const numbers: [number, number][] = [
    [48, superblock.deviceGeneration],
    [56, superblock.sequence],
    [64, superblock.capacityBytes],
    [72, superblock.logHalfBytes],
    [88, superblock.logGeneration],
    [96, superblock.reservedLogGeneration],
    [104, superblock.firstGroupSequence],
    [112, superblock.knownFlushed],
    [120, superblock.databaseGeneration],
  ];
  for (const [offset, value] of numbers) block.writeBigUInt64LE(BigInt(value), offset);
  block.writeUInt32LE(superblock.activeHalf, 80);
  block.writeBigUInt64LE(superblock.highestSequence, 128);
  block.writeUInt32LE(crc32(block.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return block;
}

/** Undefined when the block is no valid copy of this number in this version. */
export function decodeSuperblock(block: Buffer, copy: number): Superblock | undefined {
  if (block.length < BLOCK_BYTES || !block.subarray(0, 8).equals(MAGIC)) return undefined;
  if (block.readUInt32LE(CHECKSUM_AT) !== crc32(block.subarray(0, CHECKSUM_AT))) return undefined;
  if (block.readUInt32LE(8) !== FORMAT_VERSION || block.readUInt32LE(12) !== copy) return undefined;
  const numberAt = (offset: number): number => Number(block.readBigUInt64LE(offset));
  return {
    deviceId: uuidFromBytes(block.subarray(16, 32)),
    clusterId: uuidFromBytes(block.subarray(32, 48)),
    deviceGeneration: numberAt(48),
    sequence: numberAt(56),
    capacityBytes: numberAt(64),
    logHalfBytes: numberAt(72),
    activeHalf: block.readUInt32LE(80) === 0 ? 0 : 1,
    logGeneration: numberAt(88),
    reservedLogGeneration: numberAt(96),
    firstGroupSequence: numberAt(104),
    knownFlushed: numberAt(112),
    databaseGeneration: numberAt(120),
    highestSequence: block.readBigUInt64LE(128),
  };
}

/**
 * The newest valid superblock.
 * @throws ExtentStoreError BadDevice naming the file, what is wrong with it and what to do
 */
export async function readSuperblock(device: DeviceFile, path: string): Promise<Superblock> {
  const blocks = await readCopies(device);
  const valid = blocks.flatMap((block, copy) => decodeSuperblock(block, copy) ?? []);
  if (valid.length > 0) return valid.reduce((best, next) => (next.sequence > best.sequence ? next : best));
  const marked = blocks.find((block) => block.subarray(0, 8).equals(MAGIC));
  if (marked === undefined) {
    const advice =
      'It holds something else, or was never formatted: check the path, or format an empty file as a device.';
    throw new ExtentStoreError('BadDevice', `${path} is not a Holdfast device. ${advice}`);
  }
  const version = marked.length >= 12 ? marked.readUInt32LE(8) : 0;
  if (version > FORMAT_VERSION) {
    const advice = `This version reads format ${FORMAT_VERSION}: open it with the newer version that wrote it.`;
    throw new ExtentStoreError('BadDevice', `${path} has device format ${version}. ${advice}`);
  }
  const advice = 'Replace the device by a new one and let its units be rebuilt.';
  throw new ExtentStoreError('BadDevice', `${path}: all ${SUPERBLOCK_COPIES} superblock copies are damaged. ${advice}`);
}

/** True when some copy carries the mark of a device, whatever its state. */
export async function looksLikeDevice(device: DeviceFile): Promise<boolean> {
  return (await readCopies(device)).some((block) => block.subarray(0, 8).equals(MAGIC));
}

/** Resolves when the superblock stands flushed in all copies. */
export async function writeSuperblock(device: DeviceFile, superblock: Superblock): Promise<void> {
  assert(superblock.logGeneration <= superblock.reservedLogGeneration, 'A log generation is reserved before its use', {
    device: superblock.deviceId,
    sequence: superblock.sequence,
  });
  const copies = Array.from({ length: SUPERBLOCK_COPIES }, (_, copy) => encodeSuperblock(superblock, copy));
  const half = SUPERBLOCK_COPIES / 2;
  await device.write(copies.slice(0, half), 0);
  await device.flush();
  await device.write(copies.slice(half), half * BLOCK_BYTES);
  await device.flush();
}

async function readCopies(device: DeviceFile): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy += 1) {
    const block = Buffer.alloc(BLOCK_BYTES);
    // A copy that cannot be read counts as damaged: another one may be whole.
    const sizeBytes = await device.read(block, copy * BLOCK_BYTES).catch(() => 0);
    blocks.push(block.subarray(0, sizeBytes));
  }
  return blocks;
}
