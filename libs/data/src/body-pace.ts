import { KIB, systemClock, type Clock } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';

export interface BodyPaceOptions {
  /** A body slower than this loses its buffer once others wait for one. */
  readonly bytesPerSecondMin?: number;
  /** So long a body may take its time before its pace is judged. */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** A buffer that is being filled from a client's body. */
export interface Filling {
  receivedBytes: number;
  readonly startedAtMs: number;
  /** Rejects (RequestTimeout) when the body was too slow. */
  readonly tooSlow: Promise<never>;
  readonly giveUp: (error: HoldfastError) => void;
}

const LOOK_EVERY_MS = 1000;

/**
 * Keeps slow clients from holding all buffers: while someone waits for a buffer, a body that fills its own below the minimum
 * rate is ended. Nobody is judged while buffers are free. One timer for all bodies, and none when there is no body.
 */
export class BodyPace {
  private readonly fillings = new Set<Filling>();
  private readonly bytesPerSecondMin: number;
  private readonly graceMs: number;
  private readonly clock: Clock;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly waiting: () => number,
    options: BodyPaceOptions = {},
  ) {
    this.bytesPerSecondMin = options.bytesPerSecondMin ?? 64 * KIB;
    this.graceMs = options.graceMs ?? 10_000;
    this.clock = options.clock ?? systemClock;
  }

  begin(): Filling {
    let giveUp: (error: HoldfastError) => void = () => undefined;
    const tooSlow = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    tooSlow.catch(() => undefined);
    const filling = { receivedBytes: 0, startedAtMs: this.clock.monotonicMs(), tooSlow, giveUp };
    this.fillings.add(filling);
    this.timer ??= setInterval(() => this.judge(), LOOK_EVERY_MS).unref();
    return filling;
  }

  end(filling: Filling): void {
    this.fillings.delete(filling);
    if (this.fillings.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Public so that a test need not wait for the timer. */
  judge(): void {
    if (this.waiting() === 0) return;
    const nowMs = this.clock.monotonicMs();
    for (const filling of this.fillings) {
      const ageMs = nowMs - filling.startedAtMs;
      const tooFew = filling.receivedBytes * 1000 < this.bytesPerSecondMin * ageMs;
      if (ageMs > this.graceMs && tooFew) filling.giveUp(new HoldfastError('RequestTimeout'));
    }
  }
}
