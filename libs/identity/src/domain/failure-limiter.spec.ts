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
});
