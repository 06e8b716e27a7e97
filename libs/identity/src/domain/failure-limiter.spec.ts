import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { FailureLimiter } from './failure-limiter.js';

describe('failure limiter', () => {
  it('XF10: refuses a name after its failures until the window ends, and no other name', () => {
    const clock = new ManualClock();
    const limiter = new FailureLimiter(clock, 3, 60_000);
    const refuses = (name: string): boolean => {
      try {
        limiter.refuseWhenExceeded(name);
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: 'SlowDown', status: 503 });
        return true;
      }
    };
    for (let i = 0; i < 3; i++) {
      expect(refuses('a')).toBe(false);
      limiter.recordFailure('a');
    }
    expect(refuses('a')).toBe(true);
    expect(refuses('b')).toBe(false);
    clock.advance(59_999);
    expect(refuses('a')).toBe(true);
    clock.advance(1);
    expect(refuses('a')).toBe(false);
    limiter.recordFailure('a');
    expect(refuses('a')).toBe(false);
  });

  it('forgets failures after a success', () => {
    const limiter = new FailureLimiter(new ManualClock(), 2, 60_000);
    limiter.recordFailure('a');
    limiter.recordSuccess('a');
    limiter.recordFailure('a');
    expect(() => limiter.refuseWhenExceeded('a')).not.toThrow();
    limiter.recordFailure('a');
    expect(() => limiter.refuseWhenExceeded('a')).toThrow(expect.objectContaining({ code: 'SlowDown' }));
  });

  describe('XF10: flooded with other names', () => {
    const NAMES_MAX = 10_000;
    const refuses = (limiter: FailureLimiter, name: string): boolean => {
      try {
        limiter.refuseWhenExceeded(name);
        return false;
      } catch {
        return true;
      }
    };
    const fail = (limiter: FailureLimiter, name: string, times: number): void => {
      for (let i = 0; i < times; i++) limiter.recordFailure(name);
    };

    it('keeps refusing a name that is at its limit, and what is on its way there', () => {
      const limiter = new FailureLimiter(new ManualClock(), 3, 60_000);
      fail(limiter, 'at its limit', 3);
      fail(limiter, 'nearly', 2);
      for (let i = 0; i < NAMES_MAX + 500; i++) fail(limiter, `flood ${i}`, 1);
      expect(refuses(limiter, 'at its limit')).toBe(true);
      fail(limiter, 'nearly', 1);
      expect(refuses(limiter, 'nearly')).toBe(true);
      fail(limiter, 'fresh', 3);
      expect(refuses(limiter, 'fresh')).toBe(true);
    });

    it('refuses what it cannot count, until windows end; then counters that are over make room first', () => {
      const clock = new ManualClock();
      const limiter = new FailureLimiter(clock, 2, 60_000);
      for (let i = 0; i < NAMES_MAX; i++) fail(limiter, `flood ${i}`, 2);
      expect(refuses(limiter, 'fresh')).toBe(true);
      fail(limiter, 'fresh', 1);
      expect(refuses(limiter, 'flood 0')).toBe(true);
      limiter.recordSuccess('flood 1');
      expect(refuses(limiter, 'fresh')).toBe(false);
      clock.advance(60_000);
      fail(limiter, 'fresh', 1);
      for (let i = 0; i < NAMES_MAX - 1; i++) fail(limiter, `second flood ${i}`, 1);
      fail(limiter, 'fresh', 1);
      expect(refuses(limiter, 'fresh')).toBe(true);
    });
  });
});
