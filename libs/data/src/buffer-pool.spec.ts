import { describe, expect, it } from '@jest/globals';
import { Deadline, KIB, MIB } from '@holdfast/stdx';
import { BufferPool, slabSizeFor } from './buffer-pool.js';

const soon = () => Deadline.in(2000);

describe('buffer pool', () => {
  it('has classes in quarter steps, none smaller than asked for', () => {
    for (const sizeBytes of [1, 64 * KIB, 64 * KIB + 1, 5 * MIB, 8 * MIB, 12 * MIB, 12 * MIB + 1, 16 * MIB]) {
      const slabBytes = slabSizeFor(sizeBytes);
      expect(slabBytes).toBeGreaterThanOrEqual(sizeBytes);
      expect(slabBytes).toBeLessThanOrEqual(Math.max(64 * KIB, sizeBytes * 1.25));
      expect(slabSizeFor(slabBytes)).toBe(slabBytes);
    }
  });

  it('lends a slab again after it came back, and refuses to take it back twice', async () => {
    const pool = new BufferPool(MIB);
    const first = await pool.acquire(MIB, soon());
    first.release();
    const second = await pool.acquire(MIB, soon());
    expect(second.bytes).toBe(first.bytes);
    expect(() => first.release()).toThrow('given back once');
    second.release();
    expect(pool.inUseBytes).toBe(0);
  });

  it('keeps idle slabs of other classes within the same budget', async () => {
    const pool = new BufferPool(MIB);
    const small = await Promise.all([0, 1, 2, 3].map(() => pool.acquire(256 * KIB, soon())));
    for (const one of small) one.release();
    const large = await pool.acquire(MIB, soon());
    large.release();
    const again = await pool.acquire(256 * KIB, soon());
    expect(small.some(({ bytes }) => bytes === again.bytes)).toBe(false);
  });

  it('gives idle slabs up for others only while nobody uses the pool', async () => {
    const pool = new BufferPool(MIB);
    const first = await pool.acquire(256 * KIB, soon());
    const second = await pool.acquire(256 * KIB, soon());
    first.release();
    pool.dropIdle();
    const third = await pool.acquire(256 * KIB, soon());
    expect(third.bytes).toBe(first.bytes);
    second.release();
    third.release();
    pool.dropIdle();
    const fourth = await pool.acquire(256 * KIB, soon());
    expect([first.bytes, second.bytes]).not.toContain(fourth.bytes);
  });
});
