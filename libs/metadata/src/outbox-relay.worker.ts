import { backgroundCall, type IntentBus } from '@holdfast/contracts';
import type { OutboxSource } from './outbox-source.js';

export interface OutboxRelaySettings {
  /** Rows taken at once. */
  readonly batchMax: number;
  /** How often the table is looked at when nobody wakes the relay. */
  readonly pollMs: number;
  /** Bounds a hand-over; the bus has a bound of its own that should be lower. */
  readonly publishTimeoutMs: number;
  /** First pause of rows that could not be handed over; doubled with each failure in a row … */
  readonly backoffMs: number;
  /** … up to this. */
  readonly backoffMsMax: number;
  readonly onError: (error: unknown) => void;
}

const DEFAULTS: OutboxRelaySettings = {
  batchMax: 64,
  pollMs: 1_000,
  publishTimeoutMs: 10_000,
  backoffMs: 250,
  backoffMsMax: 5_000,
  onError: () => undefined,
};

/** What the relay is at: for the status page. */
export interface OutboxRelayStatus {
  readonly state: 'stopped' | 'idle' | 'publishing' | 'backing-off';
  readonly publishedCount: number;
  readonly failuresInARow: number;
  readonly lastError?: string;
}

/**
 * Takes due rows of the outbox and hands them to the bus. A row stays in the table until its effect is confirmed there, so
 * whatever is lost on the way comes again. Several relays on one database share the rows.
 */
export class OutboxRelay {
  private readonly settings: OutboxRelaySettings;
  private timer: NodeJS.Timeout | undefined;
  private unsubscribe: () => void = () => undefined;
  private draining: Promise<void> | undefined;
  private wokenWhileDraining = false;
  private stopped = true;
  private publishedCount = 0;
  private failuresInARow = 0;
  private lastError: string | undefined;
  private notBeforeMs = 0;

  constructor(
    private readonly source: OutboxSource,
    private readonly bus: IntentBus,
    settings: Partial<OutboxRelaySettings> = {},
  ) {
    this.settings = { ...DEFAULTS, ...settings };
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.unsubscribe = this.source.onOutboxWritten(() => this.wake());
    this.timer = setInterval(() => this.wake(), this.settings.pollMs);
    this.timer.unref();
    this.wake();
  }

  /** Resolves when the hand-over under way is done. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.unsubscribe();
    clearInterval(this.timer);
    await this.draining;
  }

  status(): OutboxRelayStatus {
    const backingOff = performance.now() < this.notBeforeMs;
    const state = this.stopped
      ? 'stopped'
      : backingOff
        ? 'backing-off'
        : this.draining !== undefined
          ? 'publishing'
          : 'idle';
    return {
      state,
      publishedCount: this.publishedCount,
      failuresInARow: this.failuresInARow,
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    };
  }

  private wake(): void {
    if (this.stopped || performance.now() < this.notBeforeMs) return;
    if (this.draining !== undefined) {
      this.wokenWhileDraining = true;
      return;
    }
    this.draining = this.drain().finally(() => {
      this.draining = undefined;
      if (this.wokenWhileDraining) {
        this.wokenWhileDraining = false;
        this.wake();
      }
    });
  }

  /** Until nothing is due, or a hand-over fails. Never rejects. */
  private async drain(): Promise<void> {
    try {
      for (;;) {
        if (this.stopped) return;
        const claimed = await this.source.claimIntents(this.settings.batchMax);
        if (claimed.length === 0) return;
        try {
          await this.publishInTime(claimed.map((one) => one.intent));
        } catch (error) {
          this.failed(error);
          await this.source.releaseIntents(claimed, this.backoffMs());
          return;
        }
        this.publishedCount += claimed.length;
        this.failuresInARow = 0;
        if (claimed.length < this.settings.batchMax) return;
      }
    } catch (error) {
      // The database does not answer: claims lapse by themselves.
      this.failed(error);
    }
  }

  private async publishInTime(intents: Parameters<IntentBus['publish']>[1]): Promise<void> {
    const { publishTimeoutMs } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`The bus took longer than ${publishTimeoutMs} ms.`)), publishTimeoutMs);
    });
    try {
      await Promise.race([this.bus.publish(backgroundCall(publishTimeoutMs), intents), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  private failed(error: unknown): void {
    this.failuresInARow += 1;
    this.lastError = error instanceof Error ? error.message : String(error);
    this.notBeforeMs = performance.now() + this.backoffMs();
    this.settings.onError(error);
  }

  private backoffMs(): number {
    const { backoffMs, backoffMsMax } = this.settings;
    return Math.min(backoffMs * 2 ** Math.min(Math.max(0, this.failuresInARow - 1), 16), backoffMsMax);
  }
}
