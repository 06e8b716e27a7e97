import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listStart, nextKey, prefixEnd } from './key-order.js';

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const text = fc.string({ unit: 'binary', maxLength: 6 }).filter((value) => value.isWellFormed());

describe('the order of keys', () => {
  it('raises the last character, over the surrogates, and drops what cannot be raised', () => {
    expect(prefixEnd('a/')).toBe('a0');
    expect(prefixEnd('a\ud7ff')).toBe('a\ue000');
    expect(prefixEnd('a\uffff')).toBe('a\u{10000}');
    expect(prefixEnd('a\u{10ffff}')).toBe('b');
    expect(prefixEnd('\u{10ffff}\u{10ffff}')).toBeUndefined();
    expect(prefixEnd('')).toBeUndefined();
  });

  it('the end of a prefix is above every text that begins with it and not above any other that is greater', () => {
    fc.assert(
      fc.property(text, text, text, (prefix, rest, other) => {
        const end = prefixEnd(prefix);
        if (end === undefined) return;
        expect(compare(prefix + rest, end)).toBeLessThan(0);
        if (compare(other, prefix) > 0 && !other.startsWith(prefix))
          expect(compare(other, end)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('begins strictly after a key, or after all keys of a prefix, whichever is later', () => {
    expect(listStart({})).toBe('');
    expect(listStart({ afterKey: 'a' })).toBe(nextKey('a'));
    expect(listStart({ afterPrefix: 'a/' })).toBe('a0');
    expect(listStart({ afterKey: 'a', afterPrefix: 'a/' })).toBe('a0');
    expect(listStart({ afterKey: 'b', afterPrefix: 'a/' })).toBe(nextKey('b'));
    expect(listStart({ afterPrefix: '\u{10ffff}' })).toBeUndefined();
    // U+0000 is in no key: everything after "a" is after "a\0z".
    expect(listStart({ afterKey: 'a\0z' })).toBe(nextKey('a'));
  });
});
