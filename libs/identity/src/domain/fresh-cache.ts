import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from './bounded-map.js';

interface Entry<V> {
  readonly value: V | undefined;
  /** When the load began, not when it ended: the answer may be as old as the question. */
  readonly asOfMs: number;
}

/**
 * Remembers what `load` found for a key, and that it found nothing, for `lifetimeMs` and no longer. Concurrent questions for
 * one key share one load. A failed load is not remembered.
 */
export class FreshCache<V> {
  private readonly found: BoundedMap<string, Entry<V>>;
  /** Apart from `found`, so that guesses do not push out what exists. */
  private readonly absent: BoundedMap<string, Entry<V>>;
  private readonly loading = new Map<string, Promise<V | undefined>>();
  private generation = 0;

  constructor(
    private readonly clock: Clock,
    private readonly lifetimeMs: number,
    entriesMax: number,
    private readonly load: (key: string) => Promise<V | undefined>,
  ) {
    this.found = new BoundedMap(entriesMax);
    this.absent = new BoundedMap(entriesMax);
  }

  /** The remembered value while it is fresh; undefined says only that `get` has to be asked. */
  peek(key: string): V | undefined {
    const entry = this.found.get(key);
    return entry !== undefined && this.isFresh(entry) ? entry.value : undefined;
  }

  async get(key: string): Promise<V | undefined> {
    const entry = this.found.get(key) ?? this.absent.get(key);
    if (entry !== undefined && this.isFresh(entry)) return entry.value;
    return this.loading.get(key) ?? this.begin(key);
  }

  /** Forgets everything: also what is being loaded now will not be remembered, nor given to who asks from now on. */
  clear(): void {
    this.generation++;
    this.found.clear();
    this.absent.clear();
    this.loading.clear();
  }

  private begin(key: string): Promise<V | undefined> {
    const asOfMs = this.clock.monotonicMs();
    const generation = this.generation;
    const loading = this.load(key)
      .then((value) => {
        if (generation === this.generation) this.remember(key, { value, asOfMs });
        return value;
      })
      .finally(() => {
        if (this.loading.get(key) === loading) this.loading.delete(key);
      });
    this.loading.set(key, loading);
    return loading;
  }

  private remember(key: string, entry: Entry<V>): void {
    this.found.delete(key);
    this.absent.delete(key);
    (entry.value === undefined ? this.absent : this.found).set(key, entry);
  }

  private isFresh(entry: Entry<V>): boolean {
    return this.clock.monotonicMs() - entry.asOfMs < this.lifetimeMs;
  }
}
