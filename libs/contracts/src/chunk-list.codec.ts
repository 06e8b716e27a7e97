import { HoldfastError } from './errors.js';
import type { ChunkId } from './ids.js';

/** Where the k+m units of one chunk lie in one set: what was really used, never what placement would propose today. */
export interface UnitLayout {
  readonly chunkId: ChunkId;
  readonly setId: number;
  readonly k: number;
  readonly m: number;
  /** k+m slot numbers: data units first, then parity. */
  readonly slots: readonly number[];
}

/** One chunk of a part: its bytes, its primary copy and, once confirmed, its secondary copy (a chunk id of its own). */
export interface ChunkEntry {
  readonly sizeBytes: number;
  readonly primary: UnitLayout;
  readonly secondary?: UnitLayout;
}

/*
 * Packed chunk list, format 1 (docs/formats.md):
 *   u8 format = 1, then per chunk: u8 flags (bit 0: has a secondary), u32 size, layout [, layout]
 *   layout: 16 bytes chunk id, u16 set, u8 k, u8 m, (k+m) x u16 slot. All big endian.
 */
const FORMAT = 1;

const layoutBytes = (layout: UnitLayout): number => 20 + 2 * layout.slots.length;

export function encodeChunkList(chunks: readonly ChunkEntry[]): Buffer {
  let length = 1;
  for (const chunk of chunks)
    length += 5 + layoutBytes(chunk.primary) + (chunk.secondary ? layoutBytes(chunk.secondary) : 0);
  const out = Buffer.allocUnsafe(length);
  let at = out.writeUInt8(FORMAT, 0);
  const put = (layout: UnitLayout): void => {
    if (layout.slots.length !== layout.k + layout.m) throw new RangeError('a layout names k+m slots');
    at += out.write(layout.chunkId, at, 16, 'hex');
    at = out.writeUInt16BE(layout.setId, at);
    at = out.writeUInt8(layout.k, at);
    at = out.writeUInt8(layout.m, at);
    for (const slot of layout.slots) at = out.writeUInt16BE(slot, at);
  };
  for (const chunk of chunks) {
    at = out.writeUInt8(chunk.secondary ? 1 : 0, at);
    at = out.writeUInt32BE(chunk.sizeBytes, at);
    put(chunk.primary);
    if (chunk.secondary) put(chunk.secondary);
  }
  return out;
}

/** Errors: InternalError for bytes that are not a chunk list (they come from our own database). */
export function decodeChunkList(packed: Buffer): ChunkEntry[] {
  const broken = (): never => {
    throw new HoldfastError('InternalError', 'a packed chunk list does not decode');
  };
  if (packed.length < 1 || packed[0] !== FORMAT) broken();
  let at = 1;
  const take = (): UnitLayout => {
    if (at + 20 > packed.length) broken();
    const chunkId = packed.toString('hex', at, at + 16);
    const setId = packed.readUInt16BE(at + 16);
    const k = packed[at + 18];
    const m = packed[at + 19];
    at += 20;
    if (k < 1 || at + 2 * (k + m) > packed.length) broken();
    const slots: number[] = [];
    for (let i = 0; i < k + m; i++, at += 2) slots.push(packed.readUInt16BE(at));
    return { chunkId, setId, k, m, slots };
  };
  const chunks: ChunkEntry[] = [];
  while (at < packed.length) {
    if (at + 5 > packed.length) broken();
    const hasSecondary = (packed[at] & 1) === 1;
    const sizeBytes = packed.readUInt32BE(at + 1);
    at += 5;
    const primary = take();
    chunks.push(hasSecondary ? { sizeBytes, primary, secondary: take() } : { sizeBytes, primary });
  }
  return chunks;
}
