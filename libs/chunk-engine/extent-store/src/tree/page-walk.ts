/** Collects the numbers of all pages of a tree that nobody changes meanwhile, as far as they are in memory at each step. */
import { missing, type Missing, type TreeRoot } from './b-tree.js';
import * as Page from './page.js';
import type { PageStore } from './page-store.js';
import { valueRefs } from './value-pages.js';

export class PageWalk {
  readonly pages: number[] = [];
  private readonly queue: { page: number; checksum: number }[] = [];

  constructor(
    private readonly store: PageStore,
    root: TreeRoot,
  ) {
    if (root.page !== 0) this.queue.push({ page: root.page, checksum: root.checksum });
  }

  /** True when all are collected; missing when a page has to be loaded before the next step. */
  step(): true | Missing {
    for (let ref = this.queue.at(-1); ref !== undefined; ref = this.queue.at(-1)) {
      const node = this.store.find(ref.page, ref.checksum);
      if (node === undefined) return missing;
      this.queue.pop();
      this.pages.push(ref.page);
      for (let index = 0; index < Page.cellCount(node.bytes); index += 1) this.collect(node.bytes, index);
    }
    return true;
  }

  private collect(bytes: Buffer, index: number): void {
    if (!Page.isLeaf(bytes))
      this.queue.push({ page: Page.childAt(bytes, index), checksum: Page.childChecksumAt(bytes, index) });
    else if (Page.isValueOutside(bytes, index))
      for (const { page } of valueRefs(Page.valueAt(bytes, index))) this.pages.push(page);
  }
}
