/**
 * A device for looking only. Its files are opened for reading alone, so whatever happens nothing is written to them; the log is
 * replayed in memory. It is claimed as by any other process: a device in use is refused.
 */
import { BLOCK_BYTES } from '@holdfast/stdx';
import type { DevicePort } from './device/device.port.js';
import { FileDevicePort } from './device/file-device.js';
import { openDevice, type OpenedDevice } from './engine/device-opening.js';
import type { DeviceParts } from './engine/device-state.js';
import { ExtentStoreError } from './extent-store-error.js';
import { surveyCheckpoint } from './engine/checkpoint-survey.js';
import { checkDevice, type FsckReport } from './engine/fsck.js';
import { recover } from './engine/recovery.js';
import { scrubPages } from './engine/page-scrub.js';
import type { ScrubPaceOptions } from './engine/scrub-pace.js';
import { scrub, type ScrubOptions, type ScrubReport } from './engine/scrub.js';
import { listTree, openTree, treeNames, type ReadableEntry } from './engine/tree-listing.js';
import { unitBytes } from './engine/unit-bytes.js';
import { unitKeyBytes } from './units/unit-record.codec.js';
import { layoutOf, type DeviceLayout } from './format/device-layout.js';
import type { Superblock } from './format/superblock.js';
import type { UnitHeader } from './unit-header.js';

export interface InspectOptions {
  /** Of a pair, the file with log and metadata pages. */
  readonly metadataPath?: string;
  /** Memory for metadata pages. By default 32 MiB. */
  readonly cacheBytes?: number;
  readonly io?: DevicePort;
}

const CACHE_BYTES = 32 * 1024 * 1024;
const CACHE_PAGES_MIN = 32;

export class DeviceInspection {
  readonly layout: DeviceLayout;
  private recovering: Promise<DeviceParts> | undefined;

  private constructor(
    private readonly path: string,
    private readonly opened: OpenedDevice,
    private readonly cachePagesMax: number,
  ) {
    const { capacityBytes, segmentBytes, pageCount } = opened.superblock;
    const isPair = opened.files.meta !== opened.files.data;
    this.layout = layoutOf({ capacityBytes, segmentBytes, pageCount, isPair });
  }

  /** @throws ExtentStoreError BadDevice (which file, and what to do) or DeviceBusy */
  static async open(path: string, options: InspectOptions = {}): Promise<DeviceInspection> {
    const { io = new FileDevicePort(), metadataPath, cacheBytes = CACHE_BYTES } = options;
    const opened = await openDevice(io, { path, metadataPath, readOnly: true });
    return new DeviceInspection(path, opened, Math.max(CACHE_PAGES_MIN, Math.floor(cacheBytes / BLOCK_BYTES)));
  }

  /** The newest valid one; to be had of a device whose log or pages are damaged, too. */
  get superblock(): Superblock {
    return this.opened.superblock;
  }

  /** Errors: MetadataDamaged. */
  async contents(): Promise<{ unitCount: number; freeBlocks: number; freePages: number; catalogueCount: number }> {
    const { table, space, pages, catalogues } = await this.parts();
    return {
      unitCount: table.unitCount,
      freeBlocks: space.availableBlocks + space.quarantinedBlocks,
      freePages: pages.space.freePages,
      catalogueCount: catalogues.meta.size,
    };
  }

  /** Tells damage, and throws none: of a device that cannot be recovered what its newest checkpoint shows. */
  async check(): Promise<FsckReport> {
    try {
      return await checkDevice(await this.parts());
    } catch (error) {
      if (!(error instanceof ExtentStoreError) || error.code !== 'MetadataDamaged') throw error;
      return surveyCheckpoint(this.opened, this.path, error);
    }
  }

  /** What `entries` takes. Errors: MetadataDamaged. */
  async treeNames(): Promise<string[]> {
    return treeNames(await this.parts());
  }

  /** Undefined when there is no such tree. Errors: MetadataDamaged. */
  async entries(treeName: string): Promise<AsyncGenerator<ReadableEntry> | undefined> {
    const parts = await this.parts();
    const named = await openTree(parts, treeName);
    return named === undefined ? undefined : listTree(named);
  }

  /** Reads and verifies all metadata pages; resolves to what is wrong. Errors: MetadataDamaged. */
  async scrubPages(options: ScrubPaceOptions = {}): Promise<string[]> {
    return scrubPages(await this.parts(), options);
  }

  /** Reads and verifies all units, or goes on with it. Errors: MetadataDamaged. */
  async scrub(options: ScrubOptions = {}): Promise<ScrubReport> {
    const parts = await this.parts();
    const verify = async (unit: UnitHeader): Promise<boolean> => {
      const found = await unitBytes(parts, unitKeyBytes(unit), unit, { purpose: 'verify' });
      found?.release();
      return found !== undefined;
    };
    return scrub(parts, verify, options);
  }

  close(): Promise<void> {
    return this.opened.release();
  }

  private parts(): Promise<DeviceParts> {
    this.recovering ??= this.recover();
    return this.recovering;
  }

  private async recover(): Promise<DeviceParts> {
    const pause = (): Promise<void> => Promise.resolve();
    return (await recover(this.opened, { path: this.path, cachePagesMax: this.cachePagesMax, pause })).parts;
  }
}
