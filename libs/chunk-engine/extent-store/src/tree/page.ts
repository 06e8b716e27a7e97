/**
 * One page of a tree: 4 KiB with a header, an array of slots that grows up and a heap of cells that grows down. Little
 * endian. The header is that of every metadata block:
 *
 *   offset size
 *   0      4   magic "HFPG"
 *   4      2   format version, 1
 *   6      1   kind: 1 leaf, 2 inner, 3 bitmap, 4 root, 5 value
 *   7      1   level: 0 for leaves
 *   8      16  device id
 *   24     8   position of this page in its file (its own address)
 *   32     8   number of the checkpoint that wrote it (its sequence)
 *   40     4   id of the tree it belongs to, 0 for bitmap and root
 *   44     4   length: bytes in use
 *   48     2   cells (leaf, inner)
 *   50     2   where the heap begins (leaf, inner)
 *   52     2   bytes of removed cells within the heap (leaf, inner)
 *   54     6   zero
 *   60     4   CRC-32 of bytes 0 to 59 and 64 to 4095
 *   64     …   slots, 2 bytes each: where the cell begins, in the order of the keys
 *
 *   cell of a leaf:  u16 key length k | u16 value length v, bit 15: the value lies in value pages | key | value
 *   cell of an inner page: u16 key length k | u32 child page | u32 checksum of the child | key
 *
 * The first cell of an inner page has an empty key: it stands for everything below the second.
 * Functions here are pure on the bytes of one page.
 */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, assert } from '@holdfast/stdx';

export const PAGE_BYTES = BLOCK_BYTES;
export const PAGE_HEADER_BYTES = 64;
export const PageKind = { leaf: 1, inner: 2, bitmap: 3, root: 4, value: 5 } as const;
export type PageKind = (typeof PageKind)[keyof typeof PageKind];

const MAGIC = 0x4750_4648;
const VERSION = 1;
const CHECKSUM_AT = 60;
const LEAF_CELL_HEAD = 4;
const INNER_CELL_HEAD = 10;
/** Three of the largest cells fit into a page, so that every split leaves room. */
export const CELL_MAX_BYTES = Math.floor((BLOCK_BYTES - PAGE_HEADER_BYTES) / 3) - 2;
const VALUE_OUTSIDE = 0x8000;

export interface PageIdentity {
  readonly kind: PageKind;
  readonly level: number;
  readonly deviceIdBytes: Buffer;
  readonly position: number;
  readonly sequence: number;
  readonly treeId: number;
}

export function initPage(page: Buffer, identity: PageIdentity): void {
  page.fill(0);
  page.writeUInt32LE(MAGIC, 0);
  page.writeUInt16LE(VERSION, 4);
  page[6] = identity.kind;
  page[7] = identity.level;
  identity.deviceIdBytes.copy(page, 8);
  page.writeUInt32LE(identity.treeId, 40);
  page.writeUInt16LE(BLOCK_BYTES, 50);
  movePage(page, identity.position, identity.sequence);
}

/** The page stands elsewhere, or belongs to another checkpoint. */
export function movePage(page: Buffer, position: number, sequence: number): void {
  page.writeBigUInt64LE(BigInt(position), 24);
  page.writeBigUInt64LE(BigInt(sequence), 32);
}

/** Writes length and checksum; returns the checksum. */
export function sealPage(page: Buffer, lengthBytes = usedBytes(page)): number {
  page.writeUInt32LE(lengthBytes, 44);
  const checksum = checksumOf(page);
  page.writeUInt32LE(checksum, CHECKSUM_AT);
  return checksum;
}

function checksumOf(page: Buffer): number {
  return crc32(page.subarray(PAGE_HEADER_BYTES), crc32(page.subarray(0, CHECKSUM_AT)));
}

/** Why this is not the page that its parent names; undefined when it is. */
export function faultOfPage(
  page: Buffer,
  expected: Pick<PageIdentity, 'deviceIdBytes' | 'position'> & { readonly checksum: number },
): string | undefined {
  if (page.length !== BLOCK_BYTES) return 'it cannot be read';
  if (page.readUInt32LE(0) !== MAGIC) return 'it has no page mark';
  if (page.readUInt16LE(4) !== VERSION) return `it has page version ${page.readUInt16LE(4)}`;
  if (!page.subarray(8, 24).equals(expected.deviceIdBytes)) return 'it belongs to another device';
  const position = Number(page.readBigUInt64LE(24));
  if (position !== expected.position) return `it was written for position ${position}`;
  if (page.readUInt32LE(CHECKSUM_AT) !== checksumOf(page)) return 'its checksum is wrong';
  if (page.readUInt32LE(CHECKSUM_AT) !== expected.checksum) return 'it is another version than its parent names';
  return undefined;
}

export const kindOf = (page: Buffer): number => page[6];
export const levelOf = (page: Buffer): number => page[7];
export const treeOf = (page: Buffer): number => page.readUInt32LE(40);
export const lengthOf = (page: Buffer): number => page.readUInt32LE(44);
export const isLeaf = (page: Buffer): boolean => page[6] === PageKind.leaf;

function u16(page: Buffer, at: number): number {
  return page[at] | (page[at + 1] << 8);
}

function put16(page: Buffer, at: number, value: number): void {
  page[at] = value & 0xff;
  page[at + 1] = value >>> 8;
}

export const cellCount = (page: Buffer): number => u16(page, 48);
const heapStart = (page: Buffer): number => u16(page, 50);
const garbage = (page: Buffer): number => u16(page, 52);
const cellAt = (page: Buffer, index: number): number => u16(page, PAGE_HEADER_BYTES + 2 * index);

/** Bytes that header, slots and live cells take. */
export function usedBytes(page: Buffer): number {
  return PAGE_HEADER_BYTES + 2 * cellCount(page) + BLOCK_BYTES - heapStart(page) - garbage(page);
}

function headBytes(page: Buffer): number {
  return isLeaf(page) ? LEAF_CELL_HEAD : INNER_CELL_HEAD;
}

function cellSize(page: Buffer, at: number): number {
  if (!isLeaf(page)) return INNER_CELL_HEAD + u16(page, at);
  return LEAF_CELL_HEAD + u16(page, at) + (u16(page, at + 2) & ~VALUE_OUTSIDE);
}

/** Compares two keys by unsigned bytes. */
export function compareKeys(one: Buffer, other: Buffer): number {
  return compareAt(one, 0, one.length, other);
}

/** Compares the key of a cell with `key` by unsigned bytes. */
function compareAt(page: Buffer, at: number, keyBytes: number, key: Buffer): number {
  const common = keyBytes < key.length ? keyBytes : key.length;
  for (let index = 0; index < common; index += 1) {
    const difference = page[at + index] - key[index];
    if (difference !== 0) return difference;
  }
  return keyBytes - key.length;
}

/** Index of the first cell whose key is not below `key`. */
export function lowerBound(page: Buffer, key: Buffer): number {
  const head = headBytes(page);
  let low = 0;
  let high = cellCount(page);
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = cellAt(page, middle);
    if (compareAt(page, at + head, u16(page, at), key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function hasKeyAt(page: Buffer, index: number, key: Buffer): boolean {
  if (index >= cellCount(page)) return false;
  const at = cellAt(page, index);
  return u16(page, at) === key.length && compareAt(page, at + headBytes(page), key.length, key) === 0;
}

/** Index of the cell of an inner page under which `key` belongs. */
export function childIndex(page: Buffer, key: Buffer): number {
  const index = lowerBound(page, key);
  return index > 0 && !hasKeyAt(page, index, key) ? index - 1 : index;
}

export function keyAt(page: Buffer, index: number): Buffer {
  const at = cellAt(page, index);
  const from = at + headBytes(page);
  return page.subarray(from, from + u16(page, at));
}

/** The value as it stands in the cell; of a value outside, the reference to it. */
export function valueAt(page: Buffer, index: number): Buffer {
  const at = cellAt(page, index);
  const from = at + LEAF_CELL_HEAD + u16(page, at);
  return page.subarray(from, from + (u16(page, at + 2) & ~VALUE_OUTSIDE));
}

export function isValueOutside(page: Buffer, index: number): boolean {
  return (u16(page, cellAt(page, index) + 2) & VALUE_OUTSIDE) !== 0;
}

export const childAt = (page: Buffer, index: number): number => page.readUInt32LE(cellAt(page, index) + 2);
export const childChecksumAt = (page: Buffer, index: number): number => page.readUInt32LE(cellAt(page, index) + 6);

export function setChild(page: Buffer, index: number, child: number, checksum: number): void {
  const at = cellAt(page, index);
  page.writeUInt32LE(child, at + 2);
  page.writeUInt32LE(checksum, at + 6);
}

export function leafCell(key: Buffer, value: Buffer, isOutside: boolean): Buffer {
  const cell = Buffer.allocUnsafe(LEAF_CELL_HEAD + key.length + value.length);
  put16(cell, 0, key.length);
  put16(cell, 2, value.length | (isOutside ? VALUE_OUTSIDE : 0));
  key.copy(cell, LEAF_CELL_HEAD);
  value.copy(cell, LEAF_CELL_HEAD + key.length);
  return cell;
}

export const leafCellBytes = (keyBytes: number, valueBytes: number): number => LEAF_CELL_HEAD + keyBytes + valueBytes;

export function innerCell(key: Buffer, child: number, checksum: number): Buffer {
  const cell = Buffer.allocUnsafe(INNER_CELL_HEAD + key.length);
  put16(cell, 0, key.length);
  cell.writeUInt32LE(child, 2);
  cell.writeUInt32LE(checksum, 6);
  key.copy(cell, INNER_CELL_HEAD);
  return cell;
}

/** The same child under another key. */
export function withKey(cell: Buffer, key: Buffer): Buffer {
  return innerCell(key, cell.readUInt32LE(2), cell.readUInt32LE(6));
}

export function innerKey(cell: Buffer): Buffer {
  return cell.subarray(INNER_CELL_HEAD);
}

export function leafKey(cell: Buffer): Buffer {
  return cell.subarray(LEAF_CELL_HEAD, LEAF_CELL_HEAD + u16(cell, 0));
}

/** A copy of the cell. */
export function copyCell(page: Buffer, index: number): Buffer {
  const at = cellAt(page, index);
  return Buffer.from(page.subarray(at, at + cellSize(page, at)));
}

export function copyCells(page: Buffer): Buffer[] {
  return Array.from({ length: cellCount(page) }, (_, index) => copyCell(page, index));
}

/** False when the page has no room. */
export function insertCell(page: Buffer, index: number, cell: Buffer): boolean {
  const count = cellCount(page);
  if (usedBytes(page) + cell.length + 2 > BLOCK_BYTES) return false;
  if (heapStart(page) - cell.length < PAGE_HEADER_BYTES + 2 * (count + 1)) compact(page);
  const at = heapStart(page) - cell.length;
  cell.copy(page, at);
  const slot = PAGE_HEADER_BYTES + 2 * index;
  page.copyWithin(slot + 2, slot, PAGE_HEADER_BYTES + 2 * count);
  put16(page, slot, at);
  put16(page, 48, count + 1);
  put16(page, 50, at);
  return true;
}

export function removeCell(page: Buffer, index: number): void {
  const count = cellCount(page);
  assert(index < count, 'A removed cell is there', { index, count });
  const at = cellAt(page, index);
  const size = cellSize(page, at);
  if (at === heapStart(page)) put16(page, 50, at + size);
  else put16(page, 52, garbage(page) + size);
  const slot = PAGE_HEADER_BYTES + 2 * index;
  page.copyWithin(slot, slot + 2, PAGE_HEADER_BYTES + 2 * count);
  put16(page, PAGE_HEADER_BYTES + 2 * (count - 1), 0);
  put16(page, 48, count - 1);
}

/** The page with these cells and no others. */
export function fillPage(page: Buffer, cells: readonly Buffer[]): void {
  page.fill(0, PAGE_HEADER_BYTES);
  let at = BLOCK_BYTES;
  cells.forEach((cell, index) => {
    at -= cell.length;
    cell.copy(page, at);
    put16(page, PAGE_HEADER_BYTES + 2 * index, at);
  });
  assert(at >= PAGE_HEADER_BYTES + 2 * cells.length, 'Cells fit into their page', { cells: cells.length, at });
  put16(page, 48, cells.length);
  put16(page, 50, at);
  put16(page, 52, 0);
}

function compact(page: Buffer): void {
  fillPage(page, copyCells(page));
}
