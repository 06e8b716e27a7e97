import { HoldfastError } from '@holdfast/contracts';
import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from './bounded-map.js';

interface Failures {
  readonly sinceMs: number;
  readonly count: number;
}

/**
 * Counts wrong secrets by the name that was tried, known or not, so that the limit tells nothing about who exists. After
 * `failuresMax` within `windowMs` every try of that name is refused until the window ends: the right secret too, or a
 * refusal would tell that it was wrong.
 */
export class FailureLimiter {
  private readonly failures = new BoundedMap<string, Failures>(10_000);
  constructor(
    private readonly clock: Clock,
    private readonly failuresMax: number,
    private readonly windowMs: number,
  ) {}

  /** Errors: SlowDown. */
  refuseWhenExceeded(name: string): void {
    if ((this.current(name)?.count ?? 0) >= this.failuresMax) {
      throw new HoldfastError('SlowDown', 'Too many attempts with wrong credentials. Try again later.');
    }
  }

  recordFailure(name: string): void {
    const { sinceMs, count } = this.current(name) ?? { sinceMs: this.clock.monotonicMs(), count: 0 };
    this.failures.set(name, { sinceMs, count: count + 1 });
  }

  recordSuccess(name: string): void {
    this.failures.delete(name);
  }

  private current(name: string): Failures | undefined {
    const failures = this.failures.get(name);
    const over = failures !== undefined && this.clock.monotonicMs() - failures.sinceMs >= this.windowMs;
    return over ? undefined : failures;
  }
}
