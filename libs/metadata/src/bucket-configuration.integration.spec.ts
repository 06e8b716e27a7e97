import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type BucketRecord } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture, storageSet } from './testing/metadata-fixture.js';

describe('bucket configuration and tags', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open([storageSet(1)]);
    other = await fixture.open([storageSet(1)]);
  }, 60_000);
  afterAll(() => fixture?.stop());

  const fresh = async (bucket: BucketRecord) =>
    (await other.findBucket(aCall(), { name: bucket.name })).bucket as BucketRecord;

  it('a document is set, replaced and taken away; each change has a new revision and is named in the record', async () => {
    const bucket = await fixture.bucket(service);
    const ref = { bucketId: bucket.bucketId, kind: 'cors' as const };
    expect(bucket.configurations).toEqual([]);
    expect(await service.bucketConfiguration(aCall(), ref)).toEqual({ revision: bucket.revision });

    const set = await service.putBucketConfiguration(aCall(), { ...ref, document: '<a>ü</a>' });
    expect(set.outcome).toBe('changed');
    expect(set.revision).toBeGreaterThan(bucket.revision);
    await service.putBucketConfiguration(aCall(), { ...ref, kind: 'policy', document: '{}' });
    const replaced = await service.putBucketConfiguration(aCall(), { ...ref, document: '<b/>' });
    const two = await fresh(bucket);
    expect([...two.configurations].sort()).toEqual(['cors', 'policy']);
    expect(two.revision).toBe(replaced.revision);
    expect(await other.bucketConfiguration(aCall(), ref)).toEqual({ document: '<b/>', revision: replaced.revision });

    const gone = await service.putBucketConfiguration(aCall(), ref);
    expect(await fresh(bucket)).toMatchObject({ configurations: ['policy'], revision: gone.revision });
    expect(await other.bucketConfiguration(aCall(), ref)).toEqual({ revision: gone.revision });
  });

  it('is not changed by who was authorised under an older revision, nor in a bucket that is gone', async () => {
    const bucket = await fixture.bucket(service);
    const ref = { bucketId: bucket.bucketId, bucketRevision: bucket.revision };
    expect(await service.setVersioning(aCall(), { ...ref, versioning: 'enabled' })).toMatchObject({
      outcome: 'changed',
    });
    const put = { ...ref, kind: 'policy' as const, document: '{}' };
    expect(await service.putBucketConfiguration(aCall(), put)).toEqual({ outcome: 'bucket-changed' });
    expect(await service.setVersioning(aCall(), { ...ref, versioning: 'suspended' })).toEqual({
      outcome: 'bucket-changed',
    });
    expect(await fresh(bucket)).toMatchObject({ versioning: 'enabled', configurations: [] });

    await service.putBucketConfiguration(aCall(), { bucketId: bucket.bucketId, kind: 'policy', document: '{}' });
    await service.deleteBucket(aCall(), { bucketId: bucket.bucketId });
    expect(await service.putBucketConfiguration(aCall(), put)).toEqual({ outcome: 'no-bucket' });
    expect(await service.setVersioning(aCall(), { ...ref, versioning: 'suspended' })).toEqual({
      outcome: 'no-bucket',
    });
    expect(await service.bucketConfiguration(aCall(), { bucketId: bucket.bucketId, kind: 'policy' })).toEqual({
      revision: 0n,
    });
    expect(
      await fixture.query('SELECT FROM metadata.bucket_configuration WHERE bucket_id = $1', [bucket.bucketId]),
    ).toHaveLength(0);
  });

  it('waits for the commits under way: while one holds the bucket nothing is changed, and it is late after its time', async () => {
    const bucket = await fixture.bucket(service);
    const session = await fixture.session();
    await session.query('BEGIN');
    await session.query('SELECT pg_advisory_xact_lock_shared(metadata.bucket_lock($1))', [bucket.bucketId]);
    const input = { bucketId: bucket.bucketId, versioning: 'enabled' as const };
    expect(await service.setVersioning(aCall(300), input)).toEqual({ outcome: 'late' });
    const waiting = service.setVersioning(aCall(), input);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await fresh(bucket)).versioning).toBe('unversioned');
    await session.query('COMMIT');
    expect((await waiting).outcome).toBe('changed');
    expect((await fresh(bucket)).versioning).toBe('enabled');
  });

  it('tags come with the commit, change with a new revision of their version alone, and go', async () => {
    const bucket = await fixture.bucket(service);
    const tags = { 'ключ "1"': 'a\\b', b: '' };
    await service.commitObject(aCall(), commit(bucket, 'k', { tags }));
    const read = async () => (await other.findObject(aCall(), { bucketName: bucket.name, key: 'k' })).version;
    const before = await read();
    expect(before?.tags).toEqual(tags);
    const ref = { bucketId: bucket.bucketId, bucketRevision: bucket.revision, key: 'k' };
    const answer = await service.setObjectTags(aCall(), { ...ref, tags: { c: 'd' } });
    expect(answer).toMatchObject({ outcome: 'set', version: { versionId: before?.versionId, isNull: true } });
    const after = await read();
    expect(after).toEqual({ ...before, tags: { c: 'd' }, revision: after?.revision });
    expect(after?.revision).toBeGreaterThan(before?.revision as bigint);
    await service.setObjectTags(aCall(), { ...ref, tags: {} });
    expect(await read()).not.toHaveProperty('tags');
    await expect(service.setObjectTags(aCall(), { ...ref, tags: { a: '\0' } })).rejects.toMatchObject({
      code: 'InvalidArgument',
    });
  });

  it('tags of a version by its id, of the null version and of the current one; a delete marker has none', async () => {
    const bucket = await fixture.bucket(service);
    const old = commit(bucket, 'k');
    await service.commitObject(aCall(), old);
    await service.setVersioning(aCall(), { bucketId: bucket.bucketId, versioning: 'enabled' });
    const now = await fresh(bucket);
    const next = commit(now, 'k');
    await service.commitObject(aCall(), next);
    const ref = { bucketId: bucket.bucketId, bucketRevision: now.revision, key: 'k' };
    const set = (versionId: string | undefined, value: string) =>
      service.setObjectTags(aCall(), { ...ref, ...(versionId === undefined ? {} : { versionId }), tags: { value } });
    expect(await set('null', 'null')).toMatchObject({ outcome: 'set', version: { versionId: old.versionId } });
    expect(await set(next.versionId, 'id')).toMatchObject({ outcome: 'set', version: { versionId: next.versionId } });
    const tagsOf = async (versionId: string) =>
      (await service.findObject(aCall(), { bucketName: bucket.name, key: 'k', versionId })).version?.tags;
    expect(await tagsOf('null')).toEqual({ value: 'null' });
    expect(await tagsOf(next.versionId)).toEqual({ value: 'id' });
    // The id of the null version is not its name.
    expect(await set(old.versionId, 'x')).toEqual({ outcome: 'no-such-version' });
    expect(await set(newId(), 'x')).toEqual({ outcome: 'no-such-version' });
    expect(await set('nonsense', 'x')).toEqual({ outcome: 'no-such-version' });

    const items = [{ key: 'k', conditions: {} }];
    const { outcomes } = await service.deleteObjects(aCall(), { ...ref, items });
    const marker = outcomes[0].marker?.versionId as string;
    expect(await set(undefined, 'x')).toMatchObject({ outcome: 'delete-marker', version: { versionId: marker } });
    expect(await set(marker, 'x')).toMatchObject({ outcome: 'delete-marker' });
    expect(await tagsOf(next.versionId)).toEqual({ value: 'id' });
    expect(await service.setObjectTags(aCall(), { ...ref, key: 'none', tags: {} })).toEqual({
      outcome: 'no-such-key',
    });
    expect(await service.setObjectTags(aCall(), { ...ref, bucketRevision: bucket.revision, tags: {} })).toEqual({
      outcome: 'bucket-changed',
    });
    expect(await service.setObjectTags(aCall(), { ...ref, bucketId: 999_999n, tags: {} })).toEqual({
      outcome: 'no-bucket',
    });
  });
});
