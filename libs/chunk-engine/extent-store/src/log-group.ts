/**
 * A log group: the records that one flush makes durable together. Groups follow each other in a log half, each at a
 * multiple of 4 KiB, so that none is ever rewritten by its successor. Little endian.
 *
 *   offset size
 *   0      4   magic "HFLG"
 *   4      2   format version, 1
 *   6      2   zero
 *   8      16  device id
 *   24     8   position of this group on the device (its own address)
 *   32     8   log generation
 *   40     8   sequence, one higher than that of the group before
 *   48     8   known flushed (F): every group up to this sequence was flushed, data included, before this one was written
 *   56     4   bytes of records
 *   60     4   CRC-32 of bytes 0 to 59 and of the records
 *   64     …   records, one after the other; then anything up to the next multiple of 4 KiB
 *
 * A unit is there (record type 1):
 *   0 u8 1 | 1 u8 unit index | 2 u8 k | 3 u8 m | 4 u16 extents (e) | 6 u16 slices (s) | 8 chunk id (16) |
 *   24 write id (16) | 40 u64 bucket id | 48 u64 written at, ms | 56 u32 chunk size | 60 u32 bytes stored |
 *   64 e times (u32 first block, u32 blocks) | s times u32 checksum of 64 KiB (see slice-checksums.ts)
 * A unit is freed (type 2):
 *   0 u8 2 | 1 u8 unit index | 2 u16 zero | 4 chunk id (16)
 * Highest database generation and sequence that a free has named (type 3):
 *   0 u8 3 | 1 zero (3) | 4 u64 generation | 12 u64 sequence
 *
 * A group is valid when magic, version, device id, address, log generation and checksum are right.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import { GROUP_HEADER_BYTES, blocksFor, slicesFor, type Extent } from './device-layout.js';
import type { UnitHeader, UnitKey } from './unit-header.js';

const MAGIC = 0x474c_4648;
const VERSION = 1;
const CHECKSUM_AT = 60;
const UNIT_RECORD_BYTES = 64;
export const FREE_RECORD_BYTES = 20;
export const AUTHORITY_RECORD_BYTES = 20;

/** A unit with where its bytes lie and what they must sum to. */
export interface UnitEntry {
  readonly header: UnitHeader;
  readonly extents: readonly Extent[];
  /** One per 64 KiB of stored bytes. */
  readonly checksums: readonly number[];
}

export type LogRecord =
  | { readonly kind: 'unit'; readonly entry: UnitEntry }
  | { readonly kind: 'free'; readonly key: UnitKey }
  | { readonly kind: 'authority'; readonly generation: number; readonly sequence: bigint };

export interface GroupHeader {
  /** 16 bytes. */
  readonly deviceIdBytes: Buffer;
  readonly position: number;
  readonly logGeneration: number;
  readonly sequence: number;
  readonly knownFlushed: number;
}

export interface DecodedGroup {
  readonly sequence: number;
  readonly knownFlushed: number;
  readonly records: Buffer;
  /** Bytes the group takes in the log, padding included. */
  readonly sizeBytes: number;
}

export function unitRecordBytes(entry: UnitEntry): number {
  return unitRecordBytesFor(entry.extents.length, entry.header.unitSizeBytes);
}

export function unitRecordBytesFor(extentCount: number, unitSizeBytes: number): number {
  return UNIT_RECORD_BYTES + 8 * extentCount + 4 * slicesFor(unitSizeBytes);
}

export function groupBytesFor(recordBytes: number): number {
  return blocksFor(GROUP_HEADER_BYTES + recordBytes) * BLOCK_BYTES;
}

/** Collects the records of one group. */
export class GroupBuilder {
  private readonly block: Buffer;
  private end = GROUP_HEADER_BYTES;

  constructor(recordBytesMax: number) {
    this.block = Buffer.alloc(groupBytesFor(recordBytesMax));
  }

  get recordBytes(): number {
    return this.end - GROUP_HEADER_BYTES;
  }

  addUnit({ header, extents, checksums }: UnitEntry): void {
    const { block } = this;
    let at = this.end;
    block[at] = 1;
    block[at + 1] = header.unitIndex;
    block[at + 2] = header.k;
    block[at + 3] = header.m;
    block.writeUInt16LE(extents.length, at + 4);
    block.writeUInt16LE(checksums.length, at + 6);
    block.write(header.chunkId, at + 8, 16, 'hex');
    block.write(header.writeId, at + 24, 16, 'hex');
    block.writeBigUInt64LE(header.bucketId, at + 40);
    block.writeBigUInt64LE(BigInt(header.writtenAtMs), at + 48);
    block.writeUInt32LE(header.chunkSizeBytes, at + 56);
    block.writeUInt32LE(header.unitSizeBytes, at + 60);
    at += UNIT_RECORD_BYTES;
    for (const extent of extents) {
      at = block.writeUInt32LE(extent.start, at);
      at = block.writeUInt32LE(extent.blocks, at);
    }
    for (const checksum of checksums) at = block.writeUInt32LE(checksum, at);
    this.end = at;
  }

  addFree(key: UnitKey): void {
    this.block[this.end] = 2;
    this.block[this.end + 1] = key.unitIndex;
    this.block.write(key.chunkId, this.end + 4, 16, 'hex');
    this.end += FREE_RECORD_BYTES;
  }

  addAuthority(generation: number, sequence: bigint): void {
    this.block[this.end] = 3;
    this.block.writeBigUInt64LE(BigInt(generation), this.end + 4);
    this.block.writeBigUInt64LE(sequence, this.end + 12);
    this.end += AUTHORITY_RECORD_BYTES;
  }

  /** The bytes to write at `header.position`, a multiple of 4 KiB long. */
  finish(header: GroupHeader): Buffer {
    const { block, recordBytes } = this;
    assert(header.sequence > header.knownFlushed, 'A group is not flushed before it is written', {
      position: header.position,
      sequence: header.sequence,
    });
    block.writeUInt32LE(MAGIC, 0);
    block.writeUInt16LE(VERSION, 4);
    header.deviceIdBytes.copy(block, 8);
    block.writeBigUInt64LE(BigInt(header.position), 24);
    block.writeBigUInt64LE(BigInt(header.logGeneration), 32);
    block.writeBigUInt64LE(BigInt(header.sequence), 40);
    block.writeBigUInt64LE(BigInt(header.knownFlushed), 48);
    block.writeUInt32LE(recordBytes, 56);
    block.writeUInt32LE(groupChecksum(block, recordBytes), CHECKSUM_AT);
    return block.subarray(0, groupBytesFor(recordBytes));
  }
}

function groupChecksum(block: Buffer, recordBytes: number): number {
  const ofHeader = crc32(block.subarray(0, CHECKSUM_AT));
  return crc32(block.subarray(GROUP_HEADER_BYTES, GROUP_HEADER_BYTES + recordBytes), ofHeader);
}

/** Bytes of the group that begins here, by its header alone; undefined when this cannot be such a group. */
export function peekGroupBytes(
  block: Buffer,
  expected: Pick<GroupHeader, 'deviceIdBytes' | 'position' | 'logGeneration'>,
): number | undefined {
  if (block.length < GROUP_HEADER_BYTES) return undefined;
  if (block.readUInt32LE(0) !== MAGIC || block.readUInt16LE(4) !== VERSION) return undefined;
  if (!block.subarray(8, 24).equals(expected.deviceIdBytes)) return undefined;
  if (block.readBigUInt64LE(24) !== BigInt(expected.position)) return undefined;
  if (block.readBigUInt64LE(32) !== BigInt(expected.logGeneration)) return undefined;
  return groupBytesFor(block.readUInt32LE(56));
}

/** The group in these bytes, whose header was peeked at; undefined when its checksum is wrong. */
export function decodeGroup(block: Buffer): DecodedGroup | undefined {
  const recordBytes = block.readUInt32LE(56);
  const sizeBytes = groupBytesFor(recordBytes);
  if (block.length < sizeBytes || block.readUInt32LE(CHECKSUM_AT) !== groupChecksum(block, recordBytes))
    return undefined;
  return {
    sequence: Number(block.readBigUInt64LE(40)),
    knownFlushed: Number(block.readBigUInt64LE(48)),
    records: block.subarray(GROUP_HEADER_BYTES, GROUP_HEADER_BYTES + recordBytes),
    sizeBytes,
  };
}

/** @throws RangeError when the records of a group with a right checksum make no sense */
export function* decodeRecords(records: Buffer): Generator<LogRecord> {
  let at = 0;
  while (at < records.length) {
    const kind = records[at];
    if (kind === 1) {
      const entry = decodeUnit(records, at);
      yield { kind: 'unit', entry };
      at += unitRecordBytes(entry);
    } else if (kind === 2) {
      yield {
        kind: 'free',
        key: { unitIndex: records[at + 1], chunkId: records.toString('hex', at + 4, at + 20) },
      };
      at += FREE_RECORD_BYTES;
    } else if (kind === 3) {
      const generation = Number(records.readBigUInt64LE(at + 4));
      yield { kind: 'authority', generation, sequence: records.readBigUInt64LE(at + 12) };
      at += AUTHORITY_RECORD_BYTES;
    } else throw new RangeError(`record type ${kind}`);
  }
  if (at !== records.length) throw new RangeError('a record goes past its group');
}

function decodeUnit(records: Buffer, start: number): UnitEntry {
  const header: UnitHeader = {
    chunkId: records.toString('hex', start + 8, start + 24),
    unitIndex: records.readUInt8(start + 1),
    k: records.readUInt8(start + 2),
    m: records.readUInt8(start + 3),
    chunkSizeBytes: records.readUInt32LE(start + 56),
    unitSizeBytes: records.readUInt32LE(start + 60),
    bucketId: records.readBigUInt64LE(start + 40),
    writeId: records.toString('hex', start + 24, start + 40),
    writtenAtMs: Number(records.readBigUInt64LE(start + 48)),
  };
  const extentCount = records.readUInt16LE(start + 4);
  const sliceCount = records.readUInt16LE(start + 6);
  if (sliceCount !== slicesFor(header.unitSizeBytes)) throw new RangeError(`${sliceCount} slices`);
  let at = start + UNIT_RECORD_BYTES;
  const extents: Extent[] = [];
  let blocks = 0;
  for (let index = 0; index < extentCount; index += 1, at += 8) {
    const extent = { start: records.readUInt32LE(at), blocks: records.readUInt32LE(at + 4) };
    extents.push(extent);
    blocks += extent.blocks;
  }
  if (blocks !== blocksFor(header.unitSizeBytes)) throw new RangeError(`${blocks} blocks`);
  const checksums: number[] = [];
  for (let index = 0; index < sliceCount; index += 1, at += 4) checksums.push(records.readUInt32LE(at));
  return { header, extents, checksums };
}
