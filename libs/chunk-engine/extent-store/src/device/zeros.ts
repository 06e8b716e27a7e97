/** Zeros for parts of a device. */
import { MIB, pageMemory } from '@holdfast/stdx';
import type { BlockKind, DeviceFile } from './device.port.js';

const PIECE_BYTES = MIB;
/** One for the process; made when it is first needed. */
let zeros: Buffer | undefined;

/** Writes zeros, a mebibyte at a time; `noteWritten` hears how many bytes stand so far. Not flushed. */
export async function writeZeros(
  file: DeviceFile,
  kind: BlockKind,
  start: number,
  sizeBytes: number,
  noteWritten: (sizeBytes: number) => void = () => undefined,
): Promise<void> {
  zeros ??= Buffer.from(pageMemory(PIECE_BYTES).buffer);
  for (let at = 0; at < sizeBytes;) {
    const piece = zeros.subarray(0, Math.min(PIECE_BYTES, sizeBytes - at));
    await file.write([piece], start + at, kind, 'past-cache');
    at += piece.length;
    noteWritten(at);
  }
}
