/** Reads stored bytes and verifies the slices they lie in. */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import { SLICE_BYTES, positionOf, type DeviceLayout, type Extent } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import type { UnitEntry } from './log-group.js';
import { sliceChecksum, unitSeed } from './slice-checksums.js';

/**
 * Bytes [from, to) of the unit (all of it by default); whole slices are read and verified. Undefined when they do not
 * verify or cannot be read.
 */
export async function readUnit(
  device: DeviceFile,
  layout: DeviceLayout,
  entry: UnitEntry,
  from = 0,
  to = entry.header.unitSizeBytes,
): Promise<Buffer | undefined> {
  const { unitSizeBytes } = entry.header;
  assert(from >= 0 && from <= to && to <= unitSizeBytes, 'A range lies in its unit', { from, to, unitSizeBytes });
  const firstSlice = Math.floor(from / SLICE_BYTES);
  const start = firstSlice * SLICE_BYTES;
  const end = Math.min(unitSizeBytes, Math.ceil(to / SLICE_BYTES) * SLICE_BYTES);
  if (to === from) return Buffer.alloc(0);
  const bytes = Buffer.allocUnsafeSlow(end - start);
  for (const piece of piecesOf(entry.extents, start, end)) {
    const target = bytes.subarray(piece.offset - start, piece.offset - start + piece.sizeBytes);
    const position = positionOf(layout, piece.block) + piece.skipBytes;
    const sizeBytes = await device.read(target, position).catch(() => 0);
    if (sizeBytes !== target.length) return undefined;
  }
  const seed = unitSeed(entry.header);
  for (let slice = firstSlice, at = 0; at < bytes.length; slice += 1, at += SLICE_BYTES) {
    if (sliceChecksum(seed, slice, bytes.subarray(at, at + SLICE_BYTES)) !== entry.checksums[slice]) return undefined;
  }
  return bytes.subarray(from - start, to - start);
}

interface Piece {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly block: number;
  readonly skipBytes: number;
}

/** Where bytes [start, end) of a unit lie, extent by extent. */
function* piecesOf(extents: readonly Extent[], start: number, end: number): Generator<Piece> {
  let offset = 0;
  for (const extent of extents) {
    const extentEnd = offset + extent.blocks * BLOCK_BYTES;
    const from = Math.max(start, offset);
    const to = Math.min(end, extentEnd);
    if (from < to) yield { offset: from, sizeBytes: to - from, block: extent.start, skipBytes: from - offset };
    offset = extentEnd;
  }
}
