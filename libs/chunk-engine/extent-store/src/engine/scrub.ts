/**
 * Reads what the device holds and verifies it, so that damage is found while there is still enough to repair it from. Works
 * through the units in the order of their ids; what comes meanwhile is verified at the next pass. Resumable: a pass goes on
 * behind the last unit of the one before.
 */
import { UNIT_KEY_BYTES, decodeUnit } from '../units/unit-record.codec.js';
import type { UnitHeader, UnitKey } from '../unit-header.js';
import type { DeviceParts } from './device-state.js';
import { ScrubPace } from './scrub-pace.js';

export interface ScrubOptions {
  /** Goes on behind this unit; by default from the first. */
  readonly after?: UnitKey;
  /** Reads no faster than this; by default as fast as it can. */
  readonly bytesPerSecond?: number;
  /** Ends at the next unit. */
  readonly signal?: AbortSignal;
  /** What was found and how far it came, after each unit. */
  readonly onUnit?: (unit: UnitKey, finding: 'sound' | 'damaged', sizeBytes: number) => void;
}

export interface ScrubReport {
  readonly unitCount: number;
  readonly sizeBytes: number;
  readonly damaged: readonly UnitHeader[];
  /** The last unit that was read; undefined when there was none. Give it as `after` to go on. */
  readonly last?: UnitKey;
  /** False when it was ended before the last unit. */
  readonly isWhole: boolean;
}

type VerifyUnit = (header: UnitHeader) => Promise<boolean>;

export async function scrub(parts: DeviceParts, verify: VerifyUnit, options: ScrubOptions = {}): Promise<ScrubReport> {
  const from = options.after === undefined ? undefined : keyAfter(options.after);
  const pace = new ScrubPace(parts.clock, options);
  const damaged: UnitHeader[] = [];
  let unitCount = 0;
  let sizeBytes = 0;
  let last: UnitKey | undefined;
  for await (const { key, value } of parts.table.scan(from)) {
    if (options.signal?.aborted === true) return { unitCount, sizeBytes, damaged, last, isWhole: false };
    const header = decodeUnit(key, value);
    const isSound = await verify(header);
    if (!isSound) damaged.push(header);
    unitCount += 1;
    sizeBytes += header.unitSizeBytes;
    last = { chunkId: header.chunkId, unitIndex: header.unitIndex };
    options.onUnit?.(last, isSound ? 'sound' : 'damaged', header.unitSizeBytes);
    await pace.spend(header.unitSizeBytes);
  }
  return { unitCount, sizeBytes, damaged, last, isWhole: true };
}

function keyAfter({ chunkId, unitIndex }: UnitKey): Buffer {
  const key = Buffer.alloc(UNIT_KEY_BYTES + 1);
  key.write(chunkId, 0, 16, 'hex');
  key[16] = unitIndex;
  return key;
}
