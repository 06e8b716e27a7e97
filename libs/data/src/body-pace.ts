import { KIB, systemClock, type Clock } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';

export interface BodyPaceOptions {
  /** A body slower than this is ended once others wait for a buffer. */
  readonly bytesPerSecondMin?: number;
  /** So long a body may take its time before its pace is judged. */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** What a body has brought in fills that were cut short, and how long that took. */
export interface Progress {
  readonly ms: number;
  readonly bytes: number;
}

/** A buffer that is being filled from a client's body. */
export interface Filling {
  receivedBytes: number;
  readonly wantedBytes: number;
  readonly startedAtMs: number;
  readonly before: Progress;
  /** Resolves when others need the buffer sooner than it will be full; rejects (RequestTimeout) when the body was too slow. */
  readonly interruption: Promise<'needed'>;
  readonly makeRoom: () => void;
  readonly giveUp: (error: HoldfastError) => void;
}

const LOOK_EVERY_MS = 1000;
/** A buffer that would not be full for so long is needed more by those who wait; nobody is asked for his before some time. */
const PATIENCE_MS = 2000;
const UNDISTURBED_MS = 500;
/** Slow clients that were met are expected to go on for so long. */
const REMEMBERED_MS = 10_000;

/**
 * Keeps slow clients from holding all buffers: while someone waits for a buffer, a body that is slow to fill its own makes do
 * with what is in it, and one below the minimum rate is ended. Nobody is judged while buffers are free. One timer for all
 * bodies, and none when there is no body.
 */
export class BodyPace {
  private readonly fillings = new Set<Filling>();
  private readonly bytesPerSecondMin: number;
  private readonly graceMs: number;
  private readonly clock: Clock;
  private timer: NodeJS.Timeout | undefined;
  private madeRoomAtMs = -Infinity;

  constructor(
    private readonly waiting: () => number,
    options: BodyPaceOptions = {},
  ) {
    this.bytesPerSecondMin = options.bytesPerSecondMin ?? 64 * KIB;
    this.graceMs = options.graceMs ?? 10_000;
    this.clock = options.clock ?? systemClock;
  }

  /** @param before of the same body, when its last buffer was needed by others */
  begin(wantedBytes: number, before: Progress): Filling {
    const { promise, resolve, reject } = Promise.withResolvers<'needed'>();
    promise.catch(() => undefined);
    const filling: Filling = {
      receivedBytes: 0,
      wantedBytes,
      startedAtMs: this.clock.monotonicMs(),
      before,
      interruption: promise,
      makeRoom: () => resolve('needed'),
      giveUp: reject,
    };
    this.fillings.add(filling);
    this.timer ??= setInterval(() => this.judge(), LOOK_EVERY_MS).unref();
    return filling;
  }

  /** Returns what the body has brought, this fill included. */
  end(filling: Filling): Progress {
    this.fillings.delete(filling);
    if (this.fillings.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    return progressOf(filling, this.clock.monotonicMs());
  }

  /** A body was slow lately while others waited: the next one may be. */
  get metSlowBodies(): boolean {
    return this.clock.monotonicMs() - this.madeRoomAtMs < REMEMBERED_MS;
  }

  private askForRoom(filling: Filling, nowMs: number): void {
    this.madeRoomAtMs = nowMs;
    filling.makeRoom();
  }

  /** Public so that a test need not wait for the timer. */
  judge(): void {
    if (this.waiting() === 0) return;
    const nowMs = this.clock.monotonicMs();
    for (const filling of this.fillings) {
      const { ms, bytes } = progressOf(filling, nowMs);
      const ageMs = nowMs - filling.startedAtMs;
      const missingBytes = filling.wantedBytes - filling.receivedBytes;
      if (ms > this.graceMs && bytes * 1000 < this.bytesPerSecondMin * ms)
        filling.giveUp(new HoldfastError('RequestTimeout'));
      else if (ageMs >= UNDISTURBED_MS && missingBytes * ageMs > filling.receivedBytes * PATIENCE_MS)
        this.askForRoom(filling, nowMs);
    }
  }
}

function progressOf({ before, receivedBytes, startedAtMs }: Filling, nowMs: number): Progress {
  return { ms: before.ms + nowMs - startedAtMs, bytes: before.bytes + receivedBytes };
}
