import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from './domain/bounded-map.js';

const NOTE_EVERY_MS = 15 * 60 * 1000;

/**
 * Notes when keys were used, beside the requests and to within a quarter of an hour: a note that is lost costs nothing but its
 * exactness.
 */
export class KeyUses {
  private readonly noted = new BoundedMap<string, number>(10_000);

  constructor(
    private readonly clock: Clock,
    private readonly write: (accessKeyId: string) => Promise<void>,
  ) {}

  note(accessKeyId: string): void {
    const nowMs = this.clock.monotonicMs();
    const notedMs = this.noted.get(accessKeyId);
    if (notedMs !== undefined && nowMs - notedMs < NOTE_EVERY_MS) return;
    this.noted.set(accessKeyId, nowMs);
    this.write(accessKeyId).catch(() => this.noted.delete(accessKeyId));
  }
}
