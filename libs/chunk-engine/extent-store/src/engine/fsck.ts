/**
 * Whether a device is whole in itself: every page is reached once and no other is in use, free and used extents partition the
 * data area, every unit has its bytes and no others are mapped, the trees are in order. Reads the device, changes nothing.
 *
 * A damaged page is told, and what lies past it is checked all the same. What such a page may have said cannot be missed: a
 * tree with one is not held against what counts it, and blocks or pages that only it could name are not called lost.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { superblockProblems } from '../format/superblock.js';
import { blocksFor, type Extent } from '../format/device-layout.js';
import type { BTree, TreeEntry } from '../tree/b-tree.js';
import { TreeSurvey } from '../tree/tree-survey.js';
import { extentOf } from '../space/extent-allocator.js';
import { UNIT_KEY_BYTES, decodeExtent, decodeUnit, unitName } from '../units/unit-record.codec.js';
import type { DeviceFiles, DeviceParts } from './device-state.js';

export type ExtentUse = 'free' | 'used';

export interface FsckReport {
  readonly problems: readonly string[];
  /** Superblock copies that do not count beside one that does: damage, or a crash in the midst of their writing. */
  readonly copies: readonly string[];
  readonly unitCount: number;
  readonly usedBlocks: number;
  readonly freeBlocks: number;
  readonly pageCount: number;
  readonly catalogueCount: number;
  /** Everything in the data area, in order. */
  readonly extents: readonly (Extent & { readonly use: ExtentUse })[];
}

const PROBLEMS_SHOWN = 50;

/** @param parts as recovered; nothing may be written meanwhile. */
export async function checkDevice(parts: DeviceParts): Promise<FsckReport> {
  const check = new DeviceCheck(parts);
  return check.run();
}

class DeviceCheck {
  private readonly problems: string[] = [];
  private readonly extents: (Extent & { use: ExtentUse })[] = [];
  private readonly reached = new Map<number, string>();
  /** By unit; those of units that were seen are taken out. */
  private readonly mappedBlocks = new Map<string, number>();
  /** Units whose extents do not follow each other: damage of its own only where all extents could be read. */
  private readonly torn: string[] = [];
  /** Trees with pages that cannot be read. */
  private readonly partial = new Set<string>();
  private catalogueCount = 0;

  constructor(private readonly parts: DeviceParts) {}

  async run(): Promise<FsckReport> {
    const { table, layout } = this.parts;
    await this.checkUnits();
    const used = this.blocksOf('used');
    await this.checkFree();
    await this.checkCatalogues();
    this.checkPages();
    this.checkPartition(layout.dataBlocks);
    return {
      problems: this.problems.slice(0, PROBLEMS_SHOWN),
      copies: await copyProblems(this.parts.files),
      unitCount: table.unitCount,
      usedBlocks: used,
      freeBlocks: layout.dataBlocks - used,
      pageCount: this.reached.size,
      catalogueCount: this.catalogueCount,
      extents: this.extents,
    };
  }

  private note(problem: string): void {
    this.problems.push(`${this.parts.path}: ${problem}`);
  }

  private blocksOf(use: ExtentUse): number {
    return this.extents.reduce((sum, extent) => (extent.use === use ? sum + extent.blocks : sum), 0);
  }

  private async checkTree(name: string, tree: BTree, onEntry?: (entry: TreeEntry) => void): Promise<void> {
    let count = 0;
    let last: Buffer | undefined;
    const survey = await TreeSurvey.make(this.parts.pages, tree.root(), (entry) => {
      if (last !== undefined && Buffer.compare(last, entry.key) >= 0) this.note(`${name}: keys do not ascend`);
      last = Buffer.from(entry.key);
      count += 1;
      onEntry?.(entry);
    });
    for (const page of survey.pages) this.reach(page, name);
    this.problems.push(...survey.damage);
    if (!survey.isWhole) this.partial.add(name);
    else if (count !== tree.size) this.note(`${name}: ${count} entries, and ${tree.size} are counted`);
  }

  private reach(page: number, name: string): void {
    const before = this.reached.get(page);
    if (before !== undefined) this.note(`metadata page ${page} is reached from ${before} and from ${name}`);
    this.reached.set(page, name);
  }

  private async checkUnits(): Promise<void> {
    const { table } = this.parts;
    await this.checkTree('extmap', table.extmap, (entry) => this.checkExtent(entry));
    if (!this.partial.has('extmap')) for (const problem of this.torn) this.note(problem);
    await this.checkTree('cob', table.cob, (entry) => this.checkUnit(entry));
    if (this.partial.has('cob')) return;
    for (const name of this.mappedBlocks.keys())
      this.note(`extents of ${hex(Buffer.from(name, 'latin1'))}, which is no unit`);
  }

  private checkExtent({ key, value }: TreeEntry): void {
    const { start, blocks, offset } = decodeExtent(key, value);
    this.extents.push({ start, blocks, use: 'used' });
    const name = unitName(key);
    const before = this.mappedBlocks.get(name) ?? 0;
    if (offset !== before * BLOCK_BYTES) this.torn.push(`unit ${hex(key)}: a hole or an overlap at ${offset}`);
    this.mappedBlocks.set(name, before + blocks);
  }

  private checkUnit({ key, value }: TreeEntry): void {
    const { unitSizeBytes } = decodeUnit(key, value);
    const mapped = this.mappedBlocks.get(unitName(key)) ?? 0;
    this.mappedBlocks.delete(unitName(key));
    if (mapped === blocksFor(unitSizeBytes)) return;
    if (!this.partial.has('extmap')) this.note(`unit ${hex(key)}: ${unitSizeBytes} bytes in ${mapped} blocks`);
  }

  private async checkFree(): Promise<void> {
    const { freeByOffset, freeByLength, space } = this.parts;
    let byLength = 0;
    await this.checkTree('balloc by offset', freeByOffset, (entry) => {
      this.extents.push({ ...extentOf(entry), use: 'free' });
    });
    await this.checkTree('balloc by length', freeByLength, ({ key }) => {
      byLength += key.readUInt32BE(0);
    });
    const free = this.blocksOf('free');
    const isWhole = !this.partial.has('balloc by offset');
    if (isWhole && free !== space.allocator.freeBlocks)
      this.note(`${free} blocks are free, and ${space.allocator.freeBlocks} are counted`);
    if (isWhole && !this.partial.has('balloc by length') && free !== byLength)
      this.note(`${free} blocks are free by offset, and ${byLength} by length`);
    for (const extent of space.freeBesideAllocator) this.extents.push({ ...extent, use: 'free' });
  }

  private async checkCatalogues(): Promise<void> {
    const { catalogues } = this.parts;
    const names: Buffer[] = [];
    await this.checkTree('catalogues', catalogues.meta, ({ key }) => names.push(Buffer.from(key)));
    for (const name of names) {
      const found = await catalogues.get(name);
      if (found === undefined) continue;
      this.catalogueCount += 1;
      await this.checkTree(`catalogue ${name.toString('latin1')}`, found.tree);
    }
  }

  private checkPages(): void {
    const { pages } = this.parts;
    for (const { page } of pages.space.bitmapRefs) if (page !== 0) this.reach(page, 'bitmap');
    for (const page of this.parts.heldPages()) this.reach(page, 'checkpoint');
    for (const [page, name] of this.reached)
      if (!pages.space.isLive(page)) this.note(`metadata page ${page} of ${name} counts as free`);
    if (this.partial.size > 0) return;
    for (const page of pages.space.livePages())
      if (!this.reached.has(page)) this.note(`metadata page ${page} is in use and reached from nowhere`);
  }

  private checkPartition(dataBlocks: number): void {
    this.extents.sort((a, b) => a.start - b.start);
    const isWhole = !this.partial.has('extmap') && !this.partial.has('balloc by offset');
    let end = 0;
    for (const { start, blocks, use } of this.extents) {
      if (start > end && isWhole) this.note(`blocks ${end} to ${start - 1} are neither free nor used`);
      if (start < end) this.note(`blocks from ${start} on are ${use} and something else`);
      end = Math.max(end, start + blocks);
    }
    if (end < dataBlocks && isWhole) this.note(`blocks ${end} to ${dataBlocks - 1} are neither free nor used`);
    if (end > dataBlocks) this.note(`blocks up to ${end - 1} are named, and the device has ${dataBlocks}`);
  }
}

/** Of one file, or of both files of a pair. */
export async function copyProblems({ meta, data }: DeviceFiles): Promise<string[]> {
  const problems = await superblockProblems(meta);
  if (data === meta) return problems;
  return [...problems, ...(await superblockProblems(data)).map((problem) => `file of data blocks: ${problem}`)];
}

const hex = (key: Buffer): string => key.toString('hex', 0, UNIT_KEY_BYTES);
