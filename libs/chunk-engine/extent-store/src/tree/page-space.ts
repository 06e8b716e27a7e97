/**
 * Which metadata pages are in use. A page that a checkpoint holds may be written again only when a later checkpoint that no
 * longer holds it is durable, so there are two maps: `live` (what the trees reach now; written with each checkpoint) and
 * `busy` (that, and what an older checkpoint still holds).
 *
 * Pages are taken before the frontier while one is free there (engine/fill-ahead.ts), and behind it when there is none.
 */
import { assert } from '@holdfast/stdx';
import { BITMAP_PAGE_BITS, type Extent } from '../format/device-layout.js';
import { PAGE_HEADER_BYTES } from './page.js';

/** Where a page lies and what its bytes sum to; page 0 is none. */
export interface PageRef {
  readonly page: number;
  readonly checksum: number;
}

export class PageSpace {
  private readonly live: Uint8Array;
  private readonly busy: Uint8Array;
  private readonly refs: PageRef[];
  private readonly changed = new Set<number>();
  /** Live no more, and still held by the last checkpoint or the one being written. */
  private dropped: number[] = [];
  private droppedBefore: number[] = [];
  private freeCount: number;
  private liveCount = 0;
  private nextByte = 0;
  /** Pages before it were written once; the next ones are being filled up to `fillingTo`. A multiple of 8, or all pages. */
  private filledTo: number;
  private fillingTo: number;
  private freeFilled = 0;

  constructor(readonly pageCount: number) {
    const mapCount = Math.ceil(pageCount / BITMAP_PAGE_BITS);
    this.live = new Uint8Array(Math.ceil(pageCount / 8));
    this.busy = new Uint8Array(this.live.length);
    this.refs = Array.from({ length: mapCount }, () => ({ page: 0, checksum: 0 }));
    this.freeCount = pageCount - 1;
    this.filledTo = pageCount;
    this.fillingTo = pageCount;
    this.busy[0] = 1;
    for (let page = pageCount; page < this.busy.length * 8; page += 1) setBit(this.busy, page);
  }

  /** Pages that can be taken now. */
  get freePages(): number {
    return this.freeCount;
  }

  /** Pages that trees and checkpoint reach now. */
  get livePageCount(): number {
    return this.liveCount;
  }

  get bitmapRefs(): readonly PageRef[] {
    return this.refs;
  }

  isLive(page: number): boolean {
    return page > 0 && page < this.pageCount && hasBit(this.live, page);
  }

  /** Pages that are live now, in order. */
  *livePages(): Generator<number> {
    for (let page = 1; page < this.pageCount; page += 1) if (hasBit(this.live, page)) yield page;
  }

  /** Pages that were written once. */
  get frontier(): number {
    return this.filledTo;
  }

  /** Pages before the frontier that can be taken now. */
  get freeFilledPages(): number {
    return this.freeFilled;
  }

  setFrontier(hint: number): void {
    this.filledTo = hint >= this.pageCount ? this.pageCount : hint - (hint % 8);
    this.fillingTo = this.filledTo;
    this.nextByte = 0;
    this.freeFilled = this.freeBetween(0, this.filledTo);
  }

  /** The next `count` pages are to be written; those of them that are in use, or were, need it no more. None is taken until `endFill`. */
  beginFill(count: number): { extents: Extent[]; end: number } {
    const end = Math.min(this.pageCount, this.filledTo + count);
    this.fillingTo = end;
    const extents: { start: number; blocks: number }[] = [];
    for (let page = this.filledTo; page < end; page += 1) {
      if (hasBit(this.busy, page)) continue;
      const last = extents.at(-1);
      if (last !== undefined && last.start + last.blocks === page) last.blocks += 1;
      else extents.push({ start: page, blocks: 1 });
    }
    return { extents, end };
  }

  endFill(frontier: number): void {
    const filledTo = frontier === this.pageCount ? frontier : frontier - (frontier % 8);
    this.freeFilled += this.freeBetween(this.filledTo, filledTo);
    this.filledTo = filledTo;
    this.fillingTo = filledTo;
  }

  /** Takes a page; near the last one taken, so that pages of one checkpoint lie together. */
  take(): number {
    const { busy } = this;
    const filledBytes = Math.ceil(this.filledTo / 8);
    let at = firstWithRoom(busy, this.nextByte, filledBytes) ?? firstWithRoom(busy, 0, this.nextByte);
    if (at !== undefined) this.nextByte = at;
    else at = firstWithRoom(busy, Math.ceil(this.fillingTo / 8), busy.length);
    if (at === undefined) throw new RangeError('no metadata page is free');
    let bit = 0;
    while ((busy[at] & (1 << bit)) !== 0) bit += 1;
    const page = at * 8 + bit;
    setBit(busy, page);
    setBit(this.live, page);
    this.countFree(page, -1);
    this.liveCount += 1;
    this.noteChange(page);
    return page;
  }

  /** Gives back a page that no checkpoint holds, written or being written. */
  giveBack(page: number): void {
    this.unlive(page);
    clearBit(this.busy, page);
    this.countFree(page, 1);
  }

  /** A page of a checkpoint leaves the trees. */
  drop(page: number): void {
    this.unlive(page);
    this.dropped.push(page);
  }

  /** Bitmap pages that changed; each once, also those that change while they are walked. */
  *takeChanged(): Generator<number> {
    // A Set hands out what is added to it meanwhile.
    yield* this.changed;
    this.changed.clear();
  }

  noteBitmap(index: number, ref: PageRef): void {
    this.refs[index] = ref;
  }

  copyBitmap(index: number, target: Buffer): void {
    const perPage = BITMAP_PAGE_BITS / 8;
    target.set(this.live.subarray(index * perPage, (index + 1) * perPage), PAGE_HEADER_BYTES);
  }

  /** The map that a checkpoint wrote. */
  loadBitmap(index: number, ref: PageRef, page: Buffer): void {
    const perPage = BITMAP_PAGE_BITS / 8;
    const bytes = page.subarray(
      PAGE_HEADER_BYTES,
      PAGE_HEADER_BYTES + Math.min(perPage, this.live.length - index * perPage),
    );
    this.live.set(bytes, index * perPage);
    this.refs[index] = ref;
    for (let at = index * perPage; at < index * perPage + bytes.length; at += 1) {
      this.busy[at] |= this.live[at];
      this.freeCount -= bitCount(this.live[at]);
      this.liveCount += bitCount(this.live[at]);
    }
  }

  /** From here on pages are dropped that the checkpoint now being written holds. */
  freeze(): void {
    assert(this.droppedBefore.length === 0, 'One checkpoint is written at a time');
    this.droppedBefore = this.dropped;
    this.dropped = [];
  }

  /** The checkpoint is durable: what only the one before it held is free. */
  thaw(): void {
    for (const page of this.droppedBefore) {
      clearBit(this.busy, page);
      this.countFree(page, 1);
    }
    this.droppedBefore = [];
  }

  private unlive(page: number): void {
    assert(this.isLive(page), 'A page that is given up was in use', { page });
    clearBit(this.live, page);
    this.liveCount -= 1;
    this.noteChange(page);
  }

  private countFree(page: number, change: 1 | -1): void {
    this.freeCount += change;
    if (page < this.filledTo) this.freeFilled += change;
  }

  private freeBetween(from: number, to: number): number {
    let count = 0;
    for (let at = Math.ceil(from / 8); at < Math.ceil(to / 8); at += 1) count += 8 - bitCount(this.busy[at]);
    return count;
  }

  private noteChange(page: number): void {
    this.changed.add(Math.floor(page / BITMAP_PAGE_BITS));
  }
}

const hasBit = (map: Uint8Array, index: number): boolean => (map[index >>> 3] & (1 << (index & 7))) !== 0;

function setBit(map: Uint8Array, index: number): void {
  map[index >>> 3] |= 1 << (index & 7);
}

function clearBit(map: Uint8Array, index: number): void {
  map[index >>> 3] &= ~(1 << (index & 7));
}

function firstWithRoom(map: Uint8Array, from: number, to: number): number | undefined {
  for (let at = from; at < to; at += 1) if (map[at] !== 0xff) return at;
  return undefined;
}

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
