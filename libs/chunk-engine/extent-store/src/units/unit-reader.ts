/** Reads the bytes of units from data blocks and verifies them. */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { LARGE_UNIT_MIN_BYTES, notLent, unitMemory, type LentBytes } from '../device/unit-memory.js';
import { blockPosition, roundUp, type DeviceLayout } from '../format/device-layout.js';
import { piecesOf, pieceChecksum, unitSeed, type PieceRange } from './unit-checksums.js';
import type { MappedExtent } from './unit-record.codec.js';

/**
 * What a unit is read for. `serve`: for whoever asked, through the page cache, so that what is asked for often is not read from
 * the device each time. `verify`: to know what stands on the device itself, past the cache, and the zeros behind the unit in
 * its last block too.
 */
export type ReadPurpose = 'serve' | 'verify';

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Whether these are the zeros behind the end of a unit: less than a block. */
export function isZeroTail(tail: Uint8Array): boolean {
  return ZEROS.compare(tail, 0, tail.length, 0, tail.length) === 0;
}

/** A piece with where it lies and what it must sum to. */
interface StoredPiece extends PieceRange {
  readonly position: number;
  readonly checksum: number;
}

/**
 * Bytes [from, to) of a unit of `unitSizeBytes`; the whole pieces that they touch are read and verified. Undefined when they
 * do not verify or cannot be read. The bytes are lent: valid until they are released.
 */
export async function readUnit(
  data: DeviceFile,
  layout: DeviceLayout,
  unit: { readonly key: Buffer; readonly unitSizeBytes: number; readonly extents: readonly MappedExtent[] },
  { from, to }: PieceRange,
  purpose: ReadPurpose = 'serve',
): Promise<LentBytes | undefined> {
  assert(from >= 0 && from <= to && to <= unit.unitSizeBytes, 'A range lies in its unit', { from, to });
  if (from === to) return notLent(Buffer.alloc(0));
  const pieces = storedPieces(layout, unit.extents, unit.unitSizeBytes).filter(
    (piece) => piece.to > from && piece.from < to,
  );
  // A unit whose bytes are not mapped is damaged: holes are never read as zeros.
  if (!covers(pieces, { from, to })) return undefined;
  const start = pieces[0].from;
  const end = pieces.at(-1)?.to ?? to;
  const tailEnd = purpose === 'verify' && end === unit.unitSizeBytes ? roundUp(end) : end;
  const sizeBytes = tailEnd - start;
  const isLent = purpose === 'verify' || sizeBytes >= LARGE_UNIT_MIN_BYTES;
  const memory = isLent ? unitMemory.lend(sizeBytes) : notLent(Buffer.allocUnsafeSlow(sizeBytes));
  const isPastCache = purpose === 'verify' && isLent;
  const isRead = await readRuns(data, memory.bytes, { start, end: tailEnd, isPastCache }, runsOf(pieces));
  const seed = unitSeed(unit.key);
  const verifies = ({ from: first, to: last, checksum }: StoredPiece): boolean =>
    pieceChecksum(seed, first, memory.bytes.subarray(first - start, last - start)) === checksum;
  if (isRead && pieces.every(verifies) && isZeroTail(memory.bytes.subarray(end - start, tailEnd - start)))
    return { bytes: memory.bytes.subarray(from - start, to - start), release: memory.release };
  memory.release();
  return undefined;
}

/** Fills the memory with bytes [start, end) of the unit; the last of the runs may end before `end`, in the same block. */
async function readRuns(
  data: DeviceFile,
  memory: Buffer,
  { start, end, isPastCache }: { readonly start: number; readonly end: number; readonly isPastCache: boolean },
  runs: readonly { readonly from: number; readonly to: number; readonly position: number }[],
): Promise<boolean> {
  const path = isPastCache ? 'past-cache' : 'through-cache';
  for (const [index, { from, to, position }] of runs.entries()) {
    const wantedTo = index === runs.length - 1 ? end : to;
    // Past the cache whole blocks are read: there is room for them, on the device and in the memory.
    const readTo = isPastCache ? roundUp(wantedTo) : wantedTo;
    const target = memory.subarray(from - start, readTo - start);
    const sizeBytes = await data.read(target, position, 'data', path).catch(() => 0);
    if (sizeBytes !== target.length) return false;
  }
  return true;
}

function covers(pieces: readonly PieceRange[], { from, to }: PieceRange): boolean {
  if (pieces.length === 0 || pieces[0].from > from) return false;
  let end = pieces[0].from;
  for (const piece of pieces) {
    if (piece.from !== end) return false;
    end = piece.to;
  }
  return end >= to;
}

function storedPieces(layout: DeviceLayout, extents: readonly MappedExtent[], unitSizeBytes: number): StoredPiece[] {
  return extents.flatMap(({ start, blocks, offset, checksums }) => {
    const range = { from: offset, to: Math.min(unitSizeBytes, offset + blocks * BLOCK_BYTES) };
    return piecesOf(range).map(({ from, to }, index) => ({
      from,
      to,
      position: blockPosition(layout, start) + from - offset,
      checksum: checksums[index],
    }));
  });
}

/** Pieces that follow each other on the device are read in one call. */
function runsOf(pieces: readonly StoredPiece[]): { from: number; to: number; position: number }[] {
  const runs: { from: number; to: number; position: number }[] = [];
  for (const { from, to, position } of pieces) {
    const last = runs.at(-1);
    if (last !== undefined && last.to === from && last.position + (last.to - last.from) === position) last.to = to;
    else runs.push({ from, to, position });
  }
  return runs;
}
