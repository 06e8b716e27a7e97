/**
 * The data area as the engine hands it out. Beside the free extents there are those that may not be used yet: a freed extent
 * is reused only after a checkpoint that no longer holds it, and small units in the log own room without a place so far.
 */
import { assert } from '@holdfast/stdx';
import type { Extent } from '../format/device-layout.js';
import type { ExtentAllocator } from '../space/extent-allocator.js';
import { missing, type Missing } from '../tree/b-tree.js';
import type { PageStore } from '../tree/page-store.js';
import type { FillAhead } from './fill-ahead.js';

export class DataSpace {
  /** Claimed and not recorded yet: for a checkpoint they are free. */
  private readonly claims = new Set<Extent>();
  /** Freed since the last checkpoint began. */
  private freed: Extent[] = [];
  /** Freed before it began; free when it is durable. */
  private freedBefore: Extent[] = [];
  private waitingBlocks = 0;
  private smallBlocks = 0;
  /** Of these, those whose claims stand already. */
  private movingBlocks = 0;

  constructor(
    readonly allocator: ExtentAllocator,
    private readonly pages: PageStore,
    private readonly fill: Pick<FillAhead, 'moreBlocks' | 'hasNoRoom' | 'unfilledBlocks'>,
  ) {}

  /** Blocks that new units could have now; those without a place in the file system below only while that has room. */
  get availableBlocks(): number {
    const unfilled = this.fill.hasNoRoom ? this.fill.unfilledBlocks : 0;
    return this.allocator.freeBlocks - unfilled - (this.smallBlocks - this.movingBlocks);
  }

  /** Blocks that become available with the next checkpoints. */
  get quarantinedBlocks(): number {
    return this.waitingBlocks;
  }

  /** Room for a small unit, which gets its place when it moves out of the log. */
  reserveSmall(blocks: number): void {
    this.smallBlocks += blocks;
  }

  /** @param isMoving it is among those that blocks were claimed for by `claimSmall`, or are being claimed for */
  unreserveSmall(blocks: number, { isMoving = false } = {}): void {
    this.smallBlocks -= blocks;
    if (isMoving) this.movingBlocks -= blocks;
    assert(this.smallBlocks >= 0, 'Room is given back once');
  }

  /** Extents for small units that move out of the log, whose room is reserved; undefined as by `claim`. */
  claimSmall(blocks: number): Promise<Extent[] | undefined> {
    return this.claim(blocks, Number.MAX_SAFE_INTEGER, () => {
      this.movingBlocks += blocks;
    });
  }

  /**
   * Extents of `blocks` in all; undefined when there are not so many, or they are in more than `extentsMax` pieces. Waits for
   * blocks that are filled ahead rather than take pieces. `noteClaimed` is called in the turn in which they are taken.
   */
  async claim(
    blocks: number,
    extentsMax: number,
    noteClaimed: () => void = () => undefined,
  ): Promise<Extent[] | undefined> {
    for (let mayFill = true; ;) {
      const found = this.allocator.find(blocks, extentsMax);
      if (found !== missing && found?.length !== 1 && mayFill && blocks <= this.allocator.freeBlocks) {
        mayFill = await this.fill.moreBlocks();
        continue;
      }
      if (found === undefined) return undefined;
      // Between find and claim no turn passes, so what was found is free; when a page is missing all begins anew.
      if (found === missing || this.allocator.claim(found) === missing) {
        await this.pages.loadMissing();
        continue;
      }
      for (const extent of found) this.claims.add(extent);
      noteClaimed();
      return found;
    }
  }

  /** Takes extents that a log record names. */
  async claimRecorded(extents: readonly Extent[]): Promise<void> {
    for (const extent of extents) await this.retry(() => this.allocator.claim([extent]));
  }

  /** The claims are recorded in the trees from here on. */
  settle(extents: readonly Extent[]): void {
    for (const extent of extents) {
      const wasClaimed = this.claims.delete(extent);
      assert(wasClaimed, 'A claim is settled once', { ...extent });
    }
  }

  /** The claims came to nothing. No write to their blocks may be under way. */
  async abandon(extents: readonly Extent[]): Promise<void> {
    for (const extent of extents) {
      await this.retry(() => {
        if (this.allocator.release(extent) === missing) return missing;
        this.claims.delete(extent);
        return true;
      });
    }
  }

  /** Extents that left the trees. */
  noteFreed(extents: readonly Extent[]): void {
    for (const { start, blocks } of extents) {
      this.freed.push({ start, blocks });
      this.waitingBlocks += blocks;
    }
  }

  /** What a checkpoint that begins now must tell as free beside the allocator, in order. */
  get freeBesideAllocator(): Extent[] {
    return [...this.freed, ...this.claims].sort((a, b) => a.start - b.start);
  }

  freeze(): void {
    assert(this.freedBefore.length === 0, 'One checkpoint is written at a time');
    this.freedBefore = this.freed;
    this.freed = [];
  }

  /** The checkpoint is durable: what was freed before it can be used. */
  async thaw(): Promise<void> {
    while (this.freedBefore.length > 0) {
      const extent = this.freedBefore[this.freedBefore.length - 1];
      await this.retry(() => {
        if (this.allocator.release(extent) === missing) return missing;
        this.freedBefore.pop();
        this.waitingBlocks -= extent.blocks;
        return true;
      });
    }
  }

  private async retry<Result>(work: () => Result | Missing): Promise<Result> {
    for (;;) {
      const result = work();
      if (result !== missing) return result;
      await this.pages.loadMissing();
    }
  }
}
