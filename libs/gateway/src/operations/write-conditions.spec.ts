import { describe, expect, it } from '@jest/globals';
import { secondsOf } from './write-conditions.js';

describe('secondsOf', () => {
  it.each(['Wed, 10 Jan 2024 12:00:00 GMT', '2024-01-10T12:00:00Z', '2024-01-10T12:00:00.999Z'])('reads %j', (text) => {
    expect(secondsOf(text)).toBe(Date.UTC(2024, 0, 10, 12) / 1000);
  });

  it.each(['', '5', 'junk 1', 'foo 2099', '2024', '2024-01-10', '2024-01-10T12:00:00', '2024-02-30T12:00:00Z'])(
    '%j is no date that a delete could be held against',
    (text) => {
      expect(secondsOf(text)).toBeUndefined();
    },
  );

  it('knows nothing of before 1970', () => {
    expect(secondsOf('Wed, 31 Dec 1969 23:59:59 GMT')).toBeUndefined();
  });
});
