/**
 * Damage by a device that lies while the store runs: a block whose write it acknowledges does not arrive (lost), does not arrive
 * from some write of its place on (stale), or arrives elsewhere (misdirected), which damages two places. The run goes on, and
 * every answer of it is right or an error; the scrub of the open store tells of pages and data blocks, whatever is in its memory;
 * and in the end whatever is damaged of what counts is told at the next open.
 *
 * What counts is read from the device as it would be without the lie. A lie that hit nothing of it (the place was free by the
 * end, or written again) must leave no trace. Left out by rule are lies that hit a log group that nothing names as flushed, as
 * in `damage-at-rest.ts`: where the device lied about the last group before a power cut, or before the store gave the device
 * up, no one can know of it.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { ExtentStore } from '../extent-store.js';
import type { BlockOnItsWay, LiePlan } from '../device/simulated-device.js';
import { payloadStart } from '../log/log-group.js';
import type { Images } from './crash-states.js';
import { KINDS, judge, kindOf, verdictOn, type Kind } from './damage-verdict.js';
import { mapDevice, nameOfPage, type MappedBlock } from './device-map.js';
import { copyOf, FaultRun, SMALL_UNIT_MAX_BYTES, startingPoint, type Layout } from './fault-run.js';
import { seededRandom } from './seeded-random.js';
import { Tally, type TrialOptions } from './trials.js';
import type { DamageReport } from './damage-at-rest.js';

const FAULTS = ['lost', 'stale', 'misdirected'] as const;
type Fault = (typeof FAULTS)[number];

export interface InFlightReport extends DamageReport {
  /** Lies that hit nothing that counts, and those that are left out by rule; not among the trials that were made. */
  readonly harmless: number;
  readonly leftOut: number;
}

/** So many trials of each fault of each kind are made with one run; then the seed makes another. */
const TRIALS_OF_A_RUN = 4;
const TRIES_MAX = 40;

/** A block that the run writes. */
interface Write {
  /** Number of the block in the order of their writing, from 0. */
  readonly ordinal: number;
  readonly kinds: readonly Kind[];
  readonly device: string;
  readonly position: number;
}

interface Lie {
  readonly write: Write;
  readonly fault: Fault;
  /** Where it arrives when it is misdirected. */
  readonly position: number;
}

/** @param options `trials` of each fault of each kind of block in each layout */
export async function damageInFlightTrials(options: TrialOptions): Promise<InFlightReport> {
  const tally = new Tally({ ...options, trials: Infinity });
  const random = seededRandom(options.seed);
  const made: Record<string, number> = {};
  const told: Record<string, number> = {};
  const idle = { harmless: 0, 'left out': 0 };
  for (const layout of ['file', 'pair'] as const) {
    for (let done = 0; done < options.trials && !tally.isDone; done += TRIALS_OF_A_RUN) {
      const seed = Math.floor(random() * 2 ** 32);
      const ending = random() < 0.7 ? 'closed' : 'cut';
      const trial = await HonestRun.make({ seed, layout, ending });
      for (const kind of KINDS)
        for (const fault of FAULTS)
          await tellLies(trial, kind, fault, Math.min(TRIALS_OF_A_RUN, options.trials - done));
    }
  }
  return { ...tally.report(), made, told, harmless: idle.harmless, leftOut: idle['left out'] };

  async function tellLies(honest: HonestRun, kind: Kind, fault: Fault, count: number): Promise<void> {
    const { layout, seed } = honest.options;
    // Nothing but the format writes the superblock of a data file.
    if (kind === 'superblock of a data file') return;
    const what = `${layout}, ${kind}: ${fault}`;
    for (let hits = 0, tries = 0; hits < count && !tally.isDone; tries += 1) {
      if (tries === TRIES_MAX * count) throw new Error(`no lie hits anything: ${what}, run of seed ${seed}`);
      const lie = honest.lie(kind, fault, random);
      await tally.attempt(
        `${what} at block ${lie.write.ordinal}, run of seed ${seed}, seed ${options.seed}`,
        async () => {
          const outcome = await liedTo(honest.options, lie);
          if (outcome === 'harmless' || outcome === 'left out') idle[outcome] += 1;
          else {
            hits += 1;
            made[what] = (made[what] ?? 0) + 1;
            told[outcome] = (told[outcome] ?? 0) + 1;
          }
        },
      );
    }
  }
}

interface RunOptions {
  readonly seed: number;
  readonly layout: Layout;
  readonly ending: 'closed' | 'cut';
}

/** The run without a lie: which blocks it writes, and which of them count in the end. */
class HonestRun {
  private constructor(
    readonly options: RunOptions,
    private readonly writes: readonly Write[],
    private readonly last: readonly MappedBlock[],
    private readonly images: Images,
  ) {}

  static async make(options: RunOptions): Promise<HonestRun> {
    const writes: Write[] = [];
    const kinds = new KindsOfWrites();
    const { error, images } = await FaultRun.make({
      ...options,
      lie: (block) => {
        writes.push({ ordinal: writes.length, kinds: kinds.of(block), device: block.device, position: block.position });
        return undefined;
      },
    });
    if (error !== undefined) throw error;
    return new HonestRun(options, writes, mapped(images), images);
  }

  /** Most often about a block that counts in the end. */
  lie(kind: Kind, fault: Fault, random: () => number): Lie {
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)];
    const ofKind = this.writes.filter(({ kinds }) => kinds.includes(kind));
    const places = new Set(this.last.filter(({ name }) => kindOf(name) === kind).map(placeOf));
    const ofLast = ofKind.filter((write) => places.has(placeOf(write)));
    let write = pick(random() < 0.8 && ofLast.length > 0 ? ofLast : ofKind);
    if (fault !== 'stale' && random() < 0.8) {
      // The last one to its place: a later one would mend it.
      const place = placeOf(write);
      write = ofKind.findLast((each) => placeOf(each) === place) ?? write;
    }
    const onDevice = this.last.filter((block) => block.device === write.device && block.position !== write.position);
    const anywhere = Math.floor((random() * this.images[write.device].length) / BLOCK_BYTES) * BLOCK_BYTES;
    return { write, fault, position: random() < 0.5 ? anywhere : pick(onDevice).position };
  }
}

/** Tells what the blocks of a write are, one after the other. */
class KindsOfWrites {
  private payloadIndex = 0;

  of({ kind, bytes, index }: BlockOnItsWay): readonly Kind[] {
    if (kind === 'superblock') return ['superblock'];
    if (kind === 'page') return [kindOf(nameOfPage(bytes))];
    if (kind === 'data') return ['data block'];
    if (index > 0) return [index < this.payloadIndex ? 'log records' : 'log payload'];
    this.payloadIndex = payloadStart(bytes.readUInt32LE(56)) / BLOCK_BYTES;
    return ['log group head', 'log records'];
  }
}

/** The run on a device that tells this lie. */
async function liedTo(options: RunOptions, { write, fault, position }: Lie) {
  const truth = copyOf((await startingPoint(options.layout)).images);
  let ordinal = -1;
  const lie: LiePlan = (block) => {
    ordinal += 1;
    block.bytes.copy(truth[block.device], block.position);
    const isMeant =
      fault === 'stale' ? ordinal >= write.ordinal && placeOf(block) === placeOf(write) : ordinal === write.ordinal;
    if (!isMeant) return undefined;
    return fault === 'misdirected' ? { position } : 'lost';
  };
  const damagedNow = (images: Images): MappedBlock[] =>
    mapped(truth).filter(({ device, position: at, from, to }) => {
      const [stands, should] = [images[device], truth[device]];
      return stands.compare(should, at + from, at + to, at + from, at + to) !== 0;
    });
  const { error, images, witness } = await FaultRun.make({
    ...options,
    lie,
    whenWritten: (store, present) => scrubTells(store, damagedNow(present)),
  });
  const damaged = damagedNow(images);
  if (damaged.some(({ isDoubtful }) => isDoubtful)) return 'left out';
  const verdict = await verdictOn(images, witness);
  if (damaged.length > 0) {
    judge(verdict, damaged);
    return verdict.teller ?? 'nothing';
  }
  // A device that was given up may have been so in the midst of its superblock copies.
  if (verdict.teller !== undefined && error === undefined)
    throw new Error(`${verdict.teller} tells of damage that is not there`);
  return 'harmless';
}

/** Throws unless the scrub of a store that goes on tells of damage to pages and data blocks. */
async function scrubTells(store: ExtentStore, damaged: readonly MappedBlock[]): Promise<void> {
  // What a checkpoint has freed goes back to the trees of free extents: their pages are to be written anew.
  const isRead = ({ name }: MappedBlock): boolean => /page$|leaf$|^block of/.test(name) && !name.startsWith('balloc');
  if (!damaged.some(isRead)) return;
  const told = [...(await store.scrubPages()), ...(await store.scrub()).damaged];
  if (told.length === 0) throw new Error('the scrub of the open store says nothing of it');
}

const placeOf = ({ device, position }: { device: string; position: number }): string => `${device}/${position}`;
const mapped = (images: Images): MappedBlock[] => mapDevice(images, { smallUnitMaxBytes: SMALL_UNIT_MAX_BYTES });
