/**
 * From the device to its state in memory: the trees of the newest checkpoint, and upon them what the log holds. Nothing is
 * written; doing it twice is the same as doing it once.
 */
import { systemClock, type Clock } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import { BLOCK_BYTES } from '@holdfast/stdx';
import { blocksFor, layoutOf, roundUp, segmentStart, type DeviceLayout } from '../format/device-layout.js';
import { uuidToBytes, type Superblock } from '../format/superblock.js';
import { LogReader, type ReplayGroup } from '../log/log-replay.js';
import type { CatalogueChange, LogRecord } from '../log/log-record.codec.js';
import { LogSegments } from '../log/log-segments.js';
import { ExtentAllocator, extentOf } from '../space/extent-allocator.js';
import { BTree, EMPTY_ROOT, missing } from '../tree/b-tree.js';
import { PageStore } from '../tree/page-store.js';
import { PageWalk } from '../tree/page-walk.js';
import { unitKeyBytes } from '../units/unit-record.codec.js';
import { pieceChecksum, unitSeed } from '../units/unit-checksums.js';
import { isZeroTail, readUnit } from '../units/unit-reader.js';
import { LogUnits } from '../units/log-units.js';
import { UnitTable } from '../units/unit-table.js';
import { Catalogues } from './catalogues.js';
import { DataSpace } from './data-space.js';
import { Checkpointer } from './checkpointer.js';
import { DeviceHealth, type DeviceParts } from './device-state.js';
import { FillAhead } from './fill-ahead.js';
import type { OpenedDevice } from './device-opening.js';
import { CATALOGUE_NUMBER_MIN, TreeId, decodeRoot, type CheckpointRoot } from './root-page.codec.js';
import { RoomBelow } from './room-below.js';
import { SmallUnits } from './small-units.js';

/** Changed pages that may be in memory however small the cache is. */
const DIRTY_PAGES_MIN = 64;

/** Pages that the free of one unit may need at once, beside those it shares with others. */
const PAGES_OF_A_FREE = 8;

export interface RecoveryOptions {
  readonly path: string;
  readonly clock?: Clock;
  /** Resolves after a while: before something is tried again. */
  readonly pause: () => Promise<void>;
  /** Metadata pages kept in memory, 4 KiB each; no fewer than one transaction needs at once. */
  readonly cachePagesMax: number;
}

export interface Recovered {
  readonly parts: DeviceParts;
  readonly health: DeviceHealth;
  readonly checkpointer: Checkpointer;
}

/** @throws ExtentStoreError MetadataDamaged: corruption, which a crash cannot have caused */
export async function recover(opened: OpenedDevice, options: RecoveryOptions): Promise<Recovered> {
  const { superblock, files } = opened;
  const { path, clock = systemClock } = options;
  const { capacityBytes, segmentBytes, pageCount } = superblock;
  const layout = layoutOf({ capacityBytes, segmentBytes, pageCount, isPair: files.meta !== files.data });
  const deviceIdBytes = uuidToBytes(superblock.deviceId);
  const cachePagesMax = Math.max(options.cachePagesMax, PAGES_OF_A_FREE * layout.freeKeysMax);
  const pages = new PageStore(files.meta, {
    path,
    layout,
    deviceIdBytes,
    cachePagesMax,
    epoch: superblock.checkpoint + 1,
  });
  const root = await loadRoot(pages, superblock);
  const mirror = await readLog(files.meta, layout);
  const plan = new LogReader(path, layout, deviceIdBytes, superblock, mirror).plan();
  const groups = await keptGroups(plan.groups, files.data, layout);
  const tree = (id: number): BTree => new BTree(pages, id, root.trees[id - 1]);
  const [freeByOffset, freeByLength] = [tree(TreeId.freeByOffset), tree(TreeId.freeByLength)];
  const allocator = new ExtentAllocator(freeByOffset, freeByLength, root.freeBlocks);
  const health = new DeviceHealth(path, clock);
  const fill = new FillAhead({ files, layout, allocator, pages: pages.space, health, clock });
  const space = new DataSpace(allocator, pages, fill);
  const table = new UnitTable(tree(TreeId.cob), tree(TreeId.extmap), new LogUnits(mirror));
  const lastSequence = superblock.firstGroupSequence + groups.length - 1;
  const start = { segment: superblock.firstSegment, generation: superblock.logGeneration, lastSequence };
  const log = new LogSegments(layout, deviceIdBytes, start, mirror);
  const room = new RoomBelow(options.pause);
  const small = new SmallUnits({ log, space, table, pages, data: files.data, layout, room, fill });
  const catalogues = new Catalogues(pages, tree(TreeId.catalogues), root.nextCatalogue);
  const heldPages = (): readonly number[] => checkpointer.heldPages;
  const trees = { table, freeByOffset, freeByLength, catalogues };
  const parts = { path, layout, files, pages, ...trees, space, log, small, room, fill, clock, heldPages };
  const freedPages = await adoptFreed(parts, tree(TreeId.freed), superblock.rootPage === 0);
  room.onNoSpace = () => health.noteNoSpace();
  const checkpointer: Checkpointer = new Checkpointer(
    parts,
    health,
    superblock,
    freedPages,
    Math.max(DIRTY_PAGES_MIN, cachePagesMax),
  );
  const replay = new Replay(parts, checkpointer);
  for (const group of groups) await replay.apply(group);
  small.noteFlushed(small.end);
  await freeByOffset.retry(() => allocator.setFrontier(superblock.filledBlocks, layout.dataBlocks));
  pages.space.setFrontier(superblock.filledPages);
  return { parts, health, checkpointer };
}

async function loadRoot(pages: PageStore, superblock: Superblock): Promise<CheckpointRoot> {
  const { rootPage, rootChecksum } = superblock;
  if (rootPage === 0) {
    const trees = Object.values(TreeId).map(() => EMPTY_ROOT);
    return { trees, nextCatalogue: CATALOGUE_NUMBER_MIN, freeBlocks: 0, bitmaps: [] };
  }
  const { bytes } = await pages.read({ page: rootPage, checksum: rootChecksum });
  const root = decodeRoot(bytes);
  for (const [index, ref] of root.bitmaps.entries()) {
    if (ref.page === 0) continue;
    const bitmap = await pages.read(ref);
    pages.space.loadBitmap(index, ref, bitmap.bytes);
  }
  return root;
}

async function readLog(meta: DeviceFile, layout: DeviceLayout): Promise<Buffer> {
  const mirror = meta.memory(2 * layout.segmentBytes);
  // What cannot be read counts as damaged: whether that is corruption, the sequence numbers tell.
  await meta.read(mirror, segmentStart(layout, 0), 'log').catch(() => 0);
  return mirror;
}

/** The groups up to the first whose payload or data blocks do not verify. */
async function keptGroups(
  groups: readonly ReplayGroup[],
  data: DeviceFile,
  layout: DeviceLayout,
): Promise<readonly ReplayGroup[]> {
  for (const [index, group] of groups.entries()) {
    if (!group.isDoubtful) continue;
    for (const record of group.records)
      if (!(await verifies(record, group.payload, data, layout))) return groups.slice(0, index);
  }
  return groups;
}

async function verifies(record: LogRecord, payload: Buffer, data: DeviceFile, layout: DeviceLayout): Promise<boolean> {
  if (record.kind === 'small-unit') {
    const { header, place } = record;
    const from = place.block * BLOCK_BYTES;
    const end = from + header.unitSizeBytes;
    if (!isZeroTail(payload.subarray(end, roundUp(end)))) return false;
    return pieceChecksum(unitSeed(unitKeyBytes(header)), 0, payload.subarray(from, end)) === place.checksum;
  }
  if (record.kind !== 'unit') return true;
  const { header, extents } = record;
  const { unitSizeBytes } = header;
  const unit = { key: unitKeyBytes(header), unitSizeBytes, extents };
  const found = await readUnit(data, layout, unit, { from: 0, to: unitSizeBytes }, 'verify');
  found?.release();
  return found !== undefined;
}

/** Extents that became free with the checkpoint go to the others; resolves to the pages of the tree that held them. */
async function adoptFreed(parts: DeviceParts, freed: BTree, isNew: boolean): Promise<number[]> {
  const { space, pages, layout } = parts;
  const release = (extent: { start: number; blocks: number }) => freed.retry(() => space.allocator.release(extent));
  if (isNew) await release({ start: 0, blocks: layout.dataBlocks });
  const walk = new PageWalk(pages, freed.root());
  while (walk.step() === missing) await pages.loadMissing();
  for await (const entry of freed.scan()) await release(extentOf(entry));
  return walk.pages;
}

/** Does again what the records say. */
class Replay {
  constructor(
    private readonly parts: DeviceParts,
    private readonly checkpointer: Checkpointer,
  ) {}

  async apply(group: ReplayGroup): Promise<void> {
    for (const record of group.records) await this.applyRecord(record, group);
  }

  private async applyRecord(record: LogRecord, group: ReplayGroup): Promise<void> {
    const { table, space, small } = this.parts;
    if (record.kind === 'unit') {
      const key = unitKeyBytes(record.header);
      await space.claimRecorded(record.extents);
      await this.prepared(() => table.prepare(key, record.extents));
      small.remove(key);
      space.noteFreed(table.put(key, record.header, record.extents));
    } else if (record.kind === 'small-unit') {
      const key = unitKeyBytes(record.header);
      const sizeBytes = record.header.unitSizeBytes;
      await this.prepared(() => table.prepareRemoval(key));
      this.remove(key);
      space.reserveSmall(blocksFor(sizeBytes));
      small.add(group.recordsOffset + record.at, group.payloadOffset + record.place.block * BLOCK_BYTES);
    } else if (record.kind === 'free') {
      const key = unitKeyBytes(record.unit);
      await this.prepared(() => table.prepareRemoval(key));
      this.remove(key);
    } else if (record.kind === 'authority') {
      this.checkpointer.authority = { generation: record.generation, sequence: record.sequence };
    } else await this.applyChange(record.change);
  }

  /** The unit as it was before; its removal was prepared. */
  private remove(key: Buffer): void {
    const { table, space, small } = this.parts;
    if (!small.remove(key) && table.find(key) !== undefined) space.noteFreed(table.delete(key));
  }

  private async applyChange(change: CatalogueChange): Promise<void> {
    const { catalogues, pages, path } = this.parts;
    if (change.what === 'create') {
      await this.prepared(() => catalogues.meta.prepare(change.name));
      catalogues.create(change.name, change.number);
      return;
    }
    if (change.what === 'drop') {
      const catalogue = await catalogues.get(change.name);
      if (catalogue === undefined) throw notThere(path, change.number);
      const walk = new PageWalk(pages, catalogue.tree.root());
      while (walk.step() === missing) await pages.loadMissing();
      await this.prepared(() => catalogues.meta.prepareRemoval(change.name));
      catalogues.drop(catalogue, walk.pages);
      return;
    }
    const catalogue = await catalogues.getNumber(change.number);
    if (catalogue === undefined) throw notThere(path, change.number);
    const { tree } = catalogue;
    const { key } = change;
    await this.prepared(() => (change.what === 'delete' ? tree.prepareRemoval(key) : tree.prepare(key)));
    if (change.what === 'delete') tree.delete(key);
    else tree.put(key, change.value);
  }

  private async prepared(work: () => true | typeof missing): Promise<void> {
    while (work() === missing) await this.parts.pages.loadMissing();
  }
}

function notThere(path: string, number: number): ExtentStoreError {
  return new ExtentStoreError('MetadataDamaged', `${path}: the log changes catalogue ${number}, which is not there`);
}
