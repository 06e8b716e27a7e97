/**
 * The checkpoint: what the log holds becomes part of the trees on the device, and its segment is free again.
 *
 *   1 small units of the log move to data blocks              (written)
 *   2 between two groups, in one turn: the log turns to its other segment, changed pages are sealed and frozen
 *   3 the frozen pages are written to their new places, flush (data blocks too)
 *   4 the superblock names the new root and the new beginning of the log, flush
 *   5 what only the checkpoint before held is free: pages, extents, the log segment
 *
 * Transactions go on from 2 on, upon copies. The first checkpoint after an open runs alone, before the first group is
 * written, and begins a new log generation: a tail that recovery dropped is never replayed. Before it the superblock is
 * written anew to all its copies.
 */
import { assert } from '@holdfast/stdx';
import { readSuperblock, writeSuperblock, type Superblock } from '../format/superblock.js';
import { freeExtentEntry } from '../space/extent-allocator.js';
import { missing, type Missing, type TreeRoot } from '../tree/b-tree.js';
import { bulkLoad } from '../tree/bulk-load.js';
import { PageKind, sealPage } from '../tree/page.js';
import type { PageNode } from '../tree/page-store.js';
import { PageWalk } from '../tree/page-walk.js';
import type { DeviceHealth, DeviceParts, SeenAuthority } from './device-state.js';
import { CATALOGUE_NUMBER_MIN, TreeId, encodeRoot, rootPageBytes } from './root-page.codec.js';

/** A checkpoint begins when so much of a log segment is in use. */
const USED_SHARE_MAX = 0.75;

interface Frozen {
  readonly pages: readonly PageNode[];
  readonly superblock: Superblock;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Checkpointer {
  /** Called when a checkpoint ended, well or not. */
  onEnd: () => void = () => undefined;
  /** The highest database generation and sequence that a free has named. */
  authority: SeenAuthority;
  private underWay: Promise<void> | undefined;
  private isRenewed = false;
  private waiters: Waiter[] = [];
  private refusal: Error | undefined;
  /** Log generation that the device knows of since this open. */
  private readyGeneration = -1;

  /**
   * @param superblock as it stands on the device
   * @param freedPages pages of the tree of freed extents in the checkpoint on the device
   * @param dirtyPagesMax changed pages that may be in memory
   */
  constructor(
    private readonly parts: DeviceParts,
    private readonly health: DeviceHealth,
    private superblock: Superblock,
    private freedPages: readonly number[],
    private readonly dirtyPagesMax: number,
  ) {
    this.authority = { generation: superblock.databaseGeneration, sequence: superblock.highestSequence };
  }

  /** Resolves when a checkpoint that begins from now on is durable. */
  request(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.refusal !== undefined) reject(this.refusal);
      else this.waiters.push({ resolve, reject });
    });
  }

  /** Nobody waits any more, now or later. */
  refuse(error: Error): void {
    this.refusal = error;
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }

  /** The first checkpoint after the open is durable. */
  get isReady(): boolean {
    return this.readyGeneration === this.parts.log.generation;
  }

  get isDue(): boolean {
    const { log, pages } = this.parts;
    if (this.waiters.length > 0 || pages.dirtyCount > this.dirtyPagesMax) return true;
    if (this.underWay !== undefined) return false;
    if (log.hasWaiters && log.usedShare > 0) return true;
    return log.usedShare > USED_SHARE_MAX || pages.dirtyCount > this.dirtyPagesMax / 2;
  }

  /** Small units move while more come, so that little is left when the checkpoint begins. */
  moveSome(): void {
    const { small } = this.parts;
    if (!small.canMove || !small.isIdle) return;
    small.move().catch((cause: unknown) => {
      this.health.die(cause);
      this.onEnd();
    });
  }

  /** Before the first append after an open. */
  async renew(): Promise<void> {
    if (this.isReady) return;
    if (!this.isRenewed) {
      // A crash may have left the superblock that counts in one copy alone. Before anything is reused that older ones name it
      // stands in all again: one block that turns bad is not to cost the device.
      await this.putSuperblock(this.superblock);
      await this.begin();
    }
    await this.underWay;
    this.health.check();
  }

  /** Called between two groups; resolves when the next one may be formed. */
  async begin(): Promise<void> {
    while (this.underWay !== undefined) await this.underWay;
    this.health.check();
    const waiters = this.waiters.splice(0);
    try {
      const frozen = await this.freezeWhenReady();
      this.underWay = this.complete(frozen, waiters).finally(() => {
        this.underWay = undefined;
        this.onEnd();
      });
    } catch (cause) {
      this.fail(cause, waiters);
      throw cause;
    }
  }

  /** Resolves when no checkpoint is under way. */
  async ended(): Promise<void> {
    await this.underWay;
  }

  /** Resolves when nothing is under way. From then on the last group counts as flushed: damage to it is no torn tail. */
  async close(): Promise<void> {
    const { small, room, log, fill } = this.parts;
    room.close();
    await this.underWay;
    await small.idle();
    await fill.close();
    if (!this.isRenewed || this.health.dead) return;
    try {
      await this.putSuperblock({ ...this.superblock, ...this.seen(), knownFlushed: log.knownFlushed });
    } catch (cause) {
      this.health.die(cause);
    }
  }

  private async freezeWhenReady(): Promise<Frozen> {
    const { small, pages } = this.parts;
    for (;;) {
      await small.move();
      // Whatever was loaded since, nothing has moved or changed in this turn.
      const frozen = small.hasFlushed ? missing : this.freeze();
      if (frozen !== missing) return frozen;
      if (!small.hasFlushed) await pages.loadMissing();
    }
  }

  /** Takes everything that the trees hold now, in one turn. */
  private freeze(): Frozen | Missing {
    const { pages, catalogues, space, log, small } = this.parts;
    if (catalogues.prepareSave() === missing) return missing;
    small.forgetMoved();
    for (const page of this.freedPages) pages.drop(page);
    if (this.superblock.rootPage !== 0) pages.drop(this.superblock.rootPage);
    const freed = bulkLoad(pages, TreeId.freed, space.freeBesideAllocator.map(freeExtentEntry));
    this.freedPages = this.pagesOf(freed);
    pages.seal((treeId) => treeId >= CATALOGUE_NUMBER_MIN);
    catalogues.save();
    const rootNode = pages.fresh(PageKind.root, 0, 0);
    pages.writeBitmaps();
    pages.seal((treeId) => treeId !== 0 && treeId < CATALOGUE_NUMBER_MIN);
    this.fillRoot(rootNode, { ...freed, checksum: pages.checksumOf(freed.page, 0) });
    const frozen = pages.freeze();
    space.freeze();
    const isFirst = !this.isRenewed;
    this.isRenewed = true;
    log.switchSegment({ isNewGeneration: isFirst });
    const superblock = {
      ...this.superblock,
      ...this.seen(),
      firstSegment: log.activeSegment,
      logGeneration: log.generation,
      firstGroupSequence: log.lastSequence + 1,
      knownFlushed: log.knownFlushed,
      checkpoint: this.superblock.checkpoint + 1,
      rootPage: rootNode.number,
      rootChecksum: rootNode.checksum,
    };
    return { pages: frozen, superblock };
  }

  private fillRoot(rootNode: PageNode, freed: TreeRoot): void {
    const { pages, table, freeByOffset, freeByLength, catalogues, space } = this.parts;
    const bitmaps = pages.space.bitmapRefs;
    encodeRoot(rootNode.bytes, {
      trees: [
        table.cob.root(),
        table.extmap.root(),
        freeByOffset.root(),
        freeByLength.root(),
        freed,
        catalogues.meta.root(),
      ],
      nextCatalogue: catalogues.nextNumber,
      freeBlocks: space.allocator.freeBlocks,
      bitmaps,
    });
    rootNode.checksum = sealPage(rootNode.bytes, rootPageBytes(bitmaps.length));
  }

  /** Pages of the last checkpoint that no tree reaches. */
  get heldPages(): readonly number[] {
    const { rootPage } = this.superblock;
    return rootPage === 0 ? this.freedPages : [rootPage, ...this.freedPages];
  }

  private pagesOf(root: TreeRoot): number[] {
    const walk = new PageWalk(this.parts.pages, root);
    const isWhole = walk.step() !== missing;
    assert(isWhole, 'What was just built is in memory');
    return walk.pages;
  }

  private async complete({ pages, superblock }: Frozen, waiters: readonly Waiter[]): Promise<void> {
    const { files, log, space } = this.parts;
    try {
      await this.parts.room.wait(() => this.parts.pages.write(pages));
      await files.meta.flush();
      if (files.data !== files.meta) await files.data.flush();
      await this.putSuperblock(superblock);
      this.parts.pages.thaw(pages);
      log.release();
      await space.thaw();
      for (const { resolve } of waiters) resolve();
    } catch (cause) {
      this.fail(cause, waiters);
    }
  }

  private fail(cause: unknown, waiters: readonly Waiter[]): void {
    this.health.die(cause);
    for (const { reject } of waiters) reject(this.health.deathError());
  }

  private seen(): Pick<Superblock, 'databaseGeneration' | 'highestSequence'> {
    return { databaseGeneration: this.authority.generation, highestSequence: this.authority.sequence };
  }

  /** A superblock that is not ours means that two processes write this device: stop before more is lost. */
  private async putSuperblock(superblock: Superblock): Promise<void> {
    const { files, path, space, pages } = this.parts;
    const { superblock: found, copy } = await readSuperblock(files.meta, path);
    if (found.sequence !== this.superblock.sequence || found.deviceId !== this.superblock.deviceId)
      throw new Error(`${path}: superblock ${found.sequence} was written by another process`);
    const next = {
      ...superblock,
      filledBlocks: space.allocator.frontier,
      filledPages: pages.space.frontier,
      sequence: this.superblock.sequence + 1,
    };
    await writeSuperblock(files.meta, next, copy);
    this.superblock = next;
    if (this.isRenewed) this.readyGeneration = next.logGeneration;
  }
}
