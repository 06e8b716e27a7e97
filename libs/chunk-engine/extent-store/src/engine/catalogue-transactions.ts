/** Transactions on catalogues. */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { catalogueRecordBytes, putCatalogueRecord, type CatalogueChange } from '../log/log-record.codec.js';
import { missing, type Missing } from '../tree/b-tree.js';
import { PageWalk } from '../tree/page-walk.js';
import type { OpenCatalogue } from './catalogues.js';
import type { DeviceParts } from './device-state.js';
import { PATH_PAGES, Transaction, type GroupTarget } from './transaction.js';

/** A change of one key. `onlyIfAbsent` is judged by the catalogue as it stands before the transaction, not by its other changes. */
export type KeyChange =
  | { readonly key: Buffer; readonly value: Buffer; readonly onlyIfAbsent?: boolean }
  | { readonly key: Buffer; readonly value?: undefined };

abstract class CatalogueTransaction<Result = void> extends Transaction<Result> {
  constructor(protected readonly parts: DeviceParts) {
    super();
  }

  protected abstract get changes(): readonly CatalogueChange[];

  override get recordBytes(): number {
    return this.changes.reduce((sum, change) => sum + catalogueRecordBytes(change), 0);
  }

  override get pagesMax(): number {
    const ofValues = Math.ceil(this.recordBytes / BLOCK_BYTES);
    return 2 * PATH_PAGES + 2 * (this.changes.length + ofValues);
  }

  override encode(target: GroupTarget): void {
    for (const change of this.changes) target.at = putCatalogueRecord(target.block, target.at, change);
  }
}

function missingCatalogue(path: string, name: Buffer): ExtentStoreError {
  return new ExtentStoreError('CatalogueMissing', `${path} holds no catalogue ${name.toString('latin1')}`);
}

export class CreateCatalogue extends CatalogueTransaction<OpenCatalogue> {
  private created: OpenCatalogue | undefined;
  private readonly number: number;

  constructor(
    parts: DeviceParts,
    private readonly name: Buffer,
  ) {
    super(parts);
    this.number = parts.catalogues.takeNumber();
  }

  protected override get changes(): CatalogueChange[] {
    return [{ what: 'create', number: this.number, name: this.name }];
  }

  override prepare(): true | Missing {
    const { catalogues } = this.parts;
    return catalogues.find(this.name) === missing ? missing : catalogues.meta.prepare(this.name);
  }

  override apply(): void {
    if (this.parts.catalogues.find(this.name) !== undefined) {
      const name = this.name.toString('latin1');
      throw new ExtentStoreError('CatalogueExists', `${this.parts.path} holds a catalogue ${name} already`);
    }
    this.created = this.parts.catalogues.create(this.name, this.number);
  }

  protected override result(): OpenCatalogue {
    assert(this.created !== undefined, 'What is durable was applied');
    return this.created;
  }
}

/** Gives all pages of the catalogue back. */
export class DropCatalogue extends CatalogueTransaction {
  private walk: PageWalk | undefined;
  private found: OpenCatalogue | undefined;

  constructor(
    parts: DeviceParts,
    private readonly name: Buffer,
  ) {
    super(parts);
  }

  protected override get changes(): CatalogueChange[] {
    return [{ what: 'drop', number: this.found?.number ?? 0, name: this.name }];
  }

  override get takesRoom(): boolean {
    return false;
  }

  override prepare(): true | Missing {
    const { catalogues, pages } = this.parts;
    const found = catalogues.find(this.name);
    if (found === missing) return missing;
    if (found === undefined) return true;
    // The first in its queue: whoever changes this catalogue comes later, and is refused.
    if (this.found !== found) {
      this.found = found;
      this.walk = new PageWalk(pages, found.tree.root());
    }
    return this.walk?.step() === missing ? missing : catalogues.meta.prepareRemoval(this.name);
  }

  override apply(): void {
    if (this.found === undefined || this.walk === undefined) throw missingCatalogue(this.parts.path, this.name);
    this.parts.catalogues.drop(this.found, this.walk.pages);
  }

  protected override result(): void {}
}

/** Changes of one catalogue, all or none. Its result: whether each key was there before. */
export class ChangeCatalogue extends CatalogueTransaction<boolean[]> {
  private wasThere: boolean[] = [];

  constructor(
    parts: DeviceParts,
    private readonly catalogue: OpenCatalogue,
    private readonly wanted: readonly KeyChange[],
  ) {
    super(parts);
  }

  protected override get changes(): CatalogueChange[] {
    const { number } = this.catalogue;
    return this.wanted.map(({ key, value }) =>
      value === undefined ? { what: 'delete', number, key } : { what: 'put', number, key, value },
    );
  }

  override get takesRoom(): boolean {
    return this.wanted.some(({ value }) => value !== undefined);
  }

  override prepare(): true | Missing {
    // One that was dropped has no pages any more.
    const { tree } = this.catalogue;
    for (const { key, value } of this.wanted) {
      if ((value === undefined ? tree.prepareRemoval(key) : tree.prepare(key)) === missing) return missing;
    }
    return true;
  }

  override apply(): void {
    const { tree, name, isDropped } = this.catalogue;
    if (isDropped) throw missingCatalogue(this.parts.path, name);
    for (const change of this.wanted) {
      if (change.value === undefined || change.onlyIfAbsent !== true || tree.find(change.key) === undefined) continue;
      const message = `${this.parts.path}: catalogue ${name.toString('latin1')} holds the key already`;
      throw new ExtentStoreError('KeyExists', message);
    }
    this.wasThere = this.wanted.map(({ key, value }) =>
      value === undefined ? tree.delete(key) : !tree.put(key, value),
    );
  }

  /** Known from the moment it is applied. */
  get answer(): boolean[] {
    return this.wasThere;
  }

  protected override result(): boolean[] {
    return this.wasThere;
  }
}
