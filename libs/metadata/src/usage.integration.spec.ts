import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture, written } from './testing/metadata-fixture.js';

describe('usage', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
  }, 60_000);
  afterAll(() => fixture?.stop());

  it('of buckets and of an account is that of their commits, folded or not, and of nobody else', async () => {
    const accountId = 'account-of-usage';
    const made = await Promise.all(
      ['usage-a', 'usage-b', 'usage-empty'].map((name) => service.createBucket(aCall(), { name, accountId })),
    );
    const foreign = await service.createBucket(aCall(), { name: 'usage-foreign', accountId: 'another' });
    const [a, b, empty] = made.map(({ bucket }) => bucket);
    const put = (bucket: typeof a, key: string, sizeBytes: number) =>
      service.commitObject(aCall(), commit(bucket, key, { written: written(sizeBytes) }));
    await put(a, 'one', 4096);
    await put(a, 'two', 4096);
    await put(b, 'one', 8192);
    await put(foreign.bucket, 'one', 4096);
    const usageOf = async () => {
      const bucketIds = [a.bucketId, b.bucketId, empty.bucketId];
      const { usage } = await service.bucketUsage(aCall(), { bucketIds });
      const byId = new Map(usage.map(({ bucketId, objects, bytes }) => [bucketId, { objects, bytes }]));
      return bucketIds.map((bucketId) => byId.get(bucketId));
    };
    const held = [{ objects: 2, bytes: 8192 }, { objects: 1, bytes: 8192 }, undefined];
    expect(await usageOf()).toEqual(held);
    expect(await service.accountUsage(aCall(), { accountId })).toEqual({ buckets: 3, objects: 3, bytes: 16_384 });
    await service.tidy();
    await put(a, 'two', 8192);
    expect(await usageOf()).toEqual([{ objects: 2, bytes: 12_288 }, held[1], undefined]);
    expect(await service.accountUsage(aCall(), { accountId })).toEqual({ buckets: 3, objects: 3, bytes: 20_480 });
    const nobody = await service.accountUsage(aCall(), { accountId: 'nobody' });
    expect(nobody).toEqual({ buckets: 0, objects: 0, bytes: 0 });
    expect(await service.bucketUsage(aCall(), { bucketIds: [] })).toEqual({ usage: [] });
  });
});
