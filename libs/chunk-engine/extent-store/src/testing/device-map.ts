/**
 * What stands where on a sound device: every block that counts, by name. Blocks that no one would miss (free, or older) are
 * left out. Every bit of those that are here is under some check.
 */
import { BLOCK_BYTES, assert } from '@holdfast/stdx';
import { SUPERBLOCK_BYTES, SUPERBLOCK_COPIES } from '../format/device-layout.js';
import { GROUP_HEADER_BYTES, decodeGroup } from '../log/log-group.js';
import { decodeRecords, type CatalogueChange, type LogRecord } from '../log/log-record.codec.js';
import type { Extent } from '../format/device-layout.js';
import * as Page from '../tree/page.js';
import { valueRefs } from '../tree/value-pages.js';
import { UNIT_KEY_BYTES, decodeExtent, decodeUnit, unitKeyBytes, unitName } from '../units/unit-record.codec.js';
import type { Images } from './crash-states.js';

const TREES = ['cob', 'extmap', 'balloc by offset', 'balloc by length', 'freed', 'catalogue of catalogues'] as const;
type TreeName = (typeof TREES)[number] | 'catalogue';

export type BlockName =
  | 'superblock'
  | 'superblock of a data file'
  | 'log group head'
  | 'log records'
  | 'small unit in the log'
  | `${TreeName} leaf`
  | `${TreeName} inner page`
  | 'value page'
  | 'bitmap page'
  | 'root page'
  | 'block of a large unit'
  | 'block of a moved small unit';

export interface MappedBlock {
  readonly name: BlockName;
  /** Of `Images`. */
  readonly device: string;
  readonly position: number;
  /** Bytes [from, to) of the block are what the name says; the whole block but for head and first records of a group. */
  readonly from: number;
  readonly to: number;
  /** Nothing on the device says that it was flushed: damage to it is taken for a cut. */
  readonly isDoubtful: boolean;
  /** As `unitName` gives it: whose bytes these are. */
  readonly unit?: string;
}

export interface MapOptions {
  /** Units above this size never travelled in the log. */
  readonly smallUnitMaxBytes: number;
}

interface Geometry {
  readonly segmentBytes: number;
  readonly pageCount: number;
  readonly logGeneration: number;
  readonly firstGroupSequence: number;
  readonly knownFlushed: number;
  readonly rootPage: number;
  readonly pagesStart: number;
  readonly dataStart: number;
}

interface FoundGroup {
  readonly position: number;
  readonly sequence: number;
  readonly payloadPosition: number;
  readonly knownFlushed: number;
  readonly records: readonly LogRecord[];
}

interface LiveUnit {
  sizeBytes: number;
  extents: (Extent & { readonly offset: number })[];
  /** Position of its bytes in the log. */
  payloadPosition?: number;
  sequence: number;
}

/** @param images of one device file, named '', or of a pair, 'meta' and 'data' */
export function mapDevice(images: Images, options: MapOptions): MappedBlock[] {
  return new DeviceMap(images, options).blocks();
}

class DeviceMap {
  private readonly isPair: boolean;
  private readonly meta: Buffer;
  private readonly geometry: Geometry;
  private readonly found: MappedBlock[] = [];
  private readonly units = new Map<string, LiveUnit>();
  /** Pages of values outside, by `valueName`: those that the log replaces are given up by the replay unread. */
  private readonly values = new Map<string, readonly number[]>();
  private knownFlushed = 0;

  constructor(
    images: Images,
    private readonly options: MapOptions,
  ) {
    this.isPair = images[''] === undefined;
    this.meta = images[this.isPair ? 'meta' : ''];
    this.geometry = geometryOf(this.meta, this.isPair);
  }

  blocks(): MappedBlock[] {
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy += 1) {
      this.add('superblock', copy * BLOCK_BYTES);
      if (this.isPair) this.add('superblock of a data file', copy * BLOCK_BYTES, { device: 'data' });
    }
    this.addPages();
    this.addLog();
    for (const position of [...this.values.values()].flat()) this.add('value page', position);
    for (const [unit, where] of this.units) this.addUnit(unit, where);
    return this.found;
  }

  private get metaName(): string {
    return this.isPair ? 'meta' : '';
  }

  private add(
    name: BlockName,
    position: number,
    { device = this.metaName, from = 0, to = BLOCK_BYTES, isDoubtful = false, unit }: Partial<MappedBlock> = {},
  ): void {
    this.found.push({ name, device, position, from, to, isDoubtful, unit });
  }

  private addPages(): void {
    const { pagesStart, pageCount, rootPage } = this.geometry;
    if (rootPage === 0) return;
    const root = pagesStart + rootPage * BLOCK_BYTES;
    assert(this.meta.readUInt32LE(root + 208) === 1, 'A device for tests has one bitmap page');
    const bitmap = pagesStart + this.meta.readUInt32LE(root + 256) * BLOCK_BYTES + Page.PAGE_HEADER_BYTES;
    for (let number = 1; number < pageCount; number += 1) {
      if (((this.meta[bitmap + (number >> 3)] >> (number & 7)) & 1) === 0) continue;
      const position = pagesStart + number * BLOCK_BYTES;
      const page = this.meta.subarray(position, position + BLOCK_BYTES);
      const name = nameOfPage(page);
      if (name !== 'value page') this.add(name, position);
      if (Page.isLeaf(page)) this.noteEntries(page);
    }
  }

  private noteEntries(page: Buffer): void {
    const tree = TREES[Page.treeOf(page) - 1];
    for (let index = 0; index < Page.cellCount(page); index += 1) {
      const key = Page.keyAt(page, index);
      if (Page.isValueOutside(page, index)) {
        const refs = [...valueRefs(Page.valueAt(page, index))];
        const positions = refs.map((ref) => this.geometry.pagesStart + ref.page * BLOCK_BYTES);
        this.values.set(valueName(Page.treeOf(page), key), positions);
      }
      if (tree === 'cob') this.unit(key).sizeBytes = decodeUnit(key, Page.valueAt(page, index)).unitSizeBytes;
      if (tree === 'extmap') this.unit(key).extents.push(decodeExtent(key, Page.valueAt(page, index)));
    }
  }

  private unit(key: Buffer): LiveUnit {
    const name = unitName(key.subarray(0, UNIT_KEY_BYTES));
    const unit = this.units.get(name) ?? { sizeBytes: 0, extents: [], sequence: 0 };
    this.units.set(name, unit);
    return unit;
  }

  private addLog(): void {
    const groups = groupsOf(this.meta, this.geometry);
    this.knownFlushed = Math.max(this.geometry.knownFlushed, ...groups.map((group) => group.knownFlushed));
    for (const group of groups) {
      const isDoubtful = group.sequence > this.knownFlushed;
      this.add('log group head', group.position, { to: GROUP_HEADER_BYTES, isDoubtful });
      this.add('log records', group.position, { from: GROUP_HEADER_BYTES, isDoubtful });
      for (let position = group.position + BLOCK_BYTES; position < group.payloadPosition; position += BLOCK_BYTES)
        this.add('log records', position, { isDoubtful });
      for (const record of group.records) this.replay(record, group);
    }
  }

  private replay(record: LogRecord, { payloadPosition, sequence }: FoundGroup): void {
    if (record.kind === 'catalogue') this.replayChange(record.change);
    if (record.kind === 'free') this.units.delete(unitName(unitKeyBytes(record.unit)));
    if (record.kind !== 'unit' && record.kind !== 'small-unit') return;
    const unit: LiveUnit = { sizeBytes: record.header.unitSizeBytes, extents: [], sequence };
    this.units.set(unitName(unitKeyBytes(record.header)), unit);
    if (record.kind === 'unit') unit.extents = [...record.extents];
    else unit.payloadPosition = payloadPosition + record.place.block * BLOCK_BYTES;
  }

  private replayChange(change: CatalogueChange): void {
    if (change.what === 'put' || change.what === 'delete') this.values.delete(valueName(change.number, change.key));
    if (change.what !== 'drop') return;
    const prefix = valueName(change.number, Buffer.alloc(0));
    for (const name of this.values.keys()) if (name.startsWith(prefix)) this.values.delete(name);
  }

  private addUnit(unit: string, { sizeBytes, extents, payloadPosition, sequence }: LiveUnit): void {
    const isDoubtful = sequence > this.knownFlushed;
    const { smallUnitMaxBytes } = this.options;
    const name = sizeBytes > smallUnitMaxBytes ? 'block of a large unit' : 'block of a moved small unit';
    const device = this.isPair ? 'data' : '';
    for (const { start, blocks } of extents) {
      for (let block = start; block < start + blocks; block += 1)
        this.add(name, this.geometry.dataStart + block * BLOCK_BYTES, { device, isDoubtful, unit });
    }
    if (payloadPosition === undefined) return;
    for (let at = 0; at < sizeBytes; at += BLOCK_BYTES)
      this.add('small unit in the log', payloadPosition + at, { isDoubtful, unit });
  }
}

const valueName = (tree: number, key: Buffer): string => `${tree}/${key.toString('latin1')}`;

function geometryOf(meta: Buffer, isPair: boolean): Geometry {
  const sequenceOf = (copy: number): bigint => meta.readBigUInt64LE(copy * BLOCK_BYTES + 56);
  const newest = [0, 1, 2, 3].reduce((best, copy) => (sequenceOf(copy) > sequenceOf(best) ? copy : best)) * BLOCK_BYTES;
  const wide = (offset: number): number => Number(meta.readBigUInt64LE(newest + offset));
  const narrow = (offset: number): number => meta.readUInt32LE(newest + offset);
  const segmentBytes = narrow(76) * BLOCK_BYTES;
  const pageCount = narrow(80);
  const pagesStart = SUPERBLOCK_BYTES + 2 * segmentBytes;
  return {
    segmentBytes,
    pageCount,
    logGeneration: wide(88),
    firstGroupSequence: wide(96),
    knownFlushed: wide(104),
    rootPage: narrow(136),
    pagesStart,
    dataStart: isPair ? SUPERBLOCK_BYTES : pagesStart + pageCount * BLOCK_BYTES,
  };
}

/** Groups that the replay needs, in order. */
function groupsOf(meta: Buffer, { segmentBytes, logGeneration, firstGroupSequence }: Geometry): FoundGroup[] {
  const deviceIdBytes = meta.subarray(16, 32);
  const groups: FoundGroup[] = [];
  for (const start of [SUPERBLOCK_BYTES, SUPERBLOCK_BYTES + segmentBytes]) {
    for (let position = start; position < start + segmentBytes;) {
      const block = meta.subarray(position, start + segmentBytes);
      const group = decodeGroup(block, { deviceIdBytes, position, logGeneration });
      if (group !== undefined && group.sequence >= firstGroupSequence) {
        const { sequence, knownFlushed, records, payload, sizeBytes } = group;
        groups.push({
          position,
          sequence,
          knownFlushed,
          payloadPosition: position + sizeBytes - payload.length,
          records: [...decodeRecords(records)],
        });
      }
      position += group?.sizeBytes ?? BLOCK_BYTES;
    }
  }
  return groups.sort((a, b) => a.sequence - b.sequence);
}

/** What a page of a device is, by its own header. */
export function nameOfPage(page: Buffer): BlockName {
  const kind = Page.kindOf(page);
  if (kind === Page.PageKind.bitmap) return 'bitmap page';
  if (kind === Page.PageKind.root) return 'root page';
  if (kind === Page.PageKind.value) return 'value page';
  const tree = TREES[Page.treeOf(page) - 1] ?? 'catalogue';
  return kind === Page.PageKind.leaf ? `${tree} leaf` : `${tree} inner page`;
}
