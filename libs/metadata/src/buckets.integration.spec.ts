import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StorageSetEntry } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture, storageSet, written } from './testing/metadata-fixture.js';

describe('buckets', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
    other = await fixture.open();
  }, 60_000);
  afterAll(() => fixture?.stop());

  it('seed-3.5: of many that create one name at once, on two services, exactly one has created it', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? service : other).createBucket(aCall(), { name: 'the-name', accountId: `account-${i}` }),
      ),
    );
    const created = answers.filter((answer) => answer.outcome === 'created');
    expect(created).toHaveLength(1);
    for (const answer of answers) expect(answer.bucket).toEqual(created[0].bucket);
  });

  it('seed-3.4: the row stands in Postgres when the answer comes; with Postgres down it is an error, never an absence', async () => {
    const own = await MetadataFixture.start();
    try {
      const metadata = await own.open(undefined, { answerTimeoutMs: 2_000 });
      const bucket = await own.bucket(metadata, 'stored');
      const rows = await own.query('SELECT name, account_id FROM metadata.bucket');
      expect(rows).toEqual([{ name: 'stored', account_id: 'account-1' }]);
      await metadata.commitObject(aCall(), commit(bucket, 'k'));

      await own.postgres.stop();
      const down = { code: 'ServiceUnavailable' };
      await expect(metadata.createBucket(aCall(3_000), { name: 'never', accountId: 'a' })).rejects.toMatchObject(down);
      await expect(metadata.findBucket(aCall(), { name: 'stored' })).rejects.toMatchObject(down);
      await expect(metadata.findObject(aCall(), { bucketName: 'stored', key: 'k' })).rejects.toMatchObject(down);
      await expect(metadata.commitObject(aCall(2_000), commit(bucket, 'x'))).rejects.toMatchObject(down);
      await expect(
        metadata.listObjects(aCall(), { bucketName: 'stored', prefix: '', delimiter: '', limit: 10 }),
      ).rejects.toMatchObject(down);
      await expect(metadata.status()).rejects.toMatchObject(down);

      await own.restartPostgres();
      expect(await metadata.findBucket(aCall(), { name: 'never' })).toEqual({});
      expect((await metadata.findObject(aCall(), { bucketName: 'stored', key: 'k' })).version).toBeDefined();
      expect((await metadata.commitObject(aCall(), commit(bucket, 'x'))).outcome).toBe('committed');
      expect((await metadata.createBucket(aCall(), { name: 'never', accountId: 'a' })).outcome).toBe('created');
    } finally {
      await own.stop();
    }
  }, 120_000);

  it('a bucket gets its home set and its profile from the map', async () => {
    const buckets = await Promise.all(Array.from({ length: 20 }, (_, i) => fixture.bucket(service, `spread-${i}`)));
    expect(new Set(buckets.map((bucket) => bucket.homeSetId))).toEqual(new Set([1, 2]));
    expect(buckets[0]).toMatchObject({ profile: { k: 4, m: 2, secondary: true }, versioning: 'unversioned' });
  });

  it('keeps the name of the region that a bucket was made with', async () => {
    const made = { name: 'located', accountId: 'account-1', location: 'default' };
    expect((await service.createBucket(aCall(), made)).bucket.location).toBe('default');
    expect((await other.findBucket(aCall(), { name: 'located' })).bucket?.location).toBe('default');
    expect((await other.createBucket(aCall(), { ...made, location: undefined })).bucket.location).toBe('default');
  });

  it('deletes an empty bucket once, with its open uploads; one with a version stays', async () => {
    const bucket = await fixture.bucket(service);
    const uploadId = '00'.repeat(16);
    const ref = { bucketId: bucket.bucketId, key: 'k', uploadId };
    const attributes = { headers: {}, userMetadata: {}, storageClass: 'STANDARD', checksums: {} };
    await service.createUpload(aCall(), { ...ref, attributes, accountId: 'a', initiatorArn: 'arn' });
    const part = written();
    await service.commitPart(aCall(), {
      ...ref,
      partNumber: 1,
      etag: 'ab'.repeat(16),
      checksums: {},
      written: part,
      attemptAgeMs: 0,
    });
    await service.commitObject(aCall(), commit(bucket, 'k'));
    expect(await service.deleteBucket(aCall(), { bucketId: bucket.bucketId })).toEqual({ outcome: 'not-empty' });
    const items = [{ key: 'k', conditions: {} }];
    await service.deleteObjects(aCall(), { bucketId: bucket.bucketId, bucketRevision: bucket.revision, items });
    const answers = await Promise.all(
      [service, other].map((on) => on.deleteBucket(aCall(), { bucketId: bucket.bucketId })),
    );
    expect(answers.map((answer) => answer.outcome).sort()).toEqual(['deleted', 'no-bucket']);
    const freed = await fixture.query("SELECT FROM metadata.outbox WHERE kind = 'free' AND write_id = $1", [
      Buffer.from(part.writeId, 'hex'),
    ]);
    expect(freed).toHaveLength(1);
    expect(await service.findUpload(aCall(), ref)).toEqual({});
    // The name is free again, for a bucket of another id.
    const again = await service.createBucket(aCall(), { name: bucket.name, accountId: 'account-2' });
    expect(again.outcome).toBe('created');
    expect(again.bucket.bucketId).not.toBe(bucket.bucketId);
  });

  it('lists the buckets of an account by name, in pages', async () => {
    const names = ['list-a', 'list-b', 'list-b2', 'list-c', 'lisu'];
    for (const name of names) await service.createBucket(aCall(), { name, accountId: 'lister' });
    const page = (prefix: string, after: string, limit: number) =>
      service.listBuckets(aCall(), { accountId: 'lister', prefix, after, limit }).then((answer) => ({
        names: answer.buckets.map((bucket) => bucket.name),
        truncated: answer.truncated,
      }));
    expect(await page('', '', 10)).toEqual({ names, truncated: false });
    expect(await page('', '', 2)).toEqual({ names: ['list-a', 'list-b'], truncated: true });
    expect(await page('', 'list-b', 2)).toEqual({ names: ['list-b2', 'list-c'], truncated: true });
    expect(await page('list-b', '', 10)).toEqual({ names: ['list-b', 'list-b2'], truncated: false });
  });

  it('a seed adds what is new, follows addresses, keeps states, and refuses another cluster or a foreign device', async () => {
    const url = await fixture.newDatabase();
    const open = (sets: StorageSetEntry[]) => fixture.open(sets, {}, url);
    const metadata = await open([storageSet(1)]);
    const first = await metadata.clusterMap();
    expect(first).toMatchObject({ epoch: 1n, generation: 1, sets: [storageSet(1)] });
    await metadata.changeClusterMap((map) => {
      map.sets[0].nodes[0].controllers[0].devices[2].state = 'failed';
      return map;
    });
    const moved = storageSet(1);
    moved.nodes[0].address = '127.0.0.1:7000';
    const again = await open([moved, storageSet(2)]);
    const map = await again.clusterMap();
    expect(map.epoch).toBe(3n);
    expect(map.clusterId).toBe(first.clusterId);
    expect(map.sets.map((set) => set.setId)).toEqual([1, 2]);
    expect(map.sets[0].nodes[0].address).toBe('127.0.0.1:7000');
    expect(map.sets[0].nodes[0].controllers[0].devices[2].state).toBe('failed');
    await open([moved]);
    expect((await metadata.clusterMap()).epoch).toBe(3n);
    const foreign = storageSet(1);
    foreign.nodes[0].controllers[0].devices[0].deviceId = 'another';
    await expect(open([foreign])).rejects.toMatchObject({ code: 'InvalidRequest' });
    const identity = await metadata.databaseIdentity();
    expect(identity).toMatchObject({ clusterId: first.clusterId, generation: 1 });
    expect(identity.sequence >> 48n).toBe(1n);
  }, 60_000);
});
