import { describe, expect, it } from '@jest/globals';
import type { BucketRecord } from '@holdfast/contracts';
import { BucketCreations } from './bucket-creations.js';

const bucket: BucketRecord = {
  bucketId: 1n,
  name: 'b',
  accountId: 'a',
  createdAtMs: 1000,
  homeSetId: 1,
  profile: { k: 1, m: 1, secondary: false },
  versioning: 'unversioned',
  configurations: [],
  revision: 1n,
};

describe('seed-3.5: concurrent creates', () => {
  it('a request that arrived before the answer of the one that made the bucket overlaps with it, a later one does not', () => {
    const creations = new BucketCreations(() => 1010);
    expect(creations.judge({ outcome: 'created', bucket }, 990)).toBe('created');
    expect(creations.judge({ outcome: 'exists', bucket }, 1005)).toBe('in-progress');
    expect(creations.judge({ outcome: 'exists', bucket }, 1010)).toBe('exists');
  });

  it('of a bucket that another process has made the time in its record decides', () => {
    const creations = new BucketCreations();
    expect(creations.judge({ outcome: 'exists', bucket }, 999)).toBe('in-progress');
    expect(creations.judge({ outcome: 'exists', bucket }, 1000)).toBe('exists');
    expect(creations.judge({ outcome: 'exists', bucket }, undefined)).toBe('exists');
  });
});
