import { assert, systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  UnitStore,
  type CallContext,
  type DatabaseIdentity,
  type DeviceLocation,
  type DeviceStatus,
  type LentUnit,
  type ListedUnit,
  type UnitHeader,
  type UnitPosition,
  type UnitReceipt,
} from '@holdfast/contracts';

interface HeldUnit {
  readonly header: ListedUnit;
  readonly bytes: Buffer;
}

/** A call that is about to be made, as a fault sees it. */
export interface UnitCall {
  readonly operation: 'write' | 'read' | 'free' | 'list' | 'status';
  readonly deviceId: string;
  readonly nodeId: string;
  readonly unit?: UnitPosition;
}

/** Throws, waits, or lets the call pass. */
export type UnitFault = (call: UnitCall) => void | Promise<void>;

/** No byte stays what it was. */
const POISON = 0x5a;

const keyOf = ({ chunkId, unitIndex }: UnitPosition): string => `${chunkId}${String(unitIndex).padStart(3, '0')}`;

/** `UnitStore` in memory, with the fences of a real one, a record of its calls, and a seam for faults. */
export class InMemoryUnitStore extends UnitStore {
  /** Calls that reached a device, in order. */
  readonly calls: UnitCall[] = [];
  /** Runs before each call is done. */
  fault: UnitFault = () => undefined;
  private readonly devices = new Map<string, Map<string, HeldUnit>>();
  private readonly fullDevices = new Set<string>();
  private epoch = 0n;
  private sequence = 0n;

  constructor(
    deviceIds: readonly string[],
    private readonly clusterId = 'in-memory',
    private readonly clock: Clock = systemClock,
  ) {
    super();
    for (const deviceId of deviceIds) this.devices.set(deviceId, new Map());
  }

  setFull(deviceId: string, full: boolean): void {
    if (full) this.fullDevices.add(deviceId);
    else this.fullDevices.delete(deviceId);
  }

  /** Raises the epoch that callers must know. */
  raiseEpoch(epoch: bigint): void {
    this.epoch = epoch;
  }

  /** What a device holds. */
  unitsOn(deviceId: string): ListedUnit[] {
    return [...this.held(deviceId).values()].map(({ header }) => header);
  }

  get unitCount(): number {
    return [...this.devices.values()].reduce((sum, units) => sum + units.size, 0);
  }

  /** Replaces what a unit says or holds, as damage that its own checksum would not show. */
  tamper(deviceId: string, unit: UnitPosition, change: (held: HeldUnit) => HeldUnit): void {
    const held = this.held(deviceId).get(keyOf(unit));
    if (held !== undefined) this.held(deviceId).set(keyOf(unit), change(held));
  }

  override async write(
    call: CallContext,
    device: DeviceLocation,
    header: UnitHeader,
    epoch: bigint,
    pull: () => AsyncIterable<Buffer>,
  ): Promise<UnitReceipt> {
    await this.begin('write', device, header);
    const units = this.held(device.deviceId);
    if (epoch < this.epoch) throw new HoldfastError('StaleEpoch');
    this.epoch = epoch;
    if (call.deadline.passed) throw new HoldfastError('LateWrite');
    if (this.fullDevices.has(device.deviceId)) throw new HoldfastError('DeviceFull');
    const pieces: Buffer[] = [];
    for await (const piece of pull()) pieces.push(Buffer.from(piece));
    const bytes = Buffer.concat(pieces);
    if (bytes.length !== header.unitSizeBytes) throw new HoldfastError('IncompleteBody');
    const known = units.get(keyOf(header));
    const { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId } = header;
    const plain = { chunkId, unitIndex, k, m, chunkSizeBytes, unitSizeBytes, bucketId, writeId };
    if (known !== undefined && !(known.bytes.equals(bytes) && sameHeader(known.header, plain)))
      throw new HoldfastError('UnitExists');
    if (known === undefined) units.set(keyOf(header), { header: { ...plain, writtenAtMs: this.clock.nowMs() }, bytes });
    return { epoch, deviceGeneration: 1 };
  }

  override async read(
    _call: CallContext,
    device: DeviceLocation,
    unit: UnitPosition,
    offset: number,
    length: number,
  ): Promise<LentUnit | undefined> {
    await this.begin('read', device, unit);
    const held = this.held(device.deviceId).get(keyOf(unit));
    if (held === undefined) return undefined;
    const { writtenAtMs: _writtenAtMs, ...header } = held.header;
    const bytes = Buffer.from(held.bytes.subarray(offset, offset + length));
    return { header, bytes, release: poisonOnce(bytes) };
  }

  override async free(
    _call: CallContext,
    device: DeviceLocation,
    units: readonly UnitPosition[],
    { clusterId, sequence }: DatabaseIdentity,
  ): Promise<void> {
    await this.begin('free', device);
    if (clusterId !== this.clusterId || sequence < this.sequence) throw new HoldfastError('ForeignDatabase');
    this.sequence = sequence;
    for (const unit of units) this.held(device.deviceId).delete(keyOf(unit));
  }

  override async list(
    _call: CallContext,
    device: DeviceLocation,
    { after, limit, minimumAgeMs }: { after?: UnitPosition; limit: number; minimumAgeMs: number },
  ): Promise<ListedUnit[]> {
    await this.begin('list', device);
    const writtenBeforeMs = this.clock.nowMs() - minimumAgeMs;
    return [...this.held(device.deviceId)]
      .filter(
        ([key, { header }]) => (after === undefined || key > keyOf(after)) && header.writtenAtMs < writtenBeforeMs,
      )
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, { header }]) => header);
  }

  override async status(_call: CallContext, device: DeviceLocation): Promise<DeviceStatus> {
    await this.begin('status', device);
    const { deviceId } = device;
    const state = this.fullDevices.has(deviceId) ? 'full' : 'live';
    return { deviceId, state, capacityBytes: 2 ** 40, freeBytes: 2 ** 39, unitCount: this.held(deviceId).size };
  }

  private async begin(operation: UnitCall['operation'], device: DeviceLocation, unit?: UnitPosition): Promise<void> {
    const { deviceId, nodeId } = device;
    const position = unit && { chunkId: unit.chunkId, unitIndex: unit.unitIndex };
    const call = { operation, deviceId, nodeId, unit: position };
    this.calls.push(call);
    await this.fault(call);
  }

  private held(deviceId: string): Map<string, HeldUnit> {
    const units = this.devices.get(deviceId);
    if (units === undefined) throw new HoldfastError('ServiceUnavailable', `no device ${deviceId}`);
    return units;
  }
}

/** What was released is read by nobody: who still does finds none of the bytes that it wants. */
function poisonOnce(bytes: Buffer): () => void {
  let isReleased = false;
  return () => {
    assert(!isReleased, 'a unit is released once');
    isReleased = true;
    for (let at = 0; at < bytes.length; at += 1) bytes[at] ^= POISON;
  };
}

function sameHeader(held: ListedUnit, given: UnitHeader): boolean {
  return (Object.keys(given) as (keyof UnitHeader)[]).every((name) => held[name] === given[name]);
}
