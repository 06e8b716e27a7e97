/**
 * Random sequences of commands against a Map: several at once on a device whose calls end in an order of the seed, with closes,
 * checkpoints and power cuts among them. After every burst the store holds what the Map does.
 */
import type { SimulatedDevice } from '../device/simulated-device.js';
import type { ExtentStore } from '../extent-store.js';
import { seededRandom } from './seeded-random.js';
import { authority, bytesOf, formattedImage, openImage, put, unitOf } from './store-fixture.js';
import { Tally, type TrialOptions, type TrialReport } from './trials.js';

const SIZES = [0, 1, 4096, 4097, 8192, 12_000, 40_000, 70_000];
const UNITS = 14;
const KEYS = 60;
const BURSTS = 5;
const NAMES = ['a', 'b'];

export interface ModelReport extends TrialReport {
  readonly commands: number;
  readonly reopens: number;
}

export async function modelTrials(options: TrialOptions): Promise<ModelReport> {
  const tally = new Tally(options);
  let commands = 0;
  let reopens = 0;
  for (let sequence = 0; !tally.isDone; sequence += 1) {
    const seed = options.seed * 1_000_000 + sequence;
    await tally.attempt(`sequence of seed ${seed}`, async () => {
      const run = new ModelRun(seed);
      await run.all();
      commands += run.commands;
      reopens += run.reopens;
    });
  }
  return { ...tally.report(), commands, reopens };
}

class ModelRun {
  commands = 0;
  reopens = 0;
  private readonly random: () => number;
  private readonly units = new Map<number, number>();
  private readonly catalogues = new Map<string, Map<string, string>>();
  private sequence = 1n;
  private device!: SimulatedDevice;
  private store!: ExtentStore;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  async all(): Promise<void> {
    await this.open(await formattedImage());
    for (let burst = 0; burst < BURSTS; burst += 1) {
      const busy = new Set<string>();
      const count = 1 + this.pick(8);
      await Promise.all(Array.from({ length: count }, () => this.command(busy)));
      if (this.random() < 0.3) await this.store.checkpoint();
      await this.compare();
      if (this.random() < 0.4) await this.reopen();
    }
  }

  private pick(count: number): number {
    return Math.floor(this.random() * count);
  }

  private async open(image: Buffer): Promise<void> {
    // A call ends some turns after it began: which of two ends first is the seed's choice.
    const turn = async (): Promise<void> => {
      for (let turns = this.pick(6); turns > 0; turns -= 1) await Promise.resolve();
    };
    ({ device: this.device, store: this.store } = await openImage(image, { turn }));
  }

  private async reopen(): Promise<void> {
    // Without a close it is a power cut in which everything arrived.
    if (this.random() < 0.5) await this.store.close();
    await this.open(this.device.image);
    this.reopens += 1;
    await this.compare();
    const { problems } = await this.store.check();
    if (problems.length > 0) throw new Error(problems[0]);
  }

  /** One command on something that no other of the burst touches: their order says nothing then. */
  private async command(busy: Set<string>): Promise<void> {
    const kind = this.random();
    const number = this.pick(UNITS);
    const name = NAMES[this.pick(NAMES.length)];
    const subject = kind < 0.6 ? `unit ${number}` : `catalogue ${name}`;
    if (busy.has(subject)) return;
    busy.add(subject);
    this.commands += 1;
    if (kind < 0.35) await this.write(number);
    else if (kind < 0.6) await this.free(number);
    else if (kind < 0.66) await this.createOrDrop(name);
    else await this.change(name);
  }

  private async write(number: number): Promise<void> {
    const known = this.units.get(number);
    const sizeBytes = known ?? SIZES[this.pick(SIZES.length)];
    const outcome = await put(this.store, number, sizeBytes);
    if ((outcome === 'unchanged') !== (known !== undefined)) throw new Error(`put of ${number}: ${outcome}`);
    this.units.set(number, sizeBytes);
  }

  private async free(number: number): Promise<void> {
    const count = await this.store.free([unitOf(number)], authority(this.sequence));
    this.sequence += 1n;
    if ((count === 1) !== this.units.delete(number)) throw new Error(`free of ${number}: ${count}`);
  }

  private async createOrDrop(name: string): Promise<void> {
    if (this.catalogues.has(name)) {
      this.catalogues.delete(name);
      await this.store.dropCatalogue(Buffer.from(name));
    } else {
      this.catalogues.set(name, new Map());
      await this.store.createCatalogue(Buffer.from(name));
    }
  }

  private async change(name: string): Promise<void> {
    const model = this.catalogues.get(name);
    if (model === undefined) return;
    const catalogue = await this.store.catalogue(Buffer.from(name));
    const changes = Array.from({ length: 1 + this.pick(12) }, () => {
      const key = `key ${this.pick(KEYS)}`.padEnd(this.random() < 0.1 ? 600 : 0, 'k');
      return this.random() < 0.4 ? { key } : { key, value: 'v'.repeat(this.pick(this.random() < 0.04 ? 5000 : 400)) };
    });
    const there = await catalogue.change(
      changes.map(({ key, value }) =>
        value === undefined ? { key: Buffer.from(key) } : { key: Buffer.from(key), value: Buffer.from(value) },
      ),
    );
    changes.forEach(({ key, value }, index) => {
      if (there[index] !== model.has(key)) throw new Error(`change of ${key}: ${there[index]}`);
      if (value === undefined) model.delete(key);
      else model.set(key, value);
    });
  }

  private async compare(): Promise<void> {
    for (let number = 0; number < UNITS; number += 1) {
      const { chunkId, unitIndex } = unitOf(number);
      const unit = await this.store.read(chunkId, unitIndex);
      const sizeBytes = this.units.get(number);
      if ((unit === undefined) !== (sizeBytes === undefined))
        throw new Error(`unit ${number} is ${unit === undefined ? 'lost' : 'back'}`);
      if (unit !== undefined && !unit.bytes.equals(bytesOf(number, sizeBytes ?? 0)))
        throw new Error(`unit ${number} is another`);
    }
    const listed = await this.store.list({ limit: 1000 });
    if (listed.length !== this.units.size) throw new Error(`${listed.length} units are listed of ${this.units.size}`);
    for (const [name, model] of this.catalogues) {
      const isReverse = this.random() < 0.5;
      const found: string[] = [];
      const catalogue = await this.store.catalogue(Buffer.from(name));
      for await (const { key, value } of catalogue.scan({ reverse: isReverse })) found.push(`${key}=${value}`);
      const byKey = [...model].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const expected = byKey.map(([key, value]) => `${key}=${value}`);
      if (isReverse) found.reverse();
      if (found.join('\n') !== expected.join('\n'))
        throw new Error(`catalogue ${name}: ${found.length} entries of ${model.size}`);
    }
  }
}
