/** Repeats one tidy job with a pause between two runs; a failed run is tried again after the pause. */
export class HousekeepingWorker {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly job: () => Promise<unknown>,
    private readonly pauseMs: number,
  ) {}

  start(): void {
    if (this.pauseMs > 0) this.plan();
  }

  private plan(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.job().then(
        () => this.plan(),
        () => this.plan(),
      );
    }, this.pauseMs);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }
}
