/**
 * Free extents of the data area in two trees, `balloc` by offset and by length. They never overlap and never touch.
 *
 *   by offset  key: u32 first block (big endian)                          value: u32 blocks (little endian)
 *   by length  key: u32 blocks, u32 first block (both big endian)         value: empty
 *
 * All blocks from the frontier on are free, and are not handed out yet (engine/fill-ahead.ts): so at most one extent, the last,
 * reaches beyond it.
 */
import { assert } from '@holdfast/stdx';
import type { Extent } from '../format/device-layout.js';
import { missing, type BTree, type Missing, type TreeEntry } from '../tree/b-tree.js';

const NOTHING = Buffer.alloc(0);

export class ExtentAllocator {
  private limit = Infinity;
  /** Blocks from here on have not been claimed. */
  private touched = 0;

  constructor(
    private readonly byOffset: BTree,
    private readonly byLength: BTree,
    private free: number,
  ) {}

  get freeBlocks(): number {
    return this.free;
  }

  /** Extents are handed out before this block only. */
  get frontier(): number {
    return this.limit;
  }

  /** Blocks before the frontier that have not been claimed since it was first set. */
  get untouchedBlocks(): number {
    return this.limit - this.touched;
  }

  /**
   * Sets the frontier to `hint`, or to where the last free extent begins when that is further: all before it was in use once.
   */
  setFrontier(hint: number, end: number): true | Missing {
    const last = this.byOffset.findLastBefore(undefined);
    if (last === missing) return missing;
    const tail = last === undefined ? { start: end, blocks: 0 } : extentOf(last);
    this.touched = tail.start + tail.blocks === end ? tail.start : end;
    this.limit = Math.min(end, Math.max(hint, this.touched));
    return true;
  }

  moveFrontier(frontier: number): void {
    assert(frontier >= this.limit, 'What was written once stays so', { frontier });
    this.limit = frontier;
  }

  /**
   * Free extents of `blocks` in all, undefined when there are not enough: the smallest that fits, or else the largest ones,
   * `extentsMax` at most. Changes nothing.
   */
  find(blocks: number, extentsMax: number): Extent[] | undefined | Missing {
    assert(blocks > 0, 'Something is looked for', { blocks });
    const fitting = this.findFitting(blocks);
    if (fitting === missing) return missing;
    if (fitting !== undefined) return [fitting];
    if (this.free < blocks) return undefined;
    const found: Extent[] = [];
    let before: Buffer | undefined;
    for (let left = blocks; left > 0;) {
      const entry = this.byLength.findLastBefore(before);
      if (entry === missing) return missing;
      if (entry === undefined || found.length === extentsMax) return undefined;
      before = Buffer.from(entry.key);
      const largest = lengthEntry(entry);
      const usable = Math.min(left, largest.blocks, this.limit - largest.start);
      if (usable <= 0) continue;
      found.push({ start: largest.start, blocks: usable });
      left -= usable;
    }
    return found;
  }

  /** The smallest extent that fits before the frontier. */
  private findFitting(blocks: number): Extent | undefined | Missing {
    for (let least: Extent = { start: 0, blocks }; ;) {
      const entry = this.byLength.findFirst(lengthKey(least));
      if (entry === missing || entry === undefined) return entry;
      const { start, blocks: length } = lengthEntry(entry);
      if (start + blocks <= this.limit) return { start, blocks };
      least = { start: start + 1, blocks: length };
    }
  }

  /** Takes free extents out of the trees, or missing when a page is not in memory and nothing was changed. */
  claim(extents: readonly Extent[]): true | Missing {
    for (const extent of extents) {
      const free = this.freeAround(extent);
      if (free === missing || !this.prepare([free, ...restOf(free, extent)])) return missing;
    }
    for (const extent of extents) {
      const free = this.freeAround(extent);
      assert(free !== missing, 'A change is prepared');
      this.remove(free);
      for (const rest of restOf(free, extent)) this.add(rest);
      this.free -= extent.blocks;
      this.touched = Math.max(this.touched, extent.start + extent.blocks);
    }
    return true;
  }

  /** Gives one extent back, joined with free neighbours; missing as above. */
  release(extent: Extent): true | Missing {
    const end = extent.start + extent.blocks;
    const before = this.byOffset.findLastBefore(offsetKey(end));
    if (before === missing) return missing;
    const left = before === undefined ? undefined : extentOf(before);
    assert(left === undefined || left.start + left.blocks <= extent.start, 'What is freed was in use', { ...extent });
    const after = this.byOffset.findFirst(offsetKey(end));
    if (after === missing) return missing;
    const right = after === undefined ? undefined : extentOf(after);
    const joinsLeft = left !== undefined && left.start + left.blocks === extent.start;
    const joinsRight = right !== undefined && right.start === end;
    const start = joinsLeft ? left.start : extent.start;
    const joined = { start, blocks: (joinsRight ? right.start + right.blocks : end) - start };
    if (!this.prepare([joined, ...(joinsLeft ? [left] : []), ...(joinsRight ? [right] : [])])) return missing;
    if (joinsLeft) this.remove(left);
    if (joinsRight) this.remove(right);
    this.add(joined);
    this.free += extent.blocks;
    return true;
  }

  /** All free extents by offset. */
  async *extents(): AsyncGenerator<Extent> {
    for await (const entry of this.byOffset.scan()) yield extentOf(entry);
  }

  /** The free extent that holds this one. */
  private freeAround(extent: Extent): Extent | Missing {
    const found = this.byOffset.findLastBefore(offsetKey(extent.start + 1));
    if (found === missing) return missing;
    assert(found !== undefined, 'What is claimed is free', { ...extent });
    const free = extentOf(found);
    assert(free.start + free.blocks >= extent.start + extent.blocks, 'What is claimed is free', { ...extent });
    return free;
  }

  private prepare(extents: readonly Extent[]): boolean {
    return extents.every(
      (extent) =>
        this.byOffset.prepareRemoval(offsetKey(extent.start)) !== missing &&
        this.byLength.prepareRemoval(lengthKey(extent)) !== missing,
    );
  }

  private add(extent: Extent): void {
    const { key, value } = freeExtentEntry(extent);
    this.byOffset.put(key, value);
    this.byLength.put(lengthKey(extent), NOTHING);
  }

  private remove(extent: Extent): void {
    const wasThere = this.byOffset.delete(offsetKey(extent.start)) && this.byLength.delete(lengthKey(extent));
    assert(wasThere, 'Both trees of free extents agree', { ...extent });
  }
}

/** An entry of the tree by offset. */
export function freeExtentEntry({ start, blocks }: Extent): TreeEntry {
  const value = Buffer.allocUnsafe(4);
  value.writeUInt32LE(blocks, 0);
  return { key: offsetKey(start), value };
}

export function extentOf({ key, value }: TreeEntry): Extent {
  return { start: key.readUInt32BE(0), blocks: value.readUInt32LE(0) };
}

/** An entry of the tree by length. */
function lengthEntry({ key }: TreeEntry): Extent {
  return { blocks: key.readUInt32BE(0), start: key.readUInt32BE(4) };
}

/** What is left of a free extent when a part of it is taken. */
function restOf(free: Extent, taken: Extent): Extent[] {
  const end = taken.start + taken.blocks;
  const rest: Extent[] = [];
  if (taken.start > free.start) rest.push({ start: free.start, blocks: taken.start - free.start });
  if (free.start + free.blocks > end) rest.push({ start: end, blocks: free.start + free.blocks - end });
  return rest;
}

function offsetKey(block: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(block, 0);
  return key;
}

function lengthKey({ start, blocks }: Extent): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(blocks, 0);
  key.writeUInt32BE(start, 4);
  return key;
}
