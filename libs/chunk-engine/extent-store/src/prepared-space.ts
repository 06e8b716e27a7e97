/**
 * Space for small units that was written before it is needed. A file grows where it is first written, and the flush of such
 * a write also commits the journal of the file system below, which takes several times as long as flushing bytes in blocks
 * that are there already. So a stretch at the end of the used space is taken, filled with zeros in the background, flushed,
 * and handed out piece by piece; when half of it is gone the next one is made. Nothing of this is recorded: after a crash
 * the stretch is free again.
 */
import { BLOCK_BYTES, MIB } from '@holdfast/stdx';
import { positionOf, type Extent } from './device-layout.js';
import type { DeviceFile } from './device.port.js';
import type { DeviceState } from './device-state.js';

/** Units of up to 64 KiB come from prepared space. */
const SMALL_BLOCKS_MAX = 16;
const WRITE_BYTES = MIB;

export interface PreparedSpaceOptions {
  /** Size of one stretch. */
  readonly stretchBlocks?: number;
  /** No more is prepared when fewer blocks than this many stretches are free: the space is needed as it is. */
  readonly stretchesFreeMin?: number;
}

export class PreparedSpace {
  private ready: Extent | undefined;
  private next: Extent | undefined;
  private preparing: Promise<void> | undefined;
  private stopped = false;
  private readonly stretchBlocks: number;
  private readonly stretchesFreeMin: number;

  constructor(
    private readonly device: DeviceFile,
    private readonly state: DeviceState,
    options: PreparedSpaceOptions = {},
  ) {
    this.stretchBlocks = options.stretchBlocks ?? (16 * MIB) / BLOCK_BYTES;
    this.stretchesFreeMin = options.stretchesFreeMin ?? 16;
  }

  /** An extent that is claimed and written, or undefined: then the caller claims one as usual. */
  take(blocks: number): Extent | undefined {
    if (blocks === 0 || blocks > SMALL_BLOCKS_MAX || this.stopped) return undefined;
    if ((this.ready?.blocks ?? 0) < blocks && this.next !== undefined) {
      this.giveBack(this.ready);
      this.ready = this.next;
      this.next = undefined;
    }
    const { ready } = this;
    const taken = ready !== undefined && ready.blocks >= blocks ? { start: ready.start, blocks } : undefined;
    if (ready !== undefined && taken !== undefined) {
      this.ready = { start: ready.start + blocks, blocks: ready.blocks - blocks };
    }
    if ((this.ready?.blocks ?? 0) < this.stretchBlocks / 2 && this.next === undefined) this.prepare();
    return taken;
  }

  /** Blocks that are claimed here and hold nothing. */
  get heldBlocks(): number {
    return (this.ready?.blocks ?? 0) + (this.next?.blocks ?? 0);
  }

  /** Gives everything back; resolves when no write is under way any more. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.preparing;
    this.giveBack(this.ready);
    this.giveBack(this.next);
    this.ready = this.next = undefined;
  }

  private giveBack(extent: Extent | undefined): void {
    if (extent !== undefined && extent.blocks > 0) this.state.allocator.release([extent]);
  }

  private prepare(): void {
    if (this.preparing !== undefined || this.state.dead) return;
    const { allocator } = this.state;
    if (allocator.freeBlocks < this.stretchBlocks * this.stretchesFreeMin) return;
    const extent = allocator.claimTail(this.stretchBlocks);
    if (extent === undefined) return;
    this.preparing = this.fill(extent).finally(() => {
      this.preparing = undefined;
    });
  }

  private async fill(extent: Extent): Promise<void> {
    const zeros = Buffer.alloc(WRITE_BYTES);
    const start = positionOf(this.state.layout, extent.start);
    const sizeBytes = extent.blocks * BLOCK_BYTES;
    try {
      for (let at = 0; at < sizeBytes; at += WRITE_BYTES) {
        if (this.stopped) return this.giveBack(extent);
        await this.device.write([zeros.subarray(0, Math.min(WRITE_BYTES, sizeBytes - at))], start + at);
      }
      await this.device.flush();
      if (this.stopped) this.giveBack(extent);
      else this.next = extent;
    } catch (cause) {
      this.giveBack(extent);
      // No room in the file system below is told by the write of a unit; anything else is the end of the device.
      const isFull = cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
      if (isFull) this.stopped = true;
      else this.state.die(cause);
    }
  }
}
