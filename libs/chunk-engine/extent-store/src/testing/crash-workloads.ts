/** Runs to be cut off: units, catalogues with splits and joins, and a log that is nearly full at every checkpoint. */
import { assert } from '@holdfast/stdx';
import type { DeviceEvent } from '../device/simulated-device.js';
import type { Catalogue } from '../engine/catalogue.js';
import type { ExtentStore } from '../extent-store.js';
import type { Images, Mark, TimelineEntry } from './crash-states.js';
import {
  authority,
  bytesOf,
  formattedImage,
  formattedPair,
  openImage,
  openPair,
  put,
  unitOf,
} from './store-fixture.js';

export type WorkloadName = 'units' | 'catalogues' | 'full-log';
export const WORKLOADS: readonly WorkloadName[] = ['units', 'catalogues', 'full-log'];

/** What is freed in a round has the sizes of what is written in it: it would be reused at once if that were not forbidden. */
const sizeOf = (number: number): number => [20_000, 4096, 9000, 9000, 100, 70_000, 12_000, 12_000, 0][number % 9];

/** A change of the catalogue, in the order in which they were handed over. */
interface Change {
  readonly key: string;
  readonly value?: string;
}

/** What the client was told, and what it asked for. */
export class Ledger {
  readonly stored = new Map<number, number>();
  readonly freed = new Set<number>();
  /** Asked for and not answered: may have happened or not. */
  readonly uncertain = new Map<number, number>();
  readonly changes: Change[] = [];
  /** So many changes of the catalogue were answered, from the first on. */
  answered = 0;
  isCatalogueAnswered = false;
  private readonly content = new Map<string, string>();
  private applied = 0;

  /** Throws what the store has lost, brought back or mixed up. */
  async check(store: ExtentStore): Promise<void> {
    for (const [number, sizeBytes] of this.stored) await this.checkUnit(store, number, sizeBytes, 'stored');
    for (const [number, sizeBytes] of this.uncertain) await this.checkUnit(store, number, sizeBytes, 'uncertain');
    for (const number of this.freed) {
      const { chunkId, unitIndex } = unitOf(number);
      if ((await store.stat(chunkId, unitIndex)) !== undefined) throw new Error(`unit ${number} came back`);
    }
    const known = new Set([...this.stored.keys(), ...this.uncertain.keys()].map((number) => unitOf(number).chunkId));
    for (const { chunkId } of await store.list({ limit: 10_000 }))
      if (!known.has(chunkId)) throw new Error(`unit ${chunkId} came from nowhere`);
    await this.checkCatalogue(store);
  }

  private async checkUnit(store: ExtentStore, number: number, sizeBytes: number, state: string): Promise<void> {
    const { chunkId, unitIndex } = unitOf(number);
    const unit = await store.read(chunkId, unitIndex);
    if (unit === undefined && state === 'stored') throw new Error(`unit ${number} is lost`);
    if (unit !== undefined && !unit.bytes.equals(bytesOf(number, sizeBytes)))
      throw new Error(`unit ${number} is another`);
  }

  /** What is there is what some first part of the changes made, all answered ones among them. */
  private async checkCatalogue(store: ExtentStore): Promise<void> {
    if (!this.isCatalogueAnswered) return;
    const catalogue = await store.catalogue(Buffer.from('names'));
    const found = new Map<string, string>();
    for await (const { key, value } of catalogue.scan()) found.set(key.toString(), value.toString());
    for (; this.applied < this.answered; this.applied += 1) applyTo(this.content, this.changes[this.applied]);
    const expected = new Map(this.content);
    for (let at = this.answered; ; at += 1) {
      if (isEqual(expected, found)) return;
      if (at === this.changes.length) break;
      applyTo(expected, this.changes[at]);
    }
    throw new Error(`the catalogue has ${found.size} keys, and no order of ${this.changes.length} changes made these`);
  }
}

function applyTo(content: Map<string, string>, { key, value }: Change): void {
  if (value === undefined) content.delete(key);
  else content.set(key, value);
}

function isEqual(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) if (other.get(key) !== value) return false;
  return true;
}

export interface Recording {
  readonly base: Images;
  readonly timeline: readonly TimelineEntry<Ledger>[];
}

type Say = (mark: Mark<Ledger>) => void;

/** Does some work on the store, saying what is asked for and what is answered. Ends at the first failure. */
export class Work {
  constructor(
    private readonly store: ExtentStore,
    private readonly say: Say,
    private readonly random: () => number,
  ) {}

  async run(name: WorkloadName, rounds: number, first = 0): Promise<void> {
    if (name === 'catalogues') await this.catalogues(rounds);
    else await this.units(rounds, first, name === 'full-log' ? () => 16_384 : sizeOf);
  }

  async put(number: number, sizeBytes: number): Promise<void> {
    this.say((ledger) => ledger.uncertain.set(number, sizeBytes));
    await put(this.store, number, sizeBytes);
    this.say((ledger) => {
      ledger.uncertain.delete(number);
      ledger.stored.set(number, sizeBytes);
    });
  }

  /** Begins somewhere in the midst of what goes on. */
  private async putLater(number: number, sizeBytes: number): Promise<void> {
    for (let turns = Math.floor(this.random() * 40); turns > 0; turns -= 1) await Promise.resolve();
    await this.put(number, sizeBytes);
  }

  async free(numbers: readonly number[], sequence: number): Promise<void> {
    this.say((ledger) => {
      for (const number of numbers) {
        ledger.uncertain.set(number, ledger.stored.get(number) ?? 0);
        ledger.stored.delete(number);
      }
    });
    await this.store.free(numbers.map(unitOf), authority(BigInt(sequence)));
    this.say((ledger) => {
      for (const number of numbers) {
        ledger.uncertain.delete(number);
        ledger.freed.add(number);
      }
    });
  }

  private async units(rounds: number, first: number, sizes: (number: number) => number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      const base = first + round * 4;
      await Promise.all([0, 1, 2].map((step) => this.put(base + step, sizes(base + step))));
      const old = round === 0 ? [] : [base - 4, base - 2];
      await Promise.all([this.free(old, base), this.putLater(base + 3, sizes(base + 3))]);
      if (this.random() < 0.05) await this.store.checkpoint();
    }
  }

  private async catalogues(rounds: number): Promise<void> {
    const catalogue = await this.store.createCatalogue(Buffer.from('names'));
    this.say((ledger) => {
      ledger.isCatalogueAnswered = true;
    });
    const present: string[] = [];
    let handedOver = 0;
    for (let round = 0; round < rounds; round += 1) {
      const isGrowing = round % 40 < 25;
      const burst = Array.from({ length: 1 + Math.floor(this.random() * 6) }, () => {
        handedOver += 1;
        return this.change(catalogue, this.pickChange(isGrowing, present), handedOver);
      });
      await Promise.all(burst);
      if (this.random() < 0.03) await this.store.checkpoint();
    }
  }

  private pickChange(isGrowing: boolean, present: string[]): Change {
    if (this.random() < (isGrowing ? 0.15 : 0.85) && present.length > 0) {
      const [key] = present.splice(Math.floor(this.random() * present.length), 1);
      return { key };
    }
    const key = `key ${Math.floor(this.random() * 1e6)} ${'x'.repeat(Math.floor(this.random() * 200))}`;
    present.push(key);
    const sizeBytes = this.random() < 0.03 ? 6000 : Math.floor(this.random() * 500);
    return { key, value: `${Math.floor(this.random() * 1e6)}`.padEnd(sizeBytes, '.') };
  }

  private async change(catalogue: Catalogue, change: Change, number: number): Promise<void> {
    this.say((ledger) => ledger.changes.push(change));
    const key = Buffer.from(change.key);
    await (change.value === undefined ? catalogue.delete(key) : catalogue.put(key, Buffer.from(change.value)));
    this.say((ledger) => {
      ledger.answered = Math.max(ledger.answered, number);
    });
  }
}

/** One run of a workload, recorded; in one file or in a pair. */
export async function record(
  workload: WorkloadName,
  rounds: number,
  random: () => number,
  layout: 'file' | 'pair' = 'file',
): Promise<Recording> {
  const timeline: TimelineEntry<Ledger>[] = [];
  // Calls take a while, in which others begin.
  const turn = async (): Promise<void> => {
    for (let turns = Math.floor(random() * 30); turns > 0; turns -= 1) await Promise.resolve();
  };
  const options = { turn, record: (event: DeviceEvent): void => void timeline.push({ event }) };
  const base: Images = layout === 'file' ? { '': await formattedImage() } : { ...(await formattedPair()) };
  const { store } =
    layout === 'file' ? await openImage(base[''], options) : await openPair(await formattedPair(), options);
  await new Work(store, (mark) => timeline.push({ mark }), random).run(workload, rounds);
  await store.close();
  assert(
    timeline.some((entry) => 'event' in entry),
    'A run writes',
  );
  return { base, timeline };
}

export async function openImages(images: Images, options: Parameters<typeof openImage>[1] = {}): Promise<ExtentStore> {
  if (images[''] !== undefined) return (await openImage(images[''], options)).store;
  return (await openPair({ meta: images['meta'], data: images['data'] }, options)).store;
}
