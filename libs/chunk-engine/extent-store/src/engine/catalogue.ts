/** One catalogue of a device, as its users see it: an ordered index of byte keys and values. */
import { ExtentStoreError } from '../extent-store-error.js';
import { KEY_MAX_BYTES, VALUE_MAX_BYTES, type TreeEntry } from '../tree/b-tree.js';
import { ChangeCatalogue, type KeyChange } from './catalogue-transactions.js';
import type { OpenCatalogue } from './catalogues.js';
import type { Committer } from './committer.js';
import type { DeviceHealth, DeviceParts } from './device-state.js';

/** When a change is answered: when it is durable, or as soon as it is applied (and a crash may still take it). */
export type AnswerAt = 'durable' | 'closed';

export interface KeyRange {
  /** The first key; by default that of the catalogue. */
  readonly from?: Buffer;
  /** Ends before this key; by default with the catalogue. */
  readonly to?: Buffer;
  readonly reverse?: boolean;
}

export class Catalogue {
  constructor(
    private readonly parts: DeviceParts,
    private readonly health: DeviceHealth,
    private readonly committer: Committer,
    private current: OpenCatalogue,
  ) {}

  get name(): Buffer {
    return this.current.name;
  }

  /** Keys in it. */
  get size(): number {
    return this.current.tree.size;
  }

  /** Pages from the root of its tree to a leaf. */
  get height(): number {
    return this.current.tree.height;
  }

  /**
   * The value, or undefined when the key is not there. Errors: CatalogueMissing, MetadataDamaged, and DeviceDead instead of an
   * absence that may be a change that never became durable.
   */
  async get(key: Buffer): Promise<Buffer | undefined> {
    const { tree } = await this.resolve();
    const value = await tree.get(key);
    if (value === undefined) this.health.check();
    return value === undefined ? undefined : Buffer.from(value);
  }

  /** Resolves to whether the key was there. Errors: KeyExists with `onlyIfAbsent`, TooLarge, DeviceFull, DeviceDead. */
  async put(key: Buffer, value: Buffer, { onlyIfAbsent = false } = {}): Promise<boolean> {
    return (await this.change([{ key, value, onlyIfAbsent }]))[0];
  }

  /** Resolves to whether the key was there. */
  async delete(key: Buffer): Promise<boolean> {
    return (await this.change([{ key }]))[0];
  }

  /** All of the changes or none; for each whether its key was there. */
  async change(changes: readonly KeyChange[], answerAt: AnswerAt = 'durable'): Promise<boolean[]> {
    for (const { key, value } of changes) this.checkSizes(key, value);
    if (changes.some(({ value }) => value !== undefined) && this.lacksPages) {
      await this.committer.checkpoint();
      if (this.lacksPages) throw this.health.fullError();
    }
    const transaction = new ChangeCatalogue(this.parts, await this.resolve(), changes);
    await this.committer.reserve(transaction.logBytes);
    const isClosed = answerAt === 'closed' ? transaction.closed : undefined;
    this.committer.submit(transaction);
    if (isClosed === undefined) return transaction.durable;
    await isClosed;
    return transaction.answer;
  }

  /** Entries in the order of their keys, each as it was at some moment of the scan. */
  async *scan(range: KeyRange = {}): AsyncGenerator<TreeEntry> {
    const { tree } = await this.resolve();
    yield* tree.scan(range);
  }

  private get lacksPages(): boolean {
    const { pages, layout } = this.parts;
    return pages.space.freePages < layout.reservePages;
  }

  /** A catalogue that was dropped may have been made again under the same name. */
  private async resolve(): Promise<OpenCatalogue> {
    if (!this.current.isDropped) return this.current;
    const found = await this.parts.catalogues.get(this.current.name);
    if (found === undefined) {
      const message = `${this.parts.path} holds no catalogue ${this.current.name.toString('latin1')}`;
      throw new ExtentStoreError('CatalogueMissing', message);
    }
    this.current = found;
    return found;
  }

  private checkSizes(key: Buffer, value: Buffer | undefined): void {
    if (key.length <= KEY_MAX_BYTES && (value?.length ?? 0) <= VALUE_MAX_BYTES) return;
    const message = `${this.parts.path}: a key has at most ${KEY_MAX_BYTES} bytes, a value at most ${VALUE_MAX_BYTES}`;
    throw new ExtentStoreError('TooLarge', message);
  }
}
