/**
 * Which metadata pages are in use. A page that a checkpoint holds may be written again only when a later checkpoint that no
 * longer holds it is durable, so there are two maps: `live` (what the trees reach now; written with each checkpoint) and
 * `busy` (that, and what an older checkpoint still holds).
 */
import { assert } from '@holdfast/stdx';
import { BITMAP_PAGE_BITS } from '../format/device-layout.js';
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

  constructor(readonly pageCount: number) {
    const mapCount = Math.ceil(pageCount / BITMAP_PAGE_BITS);
    this.live = new Uint8Array(Math.ceil(pageCount / 8));
    this.busy = new Uint8Array(this.live.length);
    this.refs = Array.from({ length: mapCount }, () => ({ page: 0, checksum: 0 }));
    this.freeCount = pageCount - 1;
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

  /** Takes a page; near the last one taken, so that pages of one checkpoint lie together. */
  take(): number {
    const { busy } = this;
    for (let tried = 0; tried <= busy.length; tried += 1) {
      const at = (this.nextByte + tried) % busy.length;
      if (busy[at] === 0xff) continue;
      this.nextByte = at;
      let bit = 0;
      while ((busy[at] & (1 << bit)) !== 0) bit += 1;
      const page = at * 8 + bit;
      setBit(busy, page);
      setBit(this.live, page);
      this.freeCount -= 1;
      this.liveCount += 1;
      this.noteChange(page);
      return page;
    }
    throw new RangeError('no metadata page is free');
  }

  /** Gives back a page that no checkpoint holds, written or being written. */
  giveBack(page: number): void {
    this.unlive(page);
    clearBit(this.busy, page);
    this.freeCount += 1;
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
    for (const page of this.droppedBefore) clearBit(this.busy, page);
    this.freeCount += this.droppedBefore.length;
    this.droppedBefore = [];
  }

  private unlive(page: number): void {
    assert(this.isLive(page), 'A page that is given up was in use', { page });
    clearBit(this.live, page);
    this.liveCount -= 1;
    this.noteChange(page);
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

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
