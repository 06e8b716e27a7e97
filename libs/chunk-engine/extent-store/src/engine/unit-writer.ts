/** From a pull of bytes to a unit that is durable: reserve log space, find and claim an extent, pull, write, record. */
import { BLOCK_BYTES, assert, type Deadline } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { blockPosition, blocksFor, type Extent } from '../format/device-layout.js';
import { groupBytes } from '../log/log-group.js';
import { SMALL_UNIT_RECORD_BYTES, unitRecordBytes } from '../log/log-record.codec.js';
import type { UnitHeader } from '../unit-header.js';
import { LARGE_UNIT_MIN_BYTES } from '../device/unit-memory.js';
import { pullBlocks, pullExactly, type Pull } from '../unit-pull.js';
import { unitKeyBytes, type MappedExtent } from '../units/unit-record.codec.js';
import { checksumsOf, piecesOf, rangesOf } from '../units/unit-checksums.js';
import type { Committer } from './committer.js';
import type { DeviceHealth, DeviceParts } from './device-state.js';
import { isNoSpace } from './room-below.js';
import { PutSmallUnit, PutUnit } from './unit-transactions.js';

export class UnitWriter {
  constructor(
    private readonly parts: DeviceParts,
    private readonly health: DeviceHealth,
    private readonly committer: Committer,
  ) {}

  /** Blocks that new units may take now or after the next checkpoints. */
  get roomBlocks(): number {
    const { space, layout } = this.parts;
    return space.availableBlocks + space.quarantinedBlocks - layout.reserveBlocks;
  }

  /** No unit of any size is taken. */
  get isFull(): boolean {
    if (this.health.lacksSpaceBelow) return true;
    // The next unit finds out.
    if (this.parts.fill.mayAskAgain) return false;
    return this.roomBlocks <= 0 || this.lacksPages;
  }

  /**
   * @param isRewrite the unit is there already, and damaged
   * @throws ExtentStoreError DeviceFull, DeviceDead, LateWrite, ShortTransfer
   */
  async write(key: Buffer, header: UnitHeader, pull: Pull, deadline: Deadline, isRewrite: boolean): Promise<void> {
    const blocks = blocksFor(header.unitSizeBytes);
    if (this.health.lacksSpaceBelow) throw this.health.fullError();
    if (this.parts.fill.mayAskAgain) await this.parts.fill.moreBlocks();
    if (!this.hasRoom(blocks)) await this.makeRoom(blocks);
    if (header.unitSizeBytes > this.parts.layout.smallUnitMaxBytes) return this.writeLarge(header, pull, deadline);
    const { space, log } = this.parts;
    const logBytes = groupBytes(SMALL_UNIT_RECORD_BYTES, blocks);
    space.reserveSmall(blocks);
    let isReserved = false;
    try {
      // Most small units find both at once: waiting all the same would cost more than what stands here.
      const room = this.committer.reserve(logBytes);
      if (room !== undefined) await room;
      isReserved = true;
      const pulled = pullExactly(pull, header.unitSizeBytes);
      const bytes = pulled instanceof Promise ? await pulled : pulled;
      const transaction = new PutSmallUnit(this.parts, key, header, bytes, deadline, isRewrite);
      isReserved = false;
      this.committer.submit(transaction);
      return await transaction.durable;
    } catch (error) {
      if (isReserved) log.unreserve(logBytes);
      // On a dead device nothing is counted any more: what was applied may or may not be there.
      if (!this.health.dead) space.unreserveSmall(blocks);
      throw error;
    }
  }

  private get lacksPages(): boolean {
    const { pages, layout, fill } = this.parts;
    const { freePages, freeFilledPages } = pages.space;
    return freePages < layout.reservePages || (fill.hasNoRoom && freeFilledPages < layout.reserveFilledPages);
  }

  private hasRoom(blocks: number): boolean {
    const { space, layout } = this.parts;
    return blocks <= space.availableBlocks - layout.reserveBlocks && !this.lacksPages;
  }

  /** What was freed lately becomes available with a checkpoint. */
  private async makeRoom(blocks: number): Promise<void> {
    if (blocks > this.roomBlocks) throw this.health.fullError();
    for (let tries = 0; tries < 2; tries += 1) {
      await this.committer.checkpoint();
      if (this.hasRoom(blocks)) return;
    }
    throw this.health.fullError();
  }

  private async writeLarge(header: UnitHeader, pull: Pull, deadline: Deadline): Promise<void> {
    const { space, log, layout } = this.parts;
    const { unitSizeBytes } = header;
    const logBytes = groupBytes(unitRecordBytes(this.worstExtents(unitSizeBytes)), 0);
    await this.committer.reserve(logBytes);
    let reservedBytes = logBytes;
    let claimed: readonly Extent[] = [];
    try {
      // Nothing may be written before the log has its new generation.
      await this.committer.begin();
      const found = await space.claim(blocksFor(unitSizeBytes), layout.extentsMax);
      if (found === undefined) throw this.health.fullError();
      claimed = found;
      const extents = await this.pullAndWrite(header, pull, deadline, claimed);
      const transaction = new PutUnit(this.parts, header, extents, claimed, deadline);
      log.unreserve(logBytes - transaction.logBytes);
      reservedBytes = 0;
      this.committer.submitWithData(transaction);
      await transaction.durable;
    } catch (error) {
      if (reservedBytes > 0) log.unreserve(reservedBytes);
      if (!this.health.dead) await space.abandon(claimed);
      throw error;
    }
  }

  /** Resolves when the bytes are written; the processor sums them while the device takes them. */
  private async pullAndWrite(
    header: UnitHeader,
    pull: Pull,
    deadline: Deadline,
    extents: readonly Extent[],
  ): Promise<MappedExtent[]> {
    const { buffers, release } = await pullBlocks(pull, header.unitSizeBytes);
    try {
      if (deadline.passed) throw new ExtentStoreError('LateWrite', `${this.parts.path}: the deadline has passed`);
      const written = this.writeBlocks(extents, buffers, header.unitSizeBytes);
      try {
        return mapped(header, buffers, extents);
      } finally {
        await written;
      }
    } finally {
      release();
    }
  }

  /** The most extents that a unit may get, for the size of its record. */
  private worstExtents(unitSizeBytes: number): MappedExtent[] {
    const { extentsMax } = this.parts.layout;
    const count = Math.min(extentsMax, blocksFor(unitSizeBytes));
    const checksums = new Array<number>(piecesOf({ from: 0, to: unitSizeBytes }).length + 1).fill(0);
    return [
      { start: 0, blocks: 0, offset: 0, checksums },
      ...Array.from({ length: count - 1 }, () => ({ start: 0, blocks: 0, offset: 0, checksums: [0] })),
    ];
  }

  private async writeBlocks(
    extents: readonly Extent[],
    bytes: readonly Buffer[],
    unitSizeBytes: number,
  ): Promise<void> {
    const queue = [...bytes];
    const path = unitSizeBytes >= LARGE_UNIT_MIN_BYTES ? 'past-cache' : 'through-cache';
    for (const { start, blocks } of extents) {
      const buffers = takeBlocks(queue, blocks * BLOCK_BYTES);
      this.health.check();
      try {
        await this.parts.files.data.write(buffers, blockPosition(this.parts.layout, start), 'data', path);
      } catch (cause) {
        if (isNoSpace(cause)) {
          this.health.noteNoSpace();
          throw this.health.fullError(cause);
        }
        this.committer.die(cause);
        throw this.health.deathError();
      }
    }
  }
}

function mapped(header: UnitHeader, bytes: readonly Buffer[], extents: readonly Extent[]): MappedExtent[] {
  const checksums = checksumsOf(unitKeyBytes(header), bytes, extents, header.unitSizeBytes);
  return rangesOf(extents, header.unitSizeBytes).map(({ from }, index) => ({
    ...extents[index],
    offset: from,
    checksums: checksums[index],
  }));
}

/** The first `sizeBytes` of the queue, which loses them. */
function takeBlocks(queue: Buffer[], sizeBytes: number): Buffer[] {
  const taken: Buffer[] = [];
  let left = sizeBytes;
  while (left > 0 && queue.length > 0) {
    const next = queue[0];
    if (next.length > left) {
      taken.push(next.subarray(0, left));
      queue[0] = next.subarray(left);
      left = 0;
    } else {
      taken.push(next);
      left -= next.length;
      queue.shift();
    }
  }
  assert(left === 0, 'Extents are no larger than the blocks of their unit', { left });
  return taken;
}
