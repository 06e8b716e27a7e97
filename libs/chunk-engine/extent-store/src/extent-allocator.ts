/**
 * Free space of the data area, in memory: which blocks are taken (one bit each) and the maximal free extents, by start,
 * by end and by size class (powers of two). Pure: numbers in, plans out.
 *
 * Finding prefers one extent: the best fit among the first few of its own size class, else the remainder that was cut
 * last (neighbouring units then lie side by side and are written in one go), else any larger one. Only when no single
 * extent is large enough are several joined, the largest first.
 */
import { assert } from '@holdfast/stdx';
import type { Extent } from './device-layout.js';

const CLASSES = 33;
const CANDIDATES_MAX = 16;

export class ExtentAllocator {
  private readonly taken: Uint8Array;
  private readonly lengthByStart = new Map<number, number>();
  private readonly startByEnd = new Map<number, number>();
  private readonly classes = Array.from({ length: CLASSES }, () => new Set<number>());
  private free = 0;
  private remainderStart = -1;

  /** All of `blocks` taken; give back what is free. */
  constructor(private readonly blocks: number) {
    this.taken = new Uint8Array(Math.ceil(blocks / 8)).fill(0xff);
  }

  get freeBlocks(): number {
    return this.free;
  }

  /** Number of maximal free extents. */
  get freeExtents(): number {
    return this.lengthByStart.size;
  }

  /**
   * Where `blocks` blocks could go: free extents, one where possible. Changes nothing. Undefined when there is not enough
   * free space, or only in more than `extentsMax` pieces.
   */
  find(blocks: number, extentsMax: number): Extent[] | undefined {
    if (blocks === 0) return [];
    if (blocks > this.free) return undefined;
    const start = this.findOne(blocks);
    return start === undefined ? this.findSeveral(blocks, extentsMax) : [{ start, blocks }];
  }

  /** Takes `blocks` blocks at the beginning of the free extent that reaches to the end; undefined when it is too short. */
  claimTail(blocks: number): Extent | undefined {
    const start = this.startByEnd.get(this.blocks);
    if (start === undefined || this.lengthAt(start) <= blocks) return undefined;
    const { remainderStart } = this;
    this.claimOne(start, blocks);
    // Neighbouring units go on where they were, unless that was here.
    if (remainderStart !== start) this.remainderStart = remainderStart;
    return { start, blocks };
  }

  /** Takes extents that `find` returned. */
  claim(extents: readonly Extent[]): void {
    for (const { start, blocks } of extents) this.claimOne(start, blocks);
  }

  /** Gives extents back; freeing what is free is a broken invariant. */
  release(extents: readonly Extent[]): void {
    for (const { start, blocks } of extents) this.releaseOne(start, blocks);
  }

  /** The maximal free extents by position. */
  freeList(): Extent[] {
    return [...this.lengthByStart].map(([start, blocks]) => ({ start, blocks })).sort((a, b) => a.start - b.start);
  }

  private findOne(blocks: number): number | undefined {
    const own = classOf(blocks);
    let best: number | undefined;
    let bestLength = Infinity;
    let seen = 0;
    for (const start of this.classes[own]) {
      const length = this.lengthAt(start);
      if (length >= blocks && length < bestLength) [best, bestLength] = [start, length];
      if (length === blocks || (seen += 1) === CANDIDATES_MAX) break;
    }
    if (best !== undefined) return best;
    if ((this.lengthByStart.get(this.remainderStart) ?? 0) >= blocks) return this.remainderStart;
    for (let larger = own + 1; larger < CLASSES; larger += 1) {
      for (const start of this.classes[larger]) return start;
    }
    for (const start of this.classes[own]) if (this.lengthAt(start) >= blocks) return start;
    return undefined;
  }

  private findSeveral(blocks: number, extentsMax: number): Extent[] | undefined {
    const chosen: Extent[] = [];
    let missing = blocks;
    for (let size = CLASSES - 1; size >= 0; size -= 1) {
      for (const start of this.classes[size]) {
        const length = Math.min(missing, this.lengthAt(start));
        chosen.push({ start, blocks: length });
        missing -= length;
        if (missing === 0) return chosen;
        if (chosen.length === extentsMax) return undefined;
      }
    }
    return undefined;
  }

  private claimOne(start: number, blocks: number): void {
    const length = this.lengthByStart.get(start);
    assert(length !== undefined && length >= blocks && blocks > 0, 'A claimed extent begins a free one', {
      start,
      blocks,
    });
    this.remove(start, length);
    if (length > blocks) {
      this.insert(start + blocks, length - blocks);
      this.remainderStart = start + blocks;
    }
    for (let block = start; block < start + blocks; block += 1) {
      assert((this.taken[block >> 3] & (1 << (block & 7))) === 0, 'A claimed block is free', { block });
      this.taken[block >> 3] |= 1 << (block & 7);
    }
    this.free -= blocks;
  }

  private releaseOne(start: number, blocks: number): void {
    assert(start >= 0 && blocks > 0 && start + blocks <= this.blocks, 'A freed extent lies on the device', {
      start,
      blocks,
    });
    this.markFree(start, blocks);
    this.free += blocks;
    let from = start;
    let length = blocks;
    const before = this.startByEnd.get(start);
    if (before !== undefined) {
      const lengthBefore = this.lengthAt(before);
      this.remove(before, lengthBefore);
      from = before;
      length += lengthBefore;
    }
    const lengthAfter = this.lengthByStart.get(start + blocks);
    if (lengthAfter !== undefined) {
      this.remove(start + blocks, lengthAfter);
      if (this.remainderStart === start + blocks) this.remainderStart = from;
      length += lengthAfter;
    }
    this.insert(from, length);
  }

  private markFree(start: number, blocks: number): void {
    for (let block = start; block < start + blocks; block += 1) {
      const bit = 1 << (block & 7);
      assert((this.taken[block >> 3] & bit) !== 0, 'A block is freed once', { block });
      this.taken[block >> 3] &= ~bit;
      // Whole bytes at a time: most of a fresh device is freed at once.
      while ((block & 7) === 7 && block + 8 < start + blocks) {
        assert(this.taken[(block + 1) >> 3] === 0xff, 'A block is freed once', { block: block + 1 });
        this.taken[(block + 1) >> 3] = 0;
        block += 8;
      }
    }
  }

  private lengthAt(start: number): number {
    const length = this.lengthByStart.get(start);
    assert(length !== undefined, 'A free extent has a length', { start });
    return length;
  }

  private insert(start: number, length: number): void {
    this.lengthByStart.set(start, length);
    this.startByEnd.set(start + length, start);
    this.classes[classOf(length)].add(start);
  }

  private remove(start: number, length: number): void {
    this.lengthByStart.delete(start);
    this.startByEnd.delete(start + length);
    this.classes[classOf(length)].delete(start);
  }
}

/** Extents of 2^n to 2^(n+1)-1 blocks are of class n. */
function classOf(blocks: number): number {
  return Math.floor(Math.log2(blocks));
}
