/**
 * Small units on their way: their bytes travel in the log and lie in its mirror until they have moved to data blocks. The
 * payload of a group moves in one write where the free space allows it.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { blockPosition, blocksFor, type DeviceLayout, type Extent } from '../format/device-layout.js';
import type { LogSegments } from '../log/log-segments.js';
import { isNoSpace } from './no-space.js';
import { missing, type Missing } from '../tree/b-tree.js';
import { extentKey, unitName, type MappedExtent } from '../units/unit-record.codec.js';
import { checksumsOf, pieceChecksum, rangesOf, unitSeed } from '../units/unit-checksums.js';
import type { UnitTable } from '../units/unit-table.js';
import type { DataSpace } from './data-space.js';

/** Where a small unit lies in the mirror of the log. */
export interface SmallUnit {
  readonly key: Buffer;
  /** As `unitName` gives it. */
  readonly name: string;
  /** In the mirror; a multiple of 4 KiB from the beginning of its group. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly checksum: number;
}

export class SmallUnits {
  private readonly byName = new Map<string, SmallUnit>();
  /** Applied in the group that is being formed; where they lie in the mirror is known when it is encoded. */
  private readonly applied = new Set<string>();
  /** In the order of the log; each to be moved unless it was freed. */
  private waiting: SmallUnit[] = [];
  private flushed = 0;
  private moving: Promise<void> | undefined;
  private isClosing = false;
  /** Called when the file system below has no room. */
  onNoSpace: () => void = () => undefined;

  constructor(
    private readonly log: LogSegments,
    private readonly space: DataSpace,
    private readonly table: UnitTable,
    private readonly data: DeviceFile,
    private readonly layout: DeviceLayout,
    /** Resolves after a while. */
    private readonly pause: () => Promise<void>,
  ) {}

  /** No more waiting for room. */
  close(): void {
    this.isClosing = true;
  }

  find(key: Buffer): SmallUnit | undefined {
    return this.byName.get(unitName(key));
  }

  /** A copy of bytes [from, to). */
  copy(unit: SmallUnit, from: number, to: number): Buffer {
    return Buffer.from(this.log.mirror.subarray(unit.offset + from, unit.offset + to));
  }

  /** A unit that was written into the mirror; its room is reserved. One without bytes has nothing to move. */
  add(unit: SmallUnit): void {
    if (unit.sizeBytes === 0) return;
    this.byName.set(unit.name, unit);
    this.waiting.push(unit);
  }

  /** The unit is recorded in the trees, and `addApplied` follows when its group is encoded. */
  noteApplied(name: string): void {
    this.applied.add(name);
  }

  /** As `add`, unless a later transaction of the same group has freed the unit: then its room is given back. */
  addApplied(unit: SmallUnit): void {
    if (this.applied.delete(unit.name)) this.add(unit);
    else this.space.unreserveSmall(blocksFor(unit.sizeBytes));
  }

  /** The unit was freed, and gives its room back if it has not moved yet. */
  remove(key: Buffer): void {
    const name = unitName(key);
    if (this.applied.delete(name)) return;
    const unit = this.byName.get(name);
    if (unit === undefined) return;
    this.byName.delete(name);
    if (this.isWaiting(unit)) this.space.unreserveSmall(blocksFor(unit.sizeBytes));
  }

  /** Units added so far are durable in the log and may move. */
  noteFlushed(): void {
    this.flushed = this.waiting.length;
  }

  get canMove(): boolean {
    return this.flushed >= this.layout.moveBlocksMax;
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

  /** Some may move now. */
  get hasFlushed(): boolean {
    return this.flushed > 0 || this.moving !== undefined;
  }

  /** Resolves when no move is under way. */
  async idle(): Promise<void> {
    await this.moving?.catch(() => undefined);
  }

  private isWaiting(unit: SmallUnit): boolean {
    return !this.placed.has(unit);
  }

  /** Units that have a place in the data area already, while their bytes are being written. */
  private readonly placed = new Set<SmallUnit>();

  private async moveAll(): Promise<void> {
    while (this.flushed > 0) {
      const batch = this.takeBatch();
      if (batch.length === 0) continue;
      const blocks = batch.reduce((sum, unit) => sum + blocksFor(unit.sizeBytes), 0);
      const claimed = await this.space.claim(blocks, Number.MAX_SAFE_INTEGER);
      assert(claimed !== undefined, 'Small units in the log have room reserved', { blocks });
      const writes = await this.place(batch, claimed);
      for (const write of writes) await this.write(write);
      for (const unit of batch) {
        this.placed.delete(unit);
        if (this.byName.get(unit.name) === unit) this.byName.delete(unit.name);
      }
    }
  }

  /** Without room in the file system below it waits: the units are durable in the log, and it is told to new ones. */
  private async write({ buffers, position }: BlockWrite): Promise<void> {
    for (;;) {
      try {
        return await this.data.write(buffers, position, 'data');
      } catch (cause) {
        if (!isNoSpace(cause) || this.isClosing) throw cause;
        this.onNoSpace();
        await this.pause();
      }
    }
  }

  private takeBatch(): SmallUnit[] {
    let count = 0;
    for (let blocks = 0; count < this.flushed && blocks < this.layout.moveBlocksMax; count += 1)
      blocks += blocksFor(this.waiting[count].sizeBytes);
    this.flushed -= count;
    return this.waiting.splice(0, count).filter((unit) => this.byName.get(unit.name) === unit);
  }

  /** Maps each unit to its part of the claimed extents; resolves to what is to be written where. */
  private async place(batch: readonly SmallUnit[], claimed: readonly Extent[]): Promise<BlockWrite[]> {
    const writes = new WritePlan(this.layout);
    const source = new ExtentSource(claimed);
    const unused: Extent[] = [];
    for (const unit of batch) {
      const blocks = blocksFor(unit.sizeBytes);
      const extents = source.take(blocks);
      const bytes = this.log.mirror.subarray(unit.offset, unit.offset + blocks * BLOCK_BYTES);
      const mapped = mappedExtents(unit, extents, bytes);
      const placed = this.tryPlace(unit, mapped);
      // A promise for each unit would cost more than the rest.
      const isPlaced = placed === missing ? await this.table.extmap.retry(() => this.tryPlace(unit, mapped)) : placed;
      if (isPlaced) writes.add(extents, bytes);
      else unused.push(...extents);
    }
    this.space.settle(claimed);
    // Freed while it moved: no checkpoint ever held these blocks, but a write to them may be under way by now.
    this.space.noteFreed(unused);
    return writes.writes;
  }

  /** False when the unit was freed meanwhile. */
  private tryPlace(unit: SmallUnit, mapped: readonly MappedExtent[]): boolean | Missing {
    if (this.byName.get(unit.name) !== unit) return false;
    for (const { offset } of mapped)
      if (this.table.extmap.prepare(extentKey(unit.key, offset)) === missing) return missing;
    this.table.map(unit.key, mapped);
    this.space.unreserveSmall(blocksFor(unit.sizeBytes));
    this.placed.add(unit);
    return true;
  }
}

function mappedExtents(unit: SmallUnit, extents: readonly Extent[], bytes: Buffer): MappedExtent[] {
  if (extents.length === 1) return [{ ...extents[0], offset: 0, checksums: [unit.checksum] }];
  const whole = bytes.subarray(0, unit.sizeBytes);
  // Bytes that were damaged in the log must not get checksums of their own: those of their parts are made wrong too.
  const mask = pieceChecksum(unitSeed(unit.key), 0, whole) === unit.checksum ? 0 : 0xffff_ffff;
  const checksums = checksumsOf(unit.key, [whole], extents, unit.sizeBytes);
  return rangesOf(extents, unit.sizeBytes).map(({ from }, index) => ({
    ...extents[index],
    offset: from,
    checksums: checksums[index].map((checksum) => (checksum ^ mask) >>> 0),
  }));
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

interface BlockWrite {
  readonly position: number;
  readonly buffers: Buffer[];
}

/** Joins writes to blocks that follow each other. */
class WritePlan {
  readonly writes: BlockWrite[] = [];
  private end = -1;

  constructor(private readonly layout: DeviceLayout) {}

  add(extents: readonly Extent[], bytes: Buffer): void {
    let from = 0;
    for (const { start, blocks } of extents) {
      const part = bytes.subarray(from, from + blocks * BLOCK_BYTES);
      from += part.length;
      const last = this.writes.at(-1);
      if (last !== undefined && this.end === start) last.buffers.push(part);
      else this.writes.push({ position: blockPosition(this.layout, start), buffers: [part] });
      this.end = start + blocks;
    }
  }
}
