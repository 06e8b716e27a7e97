import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseRange } from './byte-range.js';

const invalidRange = expect.objectContaining({ code: 'InvalidRange' });

describe('parseRange', () => {
  it.each([
    ['bytes=0-0', 10, 0, 0],
    ['bytes=2-5', 10, 2, 5],
    ['bytes=2-', 10, 2, 9],
    ['bytes=9-', 10, 9, 9],
    ['bytes=5-99', 10, 5, 9],
    ['bytes=0-99999999999999999999', 10, 0, 9],
    ['bytes=0-99999999999999999999999', 10, 0, 9],
    [`bytes=2-${'9'.repeat(50)}`, 10, 2, 9],
    ['bytes=-99999999999999999999999', 10, 0, 9],
    ['bytes=0000000000000000000000002-3', 10, 2, 3],
    ['bytes=-3', 10, 7, 9],
    ['bytes=-10', 10, 0, 9],
    ['bytes=-99999', 10, 0, 9],
    ['BYTES=1-2', 10, 1, 2],
    [' bytes=1-2 ', 10, 1, 2],
  ])('seed-3.16: %j of %d bytes is %d to %d', (header, sizeBytes, first, last) => {
    expect(parseRange(header, sizeBytes)).toEqual({ first, last });
  });

  it.each([
    undefined,
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1-2,4-5',
    'bytes=5-2',
    'bytes=-1-2',
    'bytes=+1-2',
    'bytes=0x1-2',
    'bytes = 1-2',
    'items=1-2',
    `bytes=${'0-0,'.repeat(1000)}`,
  ])('ignores %j', (header) => {
    expect(parseRange(header, 10)).toBeUndefined();
  });

  it.each([
    ['bytes=10-', 10],
    ['bytes=10-20', 10],
    ['bytes=99999999999999999999-', 10],
    ['bytes=99999999999999999999999-', 10],
    ['bytes=18446744073709551616-18446744073709551617', 10],
    ['bytes=-0', 10],
    ['bytes=0-', 0],
    ['bytes=0-0', 0],
    ['bytes=-5', 0],
  ])('%s of %d bytes is InvalidRange', (header, sizeBytes) => {
    expect(() => parseRange(header, sizeBytes)).toThrow(invalidRange);
  });

  it('agrees with the slice that the bounds describe', () => {
    const bound = fc.option(fc.nat(40), { nil: undefined });
    fc.assert(
      fc.property(bound, bound, fc.nat(30), (first, last, sizeBytes) => {
        const content = Array.from({ length: sizeBytes }, (_, index) => index);
        let wanted: number[] | undefined;
        if (first !== undefined && (last === undefined || first <= last)) {
          wanted = content.slice(first, last === undefined ? undefined : last + 1);
        } else if (first === undefined && last !== undefined) wanted = last === 0 ? [] : content.slice(-last);
        const header = `bytes=${first ?? ''}-${last ?? ''}`;
        if (wanted === undefined) expect(parseRange(header, sizeBytes)).toBeUndefined();
        else if (wanted.length === 0) expect(() => parseRange(header, sizeBytes)).toThrow(invalidRange);
        else expect(parseRange(header, sizeBytes)).toEqual({ first: wanted[0], last: wanted.at(-1) });
      }),
      { numRuns: 300 },
    );
  });

  it('answers any text without another error', () => {
    const text = fc.stringMatching(/^(bytes=)?[-0-9, a-z]{0,80}$/);
    fc.assert(
      fc.property(text, fc.nat(1000), (header, sizeBytes) => {
        try {
          const range = parseRange(header, sizeBytes);
          if (range === undefined) return;
          expect(range.first).toBeGreaterThanOrEqual(0);
          expect(range.last).toBeGreaterThanOrEqual(range.first);
          expect(range.last).toBeLessThan(sizeBytes);
        } catch (error) {
          expect(error).toEqual(invalidRange);
        }
      }),
      { numRuns: 300 },
    );
  });
});
