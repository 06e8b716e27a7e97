import type { CallContext, UnitReadCall } from './call-context.js';
import type { ChunkId, WriteId } from './ids.js';
import type { DatabaseIdentity } from './metadata.port.js';

/** Which device of which node. `address` (host:port) is used by the remote adapter only. */
export interface DeviceLocation {
  readonly deviceId: string;
  readonly nodeId: string;
  readonly address: string;
}

/** What a unit says about itself on its device; a reader compares it with the record. */
export interface UnitHeader {
  readonly chunkId: ChunkId;
  /** 0..k-1 data, k..k+m-1 parity. */
  readonly unitIndex: number;
  readonly k: number;
  readonly m: number;
  readonly chunkSizeBytes: number;
  /** Bytes really stored for this unit. */
  readonly unitSizeBytes: number;
  readonly bucketId: bigint;
  readonly writeId: WriteId;
}

/**
 * Bytes of a unit, lent: their memory is used for others once they are released. Who cannot tell when nobody looks at them any
 * more does not release them, and they are collected like any other memory.
 */
export interface LentUnit {
  readonly header: UnitHeader;
  readonly bytes: Buffer;
  /** Once. */
  readonly release: () => void;
}

export interface UnitReceipt {
  readonly epoch: bigint;
  readonly deviceGeneration: number;
}

export interface ListedUnit extends UnitHeader {
  readonly writtenAtMs: number;
}

export interface UnitPosition {
  readonly chunkId: ChunkId;
  readonly unitIndex: number;
}

export interface DeviceStatus {
  readonly deviceId: string;
  readonly state: 'live' | 'full' | 'dead';
  readonly capacityBytes: number;
  readonly freeBytes: number;
  readonly unitCount: number;
}

/**
 * Units of chunks on the devices of data nodes. A unit is written once and never changed; writing it again with equal bytes
 * is no change. Errors: StaleEpoch, LateWrite, DeviceFull, DeviceDead, UnitExists (other bytes), UnitDamaged, MetadataDamaged
 * (the device does not know what it holds), IncompleteBody (the pull gave another length), ServiceUnavailable (the node does not answer). "Not here" is a result, not an error.
 */
export abstract class UnitStore {
  /**
   * Resolves when the unit is durable. `pull` is called at most once, after space is claimed, and yields exactly
   * `header.unitSizeBytes`. `epoch` is that of the caller's map.
   */
  abstract write(
    call: CallContext,
    device: DeviceLocation,
    header: UnitHeader,
    epoch: bigint,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<UnitReceipt>;

  /** Verified bytes `offset`..`offset+length` of the unit with its header, or undefined when the device holds no such unit. */
  abstract read(
    call: UnitReadCall,
    device: DeviceLocation,
    unit: UnitPosition,
    offset: number,
    length: number,
  ): Promise<LentUnit | undefined>;

  /** Frees units for this database. Absent ones count as freed. Errors: ForeignDatabase. */
  abstract free(
    call: CallContext,
    device: DeviceLocation,
    units: readonly UnitPosition[],
    database: DatabaseIdentity,
  ): Promise<void>;

  /** Units written before `writtenBeforeMs` (by the node's clock), by chunk id and index, after `after`. */
  abstract list(
    call: CallContext,
    device: DeviceLocation,
    query: { after?: UnitPosition; limit: number; minimumAgeMs: number },
  ): Promise<ListedUnit[]>;

  abstract status(call: CallContext, device: DeviceLocation): Promise<DeviceStatus>;
}
