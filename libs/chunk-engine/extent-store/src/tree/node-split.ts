/** Plans how the cells of a full page and one more go into two pages. Pure. */
import { assert } from '@holdfast/stdx';
import * as Page from './page.js';

export class NodeSplit {
  readonly left: Buffer[];
  readonly right: Buffer[];
  /** The shortest key that divides them. */
  readonly separator: Buffer;

  /**
   * @param page has no room for `cell` at `index`
   * @param isRightEdge no page follows: keys that ascend then fill their pages wholly instead of by half
   */
  constructor(page: Buffer, index: number, cell: Buffer, isRightEdge: boolean) {
    const cells = Page.copyCells(page);
    cells.splice(index, 0, cell);
    const isAppend = isRightEdge && index === cells.length - 1;
    const at = isAppend ? cells.length - 1 : middleOf(cells);
    this.left = cells.slice(0, at);
    this.right = cells.slice(at);
    if (Page.isLeaf(page)) {
      this.separator = dividing(Page.leafKey(cells[at - 1]), Page.leafKey(cells[at]));
    } else {
      this.separator = Buffer.from(Page.innerKey(cells[at]));
      this.right[0] = Page.withKey(cells[at], Buffer.alloc(0));
    }
  }
}

/** The cell with which the right page begins, so that both have about the same bytes. */
function middleOf(cells: readonly Buffer[]): number {
  let total = 0;
  for (const cell of cells) total += cell.length + 2;
  let before = 0;
  for (let at = 0; at < cells.length; at += 1) {
    const size = cells[at].length + 2;
    if (at > 0 && before + size / 2 >= total / 2) return at;
    before += size;
  }
  return cells.length - 1;
}

/** The shortest prefix of `right` that is above `left`. */
export function dividing(left: Buffer, right: Buffer): Buffer {
  let common = 0;
  while (common < left.length && left[common] === right[common]) common += 1;
  assert(common < right.length, 'Keys ascend', { left: left.toString('hex'), right: right.toString('hex') });
  return Buffer.from(right.subarray(0, common + 1));
}
