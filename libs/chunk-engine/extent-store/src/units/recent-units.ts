/**
 * Small units that were read lately, whole and verified: what is asked for all day is not read from the device all day. Bounded
 * by bytes; who is not asked for again leaves first.
 */
import type { UnitHeader } from '../unit-header.js';

/** Larger units cost more to read than to look up, and would push many small ones out. */
const UNIT_BYTES_MAX = 16 * 1024;
/** What an entry takes beside its bytes, roughly. */
const ENTRY_BYTES = 512;

interface RecentUnit {
  readonly header: UnitHeader;
  readonly bytes: Buffer;
  /** Asked for since it was last looked at for its room. */
  wasAsked: boolean;
}

export class RecentUnits {
  /** A device holds one unit of a chunk; should it hold two, they take turns. */
  private readonly byChunk = new Map<string, RecentUnit>();
  private heldBytes = 0;
  /** Grows with every removal: what was read before one is not taken in after it. */
  private removals = 0;
  /** Chunks of which units are being freed, with how many calls do so: at some moment of each they are gone. */
  private readonly leaving = new Map<string, number>();

  constructor(private readonly bytesMax: number) {}

  get(chunkId: string, unitIndex: number): RecentUnit | undefined {
    const unit = this.byChunk.get(chunkId);
    if (unit?.header.unitIndex !== unitIndex || this.leaving.has(chunkId)) return undefined;
    unit.wasAsked = true;
    return unit;
  }

  /** To be given to `add` with what is read from now on. */
  get moment(): number {
    return this.removals;
  }

  /** Takes in a whole unit whose reading began at `moment`; its bytes must not change any more. */
  add(header: UnitHeader, bytes: Buffer, moment: number): void {
    if (moment !== this.removals || bytes.length !== header.unitSizeBytes || bytes.length > UNIT_BYTES_MAX) return;
    const sizeBytes = bytes.length + ENTRY_BYTES;
    if (sizeBytes > this.bytesMax || this.leaving.has(header.chunkId)) return;
    this.drop(header.chunkId);
    this.heldBytes += sizeBytes;
    this.byChunk.set(header.chunkId, { header, bytes, wasAsked: false });
    if (this.heldBytes > this.bytesMax) this.makeRoom();
  }

  /** The unit is stored anew. */
  remove(chunkId: string): void {
    this.removals += 1;
    this.drop(chunkId);
  }

  /** From here on until the call is over nobody is told what is in memory: the free may have been seen by others. */
  beginFree(chunkId: string): void {
    this.leaving.set(chunkId, (this.leaving.get(chunkId) ?? 0) + 1);
  }

  endFree(chunkId: string): void {
    const calls = (this.leaving.get(chunkId) ?? 1) - 1;
    if (calls === 0) this.leaving.delete(chunkId);
    else this.leaving.set(chunkId, calls);
    this.remove(chunkId);
  }

  private drop(chunkId: string): void {
    const unit = this.byChunk.get(chunkId);
    if (unit === undefined) return;
    this.byChunk.delete(chunkId);
    this.heldBytes -= unit.bytes.length + ENTRY_BYTES;
  }

  /** From the oldest on; one that was asked for meanwhile stays for another round. */
  private makeRoom(): void {
    for (const [chunkId, unit] of this.byChunk) {
      if (this.heldBytes <= this.bytesMax) return;
      this.drop(chunkId);
      if (!unit.wasAsked) continue;
      unit.wasAsked = false;
      this.byChunk.set(chunkId, unit);
      this.heldBytes += unit.bytes.length + ENTRY_BYTES;
    }
  }
}
