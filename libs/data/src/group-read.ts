import { HoldfastError, type LentUnit } from '@holdfast/contracts';
import { storedUnitSize, unitSizeFor } from '@holdfast/erasure';
import { codeFor } from './erasure-codes.js';
import type { LentBuffers } from './lent-buffers.js';
import type { WatchedRead } from './slow-read-watch.js';
import type { UnitSource } from './unit-source.js';

/** Bytes of one unit, counted from its beginning. */
interface Slice {
  readonly start: number;
  readonly end: number;
}

/** What is known of one unit of the group. */
interface UnitState {
  /** Bytes asked for last. */
  slice: Slice | undefined;
  bytes: Buffer | undefined;
  pending: boolean;
  /** Pending for so long that it is not counted on. */
  slow: boolean;
  failed: boolean;
}

/**
 * Bytes `first`..`last` of a chunk of k data units. The data units that hold them are read in parallel, only the bytes asked
 * for. When one is missing, damaged or slow, the same columns of enough other units are read and the missing ones computed.
 */
export class GroupRead implements WatchedRead {
  watchedSince = 0;
  private readonly k: number;
  private readonly unitCount: number;
  private readonly unitBytes: number;
  private readonly firstUnit: number;
  private readonly lastUnit: number;
  private readonly states: UnitState[];
  /** Set once other units have to help: the bytes of every unit that are needed to compute the missing ones. */
  private columns: Slice | undefined;
  /** All that was read, also what an answer is computed of: given back together with it. */
  private readonly lent: LentUnit[] = [];
  private settled = false;
  private resolve: (read: LentBuffers) => void = () => undefined;
  private reject: (error: HoldfastError) => void = () => undefined;

  constructor(
    private readonly source: UnitSource,
    private readonly first: number,
    private readonly last: number,
  ) {
    const { k, m } = source.chunk.layout;
    this.k = k;
    this.unitCount = k + m;
    this.unitBytes = unitSizeFor(source.chunk.sizeBytes, k);
    this.firstUnit = Math.floor(first / this.unitBytes);
    this.lastUnit = Math.floor(last / this.unitBytes);
    this.states = Array.from({ length: this.unitCount }, () => ({
      slice: undefined,
      bytes: undefined,
      pending: false,
      slow: false,
      failed: false,
    }));
  }

  /** One buffer per unit. Errors: DataUnreadable. */
  run(): Promise<LentBuffers> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      this.source.slowReads.watch(this);
      let allPromising = true;
      for (let unit = this.firstUnit; unit <= this.lastUnit; unit += 1) {
        if (this.source.isPromising(unit)) this.ask(unit, this.wanted(unit));
        else allPromising = false;
      }
      if (!allPromising) this.askForHelp();
    });
  }

  onSlow(): void {
    for (const state of this.states) state.slow = state.pending;
    this.askForHelp();
    if (!this.settled) this.source.slowReads.watch(this);
  }

  /** The bytes of a data unit that were asked for. */
  private wanted(unit: number): Slice {
    const start = unit === this.firstUnit ? this.first - unit * this.unitBytes : 0;
    const end = unit === this.lastUnit ? this.last - unit * this.unitBytes + 1 : this.unitBytes;
    return { start, end };
  }

  private storedBytes(unit: number): number {
    return storedUnitSize(this.source.chunk.sizeBytes, this.k, unit);
  }

  private ask(unit: number, slice: Slice): void {
    const state = this.states[unit];
    const storedBytes = this.storedBytes(unit);
    const start = Math.min(slice.start, storedBytes);
    const length = Math.min(slice.end, storedBytes) - start;
    state.slice = slice;
    state.bytes = undefined;
    if (length === 0) {
      // Beyond its stored bytes a unit is zeros by definition.
      state.bytes = Buffer.alloc(0);
      return;
    }
    state.pending = true;
    state.slow = false;
    void this.source.read(unit, start, length).then((found) => this.answered(unit, slice, found));
  }

  private answered(unit: number, slice: Slice, found: LentUnit | undefined): void {
    const state = this.states[unit];
    // Late, or of another question than the last one.
    if (this.settled || state.slice !== slice) return found?.release();
    if (found !== undefined) this.lent.push(found);
    state.pending = false;
    state.bytes = found?.bytes;
    state.failed = found === undefined;
    if (this.finishIfDone()) return;
    if (state.failed || this.columns !== undefined) this.askForHelp();
  }

  /** Resolves when the units asked for are there, or enough others to compute them. */
  private finishIfDone(): boolean {
    const buffers: Buffer[] = [];
    for (let unit = this.firstUnit; unit <= this.lastUnit; unit += 1) {
      const cut = this.cut(unit);
      if (cut !== undefined) buffers.push(cut);
    }
    const complete = buffers.length === this.lastUnit - this.firstUnit + 1;
    const computed = complete ? buffers : this.compute();
    if (computed === undefined) return false;
    this.settle();
    this.resolve({ buffers: computed, release: () => this.releaseAll() });
    return true;
  }

  /** What was asked for of a data unit, when it was read. */
  private cut(unit: number): Buffer | undefined {
    const { bytes, slice } = this.states[unit];
    if (bytes === undefined || slice === undefined) return undefined;
    const wanted = this.wanted(unit);
    return bytes.subarray(wanted.start - slice.start, wanted.end - slice.start);
  }

  private compute(): Buffer[] | undefined {
    const columns = this.columns;
    if (columns === undefined) return undefined;
    const units = this.states.map((state) => (this.covers(state, columns) ? state.bytes : undefined));
    if (units.filter((unit) => unit !== undefined).length < this.k) return undefined;
    const missing: number[] = [];
    for (let unit = this.firstUnit; unit <= this.lastUnit; unit += 1) if (units[unit] === undefined) missing.push(unit);
    const { m } = this.source.chunk.layout;
    const rebuilt = codeFor(this.k, m).rebuild(units, columns.end - columns.start, missing);
    const buffers: Buffer[] = [];
    for (let unit = this.firstUnit; unit <= this.lastUnit; unit += 1) {
      const wanted = this.wanted(unit);
      const bytes = rebuilt[missing.indexOf(unit)] ?? (units[unit] as Buffer);
      buffers.push(bytes.subarray(wanted.start - columns.start, wanted.end - columns.start));
    }
    return buffers;
  }

  private covers({ bytes, slice }: UnitState, columns: Slice): boolean {
    return bytes !== undefined && slice !== undefined && slice.start === columns.start && slice.end >= columns.end;
  }

  /**
   * Sees to it that k units with all columns are there or on their way, not counting slow ones. Rejects when no unit is left
   * to ask and nothing is on its way.
   */
  private askForHelp(): void {
    if (this.settled) return;
    this.columns ??= this.neededColumns();
    const columns = this.columns;
    let coming = 0;
    for (const state of this.states) {
      const { slice, pending, slow } = state;
      const isOnItsWay = pending && !slow && slice?.start === columns.start && slice.end >= columns.end;
      if (isOnItsWay || this.covers(state, columns)) coming += 1;
    }
    for (const unit of this.helpers()) {
      if (coming >= this.k) break;
      this.ask(unit, columns);
      coming += 1;
    }
    if (this.finishIfDone() || this.states.some((state) => state.pending)) return;
    this.settle();
    this.releaseAll();
    this.reject(new HoldfastError('DataUnreadable', undefined, { chunkId: this.source.chunk.layout.chunkId }));
  }

  /** The union of what was asked for over the units: parity is computed by columns. */
  private neededColumns(): Slice {
    let start = this.unitBytes;
    let end = 0;
    for (let unit = this.firstUnit; unit <= this.lastUnit; unit += 1) {
      const wanted = this.wanted(unit);
      start = Math.min(start, wanted.start);
      end = Math.max(end, wanted.end);
    }
    return { start, end };
  }

  /** Units that can still be asked for the columns: those not asked yet, promising ones first, then those read in part. */
  private helpers(): number[] {
    const columns = this.columns as Slice;
    const askable = (unit: number) => {
      const state = this.states[unit];
      return !state.failed && !state.pending && !this.covers(state, columns);
    };
    const units = this.states.map((_, unit) => unit).filter(askable);
    const rank = (unit: number) => (this.source.isPromising(unit) ? 0 : this.unitCount) + unit;
    return units.sort((a, b) => rank(a) - rank(b));
  }

  private releaseAll(): void {
    for (const unit of this.lent.splice(0)) unit.release();
  }

  private settle(): void {
    this.settled = true;
    this.source.slowReads.unwatch(this);
  }
}
