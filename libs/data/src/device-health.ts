import { systemClock, type Clock } from '@holdfast/stdx';
import { backgroundCall, isHoldfastError, type DevicePlace, type UnitStore } from '@holdfast/contracts';

export interface DeviceHealthOptions {
  readonly firstProbeMs?: number;
  readonly probeMsMax?: number;
  readonly clock?: Clock;
}

/** Why a device is passed over. `silent`: its node does not answer; `dead`: it said so itself, reads may still succeed. */
type Trouble = 'silent' | 'dead' | 'full';

interface Mark {
  readonly place: DevicePlace;
  readonly trouble: Trouble;
  readonly waitMs: number;
  readonly dueAtMs: number;
}

const PROBE_TIMEOUT_MS = 2000;

/**
 * What this process has seen of devices lately, beside what the map says. A device (or a whole node) that failed is not tried
 * again by requests: a probe in the background asks for it after 1 s, then ever later up to 5 s, until it is well.
 */
export class DeviceHealth {
  private readonly marks = new Map<string, Mark>();
  private readonly clock: Clock;
  private readonly firstProbeMs: number;
  private readonly probeMsMax: number;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private changes = 0;

  constructor(
    private readonly units: UnitStore,
    options: DeviceHealthOptions = {},
  ) {
    this.clock = options.clock ?? systemClock;
    this.firstProbeMs = options.firstProbeMs ?? 1000;
    this.probeMsMax = options.probeMsMax ?? 5000;
  }

  /** Changes whenever an answer of this object may have changed. */
  get version(): number {
    return this.changes;
  }

  get allWell(): boolean {
    return this.marks.size === 0;
  }

  mayWrite(place: DevicePlace): boolean {
    return this.allWell || this.troubleOf(place) === undefined;
  }

  /** False: ask elsewhere first. A full device serves its units. */
  mayRead(place: DevicePlace): boolean {
    if (this.allWell) return true;
    const trouble = this.troubleOf(place);
    return trouble === undefined || trouble === 'full';
  }

  /** Takes note of a failed call. Errors that say nothing about the device are passed by. */
  noteFailure(place: DevicePlace, error: unknown): void {
    const isLost = isHoldfastError(error, 'DeviceDead') || isHoldfastError(error, 'MetadataDamaged');
    if (isLost) return this.mark(deviceKey(place), place, 'dead');
    if (isHoldfastError(error, 'DeviceFull')) return this.mark(deviceKey(place), place, 'full');
    const silent = isHoldfastError(error, 'ServiceUnavailable') || !isHoldfastError(error);
    if (silent) this.mark(place.address === '' ? deviceKey(place) : nodeKey(place), place, 'silent');
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Asks each device whose time has come. Public so that a test need not wait for the timer. */
  async probeDue(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const due = [...this.marks].filter(([, mark]) => mark.dueAtMs <= nowMs);
    await Promise.all(due.map(([key, mark]) => this.probe(key, mark)));
    this.schedule();
  }

  private async probe(key: string, mark: Mark): Promise<void> {
    let state: 'live' | Trouble;
    try {
      state = (await this.units.status(backgroundCall(PROBE_TIMEOUT_MS), mark.place)).state;
    } catch {
      state = 'silent';
    }
    this.marks.delete(key);
    const waitMs = Math.min(this.probeMsMax, mark.waitMs * 2);
    // A node that answers is well, whatever it says about the one device that was asked for.
    if (state !== 'live') this.put(state === 'silent' ? key : deviceKey(mark.place), mark.place, state, waitMs);
    this.changes += 1;
  }

  private mark(key: string, place: DevicePlace, trouble: Trouble): void {
    if (this.marks.has(key)) return;
    this.put(key, place, trouble, this.firstProbeMs);
    this.changes += 1;
    this.schedule();
  }

  private put(key: string, place: DevicePlace, trouble: Trouble, waitMs: number): void {
    this.marks.set(key, { place, trouble, waitMs, dueAtMs: this.clock.monotonicMs() + waitMs });
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.stopped || this.marks.size === 0) return;
    const dueAtMs = Math.min(...[...this.marks.values()].map((mark) => mark.dueAtMs));
    this.timer = setTimeout(() => void this.probeDue(), Math.max(10, dueAtMs - this.clock.monotonicMs())).unref();
  }

  private troubleOf(place: DevicePlace): Trouble | undefined {
    return (this.marks.get(deviceKey(place)) ?? this.marks.get(nodeKey(place)))?.trouble;
  }
}

const deviceKey = (place: DevicePlace): string => `device ${place.deviceId}`;
const nodeKey = (place: DevicePlace): string => `node ${place.nodeId}`;
