import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type BucketRecord } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture, storageSet } from './testing/metadata-fixture.js';

describe('versions', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open([storageSet(1)]);
  }, 60_000);
  afterAll(() => fixture?.stop());

  const bucketWith = async (versioning: 'enabled' | 'suspended') => {
    const bucket = await fixture.bucket(service);
    return change(bucket, versioning);
  };
  const change = async (bucket: BucketRecord, versioning: 'enabled' | 'suspended') => {
    const answer = await service.setVersioning(aCall(), { bucketId: bucket.bucketId, versioning });
    expect(answer.outcome).toBe('changed');
    const { bucket: changed } = await service.findBucket(aCall(), { name: bucket.name });
    return changed as BucketRecord;
  };
  const put = async (bucket: BucketRecord, key: string) => {
    const input = commit(bucket, key);
    expect(await service.commitObject(aCall(), input)).toMatchObject({ outcome: 'committed' });
    return input;
  };
  const current = async (bucket: BucketRecord, key: string) =>
    (await service.findObject(aCall(), { bucketName: bucket.name, key })).version;
  const ofId = async (bucket: BucketRecord, key: string, versionId: string) =>
    (await service.findObject(aCall(), { bucketName: bucket.name, key, versionId })).version;
  const remove = async (bucket: BucketRecord, key: string, versionId?: string, conditions = {}) => {
    const items = [versionId === undefined ? { key, conditions } : { key, versionId, conditions }];
    const input = { bucketId: bucket.bucketId, bucketRevision: bucket.revision, items };
    return (await service.deleteObjects(aCall(), input)).outcomes[0];
  };
  const listed = async (bucket: BucketRecord) => {
    const list = await service.listObjects(aCall(), {
      bucketName: bucket.name,
      prefix: '',
      delimiter: '',
      limit: 1000,
    });
    return list.entries.map((entry) => (entry.kind === 'object' ? [entry.object.key, entry.object.etag] : []));
  };
  const freed = async (writeId: string) =>
    (
      await fixture.query("SELECT FROM metadata.outbox WHERE kind = 'free' AND write_id = $1", [
        Buffer.from(writeId, 'hex'),
      ])
    ).length;

  it('seed-3.13: a second PUT in an unversioned bucket is a new version with new chunks, the old bytes are freed later', async () => {
    const bucket = await fixture.bucket(service);
    const first = await put(bucket, 'k');
    const before = await current(bucket, 'k');
    const second = await put(bucket, 'k');
    const after = await current(bucket, 'k');
    expect(before).toMatchObject({ versionId: first.versionId, writeId: first.written.writeId, isNull: true });
    expect(after).toMatchObject({ versionId: second.versionId, writeId: second.written.writeId, isNull: true });
    expect(after?.sequence).toBeGreaterThan(before?.sequence as bigint);
    expect(await ofId(bucket, 'k', first.versionId)).toBeUndefined();
    expect(await freed(first.written.writeId)).toBe(1);
    expect(await freed(second.written.writeId)).toBe(0);
    // The row is not due while readers may be under way.
    expect(await service.claimIntents(100)).toEqual([]);
  });

  it('seed-3.13: an enabled bucket keeps every version readable, newest current, and frees nothing', async () => {
    const bucket = await bucketWith('enabled');
    const inputs = [await put(bucket, 'k'), await put(bucket, 'k'), await put(bucket, 'k')];
    expect(await current(bucket, 'k')).toMatchObject({ versionId: inputs[2].versionId, isNull: false });
    for (const input of inputs) {
      const version = await ofId(bucket, 'k', input.versionId);
      expect(version).toMatchObject({ etag: input.etag, writeId: input.written.writeId });
      expect(version?.chunks?.equals(input.written.chunks)).toBe(true);
      expect(await freed(input.written.writeId)).toBe(0);
    }
    expect(await ofId(bucket, 'k', 'null')).toBeUndefined();
    expect(await ofId(bucket, 'k', newId())).toBeUndefined();
    expect(await ofId(bucket, 'k', 'not-an-id')).toBeUndefined();
    expect(await ofId(bucket, 'other', inputs[0].versionId)).toBeUndefined();
  });

  it('seed-3.13: versions from before versioning was enabled stay; suspended replaces the null version only', async () => {
    let bucket = await fixture.bucket(service);
    const old = await put(bucket, 'k');
    bucket = await change(bucket, 'enabled');
    const kept = await put(bucket, 'k');
    expect(await ofId(bucket, 'k', 'null')).toMatchObject({ versionId: old.versionId });
    bucket = await change(bucket, 'suspended');
    const next = await put(bucket, 'k');
    expect(await current(bucket, 'k')).toMatchObject({ versionId: next.versionId, isNull: true });
    expect(await ofId(bucket, 'k', 'null')).toMatchObject({ versionId: next.versionId });
    expect(await ofId(bucket, 'k', kept.versionId)).toMatchObject({ etag: kept.etag });
    expect(await freed(old.written.writeId)).toBe(1);
    expect(await freed(kept.written.writeId)).toBe(0);
  });

  it('a change of configuration makes commits and deletes of the old revision repeat their authorisation', async () => {
    const stale = await fixture.bucket(service);
    await change(stale, 'enabled');
    expect(await service.commitObject(aCall(), commit(stale, 'k'))).toEqual({ outcome: 'bucket-changed' });
    expect(await remove(stale, 'k')).toMatchObject({ outcome: 'bucket-changed' });
  });

  it('deletes in an unversioned bucket take the version away; deleting what is not there is no error', async () => {
    const bucket = await fixture.bucket(service);
    const input = await put(bucket, 'k');
    expect(await remove(bucket, 'k', undefined, { ifMatch: ['other'] })).toMatchObject({
      outcome: 'precondition-failed',
      existed: true,
    });
    expect(await remove(bucket, 'k', undefined, { ifMatch: [input.etag] })).toMatchObject({
      outcome: 'deleted',
      existed: true,
    });
    expect(await current(bucket, 'k')).toBeUndefined();
    expect(await listed(bucket)).toEqual([]);
    expect(await freed(input.written.writeId)).toBe(1);
    expect(await remove(bucket, 'k')).toEqual({ outcome: 'deleted', existed: false, removedMarker: false });
    expect(await remove(bucket, 'k', 'nonsense')).toMatchObject({ outcome: 'deleted', existed: false });
    const missing = { ...bucket, bucketId: 999_999n };
    expect(await remove(missing, 'k')).toMatchObject({ outcome: 'no-bucket' });
  });

  it('a delete in an enabled bucket lays a marker; removing the marker brings the version back', async () => {
    const bucket = await bucketWith('enabled');
    const first = await put(bucket, 'k');
    const second = await put(bucket, 'k');
    const deleted = await remove(bucket, 'k');
    expect(deleted).toMatchObject({ outcome: 'deleted', existed: true });
    const markerId = deleted.marker?.versionId as string;
    expect(await current(bucket, 'k')).toMatchObject({ versionId: markerId, isDeleteMarker: true });
    expect(await listed(bucket)).toEqual([]);
    // A marker is an absent key to conditions.
    expect(await service.commitObject(aCall(), commit(bucket, 'k', { conditions: { ifMatch: ['*'] } }))).toEqual({
      outcome: 'no-such-key',
    });
    expect(await remove(bucket, 'k', markerId)).toEqual({ outcome: 'deleted', existed: true, removedMarker: true });
    expect(await current(bucket, 'k')).toMatchObject({ versionId: second.versionId });
    expect(await listed(bucket)).toEqual([['k', second.etag]]);
    // An older version goes without a change of the current one; then the current one, and its predecessor would be next.
    const third = await put(bucket, 'k');
    await remove(bucket, 'k', second.versionId);
    expect(await listed(bucket)).toEqual([['k', third.etag]]);
    await remove(bucket, 'k', third.versionId);
    expect(await listed(bucket)).toEqual([['k', first.etag]]);
    expect(await current(bucket, 'k')).toMatchObject({ versionId: first.versionId });
    await remove(bucket, 'k', first.versionId);
    expect(await listed(bucket)).toEqual([]);
    for (const input of [first, second, third]) expect(await freed(input.written.writeId)).toBe(1);
    expect(await service.deleteBucket(aCall(), { bucketId: bucket.bucketId })).toEqual({ outcome: 'deleted' });
  });

  it('a delete in a suspended bucket replaces the null version by a null marker', async () => {
    let bucket = await bucketWith('enabled');
    const kept = await put(bucket, 'k');
    bucket = await change(bucket, 'suspended');
    const gone = await put(bucket, 'k');
    const deleted = await remove(bucket, 'k');
    expect(deleted).toMatchObject({ outcome: 'deleted', existed: true, marker: { isNull: true } });
    expect(await current(bucket, 'k')).toMatchObject({ isDeleteMarker: true, isNull: true });
    expect(await freed(gone.written.writeId)).toBe(1);
    expect(await ofId(bucket, 'k', kept.versionId)).toMatchObject({ etag: kept.etag });
    await remove(bucket, 'k', 'null');
    expect(await listed(bucket)).toEqual([['k', kept.etag]]);
    expect(await service.deleteBucket(aCall(), { bucketId: bucket.bucketId })).toEqual({ outcome: 'not-empty' });
  });

  it('a delete is judged by ETag, time and size of the version that it names, or of the current one; none is met by nothing', async () => {
    const bucket = await bucketWith('enabled');
    const first = await put(bucket, 'k');
    const second = await put(bucket, 'k');
    const secondOf = async (id: string) => Math.floor(((await ofId(bucket, 'k', id))?.lastModifiedMs ?? 0) / 1000);
    const at = await secondOf(second.versionId);
    const refused = { outcome: 'precondition-failed', existed: true, removedMarker: false };
    for (const conditions of [
      { ifMatch: [first.etag] },
      { ifModifiedAtSeconds: at - 1 },
      { ifSizeBytes: 4095 },
      { ifMatch: [second.etag], ifModifiedAtSeconds: at, ifSizeBytes: 4097 },
    ]) {
      expect(await remove(bucket, 'k', undefined, conditions)).toEqual(refused);
      expect(await remove(bucket, 'k', second.versionId, conditions)).toEqual(refused);
    }
    const all = { ifMatch: ['x', second.etag], ifModifiedAtSeconds: at, ifSizeBytes: 4096 };
    expect(await remove(bucket, 'k', first.versionId, all)).toEqual(refused);
    expect(await remove(bucket, 'k', undefined, all)).toMatchObject({ outcome: 'deleted', marker: { isNull: false } });
    // Under the marker the key is absent; the version that is named is not.
    for (const conditions of [{ ifMatch: ['*'] }, { ifModifiedAtSeconds: at }, { ifSizeBytes: 0 }]) {
      const outcome = { ...refused, existed: false };
      expect(await remove(bucket, 'k', undefined, conditions)).toEqual(outcome);
      expect(await remove(bucket, 'none', undefined, conditions)).toEqual(outcome);
      expect(await remove(bucket, 'k', newId(), conditions)).toEqual(outcome);
    }
    expect(await remove(bucket, 'k', second.versionId, all)).toMatchObject({ outcome: 'deleted', existed: true });
    expect(await remove(bucket, 'k', first.versionId, { ifMatch: ['*'] })).toMatchObject({ outcome: 'deleted' });
  });

  it('one call deletes up to 1000 keys, one key named twice included', async () => {
    const bucket = await fixture.bucket(service);
    await Promise.all(Array.from({ length: 150 }, (_, i) => put(bucket, `k${i}`)));
    const keys = [...Array.from({ length: 200 }, (_, i) => `k${i}`), 'k0'];
    const items = keys.map((key) => ({ key, conditions: {} }));
    const input = { bucketId: bucket.bucketId, bucketRevision: bucket.revision, items };
    const { outcomes } = await service.deleteObjects(aCall(), input);
    expect(outcomes.map((outcome) => outcome.outcome)).toEqual(keys.map(() => 'deleted'));
    expect(outcomes.filter((outcome) => outcome.existed)).toHaveLength(150);
    expect(await listed(bucket)).toEqual([]);
  });

  it('usage follows what is kept, folded or not', async () => {
    const before = await service.status();
    let bucket = await fixture.bucket(service);
    await put(bucket, 'a');
    await put(bucket, 'a');
    bucket = await change(bucket, 'enabled');
    const extra = await put(bucket, 'a');
    await put(bucket, 'b');
    await remove(bucket, 'b');
    const counted = async () => {
      const { objects, bytes } = await service.status();
      return [objects - before.objects, bytes - before.bytes];
    };
    expect(await counted()).toEqual([3, 3 * 4096]);
    expect(await service.tidy()).toBeGreaterThan(0);
    expect(await counted()).toEqual([3, 3 * 4096]);
    await remove(bucket, 'a', extra.versionId);
    expect(await counted()).toEqual([2, 2 * 4096]);
    const [row] = await fixture.query('SELECT objects::int FROM metadata.usage WHERE bucket_id = $1', [
      bucket.bucketId,
    ]);
    expect(row).toEqual({ objects: 3 });
  });
});
