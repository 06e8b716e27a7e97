import { HoldfastError } from '@holdfast/contracts';
import { eventTurns } from '@holdfast/stdx';
import { asOperatingError, isOutOfTime, isUndone } from './database.js';

/** What a batch of items that each need a lock consists of. */
export interface LockingWork<I, R> {
  /** Items with one name are never in one batch, and at most one of them waits for the lock. */
  lockName(item: I): string;
  /** Milliseconds until the item is refused as late. */
  leftMs(item: I): number;
  readonly late: R;
  /** One result per item in their order; `busy` hands an item back unjudged. With `wait` there is one item. */
  send(items: readonly I[], wait: boolean): Promise<readonly (R | 'busy')[]>;
  /** After a lost answer: what became of each item, undefined where that is not known. */
  resolve(items: readonly I[]): Promise<readonly (R | undefined)[]>;
}

/**
 * A batch gathers for so many turns of the event loop: what was asked for in one turn often comes in two, and a batch costs
 * the database more than its items do.
 */
const GATHER_TURNS = 2;

interface Waiting<I, R> {
  readonly item: I;
  readonly lockName: string;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Batches that only try locks, and a slow lane where an item whose lock is not free waits for it alone. An item whose lock
 * is being waited for here goes straight to the slow lane, behind those before it, so a batch never overtakes them.
 */
export class LockingBatcher<I, R> {
  private queue: Waiting<I, R>[] = [];
  private batchUnderWay = false;
  private gathering = false;
  private contested: Waiting<I, R>[] = [];
  private contestedUnderWay = 0;
  /** How many items of a lock are in the slow lane, waiting or running. */
  private readonly contestedNames = new Map<string, number>();
  private readonly runningNames = new Set<string>();

  constructor(
    private readonly options: { readonly sizeMax: number; readonly slowLanes: number },
    private readonly work: LockingWork<I, R>,
  ) {}

  /** Errors: ServiceUnavailable when the outcome is not known. */
  submit(item: I): Promise<R> {
    return new Promise((resolve, reject) => {
      this.queue.push({ item, lockName: this.work.lockName(item), resolve, reject });
      this.gather();
    });
  }

  private gather(): void {
    if (this.gathering || this.batchUnderWay || this.queue.length === 0) return;
    this.gathering = true;
    void eventTurns(GATHER_TURNS).then(() => {
      this.gathering = false;
      this.pump();
    });
  }

  private pump(): void {
    const batch = this.takeBatch();
    if (batch.length === 0) return;
    this.batchUnderWay = true;
    void this.runBatch(batch);
  }

  private leaveLane(): void {
    this.batchUnderWay = false;
    this.gather();
  }

  private takeBatch(): Waiting<I, R>[] {
    const batch: Waiting<I, R>[] = [];
    const later: Waiting<I, R>[] = [];
    const names = new Set<string>();
    for (const waiting of this.queue) {
      if (this.work.leftMs(waiting.item) <= 0) waiting.resolve(this.work.late);
      else if (this.contestedNames.has(waiting.lockName)) this.contest(waiting);
      else if (batch.length >= this.options.sizeMax || names.has(waiting.lockName)) later.push(waiting);
      else {
        batch.push(waiting);
        names.add(waiting.lockName);
      }
    }
    this.queue = later;
    return batch;
  }

  private async runBatch(batch: readonly Waiting<I, R>[]): Promise<void> {
    try {
      const results = await this.work.send(
        batch.map((waiting) => waiting.item),
        false,
      );
      for (let i = 0; i < batch.length; i++) if (results[i] === 'busy') this.contest(batch[i]);
      this.leaveLane();
      for (let i = 0; i < batch.length; i++) if (results[i] !== 'busy') batch[i].resolve(results[i] as R);
    } catch (error) {
      // One bad item must not fail its neighbours: what was surely undone is tried again one by one.
      const undone = isUndone(error);
      if (undone) for (const waiting of batch) this.contest(waiting);
      this.leaveLane();
      if (!undone) await this.settleUnknown(batch, error);
    }
  }

  private contest(waiting: Waiting<I, R>): void {
    this.contestedNames.set(waiting.lockName, (this.contestedNames.get(waiting.lockName) ?? 0) + 1);
    this.contested.push(waiting);
    this.pumpContested();
  }

  private pumpContested(): void {
    while (this.contestedUnderWay < this.options.slowLanes) {
      const at = this.contested.findIndex((waiting) => !this.runningNames.has(waiting.lockName));
      if (at < 0) return;
      const [waiting] = this.contested.splice(at, 1);
      this.contestedUnderWay += 1;
      this.runningNames.add(waiting.lockName);
      void this.runContested(waiting).finally(() => {
        this.contestedUnderWay -= 1;
        this.runningNames.delete(waiting.lockName);
        const left = (this.contestedNames.get(waiting.lockName) ?? 1) - 1;
        if (left > 0) this.contestedNames.set(waiting.lockName, left);
        else this.contestedNames.delete(waiting.lockName);
        this.pumpContested();
      });
    }
  }

  private async runContested(waiting: Waiting<I, R>): Promise<void> {
    if (this.work.leftMs(waiting.item) <= 0) {
      waiting.resolve(this.work.late);
      return;
    }
    try {
      const [result] = await this.work.send([waiting.item], true);
      waiting.resolve(result as R);
    } catch (error) {
      if (isOutOfTime(error)) waiting.resolve(this.work.late);
      else if (isUndone(error)) waiting.reject(asOperatingError(error));
      else await this.settleUnknown([waiting], error);
    }
  }

  /** The answer was lost on its way: each outcome is looked up, never guessed. */
  private async settleUnknown(batch: readonly Waiting<I, R>[], cause: unknown): Promise<void> {
    const known = await this.work.resolve(batch.map((waiting) => waiting.item)).catch(() => []);
    for (let i = 0; i < batch.length; i++) {
      const result = known[i];
      if (result !== undefined) batch[i].resolve(result);
      else {
        const message = 'The outcome of the write is not known. Try again.';
        batch[i].reject(new HoldfastError('ServiceUnavailable', message, {}, { cause }));
      }
    }
  }
}
