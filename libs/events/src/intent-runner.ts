import { backgroundCall, HoldfastError, type Intent, type IntentHandler } from '@holdfast/contracts';

export interface IntentRunnerSettings {
  /** Intents handled at once. */
  readonly concurrencyMax: number;
  /** Intents that wait for their turn. */
  readonly queueMax: number;
  /** After this an attempt counts as failed and gives its place to the next one. */
  readonly handleTimeoutMs: number;
  /** A failed attempt is reported here; the outbox delivers the intent again. */
  readonly onFailure: (intent: Intent, error: unknown) => void;
}

export const RUNNER_DEFAULTS: IntentRunnerSettings = {
  concurrencyMax: 4,
  queueMax: 1_024,
  handleTimeoutMs: 10 * 60 * 1000,
  onFailure: () => undefined,
};

/**
 * Runs intents with bounded concurrency. An intent that is delivered again while an earlier delivery of it is waiting or
 * running here is dropped: the earlier one does the work.
 */
export class IntentRunner {
  private readonly settings: IntentRunnerSettings;
  private readonly queue: Intent[] = [];
  private readonly known = new Set<bigint>();
  private runningCount = 0;
  private stopped = false;
  private waiters: (() => void)[] = [];

  constructor(
    private readonly handler: IntentHandler,
    settings: Partial<IntentRunnerSettings> = {},
  ) {
    this.settings = { ...RUNNER_DEFAULTS, ...settings };
  }

  /** Takes all of the intents or none. Errors: SlowDown when they do not fit. */
  accept(intents: readonly Intent[]): void {
    const fresh = intents.filter((intent) => !this.known.has(intent.intentId));
    if (this.stopped || this.queue.length + fresh.length > this.settings.queueMax) {
      throw new HoldfastError('SlowDown', 'Too many intents are waiting in this process.');
    }
    for (const intent of fresh) {
      if (this.known.has(intent.intentId)) continue;
      this.known.add(intent.intentId);
      this.queue.push(intent);
    }
    this.pump();
  }

  /** Resolves when less than `queueMax` intents wait. */
  async room(): Promise<void> {
    while (!this.stopped && this.queue.length >= this.settings.queueMax) {
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  /** Takes no more; what runs goes on to its own end. Waiting intents are left to their next delivery. */
  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
    this.known.clear();
    this.tellWaiters();
  }

  private pump(): void {
    while (this.runningCount < this.settings.concurrencyMax) {
      const intent = this.queue.shift();
      if (intent === undefined) return;
      this.runningCount += 1;
      this.tellWaiters();
      void this.run(intent).finally(() => {
        this.runningCount -= 1;
        this.pump();
      });
    }
  }

  private tellWaiters(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter();
  }

  private async run(intent: Intent): Promise<void> {
    const { handleTimeoutMs, onFailure } = this.settings;
    let timer: NodeJS.Timeout | undefined;
    try {
      const tooLate = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new HoldfastError('LateWrite', 'An intent took too long.')), handleTimeoutMs);
        // A process that is done does not stay for an attempt that hangs.
        timer.unref();
      });
      await Promise.race([this.handler.handle(backgroundCall(handleTimeoutMs), intent), tooLate]);
    } catch (error) {
      onFailure(intent, error);
    } finally {
      clearTimeout(timer);
      this.known.delete(intent.intentId);
    }
  }
}
