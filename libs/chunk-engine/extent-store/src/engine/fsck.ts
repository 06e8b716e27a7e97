/**
 * Whether a device is whole in itself: every page is reached once and no other is in use, free and used extents partition the
 * data area, every unit has its bytes and no others are mapped, the trees are in order. Reads the device, changes nothing.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import { superblockProblems } from '../format/superblock.js';
import { blocksFor, type Extent } from '../format/device-layout.js';
import type { BTree } from '../tree/b-tree.js';
import { PageWalk } from '../tree/page-walk.js';
import { missing } from '../tree/b-tree.js';
import { UNIT_KEY_BYTES, decodeExtent, decodeUnit, unitName } from '../units/unit-record.codec.js';
import type { DeviceParts } from './device-state.js';

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
  private catalogueCount = 0;

  constructor(private readonly parts: DeviceParts) {}

  async run(): Promise<FsckReport> {
    const { table, layout, space } = this.parts;
    await this.checkPages();
    await this.checkUnits();
    const used = this.blocksOf('used');
    for await (const extent of space.allocator.extents()) this.extents.push({ ...extent, use: 'free' });
    if (this.blocksOf('free') !== space.allocator.freeBlocks)
      this.note(`${this.blocksOf('free')} blocks are free, and ${space.allocator.freeBlocks} are counted`);
    for (const extent of space.freeBesideAllocator) this.extents.push({ ...extent, use: 'free' });
    this.checkPartition(layout.dataBlocks);
    return {
      problems: this.problems.slice(0, PROBLEMS_SHOWN),
      copies: await this.copyProblems(),
      unitCount: table.unitCount,
      usedBlocks: used,
      freeBlocks: layout.dataBlocks - used,
      pageCount: this.reached.size,
      catalogueCount: this.catalogueCount,
      extents: this.extents,
    };
  }

  private async copyProblems(): Promise<string[]> {
    const { meta, data } = this.parts.files;
    const problems = await superblockProblems(meta);
    if (data === meta) return problems;
    return [...problems, ...(await superblockProblems(data)).map((problem) => `file of data blocks: ${problem}`)];
  }

  private note(problem: string): void {
    this.problems.push(`${this.parts.path}: ${problem}`);
  }

  private blocksOf(use: ExtentUse): number {
    return this.extents.reduce((sum, extent) => (extent.use === use ? sum + extent.blocks : sum), 0);
  }

  private async checkPages(): Promise<void> {
    const { table, freeByOffset, freeByLength, catalogues, pages } = this.parts;
    const trees: [string, BTree][] = [
      ['cob', table.cob],
      ['extmap', table.extmap],
      ['balloc by offset', freeByOffset],
      ['balloc by length', freeByLength],
      ['catalogues', catalogues.meta],
    ];
    for await (const { key } of catalogues.meta.scan()) {
      const found = await catalogues.get(key);
      if (found === undefined) continue;
      this.catalogueCount += 1;
      trees.push([`catalogue ${key.toString('latin1')}`, found.tree]);
    }
    for (const [name, tree] of trees) await this.checkTree(name, tree);
    for (const { page } of pages.space.bitmapRefs) if (page !== 0) this.reach(page, 'bitmap');
    for (const page of this.parts.heldPages()) this.reach(page, 'checkpoint');
    for (const page of pages.space.livePages())
      if (!this.reached.has(page)) this.note(`metadata page ${page} is in use and reached from nowhere`);
    for (const [page, name] of this.reached)
      if (!pages.space.isLive(page)) this.note(`metadata page ${page} of ${name} counts as free`);
  }

  private reach(page: number, name: string): void {
    const before = this.reached.get(page);
    if (before !== undefined) this.note(`metadata page ${page} is reached from ${before} and from ${name}`);
    this.reached.set(page, name);
  }

  private async checkTree(name: string, tree: BTree): Promise<void> {
    const walk = new PageWalk(this.parts.pages, tree.root());
    while (walk.step() === missing) await this.parts.pages.loadMissing();
    for (const page of walk.pages) this.reach(page, name);
    let count = 0;
    let last: Buffer | undefined;
    for await (const { key } of tree.scan()) {
      if (last !== undefined && Buffer.compare(last, key) >= 0) this.note(`${name}: keys do not ascend`);
      last = key;
      count += 1;
    }
    if (count !== tree.size) this.note(`${name}: ${count} entries, and ${tree.size} are counted`);
  }

  private async checkUnits(): Promise<void> {
    const { table, small } = this.parts;
    const mappedBlocks = new Map<string, number>();
    for await (const { key, value } of table.extmap.scan()) {
      const { start, blocks, offset } = decodeExtent(key, value);
      this.extents.push({ start, blocks, use: 'used' });
      const name = unitName(key);
      const before = mappedBlocks.get(name) ?? 0;
      if (offset !== before * BLOCK_BYTES) this.note(`unit ${hex(key)}: a hole or an overlap at ${offset}`);
      mappedBlocks.set(name, before + blocks);
    }
    for await (const { key, value } of table.cob.scan()) {
      const { unitSizeBytes } = decodeUnit(key, value);
      const mapped = mappedBlocks.get(unitName(key)) ?? 0;
      mappedBlocks.delete(unitName(key));
      if (mapped === blocksFor(unitSizeBytes)) continue;
      if (mapped === 0 && small.find(key) !== undefined) continue;
      this.note(`unit ${hex(key)}: ${unitSizeBytes} bytes in ${mapped} blocks`);
    }
    for (const name of mappedBlocks.keys())
      this.note(`extents of ${hex(Buffer.from(name, 'latin1'))}, which is no unit`);
  }

  private checkPartition(dataBlocks: number): void {
    this.extents.sort((a, b) => a.start - b.start);
    let end = 0;
    for (const { start, blocks, use } of this.extents) {
      if (start > end) this.note(`blocks ${end} to ${start - 1} are neither free nor used`);
      if (start < end) this.note(`blocks from ${start} on are ${use} and something else`);
      end = Math.max(end, start + blocks);
    }
    if (end < dataBlocks) this.note(`blocks ${end} to ${dataBlocks - 1} are neither free nor used`);
    if (end > dataBlocks) this.note(`blocks up to ${end - 1} are named, and the device has ${dataBlocks}`);
  }
}

const hex = (key: Buffer): string => key.toString('hex', 0, UNIT_KEY_BYTES);
