interface Waiting<I, R> {
  readonly item: I;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * While one query is under way the next one collects; it leaves when a lane is free. No timer: an item that finds a free lane
 * waits only for those that arrived in the same turn of the event loop, so that what came together leaves together. `send` answers one result per item in their order; when it throws, every item of the batch gets the error.
 */
export class Batcher<I, R> {
  private queue: Waiting<I, R>[] = [];
  private underWay = 0;
  private gathering = false;

  constructor(
    private readonly options: { readonly sizeMax: number; readonly lanes: number },
    private readonly send: (items: readonly I[]) => Promise<readonly R[]>,
  ) {}

  submit(item: I): Promise<R> {
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject });
      this.gather();
    });
  }

  private gather(): void {
    if (this.gathering || this.underWay >= this.options.lanes) return;
    this.gathering = true;
    setImmediate(() => {
      this.gathering = false;
      this.pump();
    });
  }

  private pump(): void {
    while (this.underWay < this.options.lanes && this.queue.length > 0) {
      const batch = this.queue.slice(0, this.options.sizeMax);
      this.queue = this.queue.slice(batch.length);
      this.underWay += 1;
      void this.run(batch);
    }
  }

  private async run(batch: readonly Waiting<I, R>[]): Promise<void> {
    try {
      const results = await this.send(batch.map((waiting) => waiting.item));
      this.leaveLane();
      for (let i = 0; i < batch.length; i++) batch[i].resolve(results[i]);
    } catch (error) {
      this.leaveLane();
      for (const waiting of batch) waiting.reject(error);
    }
  }

  /** The next batch leaves before the answers of this one are worked on: the database is never idle for their sake. */
  private leaveLane(): void {
    this.underWay -= 1;
    this.pump();
  }
}
