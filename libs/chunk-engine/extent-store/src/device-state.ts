/** What one open device knows in memory. The device file is the truth; this is rebuilt from it at every open. */
import type { Clock } from '@holdfast/stdx';
import { unitRecordBytesFor } from './log-group.js';
import { blocksFor, type DeviceLayout, type Extent } from './device-layout.js';
import type { ExtentAllocator } from './extent-allocator.js';
import { ExtentStoreError } from './extent-store-error.js';
import type { PreparedSpace } from './prepared-space.js';
import type { UnitIndex } from './unit-index.js';
import type { SeenAuthority } from './write-ahead-log.js';

/** How long writes are refused after the file system below had no room, before one is tried again. */
const NO_SPACE_HOLD_MS = 1000;

export class DeviceState {
  /** Space for small units that is written already; absent in stores that do without. */
  prepared: Pick<PreparedSpace, 'take'> | undefined;
  private deathCause: unknown;
  private isDead = false;
  private noSpaceUntilMs = -Infinity;
  /** Record bytes of units that claimed space and are not recorded yet. */
  private claimedRecordBytes = 0;

  constructor(
    readonly path: string,
    readonly layout: DeviceLayout,
    readonly index: UnitIndex,
    readonly allocator: ExtentAllocator,
    public authority: SeenAuthority,
    private readonly clock: Clock,
  ) {}

  get dead(): boolean {
    return this.isDead;
  }

  get full(): boolean {
    const recordBytes = this.index.liveRecordBytes + this.claimedRecordBytes + unitRecordBytesFor(1, 1);
    return (
      this.allocator.freeBlocks <= this.layout.reserveBlocks ||
      recordBytes > this.layout.liveRecordsMaxBytes ||
      this.clock.monotonicMs() < this.noSpaceUntilMs
    );
  }

  /** Every later write fails; the first cause is kept. Never undone: what the kernel dropped cannot be known. */
  die(cause: unknown): void {
    if (this.isDead) return;
    this.isDead = true;
    this.deathCause = cause;
  }

  deathError(): ExtentStoreError {
    const message = `${this.path}: a write or flush failed, nothing more is written to this device`;
    return new ExtentStoreError('DeviceDead', message, { cause: this.deathCause });
  }

  /** The file system below has no room: refuse writes for a moment; frees and reads go on. */
  noteNoSpace(): void {
    this.noSpaceUntilMs = this.clock.monotonicMs() + NO_SPACE_HOLD_MS;
  }

  fullError(cause?: unknown): ExtentStoreError {
    return new ExtentStoreError('DeviceFull', `${this.path} takes no more units; reads and frees go on`, { cause });
  }

  /** @throws ExtentStoreError DeviceFull */
  claim(sizeBytes: number): Extent[] {
    const blocks = blocksFor(sizeBytes);
    const { allocator, layout } = this;
    if (this.full || allocator.freeBlocks - blocks < layout.reserveBlocks) throw this.fullError();
    const prepared = this.prepared?.take(blocks);
    const extents = prepared === undefined ? allocator.find(blocks, layout.extentsMax) : [prepared];
    if (extents === undefined) throw this.fullError();
    const recordBytes = unitRecordBytesFor(extents.length, sizeBytes);
    if (this.index.liveRecordBytes + this.claimedRecordBytes + recordBytes > layout.liveRecordsMaxBytes) {
      if (prepared !== undefined) allocator.release(extents);
      throw this.fullError();
    }
    if (prepared === undefined) allocator.claim(extents);
    this.claimedRecordBytes += recordBytes;
    return extents;
  }

  /** The claim became a unit of the index. */
  settleClaim(extents: readonly Extent[], sizeBytes: number): void {
    this.claimedRecordBytes -= unitRecordBytesFor(extents.length, sizeBytes);
  }

  /** The claim came to nothing. No write to its blocks may still be under way. */
  abandonClaim(extents: readonly Extent[], sizeBytes: number): void {
    this.settleClaim(extents, sizeBytes);
    this.allocator.release(extents);
  }
}
