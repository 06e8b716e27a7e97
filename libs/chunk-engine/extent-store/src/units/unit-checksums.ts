/**
 * Checksums of stored bytes. A unit is cut at every 64 KiB and wherever an extent ends; each piece has the CRC-32 (zlib's) of
 * its bytes, begun from a seed of chunk id, unit index and the piece's offset in the unit. Bytes that were written to or
 * read from the wrong place therefore do not verify, even when they are whole in themselves.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, KIB, assert } from '@holdfast/stdx';
import type { Extent } from '../format/device-layout.js';

export const PIECE_BYTES = 64 * KIB;
const SPREAD = 0x9e37_79b1;

/** A piece of a unit: bytes [from, to). */
export interface PieceRange {
  readonly from: number;
  readonly to: number;
}

/** @param key chunk id and unit index, 17 bytes */
export function unitSeed(key: Buffer): number {
  return crc32(key);
}

/** What the checksum of a piece begins from. */
export function pieceStart(seed: number, offset: number): number {
  return (seed ^ Math.imul(offset / BLOCK_BYTES + 1, SPREAD)) >>> 0;
}

/** @param offset of the piece in its unit, a multiple of 4 KiB */
export function pieceChecksum(seed: number, offset: number, bytes: Uint8Array): number {
  return crc32(bytes, pieceStart(seed, offset));
}

/** The pieces of an extent that holds bytes [from, to) of its unit. */
export function piecesOf({ from, to }: PieceRange): PieceRange[] {
  const pieces: PieceRange[] = [];
  for (let at = from; at < to;) {
    const end = Math.min(to, (Math.floor(at / PIECE_BYTES) + 1) * PIECE_BYTES);
    pieces.push({ from: at, to: end });
    at = end;
  }
  return pieces;
}

/** Bytes of the unit in each of its extents. */
export function rangesOf(extents: readonly Extent[], unitSizeBytes: number): PieceRange[] {
  let from = 0;
  return extents.map(({ blocks }) => {
    const range = { from, to: Math.min(unitSizeBytes, from + blocks * BLOCK_BYTES) };
    assert(range.to > from, 'Extents are no larger than their unit', { from, unitSizeBytes });
    from = range.to;
    return range;
  });
}

/** Checksums, extent by extent, of the unit whose bytes are these buffers one after the other. */
export function checksumsOf(
  key: Buffer,
  buffers: readonly Uint8Array[],
  extents: readonly Extent[],
  unitSizeBytes: number,
): number[][] {
  const seed = unitSeed(key);
  const reader = new BufferReader(buffers);
  return rangesOf(extents, unitSizeBytes).map((range) =>
    piecesOf(range).map(({ from, to }) => {
      let running = pieceStart(seed, from);
      reader.each(to - from, (part) => {
        running = crc32(part, running);
      });
      return running;
    }),
  );
}

/** Walks over buffers as if they were one. */
class BufferReader {
  private index = 0;
  private offset = 0;

  constructor(private readonly buffers: readonly Uint8Array[]) {}

  each(sizeBytes: number, take: (part: Uint8Array) => void): void {
    for (let left = sizeBytes; left > 0;) {
      const buffer = this.buffers[this.index];
      const taken = Math.min(left, buffer.length - this.offset);
      if (taken > 0) take(buffer.subarray(this.offset, this.offset + taken));
      left -= taken;
      this.offset += taken;
      if (this.offset === buffer.length) {
        this.index += 1;
        this.offset = 0;
      }
    }
  }
}
