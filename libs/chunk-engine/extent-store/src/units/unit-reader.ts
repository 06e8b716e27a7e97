/** Reads the bytes of units from data blocks and verifies them. */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { blockPosition, roundUp, type DeviceLayout } from '../format/device-layout.js';
import { piecesOf, pieceChecksum, unitSeed, type PieceRange } from './unit-checksums.js';
import type { MappedExtent } from './unit-record.codec.js';

/** What lies behind the last byte of a unit in its last block is zero; `verify-tail` holds it to that. */
export type TailRule = 'ignore-tail' | 'verify-tail';

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
 * do not verify or cannot be read. With `verify-tail` so are the zeros behind the unit when it is read to its end.
 */
export async function readUnit(
  data: DeviceFile,
  layout: DeviceLayout,
  unit: { readonly key: Buffer; readonly unitSizeBytes: number; readonly extents: readonly MappedExtent[] },
  { from, to }: PieceRange,
  tailRule: TailRule = 'ignore-tail',
): Promise<Buffer | undefined> {
  assert(from >= 0 && from <= to && to <= unit.unitSizeBytes, 'A range lies in its unit', { from, to });
  if (from === to) return Buffer.alloc(0);
  const pieces = storedPieces(layout, unit.extents, unit.unitSizeBytes).filter(
    (piece) => piece.to > from && piece.from < to,
  );
  // A unit whose bytes are not mapped is damaged: holes are never read as zeros.
  if (!covers(pieces, { from, to })) return undefined;
  const start = pieces[0].from;
  const end = pieces.at(-1)?.to ?? to;
  const readEnd = tailRule === 'verify-tail' && end === unit.unitSizeBytes ? roundUp(end) : end;
  const bytes = Buffer.allocUnsafeSlow(readEnd - start);
  for (const run of runsOf(pieces)) {
    // The last block of the unit is read whole with the piece that ends in it.
    if (run.to === end) run.to = readEnd;
    const target = bytes.subarray(run.from - start, run.to - start);
    const sizeBytes = await data.read(target, run.position, 'data').catch(() => 0);
    if (sizeBytes !== target.length) return undefined;
  }
  const seed = unitSeed(unit.key);
  for (const piece of pieces) {
    const part = bytes.subarray(piece.from - start, piece.to - start);
    if (pieceChecksum(seed, piece.from, part) !== piece.checksum) return undefined;
  }
  if (!isZeroTail(bytes.subarray(end - start))) return undefined;
  return bytes.subarray(from - start, to - start);
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
