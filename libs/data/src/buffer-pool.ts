import { assert, KIB, type Deadline } from '@holdfast/stdx';
import { groupMemory } from '@holdfast/erasure';
import { ByteBudget } from '@holdfast/service-host';

const SMALLEST_SLAB_BYTES = 64 * KIB;
/** A pool that was not used for so long gives its idle slabs up. */
const IDLE_MS_MAX = 5000;

/** A slab lent by a pool; at least as large as asked for. Its content is whatever was there before. */
export interface PooledBuffer {
  readonly bytes: Buffer;
  /** Gives it back. Once, and only when nothing reads or writes the bytes any more. */
  release(): void;
}

/**
 * Large buffers that are used again: slabs in a few size classes under one budget. Parity is computed in them, and they are
 * written to a local device, without a copy. Who takes one takes all it may need for
 * its operation; nobody waits here while holding a slab of the same pool.
 */
export class BufferPool {
  private readonly budget: ByteBudget;
  private readonly idle = new Map<number, Buffer[]>();
  private idleBytes = 0;
  private usedSinceLook = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(capacityBytes: number) {
    this.budget = new ByteBudget(capacityBytes);
  }

  get capacityBytes(): number {
    return this.budget.capacityBytes;
  }

  get inUseBytes(): number {
    return this.budget.inUseBytes;
  }

  get waiting(): number {
    return this.budget.waiting;
  }

  /** Errors: SlowDown when no slab came free before the deadline. */
  async acquire(sizeBytes: number, deadline: Deadline): Promise<PooledBuffer> {
    const slabBytes = slabSizeFor(sizeBytes);
    await this.budget.take(slabBytes, deadline);
    return this.lend(slabBytes);
  }

  /** Undefined when the caller would have to wait. */
  tryAcquire(sizeBytes: number): PooledBuffer | undefined {
    const slabBytes = slabSizeFor(sizeBytes);
    return this.budget.tryTake(slabBytes) ? this.lend(slabBytes) : undefined;
  }

  /** Gives idle slabs back to the process when nobody uses the pool: another role has work now. */
  dropIdle(): void {
    if (this.inUseBytes > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.idle.clear();
    this.idleBytes = 0;
  }

  private lend(slabBytes: number): PooledBuffer {
    const bytes = this.takeIdle(slabBytes) ?? groupMemory(slabBytes);
    let lent = true;
    return {
      bytes,
      release: () => {
        assert(lent, 'a slab is given back once', { slabBytes });
        lent = false;
        this.keepIdle(bytes);
        this.budget.give(slabBytes);
      },
    };
  }

  private takeIdle(slabBytes: number): Buffer | undefined {
    const slab = this.idle.get(slabBytes)?.pop();
    if (slab !== undefined) this.idleBytes -= slabBytes;
    // Slabs in use and idle ones share the budget: those of other classes give way.
    for (const [size, slabs] of this.idle) {
      while (slabs.length > 0 && this.inUseBytes + this.idleBytes > this.capacityBytes) {
        slabs.pop();
        this.idleBytes -= size;
      }
    }
    return slab;
  }

  private keepIdle(slab: Buffer): void {
    const slabs = this.idle.get(slab.length);
    if (slabs === undefined) this.idle.set(slab.length, [slab]);
    else slabs.push(slab);
    this.idleBytes += slab.length;
    this.usedSinceLook = true;
    this.timer ??= setInterval(() => this.look(), IDLE_MS_MAX).unref();
  }

  private look(): void {
    if (!this.usedSinceLook) this.dropIdle();
    this.usedSinceLook = false;
  }
}

/** The class of a size: a power of two or one of the three quarter steps above it. */
export function slabSizeFor(sizeBytes: number): number {
  if (sizeBytes <= SMALLEST_SLAB_BYTES) return SMALLEST_SLAB_BYTES;
  const power = 2 ** Math.floor(Math.log2(sizeBytes));
  return Math.ceil(sizeBytes / (power / 4)) * (power / 4);
}
