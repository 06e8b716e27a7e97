/**
 * Lets one thing end at a time, and the seed chooses which: every call of the device, every turn of the engine and of its
 * clients waits here, and when nothing else can go on one of those that wait does. Some are held back until nearly all others
 * have gone: a read that takes very long, while checkpoints come and go.
 */
import { setImmediate } from 'node:timers';

interface Waiting {
  readonly resolve: () => void;
  readonly isHeld: boolean;
}

const HELD_SHARE = 0.15;
const RELEASE_SHARE = 0.01;

export class SeededScheduler {
  /** Most that waited at once. */
  waitingMax = 0;
  private readonly waiting: Waiting[] = [];
  private isRunning = false;

  constructor(private readonly random: () => number) {}

  /** Resolves when it is the turn of this one. */
  readonly turn = (): Promise<void> =>
    new Promise((resolve) => {
      this.waiting.push({ resolve, isHeld: this.random() < HELD_SHARE });
      this.waitingMax = Math.max(this.waitingMax, this.waiting.length);
      this.run();
    });

  /** All that can go on without a turn does so before the next one is given. */
  private run(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    setImmediate(() => {
      this.isRunning = false;
      this.next()?.resolve();
      if (this.waiting.length > 0) this.run();
    });
  }

  private next(): Waiting | undefined {
    const free = this.waiting.filter(({ isHeld }) => !isHeld);
    const from = free.length > 0 && this.random() >= RELEASE_SHARE ? free : this.waiting;
    const chosen = from[Math.floor(this.random() * from.length)];
    this.waiting.splice(this.waiting.indexOf(chosen), 1);
    return chosen;
  }
}
