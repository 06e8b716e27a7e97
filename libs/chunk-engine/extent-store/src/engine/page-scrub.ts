/**
 * Reads and verifies metadata pages as they stand on the device, also those that are in memory and would not be read again
 * before the next open. The device may be written meanwhile: what fails is damaged only if it is still named afterwards.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { readSuperblock } from '../format/superblock.js';
import type { BTree } from '../tree/b-tree.js';
import * as Page from '../tree/page.js';
import type { PageRef } from '../tree/page-space.js';
import type { PageStore } from '../tree/page-store.js';
import type { DeviceParts } from './device-state.js';
import { TreeId, decodeRoot } from './root-page.codec.js';
import { ScrubPace, type ScrubPaceOptions } from './scrub-pace.js';

const FIRST_KEY = Buffer.alloc(0);

/** Resolves to what is wrong: one message for each damaged page that was found, up to where it was ended. */
export async function scrubPages(parts: DeviceParts, options: ScrubPaceOptions = {}): Promise<string[]> {
  const { table, freeByOffset, freeByLength, catalogues } = parts;
  const scrub = new PageScrub(parts, new ScrubPace(parts.clock, options));
  await scrub.checkpoint();
  for (const tree of [table.cob, table.extmap, freeByOffset, freeByLength, catalogues.meta]) await scrub.tree(tree);
  await scrub.attempt(async () => {
    for await (const { key } of catalogues.meta.scan()) {
      const found = await catalogues.get(key);
      if (found !== undefined) await scrub.tree(found.tree);
    }
  });
  return [...new Set(scrub.problems)];
}

class PageScrub {
  readonly problems: string[] = [];

  constructor(
    private readonly parts: DeviceParts,
    private readonly pace: ScrubPace,
  ) {}

  /** What is wrong with a page is noted; everything else is not expected. */
  async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ExtentStoreError) || error.code !== 'MetadataDamaged') throw error;
      this.problems.push(error.message);
    }
  }

  /** The pages that only an open reads: root, bitmaps, and the extents that were free beside the allocator. */
  async checkpoint(): Promise<void> {
    for (;;) {
      const before = await this.superblock();
      const check = new PageScrub(this.parts, this.pace);
      await check.attempt(() => check.readCheckpoint(before));
      if (check.problems.length === 0) return;
      // Another checkpoint may be durable by now, and the pages of this one overwritten.
      if ((await this.superblock()).checkpoint !== before.checkpoint) continue;
      this.problems.push(...check.problems);
      return;
    }
  }

  async tree(tree: BTree): Promise<void> {
    const seen = new Set<number>();
    await this.attempt(async () => {
      for (let key: Buffer | undefined = FIRST_KEY; key !== undefined && !this.pace.ended;) {
        const at: Buffer = key;
        const { refs, next } = await tree.retry(() => tree.pagesToward(at));
        for (const ref of refs) {
          if (seen.has(ref.page)) continue;
          seen.add(ref.page);
          await this.attempt(() => this.verify(ref, tree, at));
          await this.pace.spend(BLOCK_BYTES);
        }
        key = next;
      }
    });
  }

  private async superblock() {
    return (await readSuperblock(this.parts.files.meta, this.parts.path)).superblock;
  }

  private async readCheckpoint({ rootPage, rootChecksum }: { rootPage: number; rootChecksum: number }): Promise<void> {
    if (rootPage === 0) return;
    const { pages } = this.parts;
    const { trees, bitmaps } = decodeRoot((await pages.read({ page: rootPage, checksum: rootChecksum })).bytes);
    for (const ref of bitmaps) if (ref.page !== 0) await this.attempt(async () => void (await pages.read(ref)));
    const freed = trees[TreeId.freed - 1];
    if (freed.page !== 0) await readTree(pages, freed);
  }

  private async verify(ref: PageRef, tree: BTree, key: Buffer): Promise<void> {
    try {
      await this.parts.pages.read(ref);
    } catch (error) {
      const { refs } = await tree.retry(() => tree.pagesToward(key));
      if (refs.some(({ page, checksum }) => page === ref.page && checksum === ref.checksum)) throw error;
    }
  }
}

async function readTree(pages: PageStore, ref: PageRef): Promise<void> {
  const { bytes } = await pages.read(ref);
  if (Page.isLeaf(bytes)) return;
  for (let index = 0; index < Page.cellCount(bytes); index += 1)
    await readTree(pages, { page: Page.childAt(bytes, index), checksum: Page.childChecksumAt(bytes, index) });
}
