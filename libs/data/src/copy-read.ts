import { HoldfastError, type LentUnit } from '@holdfast/contracts';
import type { WatchedRead } from './slow-read-watch.js';
import type { UnitSource } from './unit-source.js';

let turn = 0;

/** The next copy to begin with: reads of small chunks spread over their copies. */
function nextTurn(copies: number): number {
  turn = (turn + 1) & 0xffff;
  return turn % copies;
}

/** Bytes of a chunk that is kept as copies: one is asked, the next when it fails or is slow. */
export class CopyRead implements WatchedRead {
  watchedSince = 0;
  private readonly copies: number;
  private readonly first: number;
  private begun = 0;
  private pending = 0;
  private settled = false;
  private resolve: (unit: LentUnit) => void = () => undefined;
  private reject: (error: HoldfastError) => void = () => undefined;

  constructor(
    private readonly source: UnitSource,
    private readonly offset: number,
    private readonly length: number,
  ) {
    const { k, m } = source.chunk.layout;
    this.copies = k + m;
    this.first = this.firstCopy();
  }

  /** The bytes, lent. Errors: DataUnreadable. */
  run(): Promise<LentUnit> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.source.slowReads.watch(this);
      this.ask();
    });
  }

  onSlow(): void {
    if (this.begun >= this.copies) return;
    this.ask();
    this.source.slowReads.watch(this);
  }

  private firstCopy(): number {
    const start = nextTurn(this.copies);
    for (let step = 0; step < this.copies; step += 1) {
      const index = (start + step) % this.copies;
      if (this.source.isPromising(index)) return index;
    }
    return start;
  }

  private ask(): void {
    const index = (this.first + this.begun) % this.copies;
    this.begun += 1;
    this.pending += 1;
    void this.source.read(index, this.offset, this.length).then((unit) => this.answered(unit));
  }

  private answered(unit: LentUnit | undefined): void {
    this.pending -= 1;
    // Another copy was faster.
    if (this.settled) return unit?.release();
    if (unit === undefined && this.begun < this.copies) return this.ask();
    if (unit === undefined && this.pending > 0) return;
    this.settled = true;
    this.source.slowReads.unwatch(this);
    if (unit !== undefined) this.resolve(unit);
    else this.reject(new HoldfastError('DataUnreadable', undefined, { chunkId: this.source.chunk.layout.chunkId }));
  }
}
