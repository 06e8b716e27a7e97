import { HoldfastError } from '@holdfast/contracts';
import type { Clock } from '@holdfast/stdx';

interface Failures {
  readonly sinceMs: number;
  count: number;
}

/** Names that are counted at a time. */
const NAMES_MAX = 10_000;

/**
 * Counts wrong secrets by the name that was tried, known or not, so that the limit tells nothing about who exists. After
 * `failuresMax` within `windowMs` every try of that name is refused until the window ends: the right secret too, or a
 * refusal would tell that it was wrong.
 * A flood of other names wipes no counter that matters: where there is no room, the one with the fewest failures makes it, and
 * one at its limit never does. With all of them at their limit a name that is not counted yet is refused.
 */
export class FailureLimiter {
  /** In the order in which their windows began. */
  private readonly failures = new Map<string, Failures>();
  constructor(
    private readonly clock: Clock,
    private readonly failuresMax: number,
    private readonly windowMs: number,
  ) {}

  /** Errors: SlowDown. */
  refuseWhenExceeded(name: string): void {
    const failures = this.current(name);
    const isExceeded = failures === undefined ? !this.hasRoom() : failures.count >= this.failuresMax;
    if (isExceeded) throw new HoldfastError('SlowDown', 'Too many attempts with wrong credentials. Try again later.');
  }

  recordFailure(name: string): void {
    const failures = this.current(name);
    if (failures !== undefined) {
      failures.count += 1;
      return;
    }
    this.failures.delete(name);
    if (this.failures.size >= NAMES_MAX) {
      const weakest = this.weakest();
      if (weakest === undefined) return;
      this.failures.delete(weakest);
    }
    this.failures.set(name, { sinceMs: this.clock.monotonicMs(), count: 1 });
  }

  recordSuccess(name: string): void {
    this.failures.delete(name);
  }

  private current(name: string): Failures | undefined {
    const failures = this.failures.get(name);
    return failures !== undefined && this.isOver(failures) ? undefined : failures;
  }

  private isOver({ sinceMs }: Failures): boolean {
    return this.clock.monotonicMs() - sinceMs >= this.windowMs;
  }

  private hasRoom(): boolean {
    return this.failures.size < NAMES_MAX || this.weakest() !== undefined;
  }

  /** The name whose window is over, or that failed least; of several the oldest. Undefined when all are at their limit. */
  private weakest(): string | undefined {
    let weakest: string | undefined;
    let fewest = this.failuresMax;
    for (const [name, failures] of this.failures) {
      const count = this.isOver(failures) ? 0 : failures.count;
      if (count < fewest) {
        weakest = name;
        fewest = count;
      }
      // None after it failed less: every failure is counted, and windows that are over come first.
      if (fewest <= 1) break;
    }
    return weakest;
  }
}
