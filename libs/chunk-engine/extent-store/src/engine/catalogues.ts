/** All catalogues of a device: one tree each, found by name through the catalogue of catalogues. */
import { assert } from '@holdfast/stdx';
import { BTree, EMPTY_ROOT, missing, type Missing } from '../tree/b-tree.js';
import type { PageStore } from '../tree/page-store.js';
import { decodeCatalogue, encodeCatalogue } from './root-page.codec.js';

/** One catalogue in memory. Handles keep it until it is dropped; then they ask by name again. */
export interface OpenCatalogue {
  readonly name: Buffer;
  readonly number: number;
  readonly tree: BTree;
  isDropped: boolean;
}

export class Catalogues {
  private readonly byName = new Map<string, OpenCatalogue>();
  private readonly byNumber = new Map<number, OpenCatalogue>();
  /** Root page of each as the catalogue of catalogues has it. */
  private readonly savedPages = new Map<number, number>();

  constructor(
    private readonly pages: PageStore,
    readonly meta: BTree,
    private next: number,
  ) {}

  get nextNumber(): number {
    return this.next;
  }

  find(name: Buffer): OpenCatalogue | undefined | Missing {
    const open = this.byName.get(name.toString('latin1'));
    if (open !== undefined) return open;
    const value = this.meta.find(name);
    if (value === missing || value === undefined) return value;
    const { number, root } = decodeCatalogue(value);
    this.savedPages.set(number, root.page);
    return this.add({ name: Buffer.from(name), number, tree: new BTree(this.pages, number, root), isDropped: false });
  }

  async get(name: Buffer): Promise<OpenCatalogue | undefined> {
    return this.meta.retry(() => this.find(name));
  }

  /** Records of the log name a catalogue by its number; one that is not open yet is looked for among all. */
  async getNumber(number: number): Promise<OpenCatalogue | undefined> {
    if (!this.byNumber.has(number))
      for await (const { key } of this.meta.scan()) {
        await this.get(key);
        if (this.byNumber.has(number)) break;
      }
    return this.byNumber.get(number);
  }

  takeNumber(): number {
    this.next += 1;
    return this.next - 1;
  }

  /** The path of the name in the catalogue of catalogues was prepared. */
  create(name: Buffer, number: number): OpenCatalogue {
    assert(this.byNumber.get(number) === undefined, 'A catalogue number is given once', { number });
    this.next = Math.max(this.next, number + 1);
    this.meta.put(name, encodeCatalogue({ number, root: EMPTY_ROOT }));
    this.savedPages.set(number, 0);
    return this.add({
      name: Buffer.from(name),
      number,
      tree: new BTree(this.pages, number, EMPTY_ROOT),
      isDropped: false,
    });
  }

  /** @param pages of its tree; the path of its name was prepared */
  drop(catalogue: OpenCatalogue, pages: readonly number[]): void {
    for (const page of pages) this.pages.drop(page);
    catalogue.tree.forget();
    catalogue.isDropped = true;
    this.byName.delete(catalogue.name.toString('latin1'));
    this.byNumber.delete(catalogue.number);
    this.savedPages.delete(catalogue.number);
    this.meta.delete(catalogue.name);
  }

  /** Whether what `save` needs is in memory. */
  prepareSave(): true | Missing {
    for (const { name } of this.changed()) if (this.meta.prepare(name) === missing) return missing;
    return true;
  }

  /** Writes the roots that changed into the catalogue of catalogues; their pages are sealed. */
  save(): void {
    for (const { name, number, tree } of this.changed()) {
      const root = tree.root();
      this.meta.put(name, encodeCatalogue({ number, root }));
      this.savedPages.set(number, root.page);
    }
  }

  private changed(): OpenCatalogue[] {
    // A tree that changed after a checkpoint has a new root page.
    return [...this.byName.values()].filter(({ number, tree }) => tree.rootPageNumber !== this.savedPages.get(number));
  }

  private add(catalogue: OpenCatalogue): OpenCatalogue {
    this.byName.set(catalogue.name.toString('latin1'), catalogue);
    this.byNumber.set(catalogue.number, catalogue);
    return catalogue;
  }
}
