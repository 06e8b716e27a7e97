/**
 * How a chunk becomes data units. The unit size is ceil(chunk / k) rounded up to 4 KiB, and unit i covers the bytes
 * [i * unitSize, (i + 1) * unitSize) of the chunk, read as if zeros followed it. Those zeros are never sent or stored:
 * a data unit carries only its real bytes, so the last ones may be short or empty. A parity unit carries as many bytes
 * as data unit 0, the longest one; everything after would be zero. With k = 1 all units are therefore equal copies.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';

export interface SplitChunk {
  /** Logical size of every unit of the group: a multiple of 4 KiB, 0 for an empty chunk. */
  readonly unitSizeBytes: number;
  /** k views of the chunk with the real bytes only: no copy, some may be short or empty. */
  readonly units: Buffer[];
}

/** Logical size of the units of a chunk. */
export function unitSizeFor(chunkSizeBytes: number, k: number): number {
  assert(Number.isInteger(k) && k >= 1, 'A chunk has at least one data unit', { k });
  assert(Number.isInteger(chunkSizeBytes) && chunkSizeBytes >= 0, 'A chunk has a size', { chunkSizeBytes });
  return Math.ceil(Math.ceil(chunkSizeBytes / k) / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Bytes that unit `unitIndex` really carries on the wire and on the device; parity units (index >= k) as unit 0. */
export function storedUnitSize(chunkSizeBytes: number, k: number, unitIndex: number): number {
  const unitSizeBytes = unitSizeFor(chunkSizeBytes, k);
  const start = unitIndex < k ? unitIndex * unitSizeBytes : 0;
  return Math.max(0, Math.min(unitSizeBytes, chunkSizeBytes - start));
}

export function splitChunk(chunk: Buffer, k: number): SplitChunk {
  const unitSizeBytes = unitSizeFor(chunk.length, k);
  const units = Array.from({ length: k }, (_, index) =>
    chunk.subarray(Math.min(chunk.length, index * unitSizeBytes), (index + 1) * unitSizeBytes),
  );
  return { unitSizeBytes, units };
}

/**
 * The chunk from its k data units in order. Units may carry trailing zeros up to the unit size (rebuilt ones do).
 * With k = 1 and an exact unit the result is a view, else a copy.
 */
export function joinChunk(units: readonly Uint8Array[], chunkSizeBytes: number): Buffer {
  const k = units.length;
  const exact = units.map((unit, index) => {
    const sizeBytes = storedUnitSize(chunkSizeBytes, k, index);
    assert(unit.length >= sizeBytes, 'A unit carries its real bytes', { index, length: unit.length, sizeBytes });
    return unit.subarray(0, sizeBytes);
  });
  if (k === 1) return Buffer.from(exact[0].buffer, exact[0].byteOffset, exact[0].length);
  return Buffer.concat(exact, chunkSizeBytes);
}
