/** The bytes of a recorded unit, wherever they lie now: in the mirror of the log, or in data blocks. */
import { notLent, type LentBytes } from '../device/unit-memory.js';
import type { UnitHeader } from '../unit-header.js';
import { pieceChecksum, unitSeed } from '../units/unit-checksums.js';
import { isZeroTail, readUnit, type ReadPurpose } from '../units/unit-reader.js';
import type { DeviceParts } from './device-state.js';

export interface UnitBytesOptions {
  /** Cut at the unit's end; by default all of it. */
  readonly range?: { readonly offset: number; readonly length: number };
  readonly purpose?: ReadPurpose;
}

/** Verified bytes of the unit or of a range, lent until they are released; undefined when they cannot be read or do not verify. */
export async function unitBytes(
  { small, table, files, layout }: DeviceParts,
  key: Buffer,
  { unitSizeBytes }: UnitHeader,
  { range, purpose }: UnitBytesOptions = {},
): Promise<LentBytes | undefined> {
  const from = Math.min(range?.offset ?? 0, unitSizeBytes);
  const to = Math.min(unitSizeBytes, from + (range?.length ?? unitSizeBytes));
  const inLog = small.bytes(key);
  if (inLog !== undefined) {
    const { blocks, checksum } = inLog;
    const whole = blocks.subarray(0, unitSizeBytes);
    if (pieceChecksum(unitSeed(key), 0, whole) !== checksum) return undefined;
    if (purpose === 'verify' && !isZeroTail(blocks.subarray(unitSizeBytes))) return undefined;
    return notLent(whole.subarray(from, to));
  }
  const extents = await table.extmap.retry(() => table.extents(key));
  return readUnit(files.data, layout, { key, unitSizeBytes, extents }, { from, to }, purpose);
}
