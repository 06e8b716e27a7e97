import { describe, expect, it } from '@jest/globals';
import { storageSet } from '../testing/metadata-fixture.js';
import { bucketDefaults, countAcceptingSets } from './bucket-defaults.js';

const map = (...sets: ReturnType<typeof storageSet>[]) => ({ clusterId: 'c', generation: 1, epoch: 1n, sets });

describe('the defaults of a bucket', () => {
  it.each([
    [1, 1, 0],
    [2, 1, 1],
    [3, 2, 1],
    [4, 2, 2],
    [5, 2, 2],
    [6, 4, 2],
    [9, 4, 2],
  ])('a home set of %i devices keeps objects as %i+%i', (devices, k, m) => {
    expect(bucketDefaults('b', map(storageSet(7, devices)))).toEqual({
      homeSetId: 7,
      profile: { k, m, secondary: false },
    });
  });

  it('spreads buckets over the sets that accept writes, with a copy in another set', () => {
    const sets = [storageSet(1), storageSet(2), { ...storageSet(3), state: 'draining' as const }];
    const homes = Array.from({ length: 100 }, (_, i) => bucketDefaults(`bucket-${i}`, map(...sets)).homeSetId);
    expect(new Set(homes)).toEqual(new Set([1, 2]));
    expect(bucketDefaults('b', map(...sets)).profile.secondary).toBe(true);
  });

  it('a set without a live device accepts nothing; without any set no bucket is made', () => {
    const dead = storageSet(1);
    dead.nodes[0].state = 'failed';
    expect(countAcceptingSets([dead, storageSet(2), { ...storageSet(3), state: 'failed' }])).toBe(1);
    expect(() => bucketDefaults('b', map(dead))).toThrow(expect.objectContaining({ code: 'ServiceUnavailable' }));
  });
});
