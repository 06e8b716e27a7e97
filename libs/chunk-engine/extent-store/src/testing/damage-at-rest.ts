/**
 * Damage as it is found at an open. A block of every kind, in one file and in a pair, has flipped bits, is zero, is what it was
 * before its last write (a write that was lost) or at an earlier time (stale), or was written to the place of another block: then
 * both places are damaged, and each must be told also when it is the only one. Or it is the block of another device with the
 * very same history (foreign); bytes of units say nothing of their device, and are the same there.
 *
 * Left out by rule, since no device can tell: blocks of a log group that nothing later on the device names as flushed
 * (`isDoubtful`). Without a close that is the last group. A group is named as flushed by the next one or by a superblock; before
 * that a damaged one is the same to see as one that a power cut tore, which was never answered. So damage to it is a cut: the
 * crash proofs hold what then stands. And a block that was written once, as the superblock of a data file, has no older version:
 * it cannot be stale, only lost.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DeviceEvent } from '../device/simulated-device.js';
import type { Images } from './crash-states.js';
import { judge, kindOf, verdictAfterMove, verdictOn, KINDS, type Kind } from './damage-verdict.js';
import { mapDevice, type MappedBlock } from './device-map.js';
import { FaultRun, SMALL_UNIT_MAX_BYTES, startingPoint, type Layout } from './fault-run.js';
import { seededRandom } from './seeded-random.js';
import { Tally, type TrialOptions, type TrialReport } from './trials.js';
import type { Witness } from './witness.js';

const FAULTS = ['flip', 'flips', 'zero', 'lost', 'stale', 'misdirected', 'foreign'] as const;
type Fault = (typeof FAULTS)[number];

export interface DamageReport extends TrialReport {
  /** Trials by layout, kind of block and fault. */
  readonly made: Readonly<Record<string, number>>;
  /** Where the damage showed first. */
  readonly told: Readonly<Record<string, number>>;
}

/** A device as a run left it, with every version that its blocks have had. */
export interface Subject {
  readonly layout: Layout;
  readonly images: Images;
  /** Those of another device after the same run. */
  readonly twin: Images;
  readonly witness: Witness;
  readonly blocks: readonly MappedBlock[];
  /** By `device/position`, oldest first; the last one stands there. */
  readonly versions: ReadonlyMap<string, readonly Buffer[]>;
}

const TWIN_ID = '00000000-0000-4000-8000-00000000bbbb';
/** So many trials are made on one device; then the seed makes another. */
const TRIALS_OF_A_SUBJECT = 100;
/** Not every device has every fault to offer: a place may not have been written often enough to be stale. */
const SUBJECTS_SPARE = 50;

/** @param options `trials` of each fault of each kind of block in each layout */
export async function damageAtRestTrials(options: TrialOptions): Promise<DamageReport> {
  const tally = new Tally({ ...options, trials: Infinity });
  const random = seededRandom(options.seed);
  const made: Record<string, number> = {};
  const told: Record<string, number> = {};
  for (const layout of ['file', 'pair'] as const) {
    const isWanting = (): boolean => combinations(layout).some(({ what }) => (made[what] ?? 0) < options.trials);
    const share = Math.min(TRIALS_OF_A_SUBJECT, Math.ceil(options.trials / 2));
    for (let round = 0; isWanting() && !tally.isDone; round += 1) {
      if (round > SUBJECTS_SPARE + (2 * options.trials) / share) throw new Error(`nothing to damage in a ${layout}`);
      const seed = Math.floor(random() * 2 ** 32);
      // Every other device was not closed: its last group is doubtful.
      await damageSubject(await makeSubject(seed, layout, round % 2 === 0 ? 'closed' : 'cut'), share);
    }
  }
  return { ...tally.report(), made, told };

  async function damageSubject(subject: Subject, share: number): Promise<void> {
    const name = `${subject.layout} of seed ${options.seed}`;
    await tally.attempt(`the undamaged ${name}`, async () => {
      const { teller } = await verdictOn(subject.images, subject.witness);
      if (teller !== undefined) throw new Error(`${teller} tells of damage that is not there`);
    });
    for (const { kind, fault, what } of combinations(subject.layout)) {
      const targets = targetsOf(subject, kind, fault);
      const wanted = targets.length === 0 ? 0 : Math.min(share, options.trials - (made[what] ?? 0));
      for (let count = 0; count < wanted && !tally.isDone; count += 1) {
        const damage = makeDamage(subject, targets, fault, random);
        made[what] = (made[what] ?? 0) + 1;
        await tally.attempt(`${fault} of ${kind}, ${damage.name}, ${name}`, async () => {
          for (const part of damage.parts) {
            const verdict = await withDamage(subject, part, () => verdictOn(subject.images, subject.witness));
            const blocks = blocksAt(subject, part);
            judge(verdict, blocks);
            if (blocks.every(({ name }) => kindOf(name) === 'log payload'))
              judge(await withDamage(subject, part, () => verdictAfterMove(subject.images, subject.witness)), blocks);
            told[verdict.teller ?? ''] = (told[verdict.teller ?? ''] ?? 0) + 1;
          }
        });
      }
    }
  }
}

async function makeSubject(seed: number, layout: Layout, ending: 'closed' | 'cut'): Promise<Subject> {
  const start = await startingPoint(layout);
  const versions = new Map<string, Buffer[]>();
  const record = (event: DeviceEvent): void => {
    if (event.type !== 'write') return;
    for (const { position, bytes } of event.pieces) {
      const place = `${event.device}/${position}`;
      const known = versions.get(place) ?? [blockAt(start.blank[event.device], position)];
      versions.set(place, known);
      known.push(bytes);
    }
  };
  start.events.forEach(record);
  const twin = await FaultRun.make({ seed, layout, ending, deviceId: TWIN_ID });
  const { error, images, witness } = await FaultRun.make({ seed, layout, record, ending });
  if (error !== undefined) throw error;
  const blocks = mapDevice(images, { smallUnitMaxBytes: SMALL_UNIT_MAX_BYTES }).filter(({ isDoubtful }) => !isDoubtful);
  return { layout, images, twin: twin.images, witness, blocks, versions };
}

const blockAt = (image: Buffer, position: number): Buffer =>
  Buffer.from(image.subarray(position, position + BLOCK_BYTES));
const placeOf = ({ device, position }: MappedBlock): string => `${device}/${position}`;

interface Combination {
  readonly kind: Kind;
  readonly fault: Fault;
  readonly what: string;
}

/** Every fault that every kind can have. */
function combinations(layout: Layout): Combination[] {
  return KINDS.flatMap((kind) => {
    const isOfPair = kind === 'superblock of a data file';
    if (isOfPair && layout === 'file') return [];
    const faults = FAULTS.filter((fault) => {
      if (fault === 'foreign') return kind !== 'log payload' && kind !== 'data block';
      return fault !== 'stale' || !isOfPair;
    });
    return faults.map((fault) => ({ kind, fault, what: `${layout}, ${kind}: ${fault}` }));
  });
}

/** Blocks that the fault changes; by name, so that the trees of a device come to the same share. */
type Targets = readonly (readonly MappedBlock[])[];

function targetsOf(subject: Subject, kind: Kind, fault: Fault): Targets {
  const changed = subject.blocks.filter((block) => kindOf(block.name) === kind && canHave(subject, block, fault));
  return [...Map.groupBy(changed, ({ name }) => name).values()];
}

function canHave(subject: Subject, block: MappedBlock, fault: Fault): boolean {
  if (fault === 'stale') return staleVersions(subject, block).length > 0;
  // The later blocks of a group hold records alone.
  return (
    fault !== 'foreign' ||
    !blockAt(subject.twin[block.device], block.position).equals(blockAt(subject.images[block.device], block.position))
  );
}

/** What stood there, oldest first; a block that was never written since the format was zero before it. */
function versionsOf({ versions, images }: Subject, block: MappedBlock): readonly Buffer[] {
  const stands = blockAt(images[block.device], block.position);
  return versions.get(placeOf(block)) ?? [Buffer.alloc(BLOCK_BYTES), stands];
}

function staleVersions(subject: Subject, block: MappedBlock): Buffer[] {
  const all = versionsOf(subject, block);
  return all.slice(0, -2).filter((version) => !version.equals(all[all.length - 1]));
}

interface Damage {
  readonly name: string;
  /** All of it, and what must be told also when it is alone. */
  readonly parts: readonly DamagePart[];
}

/** What stands in blocks that is not what should. */
type DamagePart = readonly (readonly [MappedBlock, Buffer])[];

function makeDamage(subject: Subject, targets: Targets, fault: Fault, random: () => number): Damage {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)];
  const target = pick(pick(targets));
  const name = `${target.name} at ${placeOf(target)}`;
  const lost = versionsOf(subject, target).at(-2) ?? Buffer.alloc(BLOCK_BYTES);
  if (fault !== 'misdirected') {
    const made: Record<Exclude<Fault, 'misdirected'>, () => Buffer> = {
      flip: () => flipped(subject, target, 1, random),
      flips: () => flipped(subject, target, 2 + Math.floor(random() * 63), random),
      zero: () => Buffer.alloc(BLOCK_BYTES),
      lost: () => lost,
      stale: () => pick(staleVersions(subject, target)),
      foreign: () => blockAt(subject.twin[target.device], target.position),
    };
    return { name, parts: [[[target, made[fault]()]]] };
  }
  const others = subject.blocks.filter((block) => block.device === target.device && block.position !== target.position);
  const alike = others.filter((block) => kindOf(block.name) === kindOf(target.name));
  const victim = pick(random() < 0.5 && alike.length > 0 ? alike : others);
  const strayed = blockAt(subject.images[target.device], target.position);
  return {
    name: `${name} written to ${victim.name} at ${placeOf(victim)}`,
    parts: [
      [
        [target, lost],
        [victim, strayed],
      ],
      [[victim, strayed]],
    ],
  };
}

function flipped(
  { images }: Subject,
  { device, position, from, to }: MappedBlock,
  bits: number,
  random: () => number,
): Buffer {
  const block = blockAt(images[device], position);
  const flips = new Set<number>();
  while (flips.size < bits) flips.add(from * 8 + Math.floor(random() * (to - from) * 8));
  for (const bit of flips) block[bit >> 3] ^= 1 << (bit & 7);
  return block;
}

/** Runs `work` on the device with this damage, and mends it. */
async function withDamage<Result>({ images }: Subject, part: DamagePart, work: () => Promise<Result>): Promise<Result> {
  const sound = part.map(([{ device, position }]) => blockAt(images[device], position));
  part.forEach(([{ device, position }, bytes]) => bytes.copy(images[device], position));
  try {
    return await work();
  } finally {
    part.forEach(([{ device, position }], index) => sound[index].copy(images[device], position));
  }
}

/** Head and first records of a group share a block. */
function blocksAt({ blocks }: Subject, part: DamagePart): MappedBlock[] {
  const places = new Set(part.map(([block]) => placeOf(block)));
  return blocks.filter((block) => places.has(placeOf(block)));
}
