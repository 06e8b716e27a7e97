/**
 * What changes a device. A transaction has log space reserved before it begins; it closes when its group is formed: then it is
 * applied to the trees and visible to readers, all in one turn; and it is settled when its group is durable.
 */
import { groupBytes } from '../log/log-group.js';
import type { Missing } from '../tree/b-tree.js';

/** A page for each level of a tree, or as many for splits. */
export const PATH_PAGES = 4;

/** Where a transaction writes its records and payload. */
export interface GroupTarget {
  readonly block: Buffer;
  /** Where the next record begins. */
  at: number;
  /** Where the next payload block begins, in `block`. */
  payloadAt: number;
  /** Number of that block in the payload. */
  payloadBlock: number;
  /** Where `block` begins in the mirror of the log. */
  readonly mirrorOffset: number;
}

export abstract class Transaction<Result = void> {
  /** Settles when the transaction is durable, or failed. Whoever submits it waits for it. */
  readonly durable: Promise<Result>;
  private settleDurable!: () => void;
  private refuse!: (error: Error) => void;
  private closing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor() {
    this.durable = new Promise((resolve, reject) => {
      this.settleDurable = () => resolve(this.result());
      this.refuse = reject;
    });
  }

  /** Settles when the transaction is applied, or failed. Asked for before it is submitted; then nobody need wait for more. */
  get closed(): Promise<void> {
    this.closing ??= closable();
    return Promise.race([this.closing.promise, this.durable.then(() => undefined)]);
  }

  abstract get recordBytes(): number;
  get payloadBlocks(): number {
    return 0;
  }

  /** Whether it makes the trees larger: a device that runs out of pages refuses it, and takes the others. */
  get takesRoom(): boolean {
    return true;
  }

  /** Metadata pages that it may take at most. */
  abstract get pagesMax(): number;

  /** Log space it needs when it is alone in its group. */
  get logBytes(): number {
    return groupBytes(this.recordBytes, this.payloadBlocks);
  }

  /** Whether every page that `apply` needs is in memory. */
  abstract prepare(): true | Missing;
  /** Changes the trees; prepared in the same turn. Throws before it has changed anything, or not at all. */
  abstract apply(): void;
  /** Writes the records, and the payload into the mirror. */
  abstract encode(target: GroupTarget): void;
  protected abstract result(): Result;

  noteClosed(): void {
    this.closing?.resolve();
  }

  noteDurable(): void {
    this.settleDurable();
  }

  fail(error: Error): void {
    this.refuse(error);
  }
}

function closable(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}
