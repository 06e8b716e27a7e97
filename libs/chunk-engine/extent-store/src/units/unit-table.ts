/**
 * The trees `cob` and `extmap`, and the units that stand in the log alone, as one table: which units there are, and where
 * their bytes lie.
 */
import { assert } from '@holdfast/stdx';
import type { Extent } from '../format/device-layout.js';
import { missing, type BTree, type Missing, type TreeEntry } from '../tree/b-tree.js';
import { leafCell, leafCellBytes, leafKey } from '../tree/page.js';
import type { UnitHeader } from '../unit-header.js';
import type { LogUnit, LogUnits } from './log-units.js';
import {
  UNIT_KEY_BYTES,
  UNIT_VALUE_BYTES,
  decodeExtent,
  decodeUnit,
  encodeExtent,
  encodeUnit,
  extentKey,
  putUnitValue,
  type MappedExtent,
} from './unit-record.codec.js';

const EXTENT_KEY_BYTES = UNIT_KEY_BYTES + 4;
const EXTENT_VALUE_BYTES = 12;

export class UnitTable {
  /** A cell of each tree with its key, filled anew for each unit that leaves the log. */
  private readonly unitCell = leafCell(Buffer.alloc(UNIT_KEY_BYTES), Buffer.alloc(UNIT_VALUE_BYTES), false);
  private readonly unitKey = leafKey(this.unitCell);
  private readonly extentCell = leafCell(Buffer.alloc(EXTENT_KEY_BYTES), Buffer.alloc(EXTENT_VALUE_BYTES), false);
  private readonly extentKey = leafKey(this.extentCell);

  constructor(
    readonly cob: BTree,
    readonly extmap: BTree,
    readonly logUnits: LogUnits,
  ) {}

  get unitCount(): number {
    return this.cob.size + this.logUnits.waitingCount;
  }

  find(key: Buffer): UnitHeader | undefined | Missing {
    const inLog = this.logUnits.find(key);
    if (inLog !== undefined) return this.logUnits.header(inLog);
    const value = this.cob.find(key);
    return value === undefined || value === missing ? value : decodeUnit(key, value);
  }

  async get(key: Buffer): Promise<UnitHeader | undefined> {
    return this.cob.retry(() => this.find(key));
  }

  /** Entries of all units from this key on, as in `cob`, each as it was at some moment of the scan. */
  async *scan(from: Buffer = Buffer.alloc(0)): AsyncGenerator<TreeEntry> {
    const entries: TreeEntry[] = [];
    for (let next: Buffer | undefined = from; next !== undefined;) {
      const at: Buffer = next;
      next = await this.cob.retry(() => this.entriesFrom(at, entries));
      yield* entries;
    }
  }

  /** Those of one leaf, and in the same turn what belongs between them. */
  private entriesFrom(from: Buffer, entries: TreeEntry[]): Buffer | undefined | Missing {
    entries.length = 0;
    const next = this.cob.entriesFrom(from, undefined, entries);
    if (next === missing) return missing;
    const waiting = this.logUnits.waitingBetween(from, next);
    if (waiting.length === 0) return next;
    entries.push(...waiting.map((unit) => this.entryOf(unit)));
    entries.sort((one, other) => one.key.compare(other.key));
    return next;
  }

  private entryOf(unit: LogUnit): TreeEntry {
    const key = Buffer.alloc(UNIT_KEY_BYTES);
    const value = Buffer.alloc(UNIT_VALUE_BYTES);
    this.logUnits.copyKey(unit, key);
    putUnitValue(value, 0, this.logUnits.mirror, this.logUnits.recordOffset(unit));
    return { key, value };
  }

  /** Where the bytes lie, by offset; empty when nothing is mapped. */
  extents(key: Buffer): MappedExtent[] | Missing {
    const found: MappedExtent[] = [];
    for (let offset = 0; ; offset += 1) {
      const entry = this.extmap.findFirst(extentKey(key, offset));
      if (entry === missing) return missing;
      if (entry === undefined || entry.key.compare(key, 0, UNIT_KEY_BYTES, 0, UNIT_KEY_BYTES) !== 0) return found;
      const extent = decodeExtent(entry.key, entry.value);
      found.push(extent);
      ({ offset } = extent);
    }
  }

  /** Whether all pages are in memory that a change of this unit needs, its present extents included. */
  prepare(key: Buffer, newExtents: readonly MappedExtent[] = []): true | Missing {
    const known = this.cob.find(key);
    if (known === missing || this.cob.prepare(key) === missing) return missing;
    for (const { offset } of newExtents) if (this.extmap.prepare(extentKey(key, offset)) === missing) return missing;
    if (known === undefined) return true;
    const present = this.extents(key);
    if (present === missing) return missing;
    for (const { offset } of present)
      if (this.extmap.prepareRemoval(extentKey(key, offset)) === missing) return missing;
    return true;
  }

  /** As `prepare`, for a unit that is to be deleted. */
  prepareRemoval(key: Buffer): true | Missing {
    return this.cob.prepareRemoval(key) === missing ? missing : this.prepare(key);
  }

  /** Records the unit; prepared. Returns the extents that an earlier copy of it had. */
  put(key: Buffer, header: UnitHeader, extents: readonly MappedExtent[]): Extent[] {
    const isNew = this.cob.put(key, encodeUnit(header));
    const before = isNew ? [] : this.unmap(key);
    this.map(key, extents);
    return before;
  }

  /** Records where bytes lie; prepared. */
  map(key: Buffer, extents: readonly MappedExtent[]): void {
    for (const extent of extents) {
      const isNew = this.extmap.put(extentKey(key, extent.offset), encodeExtent(extent));
      assert(isNew, 'Extents of a unit do not overlap', { offset: extent.offset });
    }
  }

  /**
   * Enters a unit that stood in the log alone, with the extents that its bytes get; each is one piece. Missing when a page
   * is not in memory and nothing was changed.
   */
  enter(unit: LogUnit, extents: readonly MappedExtent[]): true | Missing {
    const { cob, extmap, unitKey, extentKey: key, extentCell } = this;
    this.logUnits.copyKey(unit, unitKey);
    unitKey.copy(key);
    if (cob.prepareNew(unitKey) === missing) return missing;
    for (const { offset } of extents) {
      key.writeUInt32BE(offset, UNIT_KEY_BYTES);
      if (extmap.prepareNew(key) === missing) return missing;
    }
    const { mirror } = this.logUnits;
    putUnitValue(this.unitCell, leafCellBytes(UNIT_KEY_BYTES, 0), mirror, this.logUnits.recordOffset(unit));
    cob.putNew(unitKey, this.unitCell);
    for (const { start, blocks, offset, checksums } of extents) {
      key.writeUInt32BE(offset, UNIT_KEY_BYTES);
      const at = extentCell.writeUInt32LE(start, leafCellBytes(EXTENT_KEY_BYTES, 0));
      extentCell.writeUInt32LE(checksums[0], extentCell.writeUInt32LE(blocks, at));
      extmap.putNew(key, extentCell);
    }
    return true;
  }

  /** Removes the unit, which is there; prepared. Returns the extents it had. */
  delete(key: Buffer): Extent[] {
    const wasThere = this.cob.delete(key);
    assert(wasThere, 'A freed unit is there', { key: key.toString('hex') });
    return this.unmap(key);
  }

  private unmap(key: Buffer): Extent[] {
    const extents = this.extents(key);
    assert(extents !== missing, 'A change is prepared');
    for (const { offset } of extents) this.extmap.delete(extentKey(key, offset));
    return extents;
  }
}
