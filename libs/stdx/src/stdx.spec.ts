import { describe, expect, it } from '@jest/globals';
import { assert, InvariantViolation } from './assert.js';
import { charactersOf, hasAtMost } from './characters.js';
import { Deadline, ManualClock } from './clock.js';

describe('assert', () => {
  it('stops with the facts of a broken invariant', () => {
    expect(() => assert(false, 'block out of place', { device: 'd', block: 7n })).toThrow(
      new InvariantViolation('block out of place (device=d block=7)'),
    );
    expect(() => assert(true, 'fine')).not.toThrow();
  });
});

describe('deadline', () => {
  it('counts down on the monotonic clock and never below zero', () => {
    const clock = new ManualClock();
    const deadline = Deadline.in(100, clock);
    clock.advance(60);
    expect([deadline.leftMs(), deadline.passed]).toEqual([40, false]);
    clock.advance(60);
    expect([deadline.leftMs(), deadline.passed]).toEqual([0, true]);
  });
});

describe('characters', () => {
  it('are code points, whatever units they take', () => {
    expect(['', 'aä', '🎈🎈', 'a🎈', '\ud800'].map(charactersOf)).toEqual([0, 2, 2, 2, 1]);
    for (const character of ['a', 'ä', '🎈']) {
      expect([0, 7, 8, 9, 100].map((count) => hasAtMost(8, character.repeat(count)))).toEqual([
        ...[true, true, true],
        ...[false, false],
      ]);
    }
    expect([hasAtMost(3, 'aa🎈'), hasAtMost(2, 'aa🎈')]).toEqual([true, false]);
  });
});
