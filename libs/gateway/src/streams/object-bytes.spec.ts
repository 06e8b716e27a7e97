import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { partsOfRange } from './object-bytes.js';

it('a range touches the parts that hold its first and its last byte, and those between', () => {
  const parts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(parts, fc.nat(), fc.nat(), (partSizes, a, b) => {
      const owners = partSizes.flatMap((size, part) => Array.from({ length: size }, () => part));
      const [first, last] = [a % owners.length, b % owners.length].sort((x, y) => x - y);
      const span = partsOfRange(partSizes, { first, last });
      expect(span).toEqual({
        firstPart: owners[first],
        lastPart: owners[last],
        firstPartOffset: owners.indexOf(owners[first]),
      });
    }),
  );
});
