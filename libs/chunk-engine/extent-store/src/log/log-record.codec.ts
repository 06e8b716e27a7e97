/**
 * Records of a log group. Little endian.
 *
 *   nothing (type 0): u8 0, as often as needed
 *   a unit is there (type 1): u8 1 | u8 unit index | u8 k | u8 m | u16 extents e | u16 checksums c | chunk id (16) |
 *     write id (16) | u64 bucket id | u64 written at, ms | u32 chunk size | u32 bytes stored | e times (u32 first block,
 *     u32 blocks) | c times u32 checksum of a piece (unit-checksums.ts), extent by extent.
 *     With e = 65535 there are no extents: the bytes lie in the payload of the group, and u32 number of their first
 *     block in it stands before the checksum.
 *   a unit is freed (type 2): u8 2 | u8 unit index | u16 zero | chunk id (16)
 *   highest database generation and sequence that a free has named (type 3): u8 3 | 3 zero | u64 generation | u64 sequence
 *   a change of a catalogue (type 4): u8 4 | u8 what (1 created, 2 dropped, 3 put, 4 deleted) | u16 key length |
 *     u32 number of the catalogue | u32 value length | key | value. The key of 1 and 2 is the name of the catalogue.
 */
import { blocksFor, type Extent } from '../format/device-layout.js';
import type { UnitHeader, UnitKey } from '../unit-header.js';
import { putHexId } from '../units/hex-id.js';
import { piecesOf, rangesOf } from '../units/unit-checksums.js';
import { writeUInt64, type MappedExtent } from '../units/unit-record.codec.js';

const UNIT_BYTES = 64;
/** Where a record of type 1 without extents holds what is read in its place. */
export const SMALL_UNIT_RECORD = { unitIndexAt: 1, chunkIdAt: 8, sizeAt: 60, checksumAt: 68 } as const;
const IN_PAYLOAD = 0xffff;
const CATALOGUE_BYTES = 12;
export const FREE_RECORD_BYTES = 20;
export const AUTHORITY_RECORD_BYTES = 20;

/** The bytes of a unit in the payload of its group; small units are one piece. */
export interface PayloadPlace {
  /** Number of the first block in the payload. */
  readonly block: number;
  readonly checksum: number;
}

export type CatalogueChange =
  | { readonly what: 'create'; readonly number: number; readonly name: Buffer }
  | { readonly what: 'drop'; readonly number: number; readonly name: Buffer }
  | { readonly what: 'put'; readonly number: number; readonly key: Buffer; readonly value: Buffer }
  | { readonly what: 'delete'; readonly number: number; readonly key: Buffer };

/** `at` says where the record begins among those of its group. */
export type LogRecord =
  | { readonly kind: 'unit'; readonly header: UnitHeader; readonly extents: readonly MappedExtent[] }
  | { readonly kind: 'small-unit'; readonly header: UnitHeader; readonly place: PayloadPlace; readonly at: number }
  | { readonly kind: 'free'; readonly unit: UnitKey }
  | { readonly kind: 'authority'; readonly generation: number; readonly sequence: bigint }
  | { readonly kind: 'catalogue'; readonly change: CatalogueChange };

const WHAT = ['create', 'drop', 'put', 'delete'] as const;

export const SMALL_UNIT_RECORD_BYTES = UNIT_BYTES + 8;

export function unitRecordBytes(extents: readonly MappedExtent[]): number {
  return extents.reduce((sum, { checksums }) => sum + 8 + 4 * checksums.length, UNIT_BYTES);
}

export function catalogueRecordBytes(change: CatalogueChange): number {
  const { key, value } = keyAndValue(change);
  return CATALOGUE_BYTES + key.length + value.length;
}

/** Each writes one record at `at` and returns where the next one begins. */
export function putUnitRecord(block: Buffer, at: number, header: UnitHeader, extents: readonly MappedExtent[]): number {
  const checksums = extents.flatMap((extent) => extent.checksums);
  let next = putUnitHead(block, at, header, extents.length, checksums.length);
  for (const { start, blocks } of extents) {
    next = block.writeUInt32LE(start, next);
    next = block.writeUInt32LE(blocks, next);
  }
  for (const checksum of checksums) next = block.writeUInt32LE(checksum, next);
  return next;
}

export function putSmallUnitRecord(
  block: Buffer,
  at: number,
  header: UnitHeader,
  payloadBlock: number,
  checksum: number,
): number {
  const next = block.writeUInt32LE(payloadBlock, putUnitHead(block, at, header, IN_PAYLOAD, 1));
  return block.writeUInt32LE(checksum, next);
}

function putUnitHead(block: Buffer, at: number, header: UnitHeader, extents: number, checksums: number): number {
  block[at] = 1;
  block[at + 1] = header.unitIndex;
  block[at + 2] = header.k;
  block[at + 3] = header.m;
  block.writeUInt16LE(extents, at + 4);
  block.writeUInt16LE(checksums, at + 6);
  putHexId(block, at + 8, header.chunkId);
  putHexId(block, at + 24, header.writeId);
  block.writeBigUInt64LE(header.bucketId, at + 40);
  writeUInt64(block, header.writtenAtMs, at + 48);
  block.writeUInt32LE(header.chunkSizeBytes, at + 56);
  return block.writeUInt32LE(header.unitSizeBytes, at + 60);
}

export function putFreeRecord(block: Buffer, at: number, unit: UnitKey): number {
  block.fill(0, at, at + 4);
  block[at] = 2;
  block[at + 1] = unit.unitIndex;
  putHexId(block, at + 4, unit.chunkId);
  return at + FREE_RECORD_BYTES;
}

export function putAuthorityRecord(block: Buffer, at: number, generation: number, sequence: bigint): number {
  block.fill(0, at, at + 4);
  block[at] = 3;
  block.writeBigUInt64LE(BigInt(generation), at + 4);
  return block.writeBigUInt64LE(sequence, at + 12);
}

export function putCatalogueRecord(block: Buffer, at: number, change: CatalogueChange): number {
  const { key, value } = keyAndValue(change);
  block[at] = 4;
  block[at + 1] = WHAT.indexOf(change.what) + 1;
  block.writeUInt16LE(key.length, at + 2);
  block.writeUInt32LE(change.number, at + 4);
  block.writeUInt32LE(value.length, at + 8);
  key.copy(block, at + CATALOGUE_BYTES);
  value.copy(block, at + CATALOGUE_BYTES + key.length);
  return at + CATALOGUE_BYTES + key.length + value.length;
}

function keyAndValue(change: CatalogueChange): { key: Buffer; value: Buffer } {
  const key = change.what === 'create' || change.what === 'drop' ? change.name : change.key;
  return { key, value: change.what === 'put' ? change.value : Buffer.alloc(0) };
}

/** @throws RangeError when the records of a group with a right checksum make no sense */
export function* decodeRecords(records: Buffer): Generator<LogRecord> {
  let at = 0;
  while (at < records.length) {
    if (records[at] === 0) {
      at += 1;
      continue;
    }
    const decoder = DECODERS[records[at]];
    if (decoder === undefined) throw new RangeError(`record type ${records[at]}`);
    const { record, sizeBytes } = decoder(records, at);
    yield record;
    at += sizeBytes;
  }
  if (at !== records.length) throw new RangeError('a record goes past its group');
}

interface Decoded {
  readonly record: LogRecord;
  readonly sizeBytes: number;
}

const DECODERS: Readonly<Record<number, (records: Buffer, at: number) => Decoded>> = {
  1: decodeUnit,
  2: (records, at) => {
    const unit = { unitIndex: records[at + 1], chunkId: records.toString('hex', at + 4, at + 20) };
    return { record: { kind: 'free', unit }, sizeBytes: FREE_RECORD_BYTES };
  },
  3: (records, at) => {
    const generation = Number(records.readBigUInt64LE(at + 4));
    const record = { kind: 'authority', generation, sequence: records.readBigUInt64LE(at + 12) } as const;
    return { record, sizeBytes: AUTHORITY_RECORD_BYTES };
  },
  4: decodeCatalogue,
};

/** What a record of type 1 that begins at `start` says of its unit. */
export function decodeUnitHead(records: Buffer, start: number): UnitHeader {
  return {
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
}

function decodeUnit(records: Buffer, start: number): Decoded {
  const header = decodeUnitHead(records, start);
  const extentCount = records.readUInt16LE(start + 4);
  let at = start + UNIT_BYTES;
  if (extentCount === IN_PAYLOAD) {
    const place = { block: records.readUInt32LE(at), checksum: records.readUInt32LE(at + 4) };
    return { record: { kind: 'small-unit', header, place, at: start }, sizeBytes: SMALL_UNIT_RECORD_BYTES };
  }
  const extents: Extent[] = [];
  for (let index = 0; index < extentCount; index += 1, at += 8)
    extents.push({ start: records.readUInt32LE(at), blocks: records.readUInt32LE(at + 4) });
  const blocks = extents.reduce((sum, extent) => sum + extent.blocks, 0);
  if (blocks !== blocksFor(header.unitSizeBytes)) throw new RangeError(`${blocks} blocks`);
  const mapped = rangesOf(extents, header.unitSizeBytes).map((range, index) => {
    const checksums = piecesOf(range).map(() => {
      at += 4;
      return records.readUInt32LE(at - 4);
    });
    return { ...extents[index], offset: range.from, checksums };
  });
  return { record: { kind: 'unit', header, extents: mapped }, sizeBytes: at - start };
}

function decodeCatalogue(records: Buffer, at: number): Decoded {
  const what = WHAT[records[at + 1] - 1];
  if (what === undefined) throw new RangeError(`change ${records[at + 1]} of a catalogue`);
  const number = records.readUInt32LE(at + 4);
  const keyEnd = at + CATALOGUE_BYTES + records.readUInt16LE(at + 2);
  const end = keyEnd + records.readUInt32LE(at + 8);
  const key = Buffer.from(records.subarray(at + CATALOGUE_BYTES, keyEnd));
  const value = Buffer.from(records.subarray(keyEnd, end));
  if (end > records.length) throw new RangeError('a record goes past its group');
  const sizeBytes = end - at;
  if (what === 'put') return { record: { kind: 'catalogue', change: { what, number, key, value } }, sizeBytes };
  if (what === 'delete') return { record: { kind: 'catalogue', change: { what, number, key } }, sizeBytes };
  return { record: { kind: 'catalogue', change: { what, number, name: key } }, sizeBytes };
}
