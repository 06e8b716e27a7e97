import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeListPosition, encodeListPosition, type ListPosition } from './list-position.codec.js';

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }).filter((one) => !one.includes('\0'));

describe('a continuation token', () => {
  it('is the position that it was made from', () => {
    fc.assert(
      fc.property(text, fc.boolean(), (key, isPrefix) => {
        const position: ListPosition = isPrefix ? { kind: 'prefix', afterPrefix: key } : { kind: 'key', afterKey: key };
        expect(decodeListPosition(encodeListPosition(position))).toEqual(position);
      }),
    );
  });

  it('holds the longest key and none that is longer', () => {
    const longest = encodeListPosition({ kind: 'key', afterKey: 'k'.repeat(1024) });
    expect(decodeListPosition(longest)).toEqual({ kind: 'key', afterKey: 'k'.repeat(1024) });
    const longer = encodeListPosition({ kind: 'prefix', afterPrefix: 'k'.repeat(1025) });
    expect(() => decodeListPosition(longer)).toThrow('continuation token');
  });

  it('that is none is refused, whatever it is', () => {
    const bytes = (...values: number[]): string => Buffer.from(values).toString('base64url');
    const refused = [
      '*',
      'AQ',
      bytes(2, 0, 65),
      bytes(1, 2, 65),
      bytes(1, 0, 0),
      bytes(1, 0, 0xff),
      `${bytes(1, 0, 65)}=`,
    ];
    for (const token of [...refused, 'A'.repeat(3000)]) {
      expect(() => decodeListPosition(token)).toThrow('continuation token');
    }
    fc.assert(
      fc.property(fc.string(), (token) => {
        try {
          expect(encodeListPosition(decodeListPosition(token))).toBe(token);
        } catch (error) {
          expect(error).toMatchObject({ code: 'InvalidArgument' });
        }
      }),
    );
  });
});
