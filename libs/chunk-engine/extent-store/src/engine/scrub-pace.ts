/** Keeps reading in the background slow enough for those who wait for the device. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '@holdfast/stdx';

export interface ScrubPaceOptions {
  /** Reads no faster than this; by default as fast as it can. */
  readonly bytesPerSecond?: number;
  /** Ends the pass soon. */
  readonly signal?: AbortSignal;
}

/** Below this the rest is saved up: a timer is not exact enough to pay for every small unit. */
const REST_MIN_MS = 20;

export class ScrubPace {
  private readonly bytesPerSecond: number;
  private readonly signal: AbortSignal | undefined;
  private earliestMs: number;

  constructor(
    private readonly clock: Clock,
    { bytesPerSecond = Infinity, signal }: ScrubPaceOptions,
  ) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`bytesPerSecond: ${bytesPerSecond}`);
    this.bytesPerSecond = bytesPerSecond;
    this.signal = signal;
    this.earliestMs = clock.monotonicMs();
  }

  get ended(): boolean {
    return this.signal?.aborted === true;
  }

  /** Resolves when more may be read. Time that passed unused is not made up for. */
  async spend(sizeBytes: number): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    this.earliestMs = Math.max(this.earliestMs, nowMs) + (sizeBytes / this.bytesPerSecond) * 1000;
    const restMs = this.earliestMs - nowMs;
    if (restMs < REST_MIN_MS || this.ended) return;
    // An end in the middle of a rest is seen by who asks `ended`.
    await delay(restMs, undefined, { signal: this.signal }).catch(() => undefined);
  }
}
