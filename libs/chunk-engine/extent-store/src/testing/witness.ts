/** What the client of a store was told, and whether the store still says so: the right thing or an error, never anything else. */
import type { ExtentStore } from '../extent-store.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { bytesOf, unitOf } from './store-fixture.js';

/** Errors that say that something cannot be read; any other one is a failure of its own. */
const DAMAGE: readonly string[] = ['UnitDamaged', 'MetadataDamaged', 'DeviceDead'];

export class Witness {
  /** Units that are there, with their sizes. */
  readonly units = new Map<number, number>();
  private readonly freed = new Set<number>();
  private readonly keys = new Map<string, string>();
  private readonly removed = new Set<string>();
  /** Their last change was asked for and not answered. */
  private readonly uncertain = new Set<string>();

  constructor(private readonly catalogueName: Buffer) {}

  learn(other: Witness): void {
    for (const [number, sizeBytes] of other.units) this.units.set(number, sizeBytes);
    for (const number of other.freed) this.freed.add(number);
    for (const [key, value] of other.keys) this.keys.set(key, value);
    for (const key of other.removed) this.removed.add(key);
  }

  noteFreed(number: number): void {
    this.units.delete(number);
    this.freed.add(number);
  }

  noteKey(key: string, value: string | undefined): void {
    if (value === undefined) {
      this.keys.delete(key);
      this.removed.add(key);
    } else {
      this.keys.set(key, value);
      this.removed.delete(key);
    }
  }

  /** Until the change is answered, nothing is known of these. */
  async changing(names: string | readonly string[], change: () => Promise<void>): Promise<void> {
    const all = typeof names === 'string' ? [names] : names;
    for (const name of all) this.uncertain.add(name);
    await change();
    for (const name of all) this.uncertain.delete(name);
  }

  /** Throws what is wrong; a damage error goes through. */
  async checkUnit(store: ExtentStore, number: number): Promise<void> {
    if (this.uncertain.has(`unit ${number}`)) return;
    const { chunkId, unitIndex } = unitOf(number);
    const sizeBytes = this.units.get(number);
    const unit = await store.read(chunkId, unitIndex);
    if (this.uncertain.has(`unit ${number}`) || this.units.get(number) !== sizeBytes) return;
    if (unit === undefined && sizeBytes !== undefined) throw new Error(`unit ${number} counts as absent`);
    if (unit !== undefined && sizeBytes === undefined) throw new Error(`unit ${number} came back`);
    if (unit !== undefined && !unit.bytes.equals(bytesOf(number, sizeBytes ?? 0)))
      throw new Error(`unit ${number} has wrong bytes`);
  }

  async checkKey(store: ExtentStore, key: string): Promise<void> {
    if (this.uncertain.has(key)) return;
    const found = (await (await this.catalogue(store)).get(Buffer.from(key)))?.toString();
    this.compareKey(key, found);
  }

  /** Asks for all that is known. Resolves to the errors; throws what is wrong. */
  async checkAll(store: ExtentStore): Promise<ExtentStoreError[]> {
    const errors: ExtentStoreError[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof ExtentStoreError) || !DAMAGE.includes(error.code)) throw error;
        errors.push(error);
      }
    };
    for (const number of [...this.units.keys(), ...this.freed]) await attempt(() => this.checkUnit(store, number));
    for (const key of [...this.keys.keys(), ...this.removed]) await attempt(() => this.checkKey(store, key));
    await attempt(() => this.checkScan(store));
    await attempt(() => this.checkList(store));
    return errors;
  }

  private async checkScan(store: ExtentStore): Promise<void> {
    const seen = new Set<string>();
    for await (const { key, value } of (await this.catalogue(store)).scan()) {
      seen.add(key.toString());
      this.compareKey(key.toString(), value.toString());
    }
    for (const key of this.keys.keys()) if (!seen.has(key)) this.compareKey(key, undefined);
  }

  private async checkList(store: ExtentStore): Promise<void> {
    const listed = new Set((await store.list({ limit: 10_000 })).map(({ chunkId }) => chunkId));
    for (const number of this.units.keys())
      if (!listed.has(unitOf(number).chunkId) && !this.uncertain.has(`unit ${number}`))
        throw new Error(`unit ${number} is not listed`);
    for (const number of this.freed)
      if (listed.has(unitOf(number).chunkId) && !this.uncertain.has(`unit ${number}`))
        throw new Error(`unit ${number} is listed again`);
  }

  private compareKey(key: string, found: string | undefined): void {
    if (this.uncertain.has(key) || found === this.keys.get(key)) return;
    throw new Error(`${key} is ${found === undefined ? 'absent' : 'another'}`);
  }

  private async catalogue(store: ExtentStore) {
    try {
      return await store.catalogue(this.catalogueName);
    } catch (error) {
      if (error instanceof ExtentStoreError && error.code === 'CatalogueMissing')
        throw new Error('the catalogue counts as absent', { cause: error });
      throw error;
    }
  }
}
