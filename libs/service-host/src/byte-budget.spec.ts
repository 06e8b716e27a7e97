import { describe, expect, it } from '@jest/globals';
import { Deadline } from '@holdfast/stdx';
import { ByteBudget } from './byte-budget.js';

const soon = (): Deadline => Deadline.in(5000);

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
