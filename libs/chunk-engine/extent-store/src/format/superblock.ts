/**
 * The superblock: what the device is, which checkpoint counts and where its log begins. Four copies, in blocks 0 to 3 of
 * each file. Little endian.
 *
 *   offset size
 *   0      8   magic "HOLDFAST"
 *   8      4   format version, 2
 *   12     4   number of this copy, 0 to 3 (its own address)
 *   16     16  device id (UUID)
 *   32     16  cluster id (UUID)
 *   48     8   device generation
 *   56     8   sequence of the superblock, one higher with every change
 *   64     8   capacity in bytes of the file that holds the data blocks
 *   72     4   role of this file: 0 all, 1 log and pages, 2 data blocks
 *   76     4   size of a log segment in blocks
 *   80     4   number of metadata pages
 *   84     4   log segment in which the replay begins, 0 or 1
 *   88     8   log generation: the one that valid groups carry
 *   96     8   sequence of the first group to replay
 *   104    8   known flushed: every group up to this sequence was flushed, data included
 *   112    8   highest database generation that a free has named
 *   120    8   highest database sequence that a free has named
 *   128    8   number of the checkpoint
 *   136    4   its root page, 0 when there is none yet
 *   140    4   checksum of that page
 *   144    4   data blocks that were written once: those before this one (a hint: see engine/fill-ahead.ts)
 *   148    4   metadata pages that were, in the same way
 *   152    3940 zero
 *   4092   4   CRC-32 (zlib's) of bytes 0 to 4091
 *
 * A copy is valid when magic, version, own number and checksum are right; the valid copy with the highest sequence counts.
 * A change writes two copies, flushes, writes the other two, flushes; the copy that counts is among the other two. So at every
 * moment a copy stands that was flushed, also when a crash has left only one that does. In a
 * file with role 2 all from offset 76 on but the checksum is zero, and nothing is changed after the format.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { SUPERBLOCK_BYTES, SUPERBLOCK_COPIES } from './device-layout.js';

const MAGIC = Buffer.from('HOLDFAST', 'latin1');
const FORMAT_VERSION = 2;
const CHECKSUM_AT = BLOCK_BYTES - 4;
const ROLES = ['all', 'metadata', 'data'] as const;

export type FileRole = (typeof ROLES)[number];

export interface Superblock {
  readonly deviceId: string;
  readonly clusterId: string;
  readonly deviceGeneration: number;
  readonly sequence: number;
  readonly capacityBytes: number;
  readonly role: FileRole;
  readonly segmentBytes: number;
  readonly pageCount: number;
  readonly firstSegment: 0 | 1;
  readonly logGeneration: number;
  readonly firstGroupSequence: number;
  readonly knownFlushed: number;
  readonly databaseGeneration: number;
  readonly highestSequence: bigint;
  readonly checkpoint: number;
  readonly rootPage: number;
  readonly rootChecksum: number;
  /** Data blocks, and pages, before these were written once: the file system below has given them their place. */
  readonly filledBlocks: number;
  readonly filledPages: number;
}

/** The superblock that counts, and the first copy that it was found in. */
export interface FoundSuperblock {
  readonly superblock: Superblock;
  readonly copy: number;
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
  const wide: [number, number][] = [
    [48, superblock.deviceGeneration],
    [56, superblock.sequence],
    [64, superblock.capacityBytes],
    [88, superblock.logGeneration],
    [96, superblock.firstGroupSequence],
    [104, superblock.knownFlushed],
    [112, superblock.databaseGeneration],
    [128, superblock.checkpoint],
  ];
  for (const [offset, value] of wide) block.writeBigUInt64LE(BigInt(value), offset);
  const narrow: [number, number][] = [
    [72, ROLES.indexOf(superblock.role)],
    [76, superblock.segmentBytes / BLOCK_BYTES],
    [80, superblock.pageCount],
    [84, superblock.firstSegment],
    [136, superblock.rootPage],
    [140, superblock.rootChecksum],
    [144, superblock.filledBlocks],
    [148, superblock.filledPages],
  ];
  for (const [offset, value] of narrow) block.writeUInt32LE(value, offset);
  block.writeBigUInt64LE(superblock.highestSequence, 120);
  block.writeUInt32LE(crc32(block.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return block;
}

/** Undefined when the block is no valid copy of this number in this version. */
export function decodeSuperblockCopy(block: Buffer, copy: number): Superblock | undefined {
  if (block.length < BLOCK_BYTES || !block.subarray(0, 8).equals(MAGIC)) return undefined;
  if (block.readUInt32LE(CHECKSUM_AT) !== crc32(block.subarray(0, CHECKSUM_AT))) return undefined;
  if (block.readUInt32LE(8) !== FORMAT_VERSION || block.readUInt32LE(12) !== copy) return undefined;
  const role = ROLES[block.readUInt32LE(72)];
  if (role === undefined) return undefined;
  const numberAt = (offset: number): number => Number(block.readBigUInt64LE(offset));
  return {
    deviceId: uuidFromBytes(block.subarray(16, 32)),
    clusterId: uuidFromBytes(block.subarray(32, 48)),
    deviceGeneration: numberAt(48),
    sequence: numberAt(56),
    capacityBytes: numberAt(64),
    role,
    segmentBytes: block.readUInt32LE(76) * BLOCK_BYTES,
    pageCount: block.readUInt32LE(80),
    firstSegment: block.readUInt32LE(84) === 0 ? 0 : 1,
    logGeneration: numberAt(88),
    firstGroupSequence: numberAt(96),
    knownFlushed: numberAt(104),
    databaseGeneration: numberAt(112),
    highestSequence: block.readBigUInt64LE(120),
    checkpoint: numberAt(128),
    rootPage: block.readUInt32LE(136),
    rootChecksum: block.readUInt32LE(140),
    filledBlocks: block.readUInt32LE(144),
    filledPages: block.readUInt32LE(148),
  };
}

/**
 * The newest valid superblock.
 * @throws ExtentStoreError BadDevice naming the file, what is wrong with it and what to do
 */
export async function readSuperblock(device: DeviceFile, path: string): Promise<FoundSuperblock> {
  const blocks = await readCopies(device);
  const valid = blocks.flatMap((block, copy) => {
    const superblock = decodeSuperblockCopy(block, copy);
    return superblock === undefined ? [] : [{ superblock, copy }];
  });
  const deviceId = deviceIdOfMost(valid);
  const own = valid.filter(({ superblock }) => superblock.deviceId === deviceId);
  if (own.length > 0)
    return own.reduce((best, next) => (next.superblock.sequence > best.superblock.sequence ? next : best));
  const marked = blocks.find((block) => block.subarray(0, 8).equals(MAGIC));
  throw new ExtentStoreError('BadDevice', `${path} ${marked === undefined ? foreign() : unreadable(marked)}`);
}

/** One copy that another device's write strayed to does not change whose device this is. */
function deviceIdOfMost(valid: readonly FoundSuperblock[]): string | undefined {
  const votes = (deviceId: string): number => valid.filter(({ superblock }) => superblock.deviceId === deviceId).length;
  const ids = valid.map(({ superblock }) => superblock.deviceId);
  return ids.reduce<string | undefined>(
    (best, next) => (best === undefined || votes(next) > votes(best) ? next : best),
    undefined,
  );
}

function foreign(): string {
  const advice =
    'It holds something else, or was never formatted: check the path, or format an empty file as a device.';
  return `is not a Holdfast device. ${advice}`;
}

function unreadable(marked: Buffer): string {
  const version = marked.length >= 12 ? marked.readUInt32LE(8) : 0;
  if (version > FORMAT_VERSION)
    return `has device format ${version}. This version reads format ${FORMAT_VERSION}: open it with the newer version that wrote it.`;
  if (version === 1) {
    const advice = 'Start with an empty directory and copy the objects over from a store of the older version.';
    return `has device format 1, of the simple store that was replaced; this version reads format ${FORMAT_VERSION} alone. ${advice}`;
  }
  const advice = 'Replace the device by a new one and let its units be rebuilt.';
  return `has ${SUPERBLOCK_COPIES} superblock copies, and all are damaged. ${advice}`;
}

/** What is wrong with single copies while another one counts. */
export async function superblockProblems(device: DeviceFile): Promise<string[]> {
  const blocks = await readCopies(device);
  const copies = blocks.map(decodeSuperblockCopy);
  const valid = copies.flatMap((superblock, copy) => (superblock === undefined ? [] : [{ superblock, copy }]));
  const deviceId = deviceIdOfMost(valid);
  const own = valid.filter(({ superblock }) => superblock.deviceId === deviceId);
  const newest = Math.max(0, ...own.map(({ superblock }) => superblock.sequence));
  return copies.flatMap((superblock, copy) => {
    if (superblock === undefined) return [`superblock copy ${copy} does not verify`];
    if (superblock.deviceId !== deviceId) return [`superblock copy ${copy} is of device ${superblock.deviceId}`];
    if (superblock.sequence === newest) return [];
    return [`superblock copy ${copy} is ${superblock.sequence}, and ${newest} counts`];
  });
}

/** True when some copy carries the mark of a device, whatever its state. */
export async function looksLikeDevice(device: DeviceFile): Promise<boolean> {
  return (await readCopies(device)).some((block) => block.subarray(0, 8).equals(MAGIC));
}

/**
 * Resolves when the superblock stands flushed in all copies.
 * @param countingCopy in which the one that counts so far was found: it is written last
 */
export async function writeSuperblock(device: DeviceFile, superblock: Superblock, countingCopy = 0): Promise<void> {
  const copies = Array.from({ length: SUPERBLOCK_COPIES }, (_, copy) => encodeSuperblock(superblock, copy));
  const half = SUPERBLOCK_COPIES / 2;
  for (const first of countingCopy < half ? [half, 0] : [0, half]) {
    await device.write(copies.slice(first, first + half), first * BLOCK_BYTES, 'superblock');
    await device.flush();
  }
}

async function readCopies(device: DeviceFile): Promise<Buffer[]> {
  const all = Buffer.alloc(SUPERBLOCK_BYTES);
  const isWhole = (await device.read(all, 0, 'superblock').catch(() => 0)) === all.length;
  const blocks: Buffer[] = [];
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy += 1) {
    const block = all.subarray(copy * BLOCK_BYTES, (copy + 1) * BLOCK_BYTES);
    // A copy that cannot be read counts as damaged: another one may be whole.
    const sizeBytes = isWhole
      ? block.length
      : await device.read(block, copy * BLOCK_BYTES, 'superblock').catch(() => 0);
    blocks.push(block.subarray(0, sizeBytes));
  }
  return blocks;
}
