/** A read that another source could help when it takes long. */
export interface WatchedRead {
  /** Called at most once. */
  onSlow(): void;
  /** Tick of the watch at which it began; the watch's own. */
  watchedSince: number;
}

const TICK_MS = 50;
const IDLE_TICKS_MAX = 100;

/** Tells reads that they are slow: one timer for all of them, so that a read that is not costs a set entry. */
export class SlowReadWatch {
  private readonly reads = new Set<WatchedRead>();
  private readonly slowTicks: number;
  private timer: NodeJS.Timeout | undefined;
  private tick = 0;
  private idleTicks = 0;

  constructor(hedgeAfterMs = 150) {
    this.slowTicks = Math.ceil(hedgeAfterMs / TICK_MS);
  }

  watch(read: WatchedRead): void {
    read.watchedSince = this.tick;
    this.reads.add(read);
    this.timer ??= setInterval(() => this.look(), TICK_MS).unref();
  }

  unwatch(read: WatchedRead): void {
    this.reads.delete(read);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private look(): void {
    this.tick += 1;
    this.idleTicks = this.reads.size === 0 ? this.idleTicks + 1 : 0;
    if (this.idleTicks > IDLE_TICKS_MAX) {
      this.idleTicks = 0;
      return this.stop();
    }
    // In order of beginning: the first young one ends the look.
    for (const read of this.reads) {
      if (this.tick - read.watchedSince <= this.slowTicks) break;
      this.reads.delete(read);
      read.onSlow();
    }
  }
}
