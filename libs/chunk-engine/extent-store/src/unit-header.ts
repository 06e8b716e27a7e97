import { isHexId } from './units/hex-id.js';

/** What a device knows about a unit; the reader of a chunk compares it with the chunk's entry. */
export interface UnitHeader {
  /** 32 lower-case hexadecimal digits. */
  readonly chunkId: string;
  /** 0..k-1 data, k..k+m-1 parity. */
  readonly unitIndex: number;
  readonly k: number;
  readonly m: number;
  readonly chunkSizeBytes: number;
  /** Bytes really stored, 0 to 8 MiB. */
  readonly unitSizeBytes: number;
  readonly bucketId: bigint;
  /** 32 lower-case hexadecimal digits. */
  readonly writeId: string;
  /** Wall time of the write; compared by the collector only. */
  readonly writtenAtMs: number;
}

/** Names a unit on its device. */
export interface UnitKey {
  readonly chunkId: string;
  readonly unitIndex: number;
}

/** Largest unit: a whole chunk kept as a copy. */
export const UNIT_SIZE_MAX_BYTES = 8 * 1024 * 1024;

/** @throws RangeError when a field is outside what a record can hold */
export function checkUnitHeader(header: UnitHeader): void {
  checkUnitKey(header);
  const { k, m, unitIndex, chunkSizeBytes, unitSizeBytes, writtenAtMs } = header;
  if (!isHexId(header.writeId)) throw new RangeError(`writeId is not 32 hex digits: ${header.writeId}`);
  if (!isWithin(k, 1, 255) || !isWithin(m, 0, 255)) throw new RangeError(`k and m are out of range: ${k}+${m}`);
  if (unitIndex >= k + m) throw new RangeError(`unitIndex ${unitIndex} is outside ${k}+${m}`);
  if (!isWithin(chunkSizeBytes, 0, 0xffff_ffff)) throw new RangeError(`chunkSizeBytes: ${chunkSizeBytes}`);
  if (!isWithin(unitSizeBytes, 0, UNIT_SIZE_MAX_BYTES)) throw new RangeError(`unitSizeBytes: ${unitSizeBytes}`);
  if (!isWithin(writtenAtMs, 0, Number.MAX_SAFE_INTEGER)) throw new RangeError(`writtenAtMs: ${writtenAtMs}`);
  if (BigInt.asUintN(64, header.bucketId) !== header.bucketId) throw new RangeError(`bucketId: ${header.bucketId}`);
}

/** @throws RangeError when the key cannot name a unit */
export function checkUnitKey({ chunkId, unitIndex }: UnitKey): void {
  if (!isHexId(chunkId)) throw new RangeError(`chunkId is not 32 hex digits: ${chunkId}`);
  if (!isWithin(unitIndex, 0, 255)) throw new RangeError(`unitIndex is out of range: ${unitIndex}`);
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
