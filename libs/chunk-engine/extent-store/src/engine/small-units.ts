/**
 * Small units on their way: they travel in the log, and are served from its mirror until they have moved to data blocks. Only
 * with the move do they enter the trees, many at a time and in the order of their keys. The bytes move in one write where
 * units lie one behind the other in the log and the free space allows it.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { blockPosition, blocksFor, type DeviceLayout, type Extent } from '../format/device-layout.js';
import type { LogSegments } from '../log/log-segments.js';
import type { FillAhead } from './fill-ahead.js';
import type { RoomBelow } from './room-below.js';
import { missing, type Missing } from '../tree/b-tree.js';
import type { PageStore } from '../tree/page-store.js';
import type { LogUnit, LogUnits } from '../units/log-units.js';
import { UNIT_KEY_BYTES, type MappedExtent } from '../units/unit-record.codec.js';
import { checksumsOf, pieceChecksum, rangesOf, unitSeed } from '../units/unit-checksums.js';
import type { UnitTable } from '../units/unit-table.js';
import type { DataSpace } from './data-space.js';

export interface SmallUnitParts {
  readonly log: LogSegments;
  readonly space: DataSpace;
  readonly table: UnitTable;
  readonly pages: PageStore;
  readonly data: DeviceFile;
  readonly layout: DeviceLayout;
  readonly room: RoomBelow;
  readonly fill: FillAhead;
}

/** Trees whose pages a move copies: cob, extmap, and free extents by offset and by length. */
const TREES = 4;
/** Entries that fill a page at least by half, of all these trees together. */
const UNITS_OF_A_PAGE = 12;

export class SmallUnits {
  private readonly units: LogUnits;
  /** The first that was not taken for a move yet, and the first that is not durable in the log. */
  private next: LogUnit = 0;
  private flushed: LogUnit = 0;
  private moving: Promise<void> | undefined;

  constructor(private readonly parts: SmallUnitParts) {
    this.units = parts.table.logUnits;
  }

  /** A copy of the unit's blocks; undefined when they do not stand in the log. */
  bytes(key: Buffer): { readonly blocks: Buffer; readonly checksum: number } | undefined {
    const unit = this.units.find(key);
    if (unit === undefined) return undefined;
    const from = this.units.bytesOffset(unit);
    const blocks = Buffer.from(this.parts.log.mirror.subarray(from, from + this.blocksOf(unit) * BLOCK_BYTES));
    return { blocks, checksum: this.units.checksum(unit) };
  }

  /** A unit that was written into the mirror and stands in no tree; its room is reserved. */
  add(recordAt: number, bytesAt: number): void {
    this.units.add(recordAt, bytesAt);
  }

  /** The unit is freed; true when it stood in the log alone, and nothing else is known of it. */
  remove(key: Buffer): boolean {
    const unit = this.units.find(key);
    if (unit === undefined) return false;
    const wasWaiting = this.units.isWaiting(unit);
    if (wasWaiting) this.parts.space.unreserveSmall(this.blocksOf(unit), { isMoving: unit < this.next });
    this.units.drop(unit);
    return wasWaiting;
  }

  /** How many there were so far: later `noteFlushed` takes it. */
  get end(): LogUnit {
    return this.units.end;
  }

  /** Units added before this end are durable in the log and may move. */
  noteFlushed(end: LogUnit): void {
    this.flushed = end;
  }

  get canMove(): boolean {
    return this.flushed - this.next >= this.parts.layout.moveBlocksMax;
  }

  /**
   * Metadata pages that the move of all that waits may take at most. A page is copied once between two checkpoints, and a page
   * that is there divides once before it has been filled anew.
   */
  get pagesMax(): number {
    const { waitingCount } = this.units;
    if (waitingCount === 0) return 0;
    const { table, pages } = this.parts;
    const { livePageCount: live } = pages.space;
    const path = TREES * Math.max(table.cob.height, table.extmap.height, 1);
    const copied = Math.min(waitingCount * path, live);
    const divided = Math.min(waitingCount * TREES, live) + Math.ceil(waitingCount / UNITS_OF_A_PAGE);
    return copied + divided;
  }

  /** Moves what may move; resolves when the bytes are written (not flushed). */
  async move(): Promise<void> {
    while (this.moving !== undefined) await this.moving;
    this.moving = this.moveAll().finally(() => {
      this.moving = undefined;
    });
    return this.moving;
  }

  get isIdle(): boolean {
    return this.moving === undefined;
  }

  /** Some may move now, or do. */
  get hasFlushed(): boolean {
    return this.flushed > this.next || this.moving !== undefined;
  }

  /** A checkpoint begins: all have moved. */
  forgetMoved(): void {
    assert(!this.hasFlushed && this.units.end === this.next, 'A checkpoint holds all small units');
    this.units.clear();
    this.next = 0;
    this.flushed = 0;
  }

  /** Resolves when no move is under way. */
  async idle(): Promise<void> {
    await this.moving?.catch(() => undefined);
  }

  private blocksOf(unit: LogUnit): number {
    return blocksFor(this.units.sizeBytes(unit));
  }

  private bytesInLog(unit: LogUnit): Buffer {
    const from = this.units.bytesOffset(unit);
    return this.parts.log.mirror.subarray(from, from + this.units.sizeBytes(unit));
  }

  private async moveAll(): Promise<void> {
    while (this.flushed > this.next) {
      const batch = this.takeBatch();
      if (batch.length === 0) continue;
      const blocks = batch.reduce((sum, unit) => sum + this.blocksOf(unit), 0);
      const claimed = blocks === 0 ? [] : await this.claim(blocks);
      const writes = await this.place(batch, claimed);
      for (const { parts, position } of writes) {
        const buffers = parts.map(({ from, to }) => this.parts.log.mirror.subarray(from, to));
        await this.write(buffers, position);
      }
      for (const unit of batch) this.units.drop(unit);
    }
  }

  /** Their room is reserved, but the file system below may have none for blocks that were not filled yet. */
  private async claim(blocks: number): Promise<Extent[]> {
    const { space, fill, room } = this.parts;
    for (;;) {
      const claimed = await space.claimSmall(blocks);
      if (claimed !== undefined) return claimed;
      assert(fill.hasNoRoom, 'Small units in the log have room reserved', { blocks });
      await room.pauseAfter(new Error('the file system below has no room'));
    }
  }

  private write(buffers: readonly Buffer[], position: number): Promise<void> {
    const { room, data } = this.parts;
    return room.wait(() => data.write(buffers, position, 'data'));
  }

  private takeBatch(): LogUnit[] {
    const batch: LogUnit[] = [];
    for (let blocks = 0; this.next < this.flushed && blocks < this.parts.layout.moveBlocksMax; this.next += 1) {
      if (!this.units.isWaiting(this.next)) continue;
      blocks += this.blocksOf(this.next);
      batch.push(this.next);
    }
    return batch;
  }

  /** Enters each unit into the trees with its part of the claimed extents; resolves to what is to be written where. */
  private async place(batch: readonly LogUnit[], claimed: readonly Extent[]): Promise<readonly BlockWrite[]> {
    const plan = new WritePlan(this.parts.layout);
    const source = new ExtentSource(claimed);
    const placed = batch.map((unit) => {
      const extents = source.take(this.blocksOf(unit));
      plan.add(extents, this.units.bytesOffset(unit));
      return { unit, extents };
    });
    placed.sort((one, other) => this.units.compare(one.unit, other.unit));
    const unused: Extent[] = [];
    for (const { unit, extents } of placed) {
      const mapped = this.mapped(unit, extents);
      const isPlaced = this.tryPlace(unit, mapped);
      // A promise for each unit would cost more than the rest.
      if (isPlaced === false) unused.push(...extents);
      else if (isPlaced === missing) {
        const wasPlaced = await this.parts.table.cob.retry(() => this.tryPlace(unit, mapped));
        if (!wasPlaced) unused.push(...extents);
      }
    }
    this.parts.space.settle(claimed);
    // Freed while it moved: no checkpoint ever held these blocks, but a write to them may be under way by now.
    this.parts.space.noteFreed(unused);
    return plan.writes;
  }

  /** False when the unit was freed meanwhile. */
  private tryPlace(unit: LogUnit, mapped: readonly MappedExtent[]): boolean | Missing {
    if (!this.units.isWaiting(unit)) return false;
    if (this.parts.table.enter(unit, mapped) === missing) return missing;
    this.parts.space.unreserveSmall(this.blocksOf(unit), { isMoving: true });
    this.units.notePlaced(unit);
    return true;
  }

  private mapped(unit: LogUnit, extents: readonly Extent[]): MappedExtent[] {
    const checksum = this.units.checksum(unit);
    if (extents.length === 0) return [];
    if (extents.length === 1)
      return [{ start: extents[0].start, blocks: extents[0].blocks, offset: 0, checksums: [checksum] }];
    const key = Buffer.alloc(UNIT_KEY_BYTES);
    this.units.copyKey(unit, key);
    const bytes = this.bytesInLog(unit);
    // Bytes that were damaged in the log must not get checksums of their own: those of their parts are made wrong too.
    const mask = pieceChecksum(unitSeed(key), 0, bytes) === checksum ? 0 : 0xffff_ffff;
    const checksums = checksumsOf(key, [bytes], extents, bytes.length);
    return rangesOf(extents, bytes.length).map(({ from }, index) => ({
      ...extents[index],
      offset: from,
      checksums: checksums[index].map((sum) => (sum ^ mask) >>> 0),
    }));
  }
}

/** Hands claimed extents out in parts. */
class ExtentSource {
  private index = 0;
  private used = 0;

  constructor(private readonly extents: readonly Extent[]) {}

  take(blocks: number): Extent[] {
    const parts: Extent[] = [];
    for (let left = blocks; left > 0;) {
      const extent = this.extents[this.index];
      const taken = Math.min(left, extent.blocks - this.used);
      parts.push({ start: extent.start + this.used, blocks: taken });
      left -= taken;
      this.used += taken;
      if (this.used === extent.blocks) {
        this.index += 1;
        this.used = 0;
      }
    }
    return parts;
  }
}

/** What goes to one place: bytes [from, to) of the mirror one behind the other. */
interface BlockWrite {
  readonly position: number;
  readonly parts: { readonly from: number; to: number }[];
}

/** Joins writes to blocks that follow each other, and bytes that follow each other in the log. */
class WritePlan {
  readonly writes: BlockWrite[] = [];
  private end = -1;

  constructor(private readonly layout: DeviceLayout) {}

  /** @param offset in the mirror of bytes for these extents, filled up with zeros */
  add(extents: readonly Extent[], offset: number): void {
    let from = offset;
    for (const { start, blocks } of extents) {
      const to = from + blocks * BLOCK_BYTES;
      if (this.end !== start) this.writes.push({ position: blockPosition(this.layout, start), parts: [] });
      const { parts } = this.writes[this.writes.length - 1];
      const last = parts.at(-1);
      if (last?.to === from) last.to = to;
      else parts.push({ from, to });
      from = to;
      this.end = start + blocks;
    }
  }
}
