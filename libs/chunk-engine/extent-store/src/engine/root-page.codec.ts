/**
 * The root page of a checkpoint: where every tree begins. The superblock names it and holds its checksum. After the header
 * of a page (page.ts; kind 4), little endian:
 *
 *   offset size
 *   64     24  tree 1, cob           each: u32 root page (0: empty) | u32 checksum | u32 level | u32 zero | u64 entries
 *   88     24  tree 2, extmap
 *   112    24  tree 3, balloc by offset
 *   136    24  tree 4, balloc by length
 *   160    24  tree 5, extents that are free once this checkpoint is durable, and not in balloc (keyed as tree 3)
 *   184    24  tree 6, catalogue of catalogues
 *   208    4   bitmap pages
 *   212    4   number that the next catalogue gets
 *   216    8   free blocks in balloc
 *   224    32  zero
 *   256    …   per bitmap page: u32 page | u32 checksum
 *
 * An entry of the catalogue of catalogues: key = name, value = u32 number (its tree id) | a root as above.
 */
import { PAGE_HEADER_BYTES } from '../tree/page.js';
import type { PageRef } from '../tree/page-space.js';
import type { TreeRoot } from '../tree/b-tree.js';

export const TreeId = { cob: 1, extmap: 2, freeByOffset: 3, freeByLength: 4, freed: 5, catalogues: 6 } as const;
export const CATALOGUE_NUMBER_MIN = 16;
const TREES = 6;
const ROOT_BYTES = 24;
const BITMAPS_AT = 256;

export interface CheckpointRoot {
  /** By tree id, from 1. */
  readonly trees: readonly TreeRoot[];
  readonly nextCatalogue: number;
  readonly freeBlocks: number;
  readonly bitmaps: readonly PageRef[];
}

export function rootPageBytes(bitmapCount: number): number {
  return BITMAPS_AT + 8 * bitmapCount;
}

export function encodeRoot(page: Buffer, root: CheckpointRoot): void {
  root.trees.forEach((tree, index) => putTree(page, PAGE_HEADER_BYTES + index * ROOT_BYTES, tree));
  page.writeUInt32LE(root.bitmaps.length, 208);
  page.writeUInt32LE(root.nextCatalogue, 212);
  page.writeBigUInt64LE(BigInt(root.freeBlocks), 216);
  root.bitmaps.forEach(({ page: number, checksum }, index) => {
    page.writeUInt32LE(number, BITMAPS_AT + 8 * index);
    page.writeUInt32LE(checksum, BITMAPS_AT + 8 * index + 4);
  });
}

export function decodeRoot(page: Buffer): CheckpointRoot {
  return {
    trees: Array.from({ length: TREES }, (_, index) => treeAt(page, PAGE_HEADER_BYTES + index * ROOT_BYTES)),
    nextCatalogue: page.readUInt32LE(212),
    freeBlocks: Number(page.readBigUInt64LE(216)),
    bitmaps: Array.from({ length: page.readUInt32LE(208) }, (_, index) => ({
      page: page.readUInt32LE(BITMAPS_AT + 8 * index),
      checksum: page.readUInt32LE(BITMAPS_AT + 8 * index + 4),
    })),
  };
}

export interface CatalogueEntry {
  readonly number: number;
  readonly root: TreeRoot;
}

export function encodeCatalogue({ number, root }: CatalogueEntry): Buffer {
  const value = Buffer.alloc(4 + ROOT_BYTES);
  value.writeUInt32LE(number, 0);
  putTree(value, 4, root);
  return value;
}

export function decodeCatalogue(value: Buffer): CatalogueEntry {
  return { number: value.readUInt32LE(0), root: treeAt(value, 4) };
}

function putTree(target: Buffer, at: number, { page, checksum, level, entryCount }: TreeRoot): void {
  target.writeUInt32LE(page, at);
  target.writeUInt32LE(checksum, at + 4);
  target.writeUInt32LE(level, at + 8);
  target.writeUInt32LE(0, at + 12);
  target.writeBigUInt64LE(BigInt(entryCount), at + 16);
}

function treeAt(source: Buffer, at: number): TreeRoot {
  return {
    page: source.readUInt32LE(at),
    checksum: source.readUInt32LE(at + 4),
    level: source.readUInt32LE(at + 8),
    entryCount: Number(source.readBigUInt64LE(at + 16)),
  };
}
