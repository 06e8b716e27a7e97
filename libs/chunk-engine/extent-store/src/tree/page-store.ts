/**
 * The pages of one device: a bounded cache over the device, and copy-on-write. A page that a checkpoint holds is never
 * changed; the first change after it moves the page to a new place. `freeze` seals all that changed and hands it out to be
 * written, while changes go on upon copies.
 *
 * Look-ups are synchronous and answer undefined when a page is not in memory; `loadMissing` then reads it, and the caller
 * begins anew. So no page of a walk can leave the cache, and nothing can change, between two steps of it.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { pagePosition, type DeviceLayout } from '../format/device-layout.js';
import * as Page from './page.js';
import { PageSpace, type PageRef } from './page-space.js';

const RUN_PAGES_MAX = 256;

export interface PageNode {
  readonly number: number;
  readonly bytes: Buffer;
  /** Checkpoint that this version belongs to. */
  readonly epoch: number;
  checksum: number;
  isDirty: boolean;
  isRecent: boolean;
}

export interface PageStoreOptions {
  readonly path: string;
  readonly layout: DeviceLayout;
  readonly deviceIdBytes: Buffer;
  /** Clean pages above this number leave the memory; changed ones are counted apart. */
  readonly cachePagesMax: number;
  /** Number of the checkpoint that the next changes belong to. */
  readonly epoch: number;
}

export class PageStore {
  readonly space: PageSpace;
  /** Pages read from the device so far. */
  pagesRead = 0;
  private currentEpoch: number;
  private readonly nodes = new Map<number, PageNode>();
  private readonly dirty = new Map<number, PageNode>();
  /** Changed pages in memory, those that are being written included. */
  private changedCount = 0;
  private readonly loading = new Map<number, Promise<PageNode>>();
  private missing: PageRef | undefined;

  constructor(
    private readonly device: DeviceFile,
    private readonly options: PageStoreOptions,
  ) {
    this.space = new PageSpace(options.layout.pageCount);
    this.currentEpoch = options.epoch;
  }

  get epoch(): number {
    return this.currentEpoch;
  }

  /** Pages that changed since the last freeze. */
  get dirtyCount(): number {
    return this.dirty.size;
  }

  get cachedCount(): number {
    return this.nodes.size;
  }

  /** The page, or undefined after noting that it is to be loaded. */
  find(page: number, checksum: number): PageNode | undefined {
    const node = this.nodes.get(page);
    if (node !== undefined && (node.epoch === this.currentEpoch || node.checksum === checksum)) {
      node.isRecent = true;
      return node;
    }
    if (node !== undefined) this.forgetStale(node);
    this.missing = { page, checksum };
    return undefined;
  }

  /** Whether the page is in memory; notes nothing. */
  cached(page: number): PageNode | undefined {
    return this.nodes.get(page);
  }

  /** Whether the version that the trees name stands on the device, and in no memory alone. */
  isWritten(page: number): boolean {
    const node = this.nodes.get(page);
    return node === undefined || (!node.isDirty && node.epoch !== this.currentEpoch);
  }

  /**
   * Reads the page that the last look-up missed.
   * @throws ExtentStoreError MetadataDamaged
   */
  async loadMissing(): Promise<void> {
    assert(this.missing !== undefined, 'Only a missing page is loaded');
    const ref = this.missing;
    let loading = this.loading.get(ref.page);
    if (loading === undefined) {
      loading = this.read(ref).finally(() => this.loading.delete(ref.page));
      this.loading.set(ref.page, loading);
    }
    const node = await loading;
    // The page may have been dropped, and its place taken by another one, while it was read.
    if (this.nodes.has(node.number) || !this.space.isLive(node.number)) return;
    this.nodes.set(node.number, node);
    this.trim();
  }

  /**
   * A page as it stands on the device, verified; it does not enter the cache.
   * @throws ExtentStoreError MetadataDamaged
   */
  async read({ page, checksum }: PageRef): Promise<PageNode> {
    const { path, layout, deviceIdBytes } = this.options;
    const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const position = pagePosition(layout, page);
    this.pagesRead += 1;
    const sizeBytes = await this.device.read(bytes, position, 'page').catch(() => 0);
    const fault = Page.faultOfPage(bytes.subarray(0, sizeBytes), { deviceIdBytes, position, checksum });
    if (fault === undefined) return { number: page, bytes, epoch: 0, checksum, isDirty: false, isRecent: true };
    const advice = 'Replace the device and let its units be rebuilt.';
    throw new ExtentStoreError(
      'MetadataDamaged',
      `${path}: metadata page ${page} does not verify: ${fault}. ${advice}`,
    );
  }

  /** A new empty page. */
  fresh(kind: Page.PageKind, treeId: number, level: number): PageNode {
    const number = this.space.take();
    const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const position = pagePosition(this.options.layout, number);
    const { deviceIdBytes } = this.options;
    Page.initPage(bytes, { kind, level, deviceIdBytes, position, sequence: this.currentEpoch, treeId });
    return this.add(number, bytes);
  }

  /** The page itself when it may be changed in place; otherwise its copy in a new place, and the old one is dropped. */
  writable(node: PageNode): PageNode {
    if (node.epoch === this.currentEpoch) return node;
    const number = this.space.take();
    const bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    node.bytes.copy(bytes);
    Page.movePage(bytes, pagePosition(this.options.layout, number), this.currentEpoch);
    this.drop(node.number);
    return this.add(number, bytes);
  }

  drop(page: number): void {
    const node = this.nodes.get(page);
    if (node?.isDirty === true) this.changedCount -= 1;
    this.nodes.delete(page);
    if (this.dirty.delete(page)) this.space.giveBack(page);
    else this.space.drop(page);
  }

  /**
   * Checksums of all changed pages of these trees (by default all), those of children in their parents. The roots are told by
   * `checksumOf`.
   */
  seal(isMeant: (treeId: number) => boolean = () => true): void {
    const meant = [...this.dirty.values()].filter(({ bytes }) => isMeant(Page.treeOf(bytes)));
    for (const node of meant.sort((a, b) => Page.levelOf(a.bytes) - Page.levelOf(b.bytes))) {
      const kind = Page.kindOf(node.bytes);
      if (kind !== Page.PageKind.inner && kind !== Page.PageKind.leaf) continue;
      if (kind === Page.PageKind.inner) this.fillChildren(node);
      node.checksum = Page.sealPage(node.bytes);
    }
  }

  /** Writes the maps of live pages into new pages, those pages included. Nothing may be taken or dropped until `freeze`. */
  writeBitmaps(): void {
    const written = new Map<number, PageNode>();
    for (const index of this.space.takeChanged()) {
      const before = this.space.bitmapRefs[index].page;
      if (before !== 0) this.drop(before);
      written.set(index, this.fresh(Page.PageKind.bitmap, 0, 0));
    }
    for (const [index, node] of written) {
      this.space.copyBitmap(index, node.bytes);
      node.checksum = Page.sealPage(node.bytes, BLOCK_BYTES);
      this.space.noteBitmap(index, { page: node.number, checksum: node.checksum });
    }
  }

  /** Checksum of a root: of the page when it changed, else the one known. */
  checksumOf(page: number, known: number): number {
    return this.dirty.get(page)?.checksum ?? known;
  }

  /** All pages that changed, to be written; from here on they are copied before they change. */
  freeze(): PageNode[] {
    const frozen = [...this.dirty.values()].sort((a, b) => a.number - b.number);
    this.dirty.clear();
    this.space.freeze();
    this.currentEpoch += 1;
    return frozen;
  }

  async write(frozen: readonly PageNode[]): Promise<void> {
    for (let from = 0, to = 1; from < frozen.length; from = to) {
      to = from + 1;
      while (to < frozen.length && to - from < RUN_PAGES_MAX && frozen[to].number === frozen[to - 1].number + 1)
        to += 1;
      const run = frozen.slice(from, to);
      const position = pagePosition(this.options.layout, run[0].number);
      await this.device.write(
        run.map(({ bytes }) => bytes),
        position,
        'page',
      );
    }
  }

  /** The checkpoint with these pages is durable. */
  thaw(frozen: readonly PageNode[]): void {
    for (const node of frozen) {
      node.isDirty = false;
      // One that was dropped meanwhile is in no cache any more.
      if (this.nodes.get(node.number) === node) this.changedCount -= 1;
    }
    this.space.thaw();
    this.trim();
  }

  private add(number: number, bytes: Buffer): PageNode {
    const node = { number, bytes, epoch: this.currentEpoch, checksum: 0, isDirty: true, isRecent: true };
    this.nodes.set(number, node);
    this.dirty.set(number, node);
    this.changedCount += 1;
    return node;
  }

  private fillChildren({ bytes }: PageNode): void {
    for (let index = Page.cellCount(bytes) - 1; index >= 0; index -= 1) {
      const child = this.dirty.get(Page.childAt(bytes, index));
      if (child !== undefined) Page.setChild(bytes, index, child.number, child.checksum);
    }
  }

  /** A read that took very long may have brought a version that its parent names no more. */
  private forgetStale(node: PageNode): void {
    assert(!node.isDirty, 'A changed page is the version that its parent names', { page: node.number });
    this.nodes.delete(node.number);
  }

  /**
   * Lets go of pages that were not asked for lately; changed ones stay, and take no room from the others: a checkpoint that
   * writes them may have to read first.
   */
  private trim(): void {
    let tries = this.nodes.size * 2;
    for (const node of this.nodes.values()) {
      if (this.nodes.size - this.changedCount <= this.options.cachePagesMax || tries === 0) return;
      tries -= 1;
      this.nodes.delete(node.number);
      if (!node.isDirty && !node.isRecent) continue;
      node.isRecent = false;
      this.nodes.set(node.number, node);
    }
  }
}
