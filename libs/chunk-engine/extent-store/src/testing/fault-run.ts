/**
 * A run that leaves blocks of every kind on its device, rewrites places that were in use before, and holds every answer against
 * what it was told: on a device that lies an answer is right or an error. The same seed makes the same writes.
 */
import type { DeviceEvent, LiePlan } from '../device/simulated-device.js';
import type { ExtentStore } from '../extent-store.js';
import { ExtentStoreError } from '../extent-store-error.js';
import type { Images } from './crash-states.js';
import { openImages } from './crash-workloads.js';
import { seededRandom } from './seeded-random.js';
import { DEVICE_ID, authority, formattedImage, formattedPair, put, unitOf } from './store-fixture.js';
import { Witness } from './witness.js';

export type Layout = 'file' | 'pair';

/** Units up to 8,192 bytes travel in the log of the test device. */
export const SMALL_UNIT_MAX_BYTES = 8192;
const SIZES = [100, 4096, 8000, 5000, 9000, 20_000, 40_000];
const SMALL_SIZES = SIZES.slice(0, 4);
const LARGE_SIZES = SIZES.slice(4);
const NAMES = Buffer.from('names');
/** Three of these fill a page of the catalogue of catalogues. */
const longName = (number: number): Buffer => Buffer.from(`catalogue ${number} `.padEnd(1000, 'c'));
const ROUNDS = 6;

export interface FaultRunOptions {
  readonly seed: number;
  readonly layout: Layout;
  readonly deviceId?: string;
  /** By default it is closed at the end. */
  readonly ending?: 'closed' | 'cut';
  readonly lie?: LiePlan;
  /** Called once, when all that was changed stands in a checkpoint. */
  readonly whenWritten?: (store: ExtentStore, images: Images) => Promise<void>;
  readonly record?: (event: DeviceEvent) => void;
}

export class FaultRun {
  readonly witness = new Witness(NAMES);
  /** What stands on the device. */
  readonly images: Images;
  /** The run was ended by an error: what was asked for last may have happened or not. */
  error: ExtentStoreError | undefined;
  private readonly random: () => number;
  private store!: ExtentStore;
  private nextUnit = 1000;
  private sequence = 100n;

  private constructor({ seed }: FaultRunOptions, { images, witness }: StartingPoint) {
    this.random = seededRandom(seed);
    this.images = copyOf(images);
    this.witness.learn(witness);
  }

  /** Goes on from `startingPoint`; an error ends it early. */
  static async make(options: FaultRunOptions): Promise<FaultRun> {
    const run = new FaultRun(options, await startingPoint(options.layout, options.deviceId));
    try {
      run.store = await openImages(run.images, { ...options, isImageShared: true });
      await run.all(options.whenWritten);
    } catch (error) {
      if (!(error instanceof ExtentStoreError)) throw error;
      run.error = error;
    }
    if (options.ending !== 'cut') await run.store.close();
    return run;
  }

  private pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)];
  }

  private async all(whenWritten?: FaultRunOptions['whenWritten']): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      await this.round();
      if (this.random() < 0.6) await this.store.checkpoint();
      await this.lookAround();
    }
    await this.store.checkpoint();
    await whenWritten?.(this.store, this.images);
    await this.fillLog();
    await this.lookAround();
  }

  /** Groups of every kind that stay in the log: together they do not bring about a checkpoint. */
  private async fillLog(): Promise<void> {
    await this.changeKeys(1, 5000 + Math.floor(this.random() * 3000));
    await this.put(5000 + Math.floor(this.random() * 3000));
    await this.put(this.pick(LARGE_SIZES));
    await this.put(100);
  }

  private async round(): Promise<void> {
    const { units } = this.witness;
    // The oldest that have blocks: as much goes as comes.
    const victims = [...units.keys()].filter((number) => units.get(number) !== 0).slice(0, 4);
    await Promise.all([
      ...Array.from({ length: 3 }, () => this.put(this.pick(SIZES))),
      this.free(victims),
      this.changeKeys(4),
    ]);
    // Alone in its group, and larger than its first block.
    await this.changeKeys(1, 5000 + Math.floor(this.random() * 3000));
    await this.put(this.pick(SMALL_SIZES));
    await this.put(this.pick(LARGE_SIZES));
  }

  private async put(sizeBytes: number): Promise<void> {
    const number = (this.nextUnit += 1);
    await this.witness.changing(`unit ${number}`, async () => {
      await put(this.store, number, sizeBytes);
      this.witness.units.set(number, sizeBytes);
    });
  }

  private async free(numbers: readonly number[]): Promise<void> {
    const names = numbers.map((number) => `unit ${number}`);
    this.sequence += 1n;
    await this.witness.changing(names, async () => {
      await this.store.free(numbers.map(unitOf), authority(this.sequence));
      for (const number of numbers) this.witness.noteFreed(number);
    });
  }

  private async changeKeys(count: number, sizeBytes?: number): Promise<void> {
    const catalogue = await this.store.catalogue(NAMES);
    const numbers = new Set(Array.from({ length: count }, () => Math.floor(this.random() * 60)));
    const changes = [...numbers].map((number) => {
      const key = `key ${number}`;
      if (sizeBytes === undefined && this.random() < 0.3) return { key };
      return { key, value: `${this.random()}`.padEnd(sizeBytes ?? Math.floor(this.random() * 500), 'v') };
    });
    await this.witness.changing(
      changes.map(({ key }) => key),
      async () => {
        await catalogue.change(
          changes.map(({ key, value }) =>
            value === undefined ? { key: Buffer.from(key) } : { key: Buffer.from(key), value: Buffer.from(value) },
          ),
        );
        for (const { key, value } of changes) this.witness.noteKey(key, value);
      },
    );
  }

  /** Reads of what lies anywhere: wrong answers end the trial, errors end the run. */
  private async lookAround(): Promise<void> {
    const { witness, store } = this;
    for (let count = 0; count < 6; count += 1) {
      await witness.checkUnit(store, this.pick([...witness.units.keys()]));
      await witness.checkKey(store, `key ${Math.floor(this.random() * 60)}`);
    }
  }
}

export function copyOf(images: Images): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(images).map(([name, image]) => [name, Buffer.from(image)]));
}

interface StartingPoint {
  /** As formatted. */
  readonly blank: Images;
  readonly images: Images;
  readonly witness: Witness;
  /** What was written from there to here. */
  readonly events: readonly DeviceEvent[];
}

const made = new Map<string, Promise<StartingPoint>>();

/** Trees of several levels, values outside, small and large units, and free places that were in use. */
export function startingPoint(layout: Layout, deviceId = DEVICE_ID): Promise<StartingPoint> {
  const name = `${layout} ${deviceId}`;
  const found = made.get(name) ?? makeStart(layout, deviceId);
  made.set(name, found);
  return found;
}

async function makeStart(layout: Layout, deviceId: string): Promise<StartingPoint> {
  const blank: Images =
    layout === 'file' ? { '': await formattedImage(deviceId) } : { ...(await formattedPair(deviceId)) };
  const events: DeviceEvent[] = [];
  const images = copyOf(blank);
  const record = (event: DeviceEvent): void => void events.push(event);
  const store = await openImages(images, { record, isImageShared: true });
  const witness = new Witness(NAMES);
  const names = await store.createCatalogue(NAMES);
  for (let number = 0; number < 5; number += 1) {
    const catalogue = await store.createCatalogue(longName(number));
    await catalogue.put(Buffer.from('key'), Buffer.from(`${number}`));
  }
  for (let number = 0; number < 90; number += 1) {
    const sizeBytes = number < 74 ? 0 : SIZES[number % SIZES.length];
    await put(store, number, sizeBytes);
    witness.units.set(number, sizeBytes);
    const value = `value ${number} `.padEnd(number % 12 === 0 ? 6000 : 300, '.');
    await names.put(Buffer.from(`key ${number}`), Buffer.from(value));
    witness.noteKey(`key ${number}`, value);
    if (number % 30 !== 29) continue;
    await store.checkpoint();
    const freed = [number - 20, number - 5];
    await store.free(freed.map(unitOf), authority(BigInt(number)));
    for (const each of freed) witness.noteFreed(each);
  }
  await store.checkpoint();
  await store.close();
  return { blank, images, witness, events };
}
