/**
 * Memory for the bytes of large units on their way, used again: a fresh mebibyte costs more in page faults than in reading.
 * What is lent is valid until it is released. Who must not release it, since others may still look at it, lets go of it:
 * then it is collected like any other memory, and a new one is made when it is needed.
 */
import { KIB, MIB, assert, pageMemory } from '@holdfast/stdx';

/** So much or more is written past the page cache, which saves a copy, and read in memory that is lent. */
export const LARGE_UNIT_MIN_BYTES = 128 * KIB;
/** Most of what is read and written: one size for all of it can always be used again. Pages that nobody touches take no room. */
const SLAB_BYTES_MIN = MIB;
/** Kept for the next who asks, all sizes together. */
const IDLE_BYTES_MAX = 16 * MIB;

/** Bytes that were read or written, and what gives their memory back: once, when nobody looks at them any more. */
export interface LentBytes {
  readonly bytes: Buffer;
  readonly release: () => void;
}

/** Memory that goes back to nobody. */
export function notLent(bytes: Buffer): LentBytes {
  return { bytes, release: nothing };
}

function nothing(): void {}

export class UnitMemory {
  private readonly idle = new Map<number, Buffer[]>();
  private idleBytes = 0;

  /** At least so many bytes, from the beginning of a page; their content is whatever was there before. */
  lend(sizeBytes: number): LentBytes {
    const slabBytes = Math.max(SLAB_BYTES_MIN, 2 ** Math.ceil(Math.log2(sizeBytes)));
    const bytes = this.takeIdle(slabBytes) ?? Buffer.from(pageMemory(slabBytes).buffer);
    let isLent = true;
    return {
      bytes,
      release: () => {
        assert(isLent, 'Memory is released once', { slabBytes });
        isLent = false;
        this.keep(bytes);
      },
    };
  }

  private takeIdle(slabBytes: number): Buffer | undefined {
    const slab = this.idle.get(slabBytes)?.pop();
    if (slab !== undefined) this.idleBytes -= slabBytes;
    return slab;
  }

  /** Whole units of several MiB are seldom read at once: their memory gives way. */
  private keep(slab: Buffer): void {
    for (const [slabBytes, slabs] of this.idle) {
      if (slabBytes <= slab.length) continue;
      while (this.idleBytes + slab.length > IDLE_BYTES_MAX && slabs.pop() !== undefined) this.idleBytes -= slabBytes;
    }
    if (this.idleBytes + slab.length > IDLE_BYTES_MAX) return;
    this.idleBytes += slab.length;
    const slabs = this.idle.get(slab.length);
    if (slabs === undefined) this.idle.set(slab.length, [slab]);
    else slabs.push(slab);
  }
}

/** One for the process: its devices take turns. */
export const unitMemory = new UnitMemory();
