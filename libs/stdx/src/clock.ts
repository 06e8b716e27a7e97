/** Time enters through this port: wall time for people, monotonic time for deadlines. */
export abstract class Clock {
  /** Milliseconds since the Unix epoch. Display and signatures only; it may jump. */
  abstract nowMs(): number;
  /** Milliseconds of a clock that never goes back; its zero means nothing. */
  abstract monotonicMs(): number;
}

export class SystemClock extends Clock {
  override nowMs(): number {
    return Date.now();
  }
  override monotonicMs(): number {
    return performance.now();
  }
}

/** A clock that a test moves. */
export class ManualClock extends Clock {
  private wallMs: number;
  private tickMs = 0;
  constructor(startMs = 1_700_000_000_000) {
    super();
    this.wallMs = startMs;
  }
  advance(milliseconds: number): void {
    this.wallMs += milliseconds;
    this.tickMs += milliseconds;
  }
  override nowMs(): number {
    return this.wallMs;
  }
  override monotonicMs(): number {
    return this.tickMs;
  }
}

/** The moment after which an answer is of no use to anyone. Travels between processes as milliseconds left. */
export class Deadline {
  private constructor(
    private readonly clock: Clock,
    private readonly atMonotonicMs: number,
  ) {}
  static in(milliseconds: number, clock: Clock = systemClock): Deadline {
    return new Deadline(clock, clock.monotonicMs() + milliseconds);
  }
  /** Milliseconds left, never below zero. */
  leftMs(): number {
    return Math.max(0, this.atMonotonicMs - this.clock.monotonicMs());
  }
  get passed(): boolean {
    return this.leftMs() <= 0;
  }
}

export const systemClock: Clock = new SystemClock();
