import {
  HoldfastError,
  isHoldfastError,
  LIMITS,
  newId,
  type CallContext,
  type ChunkEntry,
  type DevicePlace,
  type RedundancyProfile,
  type UnitHeader,
  type UnitStore,
  type WriteId,
} from '@holdfast/contracts';
import { errorBudget } from '@holdfast/placement';
import { log } from '@holdfast/service-host';
import { WholeBuffer } from '@holdfast/stdx';
import type { ClusterMapCache } from './cluster-map-cache.js';
import type { ClusterView, SetView } from './cluster-view.js';
import type { DeviceHealth } from './device-health.js';
import { profileFor, type GroupPlan, type GroupPlanner } from './group-planner.js';
import { encodeGroup } from './parity-group.js';

/** What one chunk is written for, and where it may go. */
export interface GroupTarget {
  readonly bucketId: bigint;
  readonly writeId: WriteId;
  readonly profile: RedundancyProfile;
  /** Sets that may take it, in order of preference. Asked again when the map changes. */
  readonly setsOf: (view: ClusterView) => readonly SetView[];
}

export interface WrittenGroup {
  readonly entry: ChunkEntry;
  /** Lowest epoch that a unit was written under. */
  readonly epoch: bigint;
  /** Below the profile asked for, or a unit is missing. */
  readonly degraded: boolean;
  readonly nodeIds: readonly string[];
}

export interface GroupWriterParts {
  readonly units: UnitStore;
  readonly maps: ClusterMapCache;
  readonly health: DeviceHealth;
  readonly planner: GroupPlanner;
}

/**
 * Makes one chunk durable: lays it out, encodes it, sends its units in parallel, settles all of them and judges the parity
 * group by its error budget. Units that fail first go to devices not yet used; where none is left, the chunk is laid out
 * again, smaller, under a new id. Failures of one group never count for another.
 */
export class GroupWriter {
  constructor(private readonly parts: GroupWriterParts) {}

  /** `parity` is memory for the parity of any layout. Errors: ServiceUnavailable when no margin can be kept anywhere. */
  async write(call: CallContext, target: GroupTarget, chunk: Buffer, parity: Buffer): Promise<WrittenGroup> {
    const { maps, planner } = this.parts;
    const asked = profileFor(chunk.length, target.profile, LIMITS.smallChunkBytesMax);
    const failedDevices = new Set<string>();
    for (;;) {
      const view = maps.view ?? (await maps.get(call));
      const chunkId = newId();
      const plan = planner.plan(chunkId, asked, target.setsOf(view), failedDevices);
      if (plan === undefined) throw new HoldfastError('ServiceUnavailable', 'too few devices take writes');
      if (call.deadline.passed) throw new HoldfastError('ServiceUnavailable', 'the write did not end in time');
      const attempt = new GroupAttempt(this.parts, call, target, chunkId, view, plan, failedDevices);
      const written = await attempt.run(encodeGroup(chunk, parity, plan.layout.k, plan.layout.m), chunk.length);
      // Each attempt that fails has put at least one more device into the set: this ends.
      if (written !== undefined) {
        const below = written.degraded || plan.layout.k !== asked.k || plan.layout.m !== asked.m;
        return below === written.degraded ? written : { ...written, degraded: below };
      }
    }
  }
}

/** One attempt at a layout: one chunk id, one set. */
class GroupAttempt {
  private readonly slots: number[];
  private readonly k: number;
  private readonly m: number;
  private set: SetView;
  private units: readonly Buffer[] = [];
  private sizeBytes = 0;
  private lowestEpoch: bigint | undefined;
  /** Unit indexes whose last try failed; those refused for the epoch of their map wait in `stale`. */
  private failed: number[] = [];
  private stale: number[] = [];

  constructor(
    private readonly parts: GroupWriterParts,
    private readonly call: CallContext,
    private readonly target: GroupTarget,
    private readonly chunkId: string,
    private view: ClusterView,
    plan: GroupPlan,
    private readonly failedDevices: Set<string>,
  ) {
    this.set = plan.set;
    this.k = plan.layout.k;
    this.m = plan.layout.m;
    this.slots = [...plan.layout.slots];
  }

  /** Undefined when more units failed than the budget allows. */
  async run(units: readonly Buffer[], sizeBytes: number): Promise<WrittenGroup | undefined> {
    this.units = units;
    this.sizeBytes = sizeBytes;
    await this.send(this.slots.map((_, index) => index));
    while (this.stale.length + this.failed.length > 0 && !this.call.deadline.passed) {
      const again = this.stale.length > 0 ? await this.adoptNewerMap() : this.moveToSpares();
      if (again.length === 0) break;
      await this.send(again);
    }
    this.failed.push(...this.stale);
    if (!errorBudget(this.m, this.failed.length)) {
      log.warn('a parity group is laid out again', { ...this.facts(), failed: this.failed.join(',') });
      return undefined;
    }
    if (this.failed.length > 0)
      log.warn('a parity group lacks units within its budget', { ...this.facts(), failed: this.failed.join(',') });
    const primary = { chunkId: this.chunkId, setId: this.set.setId, k: this.k, m: this.m, slots: this.slots };
    return {
      entry: { sizeBytes, primary },
      epoch: this.lowestEpoch ?? this.view.epoch,
      degraded: this.failed.length > 0,
      nodeIds: this.slots.map((slot) => this.set.place(slot)?.nodeId ?? ''),
    };
  }

  /** Sends the units and waits until each has succeeded or failed. */
  private send(indexes: readonly number[]): Promise<unknown> {
    return Promise.all(indexes.map((index) => this.sendUnit(index)));
  }

  private async sendUnit(unitIndex: number): Promise<void> {
    const place = this.set.place(this.slots[unitIndex]);
    if (place === undefined || !place.live) {
      this.failed.push(unitIndex);
      if (place !== undefined) this.failedDevices.add(place.deviceId);
      return;
    }
    const bytes = this.units[unitIndex];
    const header: UnitHeader = {
      chunkId: this.chunkId,
      unitIndex,
      k: this.k,
      m: this.m,
      chunkSizeBytes: this.sizeBytes,
      unitSizeBytes: bytes.length,
      bucketId: this.target.bucketId,
      writeId: this.target.writeId,
    };
    try {
      const receipt = await this.parts.units.write(
        this.call,
        place,
        header,
        this.view.epoch,
        () => new WholeBuffer(bytes),
      );
      if (this.lowestEpoch === undefined || receipt.epoch < this.lowestEpoch) this.lowestEpoch = receipt.epoch;
    } catch (error) {
      this.noteFailure(unitIndex, place, error);
    }
  }

  private noteFailure(unitIndex: number, place: DevicePlace, error: unknown): void {
    if (isHoldfastError(error, 'StaleEpoch')) {
      this.stale.push(unitIndex);
      return;
    }
    this.failed.push(unitIndex);
    this.failedDevices.add(place.deviceId);
    this.parts.health.noteFailure(place, error);
    log.warn('a unit was not written', {
      ...this.facts(),
      unit: unitIndex,
      device: place.deviceId,
      node: place.nodeId,
      error,
    });
  }

  /** Units refused for an old epoch are sent again by the newer map, to the devices that it shows at their slots. */
  private async adoptNewerMap(): Promise<number[]> {
    this.view = await this.parts.maps.newerThan(this.call, this.view.epoch);
    this.set = this.view.sets.get(this.set.setId) ?? this.set;
    const again = this.stale;
    this.stale = [];
    return again;
  }

  /** Gives failed units the devices of the set that hold none of this group yet; those without one stay failed. */
  private moveToSpares(): number[] {
    const used = new Set(this.slots);
    const spares = this.parts.planner.spares(this.chunkId, this.set, used, this.failedDevices);
    const moved = this.failed.slice(0, spares.length);
    this.failed = this.failed.slice(moved.length);
    moved.forEach((index, at) => {
      this.slots[index] = spares[at].slot;
    });
    return moved;
  }

  private facts(): Record<string, unknown> {
    return {
      requestId: this.call.requestId,
      chunkId: this.chunkId,
      set: this.set.setId,
      shape: `${this.k}+${this.m}`,
    };
  }
}
