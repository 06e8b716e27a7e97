/**
 * A log group: what one flush makes durable together. Groups follow each other in a log segment, each at a multiple of 4 KiB,
 * so that none is ever rewritten by its successor. Little endian.
 *
 *   offset size
 *   0      4   magic "HFLG"
 *   4      2   format version, 2
 *   6      2   zero
 *   8      16  device id
 *   24     8   position of this group in its file (its own address)
 *   32     8   log generation
 *   40     8   sequence, one higher than that of the group before
 *   48     8   known flushed (F): every group up to this sequence was flushed, data included, before this one was written
 *   56     4   bytes of records
 *   60     4   blocks of payload
 *   64     4   CRC-32 of bytes 0 to 63 and of the records
 *   68     4   zero
 *   72     …   records (log-record.codec.ts), zeros up to the next multiple of 4 KiB
 *   then       payload: bytes of small units, each from the beginning of a block, zeros up to its end. Their records hold
 *              their checksums.
 *
 * A group is valid when magic, version, device id, address, log generation and checksum are right, and all is zero that is
 * said to be zero before the payload: no bit there is without a check. What its records say of payload and data blocks is
 * checked apart.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { roundUp } from '../format/device-layout.js';

const MAGIC = 0x474c_4648;
const VERSION = 2;
const CHECKSUM_AT = 64;
const CHECKSUM_END = 68;
const ZEROS = Buffer.alloc(BLOCK_BYTES);
export const GROUP_HEADER_BYTES = 72;

export interface GroupAddress {
  /** 16 bytes. */
  readonly deviceIdBytes: Buffer;
  readonly position: number;
  readonly logGeneration: number;
}

export interface GroupHeader extends GroupAddress {
  readonly sequence: number;
  readonly knownFlushed: number;
  readonly recordBytes: number;
  readonly payloadBlocks: number;
}

export interface DecodedGroup {
  readonly sequence: number;
  readonly knownFlushed: number;
  readonly records: Buffer;
  readonly payload: Buffer;
  readonly sizeBytes: number;
}

export function groupBytes(recordBytes: number, payloadBlocks: number): number {
  return payloadStart(recordBytes) + payloadBlocks * BLOCK_BYTES;
}

/** Offset of the payload in a group with so many bytes of records. */
export function payloadStart(recordBytes: number): number {
  return roundUp(GROUP_HEADER_BYTES + recordBytes);
}

/** Writes the header of the group whose records stand in `block` already. */
export function finishGroup(block: Buffer, header: GroupHeader): void {
  const recordsEnd = GROUP_HEADER_BYTES + header.recordBytes;
  block.fill(0, 0, GROUP_HEADER_BYTES);
  block.fill(0, recordsEnd, payloadStart(header.recordBytes));
  block.writeUInt32LE(MAGIC, 0);
  block.writeUInt16LE(VERSION, 4);
  header.deviceIdBytes.copy(block, 8);
  block.writeBigUInt64LE(BigInt(header.position), 24);
  block.writeBigUInt64LE(BigInt(header.logGeneration), 32);
  block.writeBigUInt64LE(BigInt(header.sequence), 40);
  block.writeBigUInt64LE(BigInt(header.knownFlushed), 48);
  block.writeUInt32LE(header.recordBytes, 56);
  block.writeUInt32LE(header.payloadBlocks, 60);
  block.writeUInt32LE(checksumOf(block, recordsEnd), CHECKSUM_AT);
}

function checksumOf(block: Buffer, recordsEnd: number): number {
  return crc32(block.subarray(GROUP_HEADER_BYTES, recordsEnd), crc32(block.subarray(0, CHECKSUM_AT)));
}

/** The group that begins here; undefined when none does that belongs here. */
export function decodeGroup(block: Buffer, address: GroupAddress): DecodedGroup | undefined {
  if (block.length < GROUP_HEADER_BYTES || block.readUInt32LE(0) !== MAGIC) return undefined;
  if (block.readUInt16LE(4) !== VERSION || !block.subarray(8, 24).equals(address.deviceIdBytes)) return undefined;
  if (block.readBigUInt64LE(24) !== BigInt(address.position)) return undefined;
  if (block.readBigUInt64LE(32) !== BigInt(address.logGeneration)) return undefined;
  const recordBytes = block.readUInt32LE(56);
  const sizeBytes = groupBytes(recordBytes, block.readUInt32LE(60));
  const recordsEnd = GROUP_HEADER_BYTES + recordBytes;
  if (sizeBytes > block.length || block.readUInt32LE(CHECKSUM_AT) !== checksumOf(block, recordsEnd)) return undefined;
  if (!isZero(block, CHECKSUM_END, GROUP_HEADER_BYTES)) return undefined;
  if (!isZero(block, recordsEnd, payloadStart(recordBytes))) return undefined;
  return {
    sequence: Number(block.readBigUInt64LE(40)),
    knownFlushed: Number(block.readBigUInt64LE(48)),
    records: block.subarray(GROUP_HEADER_BYTES, recordsEnd),
    payload: block.subarray(payloadStart(recordBytes), sizeBytes),
    sizeBytes,
  };
}

/** Less than a block. */
function isZero(block: Buffer, from: number, to: number): boolean {
  return block.compare(ZEROS, 0, to - from, from, to) === 0;
}
