/** What one open device knows in memory. The device file is the truth; this is rebuilt from it at every open. */
import type { Clock } from '@holdfast/stdx';
import type { DeviceFile } from '../device/device.port.js';
import { ExtentStoreError } from '../extent-store-error.js';
import type { DeviceLayout } from '../format/device-layout.js';
import type { LogSegments } from '../log/log-segments.js';
import type { BTree } from '../tree/b-tree.js';
import type { PageStore } from '../tree/page-store.js';
import type { UnitTable } from '../units/unit-table.js';
import type { Catalogues } from './catalogues.js';
import type { DataSpace } from './data-space.js';
import type { FillAhead } from './fill-ahead.js';
import type { RoomBelow } from './room-below.js';
import type { SmallUnits } from './small-units.js';

/** How long writes are refused after the file system below had no room, before one is tried again. */
const NO_SPACE_HOLD_MS = 1000;

/** The highest database generation and sequence that a free has named. */
export interface SeenAuthority {
  readonly generation: number;
  readonly sequence: bigint;
}

export interface DeviceFiles {
  /** Superblock, log and pages. */
  readonly meta: DeviceFile;
  /** Data blocks; the same object when all lies in one file. */
  readonly data: DeviceFile;
}

export interface DeviceParts {
  readonly path: string;
  readonly layout: DeviceLayout;
  readonly files: DeviceFiles;
  readonly pages: PageStore;
  readonly table: UnitTable;
  readonly freeByOffset: BTree;
  readonly freeByLength: BTree;
  readonly catalogues: Catalogues;
  readonly space: DataSpace;
  readonly log: LogSegments;
  readonly small: SmallUnits;
  readonly room: RoomBelow;
  readonly fill: FillAhead;
  readonly clock: Clock;
  /** Pages of the last checkpoint that no tree reaches: its root, and the tree of extents that were free beside balloc. */
  readonly heldPages: () => readonly number[];
}

/** Tells those who wait that the device died. */
export class DeviceHealth {
  private deathCause: unknown;
  private isDead = false;
  private noSpaceUntilMs = -Infinity;

  constructor(
    private readonly path: string,
    private readonly clock: Clock,
  ) {}

  get dead(): boolean {
    return this.isDead;
  }

  /** Every later write fails; the first cause is kept. Never undone: what the kernel dropped cannot be known. */
  die(cause: unknown): void {
    if (this.isDead) return;
    this.isDead = true;
    this.deathCause = cause;
  }

  check(): void {
    if (this.isDead) throw this.deathError();
  }

  deathError(): ExtentStoreError {
    const reason =
      this.deathCause instanceof ExtentStoreError ? this.deathCause.message : `${this.path}: a write or flush failed`;
    const message = `${reason.replace(/\.$/, '')}; nothing more is written to this device`;
    return new ExtentStoreError('DeviceDead', message, { cause: this.deathCause });
  }

  /** The file system below has no room: refuse writes for a moment; frees and reads go on. */
  noteNoSpace(): void {
    this.noSpaceUntilMs = this.clock.monotonicMs() + NO_SPACE_HOLD_MS;
  }

  get lacksSpaceBelow(): boolean {
    return this.clock.monotonicMs() < this.noSpaceUntilMs;
  }

  fullError(cause?: unknown): ExtentStoreError {
    return new ExtentStoreError('DeviceFull', `${this.path} takes no more units; reads and frees go on`, { cause });
  }
}
