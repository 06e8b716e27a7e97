import { describe, expect, it } from '@jest/globals';
import { Deadline, KIB, MIB } from '@holdfast/stdx';
import { BufferPool, slabSizeFor } from './buffer-pool.js';
import { ByteBudget } from './byte-budget.js';

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

describe('byte budget', () => {
  it('admits in order of arrival, and a small request does not overtake a large one', async () => {
    const budget = new ByteBudget(100);
    await budget.take(80, soon());
    const order: string[] = [];
    const large = budget.take(60, soon()).then(() => order.push('large'));
    const small = budget.take(10, soon()).then(() => order.push('small'));
    expect(budget.tryTake(1)).toBe(false);
    budget.give(80);
    await Promise.all([large, small]);
    expect(order).toEqual(['large', 'small']);
    expect(budget.inUseBytes).toBe(70);
  });

  it('gives up at the deadline with SlowDown and lets the next one in', async () => {
    const budget = new ByteBudget(100);
    await budget.take(90, soon());
    const late = budget.take(50, Deadline.in(20));
    const fits = budget.take(10, soon());
    await expect(late).rejects.toMatchObject({ code: 'SlowDown' });
    await fits;
    expect(budget.inUseBytes).toBe(100);
    expect(budget.waiting).toBe(0);
  });
});
