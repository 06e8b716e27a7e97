/** The trees `cob` and `extmap` as one table: which units there are, and where their bytes lie. */
import { assert } from '@holdfast/stdx';
import type { Extent } from '../format/device-layout.js';
import { missing, type BTree, type Missing } from '../tree/b-tree.js';
import type { UnitHeader } from '../unit-header.js';
import {
  UNIT_KEY_BYTES,
  decodeExtent,
  decodeUnit,
  encodeExtent,
  encodeUnit,
  extentKey,
  type MappedExtent,
} from './unit-record.codec.js';

export class UnitTable {
  constructor(
    readonly cob: BTree,
    readonly extmap: BTree,
  ) {}

  get unitCount(): number {
    return this.cob.size;
  }

  find(key: Buffer): UnitHeader | undefined | Missing {
    const value = this.cob.find(key);
    return value === undefined || value === missing ? value : decodeUnit(key, value);
  }

  async get(key: Buffer): Promise<UnitHeader | undefined> {
    return this.cob.retry(() => this.find(key));
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
