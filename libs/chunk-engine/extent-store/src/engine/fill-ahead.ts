/**
 * Fills the device with zeros ahead of its use. A block of a file gets its place on the disk when it is first written, which
 * costs the file system below a change of its own, and may find no room. So that neither happens to a unit on its way, data
 * blocks are handed out only below a frontier, up to which everything was written once; behind it zeros are written in
 * steps, in the background, before they are needed. Pages have a frontier of their own: a transaction is closed only when those
 * before it suffice, for it and for all that the log holds.
 *
 * The frontiers stand in the superblock as a hint. Nothing depends on it: at an open everything before the last free extent
 * counts as written, and what was filled already is at worst filled again. Behind a frontier no tree, no record and no
 * checkpoint on the device names anything, so the zeros can hit nothing.
 */
import type { Clock } from '@holdfast/stdx';
import { blockPosition, pagePosition, type DeviceLayout, type Extent } from '../format/device-layout.js';
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { BlockKind, DeviceFile } from '../device/device.port.js';
import { writeZeros } from '../device/zeros.js';
import type { ExtentAllocator } from '../space/extent-allocator.js';
import type { PageSpace } from '../tree/page-space.js';
import type { DeviceFiles, DeviceHealth } from './device-state.js';
import { isNoSpace } from './room-below.js';

/** How long after the file system below had no room it is not asked again. */
const NO_ROOM_HOLD_MS = 1000;

export interface FillAheadParts {
  readonly files: DeviceFiles;
  readonly layout: DeviceLayout;
  readonly allocator: ExtentAllocator;
  readonly pages: PageSpace;
  readonly health: DeviceHealth;
  readonly clock: Clock;
}

/** A part of the device that is filled from its beginning on. */
interface Region {
  readonly file: DeviceFile;
  readonly kind: BlockKind;
  readonly position: (block: number) => number;
  /** All before it was written once. */
  readonly frontier: () => number;
  /** The last of what was filled are soon in use. */
  readonly isDue: () => boolean;
  /** What is to be filled up to the next frontier; nobody else writes it until `end`. */
  readonly begin: () => { readonly extents: readonly Extent[]; readonly end: number };
  readonly end: (frontier: number) => void;
}

export class FillAhead {
  /** Called when a write or flush failed, and the device is dead. */
  onDeath: () => void = () => undefined;
  private readonly data: Region;
  private readonly pages: Region;
  private readonly running = new Map<Region, Promise<boolean>>();
  private isClosing = false;
  private lacksRoom = false;
  private heldUntilMs = -Infinity;

  constructor(private readonly parts: FillAheadParts) {
    const { files, layout, allocator, pages } = parts;
    this.data = {
      file: files.data,
      kind: 'data',
      position: (block) => blockPosition(layout, block),
      frontier: () => allocator.frontier,
      isDue: () => this.unfilledBlocks > 0 && allocator.untouchedBlocks < layout.fillBlocks / 2,
      begin: () => {
        const start = allocator.frontier;
        const blocks = Math.min(layout.fillBlocks, this.unfilledBlocks);
        return { extents: [{ start, blocks }], end: start + blocks };
      },
      end: (frontier) => allocator.moveFrontier(frontier),
    };
    this.pages = {
      file: files.meta,
      kind: 'page',
      position: (page) => pagePosition(layout, page),
      frontier: () => pages.frontier,
      isDue: () => pages.frontier < layout.pageCount && pages.freeFilledPages < layout.fillPages / 2,
      begin: () => pages.beginFill(layout.fillPages),
      end: (frontier) => pages.endFill(frontier),
    };
  }

  /** Data blocks behind the frontier. */
  get unfilledBlocks(): number {
    return this.parts.layout.dataBlocks - this.parts.allocator.frontier;
  }

  /** The file system below had no room when it was last asked: what is not filled yet cannot be counted on. */
  get hasNoRoom(): boolean {
    return this.lacksRoom;
  }

  /** That was a while ago: `moreBlocks` and `morePages` ask again. */
  get mayAskAgain(): boolean {
    return this.lacksRoom && this.parts.clock.monotonicMs() >= this.heldUntilMs;
  }

  /** Begins what is due, in the background. */
  kick(): void {
    for (const region of [this.data, this.pages])
      // Who needs the blocks finds out for himself that the device died.
      if (!this.running.has(region) && region.isDue()) this.step(region).catch(() => undefined);
  }

  /** Resolves to true when more data blocks can be handed out, to false when there is no room for them, or no more of them. */
  moreBlocks(): Promise<boolean> {
    return this.unfilledBlocks === 0 ? Promise.resolve(false) : this.step(this.data);
  }

  /** As `moreBlocks`, for metadata pages. */
  morePages(): Promise<boolean> {
    const { layout, pages } = this.parts;
    return pages.frontier === layout.pageCount ? Promise.resolve(false) : this.step(this.pages);
  }

  /** Begins nothing more; resolves when nothing is under way. */
  async close(): Promise<void> {
    this.isClosing = true;
    await Promise.allSettled(this.running.values());
  }

  private step(region: Region): Promise<boolean> {
    let step = this.running.get(region);
    if (step === undefined) {
      if (this.isClosing || this.parts.health.dead || (this.lacksRoom && !this.mayAskAgain))
        return Promise.resolve(false);
      step = this.fill(region).finally(() => this.running.delete(region));
      this.running.set(region, step);
    }
    return step;
  }

  /** Resolves to whether the frontier has moved. */
  private async fill(region: Region): Promise<boolean> {
    const from = region.frontier();
    const { extents, end } = region.begin();
    let frontier = from;
    try {
      for (const { start, blocks } of extents)
        await writeZeros(region.file, region.kind, region.position(start), blocks * BLOCK_BYTES, (sizeBytes) => {
          frontier = start + sizeBytes / BLOCK_BYTES;
        });
      frontier = end;
      this.lacksRoom = false;
    } catch (cause) {
      if (!isNoSpace(cause)) throw this.die(cause);
      this.lacksRoom = true;
      this.heldUntilMs = this.parts.clock.monotonicMs() + NO_ROOM_HOLD_MS;
    }
    try {
      // The file system below keeps the places from here on, and no flush of a unit pays for them.
      if (frontier > from) await region.file.flush();
    } catch (cause) {
      throw this.die(cause);
    }
    region.end(frontier);
    return frontier > from;
  }

  private die(cause: unknown): Error {
    this.parts.health.die(cause);
    this.onDeath();
    return this.parts.health.deathError();
  }
}
