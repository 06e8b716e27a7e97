/**
 * Entries of the trees `cob` and `extmap`. Keys sort as (chunk id, unit index, offset). Little endian but for numbers in keys.
 *
 *   cob     key: chunk id (16), u8 unit index
 *           value: u8 k | u8 m | u16 zero | u32 chunk size | u32 bytes stored | u64 bucket id | u64 written at, ms | write id (16)
 *   extmap  key: chunk id (16), u8 unit index, u32 offset in the unit (big endian)
 *           value: u32 first block | u32 blocks | per piece u32 checksum (unit-checksums.ts)
 */
import type { Extent } from '../format/device-layout.js';
import type { UnitHeader, UnitKey } from '../unit-header.js';
import { putHexId } from './hex-id.js';

export const UNIT_KEY_BYTES = 17;

/** An extent of a unit with where it stands in it and what its pieces sum to. */
export interface MappedExtent extends Extent {
  /** Offset in the unit. */
  readonly offset: number;
  readonly checksums: readonly number[];
}

export function unitKeyBytes({ chunkId, unitIndex }: UnitKey): Buffer {
  const key = Buffer.allocUnsafe(UNIT_KEY_BYTES);
  putHexId(key, 0, chunkId);
  key[16] = unitIndex;
  return key;
}

/** What maps keep a unit under. */
export function unitName(key: Buffer): string {
  return key.toString('latin1', 0, UNIT_KEY_BYTES);
}

export function extentKey(key: Buffer, offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(UNIT_KEY_BYTES + 4);
  key.copy(bytes, 0, 0, UNIT_KEY_BYTES);
  bytes.writeUInt32BE(offset, UNIT_KEY_BYTES);
  return bytes;
}

export const UNIT_VALUE_BYTES = 44;

export function encodeUnit(header: UnitHeader): Buffer {
  const value = Buffer.alloc(UNIT_VALUE_BYTES);
  value[0] = header.k;
  value[1] = header.m;
  value.writeUInt32LE(header.chunkSizeBytes, 4);
  value.writeUInt32LE(header.unitSizeBytes, 8);
  value.writeBigUInt64LE(header.bucketId, 12);
  writeUInt64(value, header.writtenAtMs, 20);
  putHexId(value, 28, header.writeId);
  return value;
}

/** A whole number of up to 53 bits in 8 bytes; without the way through a BigInt. */
export function writeUInt64(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value >>> 0, at);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

export function decodeUnit(key: Buffer, value: Buffer): UnitHeader {
  return {
    chunkId: key.toString('hex', 0, 16),
    unitIndex: key[16],
    k: value[0],
    m: value[1],
    chunkSizeBytes: value.readUInt32LE(4),
    unitSizeBytes: value.readUInt32LE(8),
    bucketId: value.readBigUInt64LE(12),
    writtenAtMs: Number(value.readBigUInt64LE(20)),
    writeId: value.toString('hex', 28, 44),
  };
}

/** The value of a unit in the tree `cob`, from its record in the log (log-record.codec.ts, type 1), at `at`. */
export function putUnitValue(target: Buffer, at: number, log: Buffer, record: number): void {
  target[at] = log[record + 2];
  target[at + 1] = log[record + 3];
  target[at + 2] = 0;
  target[at + 3] = 0;
  copyBytes(target, at + 4, log, record + 56, 8);
  copyBytes(target, at + 12, log, record + 40, 16);
  copyBytes(target, at + 28, log, record + 24, 16);
}

/** For a few bytes faster than a call. */
function copyBytes(target: Buffer, at: number, source: Buffer, from: number, count: number): void {
  for (let index = 0; index < count; index += 1) target[at + index] = source[from + index];
}

export function encodeExtent({ start, blocks, checksums }: MappedExtent): Buffer {
  const value = Buffer.allocUnsafe(8 + 4 * checksums.length);
  value.writeUInt32LE(start, 0);
  value.writeUInt32LE(blocks, 4);
  for (let index = 0; index < checksums.length; index += 1) value.writeUInt32LE(checksums[index], 8 + 4 * index);
  return value;
}

export function decodeExtent(key: Buffer, value: Buffer): MappedExtent {
  const checksums: number[] = [];
  for (let at = 8; at < value.length; at += 4) checksums.push(value.readUInt32LE(at));
  return {
    offset: key.readUInt32BE(UNIT_KEY_BYTES),
    start: value.readUInt32LE(0),
    blocks: value.readUInt32LE(4),
    checksums,
  };
}
