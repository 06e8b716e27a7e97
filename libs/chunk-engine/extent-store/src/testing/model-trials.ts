/**
 * Random commands against a Map: several clients at once, on a device whose calls end in an order of the seed. Writes, frees,
 * reads, lists, changes of catalogues, checkpoints and scrubs overlap on the same units and keys; what they answered must be
 * what they could have answered one after the other. Between two bursts everything is compared, and often the store is opened
 * anew, after a close or without one.
 */
import type { SimulatedDevice } from '../device/simulated-device.js';
import type { ExtentStore } from '../extent-store.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { endStates, impossible, type Operation } from './linearizable.js';
import { seededRandom } from './seeded-random.js';
import { SeededScheduler } from './seeded-scheduler.js';
import { authority, bytesOf, formattedImage, headerOf, openImage, put, soon, unitOf } from './store-fixture.js';
import { Tally, type TrialOptions, type TrialReport } from './trials.js';

const SIZES = [0, 1, 4096, 4097, 8192, 12_000, 40_000, 70_000];
const UNITS = 16;
const KEYS = 30;
const BURSTS = 3;
const CLIENTS_MAX = 6;
const COMMANDS_MAX = 8;
const RECENT_UNIT_BYTES = 20_000;
const sizeOf = (number: number): number => SIZES[number % SIZES.length];

const COMMANDS = [
  ['write', 24],
  ['free', 18],
  ['read', 18],
  ['list', 3],
  ['change', 16],
  ['get', 6],
  ['scan', 3],
  ['recreate', 3],
  ['checkpoint', 8],
  ['scrub', 2],
  ['scrub of pages', 3],
  ['stir', 4],
] as const;
type CommandName = (typeof COMMANDS)[number][0];
const WEIGHTS = COMMANDS.reduce((sum, [, weight]) => sum + weight, 0);

/** Bursts in which all that happens, happens to a few units and keys. */
const HOT_SHARE = 0.6;
const HOT_KEYS = 3;

/** Of a unit: whether it is there. Of a key: its value. */
type State = string | undefined;
const THERE = 'there';

export interface ModelReport extends TrialReport {
  readonly commands: number;
  readonly reopens: number;
  /** How often a command of one kind began while one of another was under way. */
  readonly overlaps: Readonly<Record<string, number>>;
  /** Most calls and turns that waited at once. */
  readonly waitingMax: number;
}

export async function modelTrials(options: TrialOptions): Promise<ModelReport> {
  const tally = new Tally(options);
  const overlaps: Record<string, number> = {};
  let [commands, reopens, waitingMax] = [0, 0, 0];
  for (let sequence = 0; !tally.isDone; sequence += 1) {
    const seed = Math.round(options.seed * 1_000_000) + sequence;
    await tally.attempt(`sequence of seed ${seed}`, async () => {
      const run = new ModelRun(seed, overlaps);
      await run.all();
      commands += run.commands;
      reopens += run.reopens;
      waitingMax = Math.max(waitingMax, run.waitingMax);
    });
  }
  return { ...tally.report(), commands, reopens, overlaps, waitingMax };
}

const BALLAST = Buffer.from('ballast');
const BALLAST_KEYS = 160;
const BALLAST_BYTES = 400;
const BALLAST_UNITS = 100;

let prepared: Promise<Buffer> | undefined;

/** More pages than the memory of the test device takes, so that those of the subjects come and go. */
function ballastImage(): Promise<Buffer> {
  prepared ??= makeBallast();
  return prepared;
}

async function makeBallast(): Promise<Buffer> {
  const { device, store } = await openImage(await formattedImage());
  await store.createCatalogue(Buffer.from('names'));
  const ballast = await store.createCatalogue(BALLAST);
  for (let number = 0; number < BALLAST_KEYS; number += 1)
    await ballast.put(Buffer.from(`key ${number}`), Buffer.alloc(BALLAST_BYTES));
  for (let number = 0; number < BALLAST_UNITS; number += 1) await put(store, 1000 + number, 0);
  await store.close();
  return device.image;
}

class ModelRun {
  commands = 0;
  reopens = 0;
  private readonly random: () => number;
  private readonly scheduler: SeededScheduler;
  /** What may be the state of each unit and key, as far as it is known. */
  private readonly states = new Map<string, ReadonlySet<State>>();
  /** Of the burst that is under way. */
  private readonly operations = new Map<string, Operation<State>[]>();
  private readonly underWay: CommandName[] = [];
  /** Half of the runs keep small units in memory that were read lately. */
  private readonly recentUnitBytes: number;
  /** Subjects of the burst. */
  private numbers: readonly number[] = [];
  private keys: readonly string[] = [];
  private isRecreating = false;
  private moment = 0;
  private sequence = 1n;
  private device!: SimulatedDevice;
  private store!: ExtentStore;

  constructor(
    seed: number,
    private readonly overlaps: Record<string, number>,
  ) {
    this.random = seededRandom(seed);
    this.scheduler = new SeededScheduler(this.random);
    this.recentUnitBytes = this.random() < 0.5 ? 0 : RECENT_UNIT_BYTES;
  }

  get waitingMax(): number {
    return this.scheduler.waitingMax;
  }

  async all(): Promise<void> {
    await this.open(await ballastImage());
    for (let burst = 0; burst < BURSTS; burst += 1) {
      this.chooseSubjects();
      await Promise.all(Array.from({ length: 1 + this.pick(CLIENTS_MAX) }, () => this.client()));
      this.settle();
      await this.compare();
      if (this.random() < 0.5) await this.reopen();
    }
  }

  private chooseSubjects(): void {
    const isHot = this.random() < HOT_SHARE;
    const first = this.pick(UNITS / 2);
    // Two of the same size: one may get the blocks that the other had.
    const hot = [first, first + UNITS / 2, this.pick(UNITS)];
    this.numbers = isHot ? hot : Array.from({ length: UNITS }, (_, number) => number);
    const keys = [...this.allKeys()];
    this.keys = isHot ? keys.slice(0, HOT_KEYS) : keys;
  }

  private pick(count: number): number {
    return Math.floor(this.random() * count);
  }

  private async open(image: Buffer): Promise<void> {
    const { turn } = this.scheduler;
    ({ device: this.device, store: this.store } = await openImage(image, {
      turn,
      storeTurn: turn,
      recentUnitBytes: this.recentUnitBytes,
    }));
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

  private async client(): Promise<void> {
    for (let left = 1 + this.pick(COMMANDS_MAX); left > 0; left -= 1) {
      await this.scheduler.turn();
      const name = this.pickCommand();
      for (const other of this.underWay) {
        const pair = [name, other].sort().join(' + ');
        this.overlaps[pair] = (this.overlaps[pair] ?? 0) + 1;
      }
      this.commands += 1;
      this.underWay.push(name);
      try {
        await this[name]();
      } finally {
        this.underWay.splice(this.underWay.indexOf(name), 1);
      }
    }
  }

  private pickCommand(): CommandName {
    let left = this.random() * WEIGHTS;
    for (const [name, weight] of COMMANDS) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'checkpoint';
  }

  /** Does it, and notes what it must mean for each of its subjects. */
  private async observe<Answer>(
    name: string,
    command: () => Promise<Answer>,
    steps: (answer: Answer) => Iterable<readonly [subject: string, step: Operation<State>['step']]>,
  ): Promise<void> {
    const from = (this.moment += 1);
    const answer = await command();
    const to = (this.moment += 1);
    for (const [subject, step] of steps(answer)) {
      const known = this.operations.get(subject) ?? [];
      known.push({ name, from, to, step });
      this.operations.set(subject, known);
    }
  }

  /** Some order of the burst must give all its answers. */
  private settle(): void {
    for (const [subject, operations] of this.operations) {
      const states = endStates(this.states.get(subject) ?? [undefined], operations);
      if (states.size === 0) {
        const told = operations.map(({ name, from, to }) => `${name} (${from} to ${to})`);
        throw new Error(`${subject}: no order of these gives what they answered: ${told.join(', ')}`);
      }
      this.states.set(subject, states);
    }
    this.operations.clear();
  }

  /** What is seen when nothing else goes on. */
  private see(subject: string, state: State): void {
    const possible = this.states.get(subject) ?? new Set([undefined]);
    if (!possible.has(state))
      throw new Error(`${subject} is ${state ?? 'absent'}, and can be ${[...possible].map(String).join(' or ')}`);
    this.states.set(subject, new Set([state]));
  }

  async write(): Promise<void> {
    const number = this.unit();
    const sizeBytes = sizeOf(number);
    const { turn } = this.scheduler;
    const pull = async function* (): AsyncGenerator<Buffer> {
      for (let from = 0; from < sizeBytes; from += 20_000) {
        await turn();
        yield bytesOf(number, sizeBytes).subarray(from, from + 20_000);
      }
    };
    await this.observe(
      `write of ${number}`,
      () =>
        this.store.write(headerOf(number, sizeBytes), sizeBytes, pull, soon()).catch((error: unknown) => {
          // Freed blocks are free with the next checkpoint.
          if (error instanceof ExtentStoreError && error.code === 'DeviceFull') return 'full' as const;
          throw error;
        }),
      (answer) => {
        if (answer === 'full') return [];
        const isNew = answer !== 'unchanged';
        return [[`unit ${number}`, (state) => (isNew === (state === undefined) ? THERE : impossible)]];
      },
    );
  }

  async free(): Promise<void> {
    const numbers = [...new Set(Array.from({ length: 1 + this.pick(2) }, () => this.unit()))];
    this.sequence += 1n;
    await this.observe(
      `free of ${numbers.join(' and ')}`,
      () => this.store.free(numbers.map(unitOf), authority(this.sequence)),
      (count) =>
        numbers.map((number) => [
          `unit ${number}`,
          // How many were there says which only when it was one, or all.
          (state) => (isSaid(count, numbers.length, state !== undefined) ? undefined : impossible),
        ]),
    );
  }

  async read(): Promise<void> {
    const number = this.unit();
    const { chunkId, unitIndex } = unitOf(number);
    const expected = bytesOf(number, sizeOf(number));
    const range = this.random() < 0.5 ? undefined : { offset: this.pick(30_000), length: this.pick(30_000) };
    const part = expected.subarray(range?.offset ?? 0, range === undefined ? undefined : range.offset + range.length);
    await this.observe(
      `read of ${number}`,
      () => this.store.read(chunkId, unitIndex, range),
      (unit) => {
        if (unit !== undefined && !unit.bytes.equals(part)) throw new Error(`unit ${number} is another`);
        return [[`unit ${number}`, stands(unit === undefined ? undefined : THERE)]];
      },
    );
  }

  async list(): Promise<void> {
    await this.observe(
      'list',
      () => this.store.list({ limit: 1000 }),
      (listed) => {
        const found = new Set(listed.map(({ chunkId }) => chunkId));
        if (found.size !== listed.length) throw new Error('a unit is listed twice');
        if (found.size < BALLAST_UNITS) throw new Error(`${found.size} units are listed`);
        return Array.from({ length: UNITS }, (_, number) => [
          `unit ${number}`,
          stands(found.has(unitOf(number).chunkId) ? THERE : undefined),
        ]);
      },
    );
  }

  async change(): Promise<void> {
    const keys = [...new Set(Array.from({ length: 1 + this.pick(8) }, () => this.key()))];
    const changes = keys.map((key, index) => {
      if (this.random() < 0.4) return { key };
      // One that lies outside of its page, at most: a transaction has its limit.
      const bytesMax = index === 0 && this.random() < 0.3 ? 6000 : 400;
      return { key, value: `${this.sequence}.${this.random()}`.padEnd(this.pick(bytesMax), 'v') };
    });
    await this.observe(
      `change of ${keys.length} keys`,
      async () =>
        (await this.catalogue()).change(
          changes.map(({ key, value }) =>
            value === undefined ? { key: Buffer.from(key) } : { key: Buffer.from(key), value: Buffer.from(value) },
          ),
        ),
      (there) =>
        changes.map(({ key, value }, index) => [
          key,
          (state) => (there[index] === (state !== undefined) ? value : impossible),
        ]),
    );
  }

  async get(): Promise<void> {
    const key = this.key();
    await this.observe(
      'get',
      async () => (await this.catalogue()).get(Buffer.from(key)),
      (value) => [[key, stands(value?.toString())]],
    );
  }

  async scan(): Promise<void> {
    await this.observe(
      'scan',
      () => this.entries(this.random() < 0.5),
      (found) => Array.from(this.allKeys(), (key) => [key, stands(found.get(key))] as const),
    );
  }

  /** A catalogue that comes and goes beside the others. */
  async recreate(): Promise<void> {
    if (this.isRecreating) return;
    this.isRecreating = true;
    const name = Buffer.from('fleeting');
    const catalogue = await this.store.createCatalogue(name);
    for (let number = this.pick(5); number >= 0; number -= 1)
      await catalogue.put(Buffer.from(`key ${number}`), Buffer.alloc(this.pick(3000), number));
    await this.store.dropCatalogue(name);
    this.isRecreating = false;
  }

  /** Goes through all of what lies beside the subjects, whose pages leave the memory for it. */
  async stir(): Promise<void> {
    const ballast = await this.store.catalogue(BALLAST);
    await ballast.put(Buffer.from(`key ${this.pick(BALLAST_KEYS)}`), Buffer.alloc(BALLAST_BYTES));
    let count = 0;
    for await (const { value } of ballast.scan()) count += value.length === BALLAST_BYTES ? 1 : 0;
    if (count !== BALLAST_KEYS) throw new Error(`${count} entries of ${BALLAST_KEYS}`);
  }

  checkpoint(): Promise<void> {
    return this.store.checkpoint();
  }

  async scrub(): Promise<void> {
    const { damaged } = await this.store.scrub();
    if (damaged.length > 0) throw new Error(`the scrub finds ${damaged.length} damaged units`);
  }

  async 'scrub of pages'(): Promise<void> {
    const problems = await this.store.scrubPages();
    if (problems.length > 0) throw new Error(problems[0]);
  }

  private unit(): number {
    return this.numbers[this.pick(this.numbers.length)];
  }

  private key(): string {
    return this.keys[this.pick(this.keys.length)];
  }

  private *allKeys(): Generator<string> {
    for (let number = 0; number < KEYS; number += 1)
      yield number % 10 === 3 ? `key ${number}`.padEnd(600, 'k') : `key ${number}`;
  }

  private catalogue() {
    return this.store.catalogue(Buffer.from('names'));
  }

  private async entries(isReverse: boolean): Promise<Map<string, string>> {
    const found: [string, string][] = [];
    for await (const { key, value } of (await this.catalogue()).scan({ reverse: isReverse }))
      found.push([key.toString(), value.toString()]);
    if (isReverse) found.reverse();
    for (let at = 1; at < found.length; at += 1)
      if (Buffer.compare(Buffer.from(found[at - 1][0]), Buffer.from(found[at][0])) >= 0)
        throw new Error(`a scan gives ${found[at][0]} after ${found[at - 1][0]}`);
    return new Map(found);
  }

  private async compare(): Promise<void> {
    for (let number = 0; number < UNITS; number += 1) {
      const { chunkId, unitIndex } = unitOf(number);
      const unit = await this.store.read(chunkId, unitIndex);
      if (unit !== undefined && !unit.bytes.equals(bytesOf(number, sizeOf(number))))
        throw new Error(`unit ${number} is another`);
      this.see(`unit ${number}`, unit === undefined ? undefined : THERE);
    }
    const entries = await this.entries(this.random() < 0.5);
    for (const key of this.allKeys()) this.see(key, entries.get(key));
    for (const key of entries.keys()) if (!this.states.has(key)) throw new Error(`${key} came from nowhere`);
    const there = Array.from({ length: UNITS }, (_, number) => this.states.get(`unit ${number}`)?.has(THERE));
    const length = (await this.store.list({ limit: 1000 })).length - BALLAST_UNITS;
    const expected = there.filter((isThere) => isThere === true).length;
    if (length !== expected) throw new Error(`${length} units are listed of ${expected}`);
  }
}

const stands =
  (found: State): Operation<State>['step'] =>
  (state) =>
    state === found ? state : impossible;

function isSaid(count: number, asked: number, isThere: boolean): boolean {
  if (count === asked) return isThere;
  return count > 0 || !isThere;
}
