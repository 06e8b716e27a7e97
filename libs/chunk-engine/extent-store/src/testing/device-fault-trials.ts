/**
 * Devices that lie: flipped bits, blocks that turn zero, writes that were lost (the block is an older one) or went elsewhere (the
 * block is another one). Whatever stands in a block, a read gives the right bytes or an error, and some check tells it.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { ExtentStore } from '../extent-store.js';
import { ExtentStoreError } from '../extent-store-error.js';
import * as Page from '../tree/page.js';
import { seededRandom } from './seeded-random.js';
import {
  CAPACITY_BYTES,
  PAGE_COUNT,
  SEGMENT_BYTES,
  authority,
  bytesOf,
  formattedImage,
  openImage,
  put,
  unitOf,
} from './store-fixture.js';
import { Tally, type TrialOptions, type TrialReport } from './trials.js';

const BLOCKS = ['superblock', 'log', 'leaf', 'inner', 'bitmap', 'root', 'value', 'data'] as const;
type BlockName = (typeof BLOCKS)[number];
const FAULTS = ['flip', 'flips', 'zero', 'stale', 'misdirected'] as const;
type FaultName = (typeof FAULTS)[number];

const LOG_START = 4 * BLOCK_BYTES;
const PAGES_START = LOG_START + 2 * SEGMENT_BYTES;
const DATA_START = PAGES_START + PAGE_COUNT * BLOCK_BYTES;
const SIZES = [0, 100, 4096, 9000, 70_000, 16_384, 5000];
const NAME = Buffer.from('names');

/** What is on the device, and blocks that count with the bytes of each that are covered by a checksum. */
interface Subject {
  readonly image: Buffer;
  /** The same device at an earlier time. */
  readonly earlier: Buffer;
  readonly units: ReadonlyMap<number, number>;
  readonly keys: ReadonlyMap<string, string>;
  readonly blocks: ReadonlyMap<BlockName, readonly { readonly position: number; readonly coveredBytes: number }[]>;
}

export interface FaultReport extends TrialReport {
  /** Trials by kind of block, each with some of every fault. */
  readonly byBlock: Readonly<Record<string, number>>;
  /** How a fault showed: at the open, at a read, or only to a check. */
  readonly told: Readonly<Record<string, number>>;
}

/** @param options `trials` of each kind of block */
export async function deviceFaultTrials(options: TrialOptions): Promise<FaultReport> {
  const tally = new Tally({ ...options, trials: Infinity });
  const random = seededRandom(options.seed);
  const subject = await makeSubject();
  const byBlock: Record<string, number> = {};
  const told: Record<string, number> = { open: 0, read: 0, check: 0 };
  for (const block of BLOCKS) {
    byBlock[block] = 0;
    for (let trial = 0; byBlock[block] < options.trials && !tally.isDone; trial += 1) {
      const fault = FAULTS[trial % FAULTS.length];
      const image = damaged(subject, block, fault, random);
      if (image === undefined) {
        if (trial > 20 * options.trials) throw new Error(`nothing to damage: ${fault} of ${block}`);
        continue;
      }
      byBlock[block] += 1;
      await tally.attempt(`${fault} of ${block}, trial ${trial}, seed ${options.seed}`, async () => {
        told[await toldBy(subject, image)] += 1;
      });
    }
  }
  return { ...tally.report(), byBlock, told };
}

async function makeSubject(): Promise<Subject> {
  const { device, store } = await openImage(await formattedImage());
  const units = new Map<number, number>();
  const keys = new Map<string, string>();
  const catalogue = await store.createCatalogue(NAME);
  const write = async (first: number, count: number): Promise<void> => {
    for (let number = first; number < first + count; number += 1) {
      const sizeBytes = SIZES[number % SIZES.length];
      await put(store, number, sizeBytes);
      units.set(number, sizeBytes);
      const value = 'v'.repeat(number % 9 === 0 ? 7000 : 300) + String(number);
      await catalogue.put(Buffer.from(`key ${number * 7919}`), Buffer.from(value));
      keys.set(`key ${number * 7919}`, value);
    }
  };
  await write(0, 10);
  await store.checkpoint();
  await write(10, 8);
  await store.free([1, 3, 6].map(unitOf), authority(1n));
  for (const number of [1, 3, 6]) units.delete(number);
  await store.checkpoint();
  const earlier = Buffer.from(device.image);
  await write(20, 12);
  await store.checkpoint();
  const logBefore = device.writes.length;
  await write(40, 3);
  await store.close();
  const blocks = liveBlocks(device.image, device.writes.slice(logBefore));
  return { image: device.image, earlier, units, keys, blocks };
}

function liveBlocks(
  image: Buffer,
  lastWrites: readonly { kind: string; position: number; sizeBytes: number }[],
): Subject['blocks'] {
  const blocks = new Map<BlockName, { position: number; coveredBytes: number }[]>(BLOCKS.map((name) => [name, []]));
  const add = (name: BlockName, position: number, coveredBytes = BLOCK_BYTES): void =>
    void blocks.get(name)?.push({ position, coveredBytes });
  for (let copy = 0; copy < 4; copy += 1) add('superblock', copy * BLOCK_BYTES);
  for (const { kind, position } of lastWrites) if (kind === 'log') add('log', position);
  const rootPage = image.readUInt32LE(136);
  const root = PAGES_START + rootPage * BLOCK_BYTES;
  const bitmap = PAGES_START + image.readUInt32LE(root + 256) * BLOCK_BYTES;
  const names: Record<number, BlockName> = { 1: 'leaf', 2: 'inner', 3: 'bitmap', 4: 'root', 5: 'value' };
  for (let page = 1; page < PAGE_COUNT; page += 1) {
    const isLive = (image[bitmap + 64 + (page >> 3)] >> (page & 7)) & 1;
    const position = PAGES_START + page * BLOCK_BYTES;
    // Of the tree of extents that were free beside balloc nothing is read again after the open.
    if (isLive) add(names[Page.kindOf(image.subarray(position))], position);
  }
  for (let position = DATA_START; position < CAPACITY_BYTES; position += BLOCK_BYTES) {
    const owner = ownerOf(image.subarray(position, position + BLOCK_BYTES));
    if (owner !== undefined) add('data', position, owner);
  }
  return blocks;
}

/** Bytes of a live unit in this block; the units of the fixture all have bytes of their own. */
function ownerOf(block: Buffer): number | undefined {
  for (const number of LIVE) {
    const bytes = bytesOf(number, SIZES[number % SIZES.length]);
    for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
      const part = bytes.subarray(from, from + BLOCK_BYTES);
      if (block.subarray(0, part.length).equals(part)) return part.length;
    }
  }
  return undefined;
}

/** Numbers of the units that have moved to data blocks by the end. */
const LIVE = [
  ...Array(10).keys(),
  ...Array.from({ length: 8 }, (_, at) => at + 10),
  ...Array.from({ length: 12 }, (_, at) => at + 20),
].filter((number) => ![1, 3, 6].includes(number));

/** The device with one block damaged; undefined when that changes nothing. */
function damaged(subject: Subject, name: BlockName, fault: FaultName, random: () => number): Buffer | undefined {
  const of = subject.blocks.get(name) ?? [];
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)];
  const { position, coveredBytes } = pick(of);
  const image = Buffer.from(subject.image);
  const block = image.subarray(position, position + BLOCK_BYTES);
  const flips = fault === 'flip' ? 1 : 2 + Math.floor(random() * 63);
  if (fault === 'flip' || fault === 'flips') {
    for (let flip = 0; flip < flips; flip += 1)
      block[Math.floor(random() * coveredBytes)] ^= 1 << Math.floor(random() * 8);
  } else if (fault === 'zero') block.fill(0);
  else if (fault === 'stale') subject.earlier.copy(block, 0, position, position + BLOCK_BYTES);
  else {
    const { position: other } = pick(of);
    subject.image.copy(block, 0, other, other + BLOCK_BYTES);
  }
  const isSame = block.compare(subject.image, position, position + coveredBytes, 0, coveredBytes) === 0;
  return isSame ? undefined : image;
}

/** What told of the damage. Throws when nothing did, or when a read gave wrong bytes or an absence. */
async function toldBy(subject: Subject, image: Buffer): Promise<'open' | 'read' | 'check'> {
  let store: ExtentStore;
  try {
    ({ store } = await openImage(image));
  } catch (error) {
    if (error instanceof ExtentStoreError) return 'open';
    throw error;
  }
  const errors = (await readUnits(subject, store)) + (await readKeys(subject, store));
  if (errors > 0) return 'read';
  const { problems, copies } = await store.check();
  if (problems.length > 0 || copies.length > 0 || (await store.scrubPages()).length > 0) return 'check';
  throw new Error('nothing told of it');
}

async function readUnits({ units }: Subject, store: ExtentStore): Promise<number> {
  let errors = 0;
  for (const [number, sizeBytes] of units) {
    const { chunkId, unitIndex } = unitOf(number);
    try {
      const unit = await store.read(chunkId, unitIndex);
      if (unit === undefined) throw new Error(`unit ${number} counts as absent`);
      if (!unit.bytes.equals(bytesOf(number, sizeBytes))) throw new Error(`unit ${number} has wrong bytes`);
    } catch (error) {
      if (!(error instanceof ExtentStoreError)) throw error;
      errors += 1;
    }
  }
  return errors;
}

async function readKeys({ keys }: Subject, store: ExtentStore): Promise<number> {
  let errors = 0;
  for (const [key, value] of keys) {
    try {
      const found = await (await store.catalogue(NAME)).get(Buffer.from(key));
      if (found?.toString() !== value) throw new Error(`${key} is ${found === undefined ? 'absent' : 'another'}`);
    } catch (error) {
      if (!(error instanceof ExtentStoreError)) throw error;
      if (error.code === 'CatalogueMissing') throw new Error('the catalogue counts as absent');
      errors += 1;
    }
  }
  return errors;
}
