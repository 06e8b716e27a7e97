/** Transactions on units. */
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, assert, type Deadline } from '@holdfast/stdx';
import { ExtentStoreError } from '../extent-store-error.js';
import { blocksFor, type Extent } from '../format/device-layout.js';
import {
  AUTHORITY_RECORD_BYTES,
  FREE_RECORD_BYTES,
  SMALL_UNIT_RECORD_BYTES,
  putAuthorityRecord,
  putFreeRecord,
  putSmallUnitRecord,
  putUnitRecord,
  unitRecordBytes,
} from '../log/log-record.codec.js';
import { missing, type Missing } from '../tree/b-tree.js';
import type { UnitHeader, UnitKey } from '../unit-header.js';
import { unitKeyBytes, type MappedExtent } from '../units/unit-record.codec.js';
import { pieceStart, unitSeed } from '../units/unit-checksums.js';
import type { DeviceParts, SeenAuthority } from './device-state.js';
import { PATH_PAGES, Transaction, type GroupTarget } from './transaction.js';

function checkInTime(deadline: Deadline, path: string): void {
  if (!deadline.passed) return;
  throw new ExtentStoreError('LateWrite', `${path}: the deadline passed before the unit was recorded`);
}

/** A unit whose bytes stand in data blocks, written and perhaps not flushed. */
export class PutUnit extends Transaction {
  constructor(
    private readonly parts: DeviceParts,
    private readonly header: UnitHeader,
    private readonly extents: readonly MappedExtent[],
    /** As claimed; settled when the transaction is applied. */
    private readonly claimed: readonly Extent[],
    private readonly deadline: Deadline,
  ) {
    super();
  }

  override get recordBytes(): number {
    return unitRecordBytes(this.extents);
  }

  override get pagesMax(): number {
    return PATH_PAGES * (2 + Math.ceil(this.extents.length / 8));
  }

  override prepare(): true | Missing {
    return this.parts.table.prepare(unitKeyBytes(this.header), this.extents);
  }

  override apply(): void {
    checkInTime(this.deadline, this.parts.path);
    const { table, space, small } = this.parts;
    const key = unitKeyBytes(this.header);
    small.remove(key);
    space.noteFreed(table.put(key, this.header, this.extents));
    space.settle(this.claimed);
  }

  override encode(target: GroupTarget): void {
    target.at = putUnitRecord(target.block, target.at, this.header, this.extents);
  }

  protected override result(): void {}
}

/** A unit whose bytes travel in the log; its room is reserved. Into the trees it comes when it moves out of the log. */
export class PutSmallUnit extends Transaction {
  constructor(
    private readonly parts: DeviceParts,
    private readonly key: Buffer,
    private readonly header: UnitHeader,
    private readonly bytes: readonly Uint8Array[],
    private readonly deadline: Deadline,
    /** The unit is there already, and damaged. */
    private readonly isRewrite: boolean,
  ) {
    super();
  }

  override get recordBytes(): number {
    return SMALL_UNIT_RECORD_BYTES;
  }

  override get payloadBlocks(): number {
    return blocksFor(this.header.unitSizeBytes);
  }

  override get pagesMax(): number {
    return 3 * PATH_PAGES;
  }

  override prepare(): true | Missing {
    return this.isRewrite ? this.parts.table.prepareRemoval(this.key) : true;
  }

  override apply(): void {
    checkInTime(this.deadline, this.parts.path);
    if (!this.isRewrite) return;
    const { table, space, small } = this.parts;
    // It may have been freed since it was looked for.
    if (small.remove(this.key) || table.find(this.key) === undefined) return;
    space.noteFreed(table.delete(this.key));
  }

  override encode(target: GroupTarget): void {
    const { block, payloadAt } = target;
    const sizeBytes = this.header.unitSizeBytes;
    let at = payloadAt;
    let checksum = pieceStart(unitSeed(this.key), 0);
    for (const part of this.bytes) {
      block.set(part, at);
      checksum = crc32(part, checksum);
      at += part.length;
    }
    assert(at === payloadAt + sizeBytes, 'A unit has the size its header says', { sizeBytes });
    const end = payloadAt + this.payloadBlocks * BLOCK_BYTES;
    if (at < end) block.fill(0, at, end);
    const recordAt = target.at;
    target.at = putSmallUnitRecord(block, recordAt, this.header, target.payloadBlock, checksum);
    this.parts.small.add(target.mirrorOffset + recordAt, target.mirrorOffset + payloadAt);
    target.payloadBlock += this.payloadBlocks;
    target.payloadAt = end;
  }

  protected override result(): void {}
}

/** Frees units; its result is how many were there. */
export class FreeUnits extends Transaction<number> {
  private readonly keys: readonly Buffer[];
  private freed: UnitKey[] = [];

  constructor(
    private readonly parts: DeviceParts,
    private readonly units: readonly UnitKey[],
    private readonly authority: SeenAuthority,
  ) {
    super();
    this.keys = units.map(unitKeyBytes);
  }

  override get recordBytes(): number {
    return AUTHORITY_RECORD_BYTES + FREE_RECORD_BYTES * this.units.length;
  }

  override get takesRoom(): boolean {
    return false;
  }

  override get pagesMax(): number {
    return PATH_PAGES + 2 * this.units.length;
  }

  override prepare(): true | Missing {
    for (const key of this.keys) if (this.parts.table.prepareRemoval(key) === missing) return missing;
    return true;
  }

  override apply(): void {
    const { table, space, small } = this.parts;
    this.freed = this.units.filter((_unit, index) => {
      const key = this.keys[index];
      if (small.remove(key)) return true;
      if (table.find(key) === undefined) return false;
      space.noteFreed(table.delete(key));
      return true;
    });
  }

  override encode(target: GroupTarget): void {
    for (const unit of this.freed) target.at = putFreeRecord(target.block, target.at, unit);
    target.at = putAuthorityRecord(target.block, target.at, this.authority.generation, this.authority.sequence);
  }

  protected override result(): number {
    return this.freed.length;
  }
}
