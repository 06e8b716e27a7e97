/** The bytes of a recorded unit, wherever they lie now: in the mirror of the log, or in data blocks. */
import type { UnitHeader } from '../unit-header.js';
import { pieceChecksum, unitSeed } from '../units/unit-checksums.js';
import { readUnit } from '../units/unit-reader.js';
import type { DeviceParts } from './device-state.js';

/** Verified bytes of the unit, or of a range cut at its end; undefined when they cannot be read or do not verify. */
export async function unitBytes(
  { small, table, files, layout }: DeviceParts,
  key: Buffer,
  { unitSizeBytes }: UnitHeader,
  range?: { readonly offset: number; readonly length: number },
): Promise<Buffer | undefined> {
  const from = Math.min(range?.offset ?? 0, unitSizeBytes);
  const to = Math.min(unitSizeBytes, from + (range?.length ?? unitSizeBytes));
  const inLog = small.find(key);
  if (inLog !== undefined) {
    const whole = small.copy(inLog, 0, unitSizeBytes);
    return pieceChecksum(unitSeed(key), 0, whole) === inLog.checksum ? whole.subarray(from, to) : undefined;
  }
  const extents = await table.extmap.retry(() => table.extents(key));
  return readUnit(files.data, layout, { key, unitSizeBytes, extents }, { from, to });
}
