/**
 * A copy-on-write B+tree: keys and values are bytes, keys in unsigned byte order. Leaves know no neighbours (a copy of one
 * would have to touch the next), so a scan walks down again for every leaf.
 *
 * All but the `async` calls are synchronous and work on pages in memory: `has…` and `find…` answer `missing` when a page is
 * not there (then `pages.loadMissing()`, then again); changes want a path that `prepare` found to be in memory.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import * as Page from './page.js';
import type { PageRef } from './page-space.js';
import type { PageNode, PageStore } from './page-store.js';
import { NodeSplit } from './node-split.js';
import { dropValue, outsideValue, storeValue, valueRefs } from './value-pages.js';

export const KEY_MAX_BYTES = 1100;
export const VALUE_MAX_BYTES = 64 * 1024;
/** A page with less than this in use is joined with a neighbour that is in memory. */
const JOIN_BELOW_BYTES = BLOCK_BYTES / 4;
const JOINED_MAX_BYTES = (BLOCK_BYTES * 7) / 8;

/** A page that is not in memory was needed. */
export const missing = Symbol('missing');
export type Missing = typeof missing;

/** Where a tree begins; page 0 for an empty one. */
export interface TreeRoot {
  readonly page: number;
  readonly checksum: number;
  readonly level: number;
  readonly entryCount: number;
}

export const EMPTY_ROOT: TreeRoot = { page: 0, checksum: 0, level: 0, entryCount: 0 };

export interface TreeEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export class BTree {
  private rootPage: number;
  private rootChecksum: number;
  private rootLevel: number;
  private entryCount: number;
  /** The last walk: pages from the root down, and which child was taken in each. */
  private readonly path: PageNode[] = [];
  private readonly taken: number[] = [];
  /** The keys that belong into the leaf at the end of the path, where they are known. */
  private near: { readonly from: Buffer | undefined; readonly to: Buffer | undefined } | undefined;

  constructor(
    private readonly pages: PageStore,
    readonly id: number,
    root: TreeRoot,
  ) {
    this.rootPage = root.page;
    this.rootChecksum = root.checksum;
    this.rootLevel = root.level;
    this.entryCount = root.entryCount;
  }

  get size(): number {
    return this.entryCount;
  }

  /** Pages from root to leaf, 0 when empty. */
  get height(): number {
    return this.rootPage === 0 ? 0 : this.rootLevel + 1;
  }

  get rootPageNumber(): number {
    return this.rootPage;
  }

  /** Its pages were dropped. */
  forget(): void {
    this.near = undefined;
    this.setRoot(0, 0);
    this.entryCount = 0;
  }

  /** After `pages.seal()` the root with its right checksum. */
  root(): TreeRoot {
    if (this.rootPage === 0) return EMPTY_ROOT;
    this.rootChecksum = this.pages.checksumOf(this.rootPage, this.rootChecksum);
    return { page: this.rootPage, checksum: this.rootChecksum, level: this.rootLevel, entryCount: this.entryCount };
  }

  /** Whether all pages that a change of this key needs are in memory. */
  prepare(key: Buffer): true | Missing {
    if (this.rootPage === 0) return true;
    // The pages of a value outside are given up by the reference to them.
    return this.walk(key) === missing ? missing : true;
  }

  /** As `prepare`, for a key that is not there. Keys that ascend mostly meet the leaf of the one before, and need no walk. */
  prepareNew(key: Buffer): true | Missing {
    return this.rootPage === 0 || this.isNear(key) ? true : this.walkNear(key);
  }

  /** As `prepare`, and a page that the removal may leave empty has its neighbour in memory, so that it can be taken out. */
  prepareRemoval(key: Buffer): true | Missing {
    if (this.prepare(key) === missing) return missing;
    if (this.rootLevel === 0 || Page.cellCount(this.path[this.path.length - 1].bytes) > 2) return true;
    const lower = this.lowerBoundKey();
    if (lower !== undefined) return this.walkBefore(lower) === missing ? missing : true;
    const upper = this.upperBound();
    return upper !== undefined && this.walk(upper) === missing ? missing : true;
  }

  /** The value, valid until the tree changes; undefined when the key is not there. */
  find(key: Buffer): Buffer | undefined | Missing {
    if (this.rootPage === 0) return undefined;
    const leaf = this.walk(key);
    if (leaf === missing) return missing;
    const index = Page.lowerBound(leaf.bytes, key);
    return Page.hasKeyAt(leaf.bytes, index, key) ? this.valueAt(leaf, index) : undefined;
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.retry(() => this.find(key));
  }

  /** The first entry at or after the key; valid until the tree changes. */
  findFirst(key: Buffer): TreeEntry | undefined | Missing {
    for (let from: Buffer | undefined = key; from !== undefined;) {
      if (this.rootPage === 0) return undefined;
      const leaf = this.walk(from);
      if (leaf === missing) return missing;
      const index = Page.lowerBound(leaf.bytes, from);
      if (index < Page.cellCount(leaf.bytes)) return this.entryAt(leaf, index);
      from = this.upperBound();
    }
    return undefined;
  }

  /** The last entry before the key, or the last of all; valid until the tree changes. */
  findLastBefore(key: Buffer | undefined): TreeEntry | undefined | Missing {
    for (let before = key; ;) {
      if (this.rootPage === 0) return undefined;
      const leaf = this.walkBefore(before);
      if (leaf === missing) return missing;
      const end = before === undefined ? Page.cellCount(leaf.bytes) : Page.lowerBound(leaf.bytes, before);
      if (end > 0) return this.entryAt(leaf, end - 1);
      const bound = this.lowerBoundKey();
      if (bound === undefined) return undefined;
      before = bound;
    }
  }

  /** Inserts or replaces; the path was prepared. Returns whether the key is new. */
  put(key: Buffer, value: Buffer): boolean {
    assert(key.length <= KEY_MAX_BYTES && value.length <= VALUE_MAX_BYTES, 'A key and value have limits', {
      key: key.length,
      value: value.length,
    });
    const isOutside = Page.leafCellBytes(key.length, value.length) > Page.CELL_MAX_BYTES;
    const cell = Page.leafCell(key, isOutside ? storeValue(this.pages, this.id, value) : value, isOutside);
    if (this.rootPage === 0) {
      this.plant(cell);
      this.entryCount += 1;
      return true;
    }
    const { bytes } = this.writablePath(key);
    const index = Page.lowerBound(bytes, key);
    const isNew = !Page.hasKeyAt(bytes, index, key);
    if (!isNew) this.removeLeafCell(bytes, index);
    else this.entryCount += 1;
    if (!Page.insertCell(bytes, index, cell)) this.split(this.path.length - 1, index, cell);
    return isNew;
  }

  /**
   * Inserts a key that is not there; its path was prepared.
   * @param cell of a leaf, with the value in it; it may be used again
   */
  putNew(key: Buffer, cell: Buffer): void {
    this.entryCount += 1;
    if (this.rootPage === 0) {
      this.plant(cell);
      return;
    }
    const isPrepared = this.prepareNew(key) !== missing;
    assert(isPrepared, 'A change is prepared', { tree: this.id });
    const { bytes } = this.makePathWritable();
    const index = Page.lowerBound(bytes, key);
    assert(!Page.hasKeyAt(bytes, index, key), 'A new key is not there', { tree: this.id });
    if (Page.insertCell(bytes, index, cell)) return;
    this.near = undefined;
    this.split(this.path.length - 1, index, cell);
  }

  /** Removes the key, whose path was prepared; false when it is not there. */
  delete(key: Buffer): boolean {
    if (this.rootPage === 0) return false;
    const found = this.walk(key);
    assert(found !== missing, 'A change is prepared', { tree: this.id });
    if (!Page.hasKeyAt(found.bytes, Page.lowerBound(found.bytes, key), key)) return false;
    const { bytes } = this.writablePath(key);
    this.removeLeafCell(bytes, Page.lowerBound(bytes, key));
    this.entryCount -= 1;
    this.shrink(this.path.length - 1);
    return true;
  }

  /**
   * Entries with `from <= key < to` in order, or backwards, copied: the tree may change meanwhile, and then each entry is one
   * that was there at some moment of the scan.
   */
  async *scan(range: { from?: Buffer; to?: Buffer; reverse?: boolean } = {}): AsyncGenerator<TreeEntry> {
    const { from = Buffer.alloc(0), to, reverse = false } = range;
    let next: Buffer | undefined = reverse ? to : from;
    for (;;) {
      const entries: TreeEntry[] = [];
      const at = next;
      next = await this.retry(() => {
        entries.length = 0;
        return reverse ? this.leafBefore(at, from, entries) : this.entriesFrom(at ?? from, to, entries);
      });
      yield* entries;
      if (next === undefined) return;
    }
  }

  /** Copies of the entries of one leaf with `from <= key < to`; answers where the leaf behind begins. */
  entriesFrom(from: Buffer, to: Buffer | undefined, entries: TreeEntry[]): Buffer | undefined | Missing {
    if (this.rootPage === 0) return undefined;
    const leaf = this.walk(from);
    if (leaf === missing) return missing;
    const { bytes } = leaf;
    const end = to === undefined ? Page.cellCount(bytes) : Page.lowerBound(bytes, to);
    const bound = end < Page.cellCount(bytes) ? undefined : this.upperBound();
    for (let index = Page.lowerBound(bytes, from); index < end; index += 1) {
      const entry = this.entryAt(leaf, index);
      if (entry === missing) return missing;
      entries.push(copyOf(entry));
    }
    return bound;
  }

  /**
   * The pages on the way to this key, and those of the values in its leaf, that stand on the device as their parents name
   * them; `next` is where the leaf behind begins.
   */
  pagesToward(key: Buffer): { readonly refs: readonly PageRef[]; readonly next: Buffer | undefined } | Missing {
    if (this.rootPage === 0) return { refs: [], next: undefined };
    const leaf = this.walk(key);
    if (leaf === missing) return missing;
    const { bytes } = leaf;
    const refs: PageRef[] = this.path.map(({ number, checksum }) => ({ page: number, checksum }));
    for (let index = 0; index < Page.cellCount(bytes); index += 1)
      if (Page.isValueOutside(bytes, index)) refs.push(...valueRefs(Page.valueAt(bytes, index)));
    return { refs: refs.filter(({ page }) => this.pages.isWritten(page)), next: this.upperBound() };
  }

  /** Runs a look-up until all its pages are in memory. */
  async retry<Result>(lookUp: () => Result | Missing): Promise<Result> {
    for (;;) {
      const result = lookUp();
      if (result !== missing) return result;
      await this.pages.loadMissing();
    }
  }

  private setRoot(page: number, level: number, checksum = 0): void {
    this.rootPage = page;
    this.rootLevel = level;
    this.rootChecksum = checksum;
  }

  /** The first entry of an empty tree. */
  private plant(cell: Buffer): void {
    const leaf = this.pages.fresh(Page.PageKind.leaf, this.id, 0);
    this.setRoot(leaf.number, 0);
    Page.insertCell(leaf.bytes, 0, cell);
  }

  private isNear(key: Buffer): boolean {
    if (this.near === undefined) return false;
    const { from, to } = this.near;
    return (
      (from === undefined || Page.compareKeys(from, key) <= 0) && (to === undefined || Page.compareKeys(key, to) < 0)
    );
  }

  private walkNear(key: Buffer): true | Missing {
    if (this.walk(key) === missing) return missing;
    this.near = { from: this.lowerBoundKey(), to: this.upperBound() };
    return true;
  }

  /** Walks down to the leaf where the key belongs, noting the path. */
  private walk(key: Buffer): PageNode | Missing {
    return this.descend((page) => Page.childIndex(page, key));
  }

  /** Walks down to the leaf with the last key before this one. */
  private walkBefore(key: Buffer | undefined): PageNode | Missing {
    return this.descend((page) => {
      if (key === undefined) return Page.cellCount(page) - 1;
      return Math.max(0, Page.lowerBound(page, key) - 1);
    });
  }

  private descend(choose: (page: Buffer) => number): PageNode | Missing {
    const { path, taken, pages } = this;
    this.near = undefined;
    path.length = 0;
    taken.length = 0;
    let node = pages.find(this.rootPage, this.rootChecksum);
    for (;;) {
      if (node === undefined) return missing;
      path.push(node);
      const { bytes } = node;
      if (Page.isLeaf(bytes)) return node;
      const index = choose(bytes);
      taken.push(index);
      node = pages.find(Page.childAt(bytes, index), Page.childChecksumAt(bytes, index));
    }
  }

  /** The key at which the leaf after that of the last walk begins. */
  private upperBound(): Buffer | undefined {
    for (let at = this.taken.length - 1; at >= 0; at -= 1) {
      const { bytes } = this.path[at];
      if (this.taken[at] + 1 < Page.cellCount(bytes)) return Buffer.from(Page.keyAt(bytes, this.taken[at] + 1));
    }
    return undefined;
  }

  /** The key before which the leaf before that of the last walk ends. */
  private lowerBoundKey(): Buffer | undefined {
    for (let at = this.taken.length - 1; at >= 0; at -= 1) {
      if (this.taken[at] > 0) return Buffer.from(Page.keyAt(this.path[at].bytes, this.taken[at]));
    }
    return undefined;
  }

  private leafBefore(to: Buffer | undefined, from: Buffer, entries: TreeEntry[]): Buffer | undefined | Missing {
    if (this.rootPage === 0) return undefined;
    const leaf = this.walkBefore(to);
    if (leaf === missing) return missing;
    const { bytes } = leaf;
    const start = Page.lowerBound(bytes, from);
    const bound = start > 0 ? undefined : this.lowerBoundKey();
    for (
      let index = (to === undefined ? Page.cellCount(bytes) : Page.lowerBound(bytes, to)) - 1;
      index >= start;
      index -= 1
    ) {
      const entry = this.entryAt(leaf, index);
      if (entry === missing) return missing;
      entries.push(copyOf(entry));
    }
    return bound;
  }

  private entryAt(leaf: PageNode, index: number): TreeEntry | Missing {
    const value = this.valueAt(leaf, index);
    return value === missing ? missing : { key: Page.keyAt(leaf.bytes, index), value };
  }

  private valueAt({ bytes }: PageNode, index: number): Buffer | Missing {
    const value = Page.valueAt(bytes, index);
    return Page.isValueOutside(bytes, index) ? (outsideValue(this.pages, value) ?? missing) : value;
  }

  /** Walks to the key and makes every page on the way one that may be changed; returns the leaf. */
  private writablePath(key: Buffer): PageNode {
    const found = this.walk(key);
    assert(found !== missing, 'A change is prepared', { tree: this.id });
    return this.makePathWritable();
  }

  private makePathWritable(): PageNode {
    const { path } = this;
    const last = path.length - 1;
    // A page that changed since the last checkpoint has parents that did.
    if (path[last].epoch === this.pages.epoch) return path[last];
    for (let at = 0; at <= last; at += 1) this.makeWritable(at);
    return path[last];
  }

  private makeWritable(at: number): void {
    const node = this.path[at];
    const writable = this.pages.writable(node);
    if (writable === node) return;
    this.path[at] = writable;
    if (at === 0) this.setRoot(writable.number, this.rootLevel);
    else Page.setChild(this.path[at - 1].bytes, this.taken[at - 1], writable.number, 0);
  }

  private removeLeafCell(bytes: Buffer, index: number): void {
    if (Page.isValueOutside(bytes, index)) dropValue(this.pages, Page.valueAt(bytes, index));
    Page.removeCell(bytes, index);
  }

  /** Divides the page at this step of the path, which has no room for the cell, in two. */
  private split(at: number, index: number, cell: Buffer): void {
    const left = this.path[at];
    const isRightEdge = this.taken
      .slice(0, at)
      .every((chosen, step) => chosen === Page.cellCount(this.path[step].bytes) - 1);
    const level = Page.levelOf(left.bytes);
    const right = this.pages.fresh(level === 0 ? Page.PageKind.leaf : Page.PageKind.inner, this.id, level);
    const split = new NodeSplit(left.bytes, index, cell, isRightEdge);
    Page.fillPage(left.bytes, split.left);
    Page.fillPage(right.bytes, split.right);
    const pointer = Page.innerCell(split.separator, right.number, 0);
    if (at === 0) {
      const root = this.pages.fresh(Page.PageKind.inner, this.id, level + 1);
      Page.fillPage(root.bytes, [Page.innerCell(Buffer.alloc(0), left.number, 0), pointer]);
      this.setRoot(root.number, level + 1);
      return;
    }
    const parentIndex = this.taken[at - 1] + 1;
    if (!Page.insertCell(this.path[at - 1].bytes, parentIndex, pointer)) this.split(at - 1, parentIndex, pointer);
  }

  /** After a removal: takes an empty page out of its parent, or joins a nearly empty one with a neighbour. */
  private shrink(at: number): void {
    const { bytes, number } = this.path[at];
    if (at === 0) return this.shrinkRoot();
    if (Page.cellCount(bytes) === 0) {
      if (!this.isHeirInMemory(at)) return;
      this.pages.drop(number);
      this.removeChild(at - 1, this.taken[at - 1]);
      return this.shrink(at - 1);
    }
    if (Page.usedBytes(bytes) < JOIN_BELOW_BYTES && this.join(at)) this.shrink(at - 1);
  }

  /**
   * Whether the leaf that inherits the keys of this empty page is in memory: a later change of the same transaction may go
   * there. Where it is not, the empty page stays.
   */
  private isHeirInMemory(at: number): boolean {
    for (let step = at - 1; step >= 0; step -= 1) {
      const { bytes } = this.path[step];
      if (Page.cellCount(bytes) < 2) continue;
      const isLeft = this.taken[step] > 0;
      let page = Page.childAt(bytes, this.taken[step] + (isLeft ? -1 : 1));
      for (;;) {
        const node = this.pages.cached(page);
        if (node === undefined) return false;
        if (Page.isLeaf(node.bytes)) return true;
        page = Page.childAt(node.bytes, isLeft ? Page.cellCount(node.bytes) - 1 : 0);
      }
    }
    return true;
  }

  private shrinkRoot(): void {
    for (;;) {
      const root = this.pages.cached(this.rootPage);
      if (root === undefined) return;
      const count = Page.cellCount(root.bytes);
      if (count === 0) this.setRoot(0, 0);
      else if (count > 1 || Page.isLeaf(root.bytes)) return;
      else this.setRoot(Page.childAt(root.bytes, 0), this.rootLevel - 1, Page.childChecksumAt(root.bytes, 0));
      this.pages.drop(root.number);
      if (count === 0) return;
    }
  }

  private removeChild(at: number, index: number): void {
    const { bytes } = this.path[at];
    Page.removeCell(bytes, index);
    if (index > 0 || Page.cellCount(bytes) === 0) return;
    const first = Page.withKey(Page.copyCell(bytes, 0), Buffer.alloc(0));
    Page.removeCell(bytes, 0);
    Page.insertCell(bytes, 0, first);
  }

  /** Joins the page with the neighbour on its left or right when that is in memory and both fit into one. */
  private join(at: number): boolean {
    const parent = this.path[at - 1];
    const chosen = this.taken[at - 1];
    for (const leftIndex of [chosen - 1, chosen]) {
      if (leftIndex < 0 || leftIndex + 1 >= Page.cellCount(parent.bytes)) continue;
      const left = this.pages.cached(Page.childAt(parent.bytes, leftIndex));
      const right = this.pages.cached(Page.childAt(parent.bytes, leftIndex + 1));
      if (left === undefined || right === undefined) continue;
      const separator = Page.keyAt(parent.bytes, leftIndex + 1);
      const extra = Page.isLeaf(right.bytes) ? 0 : separator.length;
      const joined = Page.usedBytes(left.bytes) + Page.usedBytes(right.bytes) + extra - Page.PAGE_HEADER_BYTES;
      if (joined > JOINED_MAX_BYTES) continue;
      const cells = Page.copyCells(right.bytes);
      if (!Page.isLeaf(right.bytes)) cells[0] = Page.withKey(cells[0], separator);
      const target = this.pages.writable(left);
      Page.fillPage(target.bytes, [...Page.copyCells(target.bytes), ...cells]);
      Page.setChild(parent.bytes, leftIndex, target.number, 0);
      this.pages.drop(right.number);
      this.removeChild(at - 1, leftIndex + 1);
      return true;
    }
    return false;
  }
}

function copyOf({ key, value }: TreeEntry): TreeEntry {
  return { key: Buffer.from(key), value: Buffer.from(value) };
}
