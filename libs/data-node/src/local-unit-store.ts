import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  isHoldfastError,
  LIMITS,
  UnitStore,
  type CallContext,
  type DatabaseIdentity,
  type DeviceLocation,
  type DeviceStatus,
  type LentUnit,
  type ListedUnit,
  type TraceLog,
  type UnitHeader,
  type UnitPosition,
  type UnitReadCall,
  type UnitReceipt,
} from '@holdfast/contracts';
import { ExtentStoreError, type ExtentStore } from '@holdfast/extent-store';
import { ByteBudget } from '@holdfast/service-host';
import { EpochFence } from './epoch-fence.js';

/** A device of this process with its generation in the cluster map. */
export interface OwnedDevice {
  readonly deviceId: string;
  readonly generation: number;
  readonly store: ExtentStore;
}

export interface LocalUnitStoreOptions {
  readonly devices: readonly OwnedDevice[];
  readonly trace: TraceLog;
  /** Bytes of units on their way to the devices at once; small units do not count. */
  readonly writeBufferBytes?: number;
  /** Epoch of the newest map known at the start. */
  readonly epoch?: bigint;
  readonly clock?: Clock;
}

const WRITE_BUFFER_BYTES = 64 * 1024 * 1024;
const UNITS_MAX = 32;

/** The units on the devices that this process has opened. */
export class LocalUnitStore extends UnitStore {
  /** Units larger than those that travel with their request wait here before space is claimed for them. */
  readonly writeBuffers: ByteBudget;
  private readonly devices = new Map<string, OwnedDevice>();
  private readonly fence: EpochFence;
  private readonly trace: TraceLog;
  private readonly clock: Clock;

  constructor(options: LocalUnitStoreOptions) {
    super();
    for (const device of options.devices) this.devices.set(device.deviceId, device);
    this.writeBuffers = new ByteBudget(options.writeBufferBytes ?? WRITE_BUFFER_BYTES);
    this.fence = new EpochFence(options.epoch);
    this.trace = options.trace;
    this.clock = options.clock ?? systemClock;
  }

  /** Highest epoch that a caller has shown. */
  get epoch(): bigint {
    return this.fence.epoch;
  }

  get deviceIds(): string[] {
    return [...this.devices.keys()];
  }

  override async write(
    call: CallContext,
    device: DeviceLocation,
    header: UnitHeader,
    epoch: bigint,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<UnitReceipt> {
    const owned = this.owned(device.deviceId);
    checkHeader(header);
    this.fence.admit(epoch);
    if (call.deadline.passed) throw new HoldfastError('LateWrite');
    const { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId } = header;
    const waitsForMemory = unitSizeBytes > LIMITS.inlineUnitBytesMax;
    if (waitsForMemory) await this.writeBuffers.take(unitSizeBytes, call.deadline);
    const writtenAtMs = this.clock.nowMs();
    const record = { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId, writtenAtMs };
    try {
      await owned.store.write(record, unitSizeBytes, pull, call.deadline);
    } catch (error) {
      throw wireError(error);
    } finally {
      if (waitsForMemory) this.writeBuffers.give(unitSizeBytes);
    }
    return { epoch, deviceGeneration: owned.generation };
  }

  override async read(
    call: UnitReadCall,
    device: DeviceLocation,
    unit: UnitPosition,
    offset: number,
    length: number,
  ): Promise<LentUnit | undefined> {
    const owned = this.owned(device.deviceId);
    try {
      const found = await owned.store.read(unit.chunkId, unit.unitIndex, { offset, length });
      if (call.flow === 'object-download') this.trace.step(call, call.copy === 'secondary' ? 11 : 9, device.deviceId);
      return found;
    } catch (error) {
      throw wireError(error);
    }
  }

  override async free(
    _call: CallContext,
    device: DeviceLocation,
    units: readonly UnitPosition[],
    database: DatabaseIdentity,
  ): Promise<void> {
    const owned = this.owned(device.deviceId);
    try {
      await owned.store.free(units, database);
    } catch (error) {
      throw wireError(error);
    }
  }

  override async list(
    _call: CallContext,
    device: DeviceLocation,
    query: { after?: UnitPosition; limit: number; minimumAgeMs: number },
  ): Promise<ListedUnit[]> {
    const writtenBeforeMs = this.clock.nowMs() - query.minimumAgeMs;
    const owned = this.owned(device.deviceId);
    try {
      return await owned.store.list({ after: query.after, limit: query.limit, writtenBeforeMs });
    } catch (error) {
      throw wireError(error);
    }
  }

  override async status(_call: CallContext, device: DeviceLocation): Promise<DeviceStatus> {
    const { state, capacityBytes, freeBytes, unitCount } = this.owned(device.deviceId).store.status();
    return { deviceId: device.deviceId, state, capacityBytes, freeBytes, unitCount };
  }

  private owned(deviceId: string): OwnedDevice {
    const owned = this.devices.get(deviceId);
    if (owned === undefined)
      throw new HoldfastError('ServiceUnavailable', `device ${deviceId} is not open in this process`);
    return owned;
  }
}

/** A header comes from another process: what cannot be a unit is refused before the engine sees it. */
function checkHeader({ k, m, unitIndex, unitSizeBytes, chunkSizeBytes }: UnitHeader): void {
  const counts = isCount(k) && isCount(m) && isCount(unitIndex) && isCount(unitSizeBytes) && isCount(chunkSizeBytes);
  const fits = k >= 1 && k + m <= UNITS_MAX && unitIndex < k + m && unitSizeBytes <= chunkSizeBytes;
  if (!counts || !fits || chunkSizeBytes > LIMITS.chunkBytesMax)
    throw new HoldfastError('InvalidArgument', 'the unit header describes no unit of a chunk');
}

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;

/** Errors of the engine by their names on the wire; anything else goes on as it is. */
function wireError(error: unknown): unknown {
  if (!(error instanceof ExtentStoreError)) return error;
  switch (error.code) {
    case 'DeviceFull':
    case 'DeviceDead':
    case 'MetadataDamaged':
    case 'UnitExists':
    case 'UnitDamaged':
    case 'LateWrite':
    case 'ForeignDatabase':
      return new HoldfastError(error.code, error.message, {}, { cause: error });
    case 'ShortTransfer':
      return isHoldfastError(error.cause)
        ? error.cause
        : new HoldfastError('IncompleteBody', error.message, {}, { cause: error });
    case 'BadDevice':
    case 'DeviceBusy':
    case 'CatalogueMissing':
    case 'CatalogueExists':
    case 'KeyExists':
    case 'TooLarge':
      // Of opening a device and of catalogues: no call for units meets them.
      return new HoldfastError('InternalError', error.message, {}, { cause: error });
  }
}
