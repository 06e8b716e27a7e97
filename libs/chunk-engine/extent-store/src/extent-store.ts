import { assert, type Clock, type Deadline } from '@holdfast/stdx';
import type { DevicePort } from './device.port.js';
import type { UnitHeader, UnitKey } from './unit-header.js';

export interface FormatOptions {
  /** UUID, lower case. */
  readonly deviceId: string;
  /** UUID, lower case. */
  readonly clusterId: string;
  /** Generation of the database that takes the device in; older ones may free nothing. */
  readonly generation: number;
  /** Size of the file, fixed for its life; a multiple of 4 KiB. */
  readonly capacityBytes: number;
  /** Size of each of the two log halves; by default 1/32 of the capacity, between 64 KiB and 128 MiB. */
  readonly logHalfBytes?: number;
  readonly io?: DevicePort;
}

export interface OpenOptions {
  readonly clock?: Clock;
  readonly io?: DevicePort;
}

/** What identifies the device. */
export interface DeviceIdentity {
  readonly deviceId: string;
  readonly clusterId: string;
  /** Highest database generation that formatted the device or freed on it. */
  readonly generation: number;
  readonly capacityBytes: number;
}

/** Who asks for a free, as the database knows itself. */
export interface FreeAuthority {
  readonly clusterId: string;
  readonly generation: number;
  readonly sequence: bigint;
}

export interface StoredUnit {
  readonly header: UnitHeader;
  /** The whole unit, or the range asked for cut at the unit's end. */
  readonly bytes: Buffer;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ListOptions {
  /** Begin after this unit. */
  readonly after?: UnitKey;
  readonly limit: number;
  /** Only units written before this wall time. */
  readonly writtenBeforeMs?: number;
}

export interface DeviceStatus {
  readonly capacityBytes: number;
  /** Bytes that new units may still take, the reserve already taken off. */
  readonly freeBytes: number;
  readonly unitCount: number;
  readonly state: 'live' | 'full' | 'dead';
  /** Highest database sequence a free has named. */
  readonly highestSequence: bigint;
}

export class ExtentStore {
  private constructor(readonly superblock: DeviceIdentity) {}

  static async format(path: string, options: FormatOptions): Promise<void> {
    assert(false, `format ${path}`, { capacityBytes: options.capacityBytes });
  }

  static async open(path: string, options: OpenOptions = {}): Promise<ExtentStore> {
    assert(false, `open ${path}`, { options });
  }

  /** 'unchanged' when the same unit with equal bytes was there already. */
  async write(
    header: UnitHeader,
    sizeBytes: number,
    pull: () => AsyncIterable<Buffer>,
    deadline: Deadline,
  ): Promise<'written' | 'unchanged'> {
    assert(false, 'write', { header, sizeBytes, pull, deadline });
  }

  async read(chunkId: string, unitIndex: number, range?: ByteRange): Promise<StoredUnit | undefined> {
    assert(false, 'read', { chunkId, unitIndex, range });
  }

  stat(chunkId: string, unitIndex: number): UnitHeader | undefined {
    assert(false, 'stat', { chunkId, unitIndex });
  }

  async free(units: readonly UnitKey[], authority: FreeAuthority): Promise<number> {
    assert(false, 'free', { units, authority });
  }

  list(options: ListOptions): UnitHeader[] {
    assert(false, 'list', { options });
  }

  status(): DeviceStatus {
    assert(false, 'status');
  }

  async close(): Promise<void> {
    assert(false, 'close');
  }
}
