/** Goes through all of a tree that can be read, past pages that are damaged. Nobody changes the tree meanwhile. */
import { ExtentStoreError } from '../extent-store-error.js';
import type { TreeEntry, TreeRoot } from './b-tree.js';
import * as Page from './page.js';
import type { PageRef } from './page-space.js';
import type { PageNode, PageStore } from './page-store.js';
import { valueRefs } from './value-pages.js';

export class TreeSurvey {
  /** Pages that the tree names, damaged ones included; one that is named twice stands there twice. */
  readonly pages: number[] = [];
  /** What is wrong with those that do not verify. */
  readonly damage: string[] = [];

  private constructor(
    private readonly store: PageStore,
    /** Gets the entries in the order in which they stand; a value that cannot be read is left out with its key. */
    private readonly onEntry: (entry: TreeEntry) => void,
  ) {}

  static async make(
    store: PageStore,
    root: TreeRoot,
    onEntry: (entry: TreeEntry) => void = () => undefined,
  ): Promise<TreeSurvey> {
    const survey = new TreeSurvey(store, onEntry);
    if (root.page !== 0) await survey.visit(root, root.level);
    return survey;
  }

  get isWhole(): boolean {
    return this.damage.length === 0;
  }

  private async visit(ref: PageRef, level: number): Promise<void> {
    const node = await this.reach(ref);
    if (node === undefined) return;
    const { bytes } = node;
    for (let index = 0; index < Page.cellCount(bytes); index += 1) {
      if (level > 0) {
        const child = { page: Page.childAt(bytes, index), checksum: Page.childChecksumAt(bytes, index) };
        await this.visit(child, level - 1);
        continue;
      }
      const value = Page.valueAt(bytes, index);
      const whole = Page.isValueOutside(bytes, index) ? await this.valueOutside(value) : value;
      if (whole !== undefined) this.onEntry({ key: Page.keyAt(bytes, index), value: whole });
    }
  }

  private async valueOutside(reference: Buffer): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    const refs = [...valueRefs(reference)];
    for (const ref of refs) {
      const node = await this.reach(ref);
      if (node !== undefined) parts.push(node.bytes.subarray(Page.PAGE_HEADER_BYTES, Page.lengthOf(node.bytes)));
    }
    return parts.length === refs.length ? Buffer.concat(parts) : undefined;
  }

  private async reach(ref: PageRef): Promise<PageNode | undefined> {
    this.pages.push(ref.page);
    try {
      const known = this.store.find(ref.page, ref.checksum);
      if (known !== undefined) return known;
      await this.store.loadMissing();
      // A page that counts as free does not stay in memory.
      return this.store.find(ref.page, ref.checksum) ?? (await this.store.read(ref));
    } catch (error) {
      if (!(error instanceof ExtentStoreError) || error.code !== 'MetadataDamaged') throw error;
      this.damage.push(error.message);
      return undefined;
    }
  }
}
