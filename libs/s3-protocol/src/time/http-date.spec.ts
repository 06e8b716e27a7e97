import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseHttpDate } from './http-date.js';

const example = Date.UTC(1994, 10, 6, 8, 49, 37);

describe('parseHttpDate', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'reads %j as UTC wherever the server stands',
    (text) => {
      const { TZ } = process.env;
      for (const zone of ['America/New_York', 'Asia/Kolkata']) {
        process.env.TZ = zone;
        try {
          expect(parseHttpDate(text)).toBe(example);
        } finally {
          if (TZ === undefined) delete process.env.TZ;
          else process.env.TZ = TZ;
        }
      }
    },
  );

  it.each([
    ...['', '5', '0', 'junk 1', 'foo 2099', 'yesterday', '2024-01-10T12:00:00Z', '20240110T120000Z', '1704888000'],
    ...['Wed, 10 Jan 2024', 'Wed, 10 Jan 2024 12:00:00', 'Wed, 10 Jan 2024 12:00:00 UTC', '10 Jan 2024 12:00:00 GMT'],
    ...['Wed, 10 Jan 2024 12:00:00 +0100', 'Wed, 10 Jan 2024 12:00:00 GMT junk', ' Wed, 10 Jan 2024 12:00:00 GMT'],
    ...['Wed, 31 Feb 2024 12:00:00 GMT', 'Wed, 10 Jan 2024 24:00:00 GMT', 'Wed, 10 Jan 2024 12:60:00 GMT'],
    ...['Wed, 00 Jan 2024 12:00:00 GMT', 'Wed, 10 Foo 2024 12:00:00 GMT', 'Sun Nov 6 08:49:37 1994'],
    ...['Wed, 1 Jan 2024 12:00:00 GMT', 'Sun, 06-Nov-94 08:49:37 GMT', 'Wed, 10 Jan 0024 12:00:00 GMT'],
  ])('%j is none', (text) => {
    expect(parseHttpDate(text)).toBeUndefined();
  });

  it('a year of two digits is at most 50 years ahead', () => {
    const inYear = (digits: string, nowYear: number) => {
      const atMs = parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, Date.UTC(nowYear, 5));
      return new Date(atMs ?? Number.NaN).getUTCFullYear();
    };
    expect(inYear('76', 2026)).toBe(2076);
    expect(inYear('77', 2026)).toBe(1977);
    expect(inYear('26', 2026)).toBe(2026);
  });

  it('reads every second that it could have answered as Last-Modified', () => {
    const seconds = fc.integer({ min: -62_135_596_800 + 100 * 31_622_400, max: 253_402_300_799 });
    fc.assert(
      fc.property(seconds, (second) => {
        expect(parseHttpDate(new Date(second * 1000).toUTCString())).toBe(second * 1000);
      }),
    );
  });
});
