/** Builds a tree from entries in ascending order: full pages, each written once, no walk. */
import { assert } from '@holdfast/stdx';
import * as Page from './page.js';
import { EMPTY_ROOT, type TreeEntry, type TreeRoot } from './b-tree.js';
import { dividing } from './node-split.js';
import type { PageStore } from './page-store.js';
import { storeValue } from './value-pages.js';

interface Built {
  readonly page: number;
  /** What divides it from the one before; empty for the first. */
  readonly separator: Buffer;
}

/** Root of a tree with these entries; its checksum is known after `pages.seal()`. Keys ascend. */
export function bulkLoad(pages: PageStore, treeId: number, entries: Iterable<TreeEntry>): TreeRoot {
  let entryCount = 0;
  let lastKey: Buffer | undefined;
  const leaves = new LevelBuilder(pages, treeId, 0);
  for (const { key, value } of entries) {
    const isOutside = Page.leafCellBytes(key.length, value.length) > Page.CELL_MAX_BYTES;
    const stored = isOutside ? storeValue(pages, treeId, value) : value;
    leaves.add(Page.leafCell(key, stored, isOutside), lastKey === undefined ? Buffer.alloc(0) : dividing(lastKey, key));
    lastKey = Buffer.from(key);
    entryCount += 1;
  }
  if (entryCount === 0) return EMPTY_ROOT;
  let level = 0;
  let built = leaves.finish();
  while (built.length > 1) {
    level += 1;
    const builder = new LevelBuilder(pages, treeId, level);
    for (const { page, separator } of built) builder.add(Page.innerCell(separator, page, 0), separator);
    built = builder.finish();
  }
  return { page: built[0].page, checksum: 0, level, entryCount };
}

class LevelBuilder {
  private readonly built: Built[] = [];
  private cells: Buffer[] = [];
  private usedBytes = 0;
  private separator: Buffer = Buffer.alloc(0);

  constructor(
    private readonly pages: PageStore,
    private readonly treeId: number,
    private readonly level: number,
  ) {}

  /** @param separator divides the cell from the one before it */
  add(cell: Buffer, separator: Buffer): void {
    assert(cell.length <= Page.CELL_MAX_BYTES, 'A cell has a limit', { size: cell.length });
    if (Page.PAGE_HEADER_BYTES + this.usedBytes + cell.length + 2 > Page.PAGE_BYTES) this.close();
    if (this.cells.length === 0) this.separator = separator;
    const isFirstChild = this.level > 0 && this.cells.length === 0;
    const added = isFirstChild ? Page.withKey(cell, Buffer.alloc(0)) : cell;
    this.cells.push(added);
    this.usedBytes += added.length + 2;
  }

  finish(): Built[] {
    this.close();
    return this.built;
  }

  private close(): void {
    const kind = this.level === 0 ? Page.PageKind.leaf : Page.PageKind.inner;
    const node = this.pages.fresh(kind, this.treeId, this.level);
    Page.fillPage(node.bytes, this.cells);
    this.built.push({ page: node.number, separator: this.separator });
    this.cells = [];
    this.usedBytes = 0;
  }
}
