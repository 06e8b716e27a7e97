import { assert, type Deadline } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';

interface Waiter {
  readonly sizeBytes: number;
  readonly admit: () => void;
}

/**
 * Bytes of memory that a role may have in use at once. What does not fit waits in order of arrival; nobody may wait here
 * while holding bytes of the same budget.
 */
export class ByteBudget {
  private readonly waiters: Waiter[] = [];
  private usedBytes = 0;

  constructor(readonly capacityBytes: number) {
    assert(capacityBytes > 0, 'a budget has a size', { capacityBytes });
  }

  get inUseBytes(): number {
    return this.usedBytes;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.waiters.length;
  }

  /** True when `sizeBytes` are the caller's now; false when it would have to wait. */
  tryTake(sizeBytes: number): boolean {
    if (this.waiters.length > 0 || this.usedBytes + sizeBytes > this.capacityBytes) return false;
    this.usedBytes += sizeBytes;
    return true;
  }

  /** Resolves when `sizeBytes` are the caller's until it gives them back. Errors: SlowDown when there is no room in time. */
  take(sizeBytes: number, deadline: Deadline): Promise<void> {
    assert(sizeBytes <= this.capacityBytes, 'a request fits the budget', { sizeBytes, capacity: this.capacityBytes });
    if (this.tryTake(sizeBytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = {
        sizeBytes,
        admit: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const giveUp = () => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        this.admitWaiters();
        reject(new HoldfastError('SlowDown', 'no buffer became free in time'));
      };
      const timer = setTimeout(giveUp, Math.min(deadline.leftMs(), 0x7fff_ffff));
      this.waiters.push(waiter);
    });
  }

  give(sizeBytes: number): void {
    this.usedBytes -= sizeBytes;
    assert(this.usedBytes >= 0, 'what is given back was taken', { usedBytes: this.usedBytes });
    this.admitWaiters();
  }

  private admitWaiters(): void {
    while (this.waiters.length > 0 && this.usedBytes + this.waiters[0].sizeBytes <= this.capacityBytes) {
      const waiter = this.waiters.shift() as Waiter;
      this.usedBytes += waiter.sizeBytes;
      waiter.admit();
    }
  }
}
