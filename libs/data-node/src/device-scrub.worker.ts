import { setTimeout as sleep } from 'node:timers/promises';
import { log } from '@holdfast/service-host';
import { ExtentStoreError, type Catalogue, type ExtentStore, type UnitKey } from '@holdfast/extent-store';
import type { OwnedDevice } from './local-unit-store.js';

export interface DeviceScrubberOptions {
  /** Of each device; 0 for no scrub. */
  readonly bytesPerSecond?: number;
  /** Rest before the first pass and between two passes. */
  readonly restMs?: number;
  /** The position is kept on the device so often, and when the scrub is stopped. */
  readonly keepEveryMs?: number;
}

/** What the scrub of a device has come to since it was opened. */
export interface DeviceScrubState {
  readonly deviceId: string;
  readonly running: boolean;
  readonly bytesPerSecond: number;
  /** The last unit verified in this pass; absent between passes. */
  readonly position?: UnitKey;
  readonly passCount: number;
  readonly unitCount: number;
  readonly sizeBytes: number;
  readonly damagedUnitCount: number;
  readonly damagedPageCount: number;
}

/** In the device itself: so the position is found again wherever the device is opened. */
const CATALOGUE_NAME = Buffer.from('data node');
const POSITION_KEY = Buffer.from('scrub position');
const DEFAULT_BYTES_PER_SECOND = 8 * 1024 * 1024;
const REST_MS = 60_000;

/**
 * Reads and verifies all pages and all units of each device, slowly and again and again. What is damaged is logged and
 * counted, and a read of it is answered from the other units of its chunk. A pass that was cut off goes on where it was.
 */
export class DeviceScrubber {
  private readonly scrubs: DeviceScrub[];
  private stopping: AbortController | undefined;
  private running: Promise<unknown> | undefined;

  constructor(devices: readonly OwnedDevice[], options: DeviceScrubberOptions = {}) {
    const { bytesPerSecond = DEFAULT_BYTES_PER_SECOND, restMs = REST_MS, keepEveryMs = REST_MS } = options;
    this.scrubs = devices.map((device) => new DeviceScrub(device, { bytesPerSecond, restMs, keepEveryMs }));
  }

  get states(): DeviceScrubState[] {
    return this.scrubs.map((scrub) => scrub.state);
  }

  start(): void {
    if (this.running !== undefined) return;
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    this.running = Promise.all(this.scrubs.map((scrub) => scrub.run(signal)));
  }

  /** Resolves when nothing is under way any more and the positions are kept. */
  async stop(): Promise<void> {
    this.stopping?.abort();
    await this.running;
    this.running = undefined;
  }
}

class DeviceScrub {
  private readonly store: ExtentStore;
  private counts = { passCount: 0, unitCount: 0, sizeBytes: 0, damagedUnitCount: 0, damagedPageCount: 0 };
  private position: UnitKey | undefined;
  private kept: UnitKey | undefined;
  private running = false;

  constructor(
    private readonly device: OwnedDevice,
    private readonly options: Required<DeviceScrubberOptions>,
  ) {
    this.store = device.store;
  }

  get state(): DeviceScrubState {
    const { position, running, counts, options } = this;
    return { deviceId: this.device.deviceId, running, bytesPerSecond: options.bytesPerSecond, position, ...counts };
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.options.bytesPerSecond === 0) return;
    this.running = true;
    let isFirst = true;
    while (await rested(this.options.restMs, signal)) {
      try {
        if (isFirst) this.position = await this.keptPosition();
        isFirst = false;
        await this.pass(signal);
      } catch (error) {
        // A pass that cannot go on says why; the next one begins where this one was.
        log.error('scrub of a device broke off', { deviceId: this.device.deviceId, error: String(error) });
        if (!(error instanceof ExtentStoreError)) break;
      }
    }
    this.running = false;
  }

  private async pass(signal: AbortSignal): Promise<void> {
    const { deviceId } = this.device;
    const { bytesPerSecond, keepEveryMs } = this.options;
    if (this.position === undefined) {
      for (const problem of await this.store.scrubPages({ bytesPerSecond, signal })) {
        this.counts.damagedPageCount += 1;
        log.error('scrub found a damaged page', { deviceId, problem });
      }
    }
    for (let isWhole = false; !isWhole;) {
      if (signal.aborted) return this.keep();
      // In turns, so that the position can be kept between two of them.
      const turn = AbortSignal.any([signal, AbortSignal.timeout(keepEveryMs)]);
      const onUnit = (unit: UnitKey, finding: 'sound' | 'damaged', sizeBytes: number): void => {
        this.note(unit, finding, sizeBytes);
      };
      ({ isWhole } = await this.store.scrub({ after: this.position, bytesPerSecond, signal: turn, onUnit }));
      if (!isWhole) await this.keep();
    }
    this.counts.passCount += 1;
    this.position = undefined;
    await this.keep();
  }

  private note(unit: UnitKey, finding: 'sound' | 'damaged', sizeBytes: number): void {
    this.position = unit;
    this.counts.unitCount += 1;
    this.counts.sizeBytes += sizeBytes;
    if (finding === 'sound') return;
    this.counts.damagedUnitCount += 1;
    log.error('scrub found a damaged unit', { deviceId: this.device.deviceId, ...unit });
  }

  private async catalogue(): Promise<Catalogue | undefined> {
    for await (const name of this.store.catalogueNames())
      if (name.equals(CATALOGUE_NAME)) return this.store.catalogue(name);
    return undefined;
  }

  private async keptPosition(): Promise<UnitKey | undefined> {
    const value = await (await this.catalogue())?.get(POSITION_KEY);
    if (value === undefined) return undefined;
    this.kept = { chunkId: value.toString('hex', 0, 16), unitIndex: value[16] };
    return this.kept;
  }

  /** A device that is full or dead keeps none: the next start begins anew, which costs time alone. */
  private async keep(): Promise<void> {
    const { position } = this;
    if (position?.chunkId === this.kept?.chunkId && position?.unitIndex === this.kept?.unitIndex) return;
    try {
      const catalogue = (await this.catalogue()) ?? (await this.store.createCatalogue(CATALOGUE_NAME));
      if (position === undefined) await catalogue.delete(POSITION_KEY);
      else {
        const value = Buffer.concat([Buffer.from(position.chunkId, 'hex'), Buffer.of(position.unitIndex)]);
        await catalogue.put(POSITION_KEY, value);
      }
      this.kept = position;
    } catch (error) {
      if (!(error instanceof ExtentStoreError)) throw error;
    }
  }
}

/** False when the rest was ended. */
async function rested(restMs: number, signal: AbortSignal): Promise<boolean> {
  await sleep(restMs, undefined, { signal, ref: false }).catch(() => undefined);
  return !signal.aborted;
}
