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
  const exists = { outcome: 'exists', bucket } as const;

  it('a request that arrived before the answer of the one that made the bucket, or just after it, overlaps with it', () => {
    const creations = new BucketCreations(() => 1010);
    expect(creations.judge({ outcome: 'created', bucket }, { arrivedAtMs: 990, connection: 'a' })).toBe('created');
    expect(creations.judge(exists, { arrivedAtMs: 1005, connection: 'b' })).toBe('in-progress');
    expect(creations.judge(exists, { arrivedAtMs: 1019, connection: 'c' })).toBe('in-progress');
    expect(creations.judge(exists, { arrivedAtMs: 1020, connection: 'd' })).toBe('exists');
  });

  it('one for a bucket that was changed since was sent after the answer', () => {
    const creations = new BucketCreations(() => 1010);
    creations.judge({ outcome: 'created', bucket }, { arrivedAtMs: 990, connection: 'a' });
    const changed = { outcome: 'exists', bucket: { ...bucket, revision: 2n } } as const;
    expect(creations.judge(changed, { arrivedAtMs: 1011, connection: 'b' })).toBe('exists');
  });

  it('who was told that another is making the bucket, and asks again, is not concurrent with that one', () => {
    const creations = new BucketCreations(() => 1010);
    creations.judge({ outcome: 'created', bucket }, { arrivedAtMs: 990, connection: 'a' });
    expect(creations.judge(exists, { arrivedAtMs: 1005, connection: 'b' })).toBe('in-progress');
    expect(creations.judge(exists, { arrivedAtMs: 1012, connection: 'b' })).toBe('exists');
    expect(creations.judge(exists, { arrivedAtMs: 1012, connection: 'c' })).toBe('in-progress');
  });

  it('one that came over the same connection was sent after the answer', () => {
    const creations = new BucketCreations(() => 1010);
    creations.judge({ outcome: 'created', bucket }, { arrivedAtMs: 990, connection: 'a' });
    expect(creations.judge(exists, { arrivedAtMs: 1011, connection: 'a' })).toBe('exists');
    const unknown = new BucketCreations(() => 1010);
    unknown.judge({ outcome: 'created', bucket }, { arrivedAtMs: 990, connection: '' });
    expect(unknown.judge(exists, { arrivedAtMs: 1011, connection: '' })).toBe('in-progress');
  });

  it('of a bucket that another process has made the time in its record decides', () => {
    const creations = new BucketCreations();
    expect(creations.judge(exists, { arrivedAtMs: 1009, connection: 'a' })).toBe('in-progress');
    expect(creations.judge(exists, { arrivedAtMs: 1010, connection: 'a' })).toBe('exists');
    expect(creations.judge(exists, {})).toBe('exists');
  });
});
