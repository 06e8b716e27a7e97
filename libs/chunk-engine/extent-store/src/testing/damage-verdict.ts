/** What tells of damage on a device. */
import type { ExtentStore } from '../extent-store.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { unitKeyBytes, unitName } from '../units/unit-record.codec.js';
import type { Images } from './crash-states.js';
import { openImages } from './crash-workloads.js';
import { copyOf } from './fault-run.js';
import type { BlockName, MappedBlock } from './device-map.js';
import type { Witness } from './witness.js';

/** Where it is told first; undefined for nowhere. */
export type Teller = 'open' | 'read' | 'scrub' | 'fsck' | undefined;

export interface Verdict {
  readonly teller: Teller;
  /** Units that the scrub names. */
  readonly damagedUnits: ReadonlySet<string>;
  /** Superblock copies that do not count. */
  readonly copies: readonly string[];
  /** All that was known was read. */
  readonly isReadable: boolean;
}

/** Opens the device, asks for all that the witness knows, and checks it. Throws when an answer is wrong. */
export async function verdictOn(images: Images, witness: Witness): Promise<Verdict> {
  let store: ExtentStore;
  try {
    // It is only read.
    store = await openImages(images, { isImageShared: true });
  } catch (error) {
    if (!(error instanceof ExtentStoreError)) throw error;
    return { teller: 'open', damagedUnits: new Set(), copies: [], isReadable: false };
  }
  return verdictOf(store, witness);
}

/** As it is when the log of the device has become part of its trees: what was damaged in it is damaged where it went. */
export async function verdictAfterMove(images: Images, witness: Witness): Promise<Verdict> {
  const store = await openImages(copyOf(images), { isImageShared: true });
  await store.checkpoint();
  return verdictOf(store, witness);
}

async function verdictOf(store: ExtentStore, witness: Witness): Promise<Verdict> {
  const errors = await witness.checkAll(store);
  const pages = await store.scrubPages();
  const damagedUnits = new Set<string>();
  let isListed = true;
  try {
    const { damaged } = await store.scrub();
    for (const unit of damaged) damagedUnits.add(unitName(unitKeyBytes(unit)));
  } catch (error) {
    if (!(error instanceof ExtentStoreError) || error.code !== 'MetadataDamaged') throw error;
    isListed = false;
  }
  const { problems, copies } = await store.check();
  const tellers: [Exclude<Teller, undefined>, boolean][] = [
    ['read', errors.length > 0],
    ['scrub', pages.length > 0 || damagedUnits.size > 0 || !isListed],
    ['fsck', problems.length > 0 || copies.length > 0],
  ];
  const teller = tellers.find(([, tells]) => tells)?.[0];
  return { teller, damagedUnits, copies, isReadable: errors.length === 0 };
}

/** Kinds of blocks, each with the names that `mapDevice` gives to its blocks. */
export const KINDS = [
  'superblock',
  'superblock of a data file',
  'log group head',
  'log records',
  'log payload',
  'leaf',
  'inner page',
  'bitmap page',
  'root page',
  'value page',
  'data block',
] as const;
export type Kind = (typeof KINDS)[number];

export function kindOf(name: BlockName): Kind {
  if (name.endsWith(' leaf')) return 'leaf';
  if (name.endsWith(' inner page')) return 'inner page';
  if (name === 'small unit in the log') return 'log payload';
  if (name.startsWith('block of a ')) return 'data block';
  return name as Kind;
}

/**
 * Throws unless the damage of these blocks is told, as it must be: a superblock copy costs nothing, and bytes of a unit cost
 * that unit alone.
 */
export function judge(verdict: Verdict, damaged: readonly MappedBlock[]): void {
  if (verdict.teller === undefined) throw new Error('nothing told of it');
  const kinds = new Set(damaged.map(({ name }) => kindOf(name)));
  const areCopies = [...kinds].every((kind) => kind.startsWith('superblock'));
  if (areCopies && (!verdict.isReadable || verdict.copies.length === 0))
    throw new Error(`a superblock copy cost more than itself: told by ${verdict.teller}`);
  const areUnits = [...kinds].every((kind) => kind === 'log payload' || kind === 'data block');
  if (!areUnits) return;
  const owners = new Set(damaged.map(({ unit }) => unit));
  const isExact =
    owners.size === verdict.damagedUnits.size && [...verdict.damagedUnits].every((unit) => owners.has(unit));
  if (!isExact)
    throw new Error(`the scrub names ${verdict.damagedUnits.size} units of ${owners.size} that are damaged`);
}
