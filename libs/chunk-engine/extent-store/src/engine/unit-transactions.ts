/** Transactions on units. */
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
import { unitKeyBytes, unitName, type MappedExtent } from '../units/unit-record.codec.js';
import { pieceChecksum, unitSeed } from '../units/unit-checksums.js';
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

/** A unit whose bytes travel in the log; its room is reserved. */
export class PutSmallUnit extends Transaction {
  private readonly key: Buffer;

  constructor(
    private readonly parts: DeviceParts,
    private readonly header: UnitHeader,
    private readonly bytes: readonly Uint8Array[],
    private readonly deadline: Deadline,
  ) {
    super();
    this.key = unitKeyBytes(header);
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
    return this.parts.table.prepare(this.key);
  }

  override apply(): void {
    checkInTime(this.deadline, this.parts.path);
    const { table, space, small } = this.parts;
    small.remove(this.key);
    space.noteFreed(table.put(this.key, this.header, []));
    small.noteApplied(unitName(this.key));
  }

  override encode(target: GroupTarget): void {
    const { block, payloadAt } = target;
    let at = payloadAt;
    for (const part of this.bytes) {
      block.set(part, at);
      at += part.length;
    }
    const end = payloadAt + this.payloadBlocks * BLOCK_BYTES;
    block.fill(0, at, end);
    const sizeBytes = this.header.unitSizeBytes;
    assert(at === payloadAt + sizeBytes, 'A unit has the size its header says', { sizeBytes });
    const checksum = pieceChecksum(unitSeed(this.key), 0, block.subarray(payloadAt, at));
    target.at = putSmallUnitRecord(block, target.at, this.header, { block: target.payloadBlock, checksum });
    this.parts.small.addApplied({
      key: this.key,
      name: unitName(this.key),
      offset: target.mirrorOffset + payloadAt,
      sizeBytes,
      checksum,
    });
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
      if (table.find(key) === undefined) return false;
      small.remove(key);
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
