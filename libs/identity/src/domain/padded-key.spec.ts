import { createHmac, randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PaddedKey } from './padded-key.js';

it('agrees with the HMAC of the runtime, for keys and texts of all lengths', () => {
  const bytes = fc.uint8Array({ maxLength: 64 });
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'é'.repeat(1366), '€'.repeat(3000)));
  fc.assert(
    fc.property(bytes, texts, fc.nat(63), (key, text, digit) => {
      const padded = new PaddedKey(Buffer.from(key));
      const right = createHmac('sha256', key).update(text).digest('hex');
      expect(padded.verifies(text, right)).toBe(true);
      const wrong = (parseInt(right[digit], 16) ^ 1).toString(16);
      expect(padded.verifies(text, right.slice(0, digit) + wrong + right.slice(digit + 1))).toBe(false);
      expect(padded.verifies(`${text}.`, right)).toBe(false);
    }),
  );
});

it('refuses what is no signature, and a key that had to be hashed first', () => {
  const padded = new PaddedKey(randomBytes(32));
  for (const signature of ['', 'z'.repeat(64), '0'.repeat(62), '0'.repeat(66)])
    expect(padded.verifies('text', signature)).toBe(false);
  expect(() => new PaddedKey(randomBytes(65))).toThrow(RangeError);
});
