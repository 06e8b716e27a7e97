import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileWildcard, matchWildcard, type MatchWork } from './wildcard.js';

const matches = (pattern: string, text: string): boolean => matchWildcard(compileWildcard(pattern), text);

/** Says the same by dynamic programming over every pair of ends. */
function oracle(pattern: string, text: string): boolean {
  let row = Array.from({ length: text.length + 1 }, (_, j) => j === 0);
  for (const wanted of pattern) {
    const next = row.map(() => false);
    for (let j = 0; j <= text.length; j++) {
      if (wanted === '*') next[j] = row[j] || (j > 0 && next[j - 1]);
      else next[j] = j > 0 && row[j - 1] && (wanted === '?' || wanted === text[j - 1]);
    }
    row = next;
  }
  return row[text.length];
}

describe('wildcards', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'any', true],
    ['?', '', false],
    ['?', '/', true],
    ['a*b*c', 'abbc', true],
    ['a*bc*bc', 'abc', false],
    ['arn:aws:s3:::b/*', 'arn:aws:s3:::b/', true],
    ['arn:aws:s3:::b/*', 'arn:aws:s3:::b', false],
    ['arn:aws:s3:::b', 'arn:aws:s3:::b2', false],
    ['arn:aws:s3:::*/secret.txt', 'arn:aws:s3:::b/x/secret.txt', true],
    ['x*?y?*z', 'x.y.z', true],
    ['x*?y?*z', 'xy.z', false],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
  ])('%j against %j is %j', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('agrees with the oracle on short alphabets, where near misses are dense', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 24 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 });
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        expect(matches(p, t)).toBe(oracle(p, t));
      }),
      { numRuns: 5_000 },
    );
  });

  it('agrees with the oracle on pieces longer than a machine word', () => {
    const unit = fc.constantFrom('a', 'a', 'a', 'b', '?');
    const piece = fc.string({ unit, minLength: 28, maxLength: 70 });
    const subject = fc.record({ piece, before: fc.nat(80), after: fc.nat(10), flip: fc.option(fc.nat(69)) });
    fc.assert(
      fc.property(subject, ({ piece: p, before, after, flip }) => {
        const letters = [...p].map((c) => (c === '?' ? 'b' : c));
        if (flip !== null && flip < letters.length) letters[flip] = letters[flip] === 'a' ? 'b' : 'a';
        const text = 'a'.repeat(before) + letters.join('') + 'a'.repeat(after);
        expect(matches(`*${p}*`, text)).toBe(oracle(`*${p}*`, text));
      }),
      { numRuns: 500 },
    );
  });

  describe('XE5: hostile patterns cost steps in proportion to their length', () => {
    const textLength = 1_100;
    const text = `${'a'.repeat(textLength - 1)}c`;
    it.each([
      ['wildcards alone', '*?'.repeat(500), true],
      ['thousands of wildcards and no match', `${'*?'.repeat(500)}b`, false],
      ['single letters between stars', `${'*a'.repeat(1_000)}*b*`, false],
      ['letters and holes between stars', `${'*a?'.repeat(500)}*b*`, false],
      ['one long piece that nearly fits everywhere', `*${'a'.repeat(500)}b*`, false],
      ['one long piece with holes that nearly fits everywhere', `*${'a?'.repeat(250)}b*`, false],
      ['20 KiB of stars and holes', '*?'.repeat(10 * 1024), false],
      ['20 KiB of one piece', `*${'a'.repeat(20 * 1024)}*`, false],
    ])('%s', (_name, pattern, expected) => {
      const work: MatchWork = { steps: 0 };
      expect(matchWildcard(compileWildcard(pattern), text, work)).toBe(expected);
      expect(work.steps).toBeLessThanOrEqual(5 * textLength + (textLength * pattern.length) / 32 + pattern.length);
    });

    it('and memory in proportion to their length, however many letters they have', () => {
      const letters = Array.from({ length: 6_000 }, (_, index) => String.fromCharCode(0x4e00 + index)).join('');
      const heldBytes = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
      const before = heldBytes();
      const compiled = Array.from({ length: 40 }, (_, index) => compileWildcard(`*?${letters}${index}*`));
      expect(heldBytes() - before).toBeLessThan(100_000_000);
      expect(compiled.every((pattern, index) => matchWildcard(pattern, `x${letters}${index}`))).toBe(true);
    });

    it('counts steps where there is something to search', () => {
      const work: MatchWork = { steps: 0 };
      matchWildcard(compileWildcard(`*${'a'.repeat(500)}b*`), text, work);
      expect(work.steps).toBeGreaterThan(textLength);
      expect(work.steps).toBeLessThanOrEqual(2 * textLength);
    });
  });
});
