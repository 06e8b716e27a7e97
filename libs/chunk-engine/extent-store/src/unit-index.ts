/** The live units in memory: by key for look-ups, and their keys in order for listing. */
import { assert } from '@holdfast/stdx';
import { unitRecordBytes, type UnitEntry } from './log-group.js';
import { sortKeyOf } from './unit-header.js';

const RUN_MAX = 512;

export class UnitIndex {
  private readonly entries = new Map<string, UnitEntry>();
  private readonly keys = new SortedKeys();
  private recordBytes = 0;

  get size(): number {
    return this.entries.size;
  }

  /** Bytes that the records of all live units take in a log. */
  get liveRecordBytes(): number {
    return this.recordBytes;
  }

  get(key: string): UnitEntry | undefined {
    return this.entries.get(key);
  }

  add(entry: UnitEntry): void {
    const key = sortKeyOf(entry.header);
    assert(!this.entries.has(key), 'A unit is recorded once', { key });
    this.entries.set(key, entry);
    this.keys.add(key);
    this.recordBytes += unitRecordBytes(entry);
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    assert(entry !== undefined, 'A freed unit is there', { key });
    this.entries.delete(key);
    this.keys.delete(key);
    this.recordBytes -= unitRecordBytes(entry);
  }

  /** In no particular order. */
  values(): Iterable<UnitEntry> {
    return this.entries.values();
  }

  /** By key, beginning after `after`. */
  *inOrder(after = ''): Generator<UnitEntry> {
    for (const key of this.keys.after(after)) {
      const entry = this.entries.get(key);
      assert(entry !== undefined, 'A listed key has an entry', { key });
      yield entry;
    }
  }
}

/** Strings in order, in runs of at most 512: adding moves one run, not the whole. */
class SortedKeys {
  private readonly runs: string[][] = [];

  add(key: string): void {
    if (this.runs.length === 0) this.runs.push([]);
    const runIndex = this.runOf(key);
    const run = this.runs[runIndex];
    run.splice(firstNotBelow(run, key), 0, key);
    if (run.length > RUN_MAX) this.runs.splice(runIndex + 1, 0, run.splice(RUN_MAX / 2));
  }

  delete(key: string): void {
    const runIndex = this.runOf(key);
    const run = this.runs[runIndex];
    const index = firstNotBelow(run, key);
    assert(run[index] === key, 'A deleted key is there', { key });
    run.splice(index, 1);
    if (run.length === 0) this.runs.splice(runIndex, 1);
  }

  *after(key: string): Generator<string> {
    if (this.runs.length === 0) return;
    const first = this.runOf(key);
    for (let runIndex = first; runIndex < this.runs.length; runIndex += 1) {
      const run = this.runs[runIndex];
      let index = runIndex === first ? firstNotBelow(run, key) : 0;
      if (run[index] === key) index += 1;
      for (; index < run.length; index += 1) yield run[index];
    }
  }

  /** The last run that begins at or before the key. */
  private runOf(key: string): number {
    let low = 0;
    let high = this.runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.runs[middle][0] <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function firstNotBelow(run: readonly string[], key: string): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (run[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
