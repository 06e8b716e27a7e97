import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeChunkList, newId, type BucketRecord, type CommitAnswer } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { DeafProxy } from './testing/deaf-proxy.js';
import { aCall, commit, layout, MetadataFixture, storageSet, written } from './testing/metadata-fixture.js';

describe('commits', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
    other = await fixture.open();
  }, 60_000);
  afterAll(() => fixture?.stop());

  const versionsOf = (bucket: BucketRecord, key: string) =>
    fixture.query('SELECT * FROM metadata.object_version WHERE bucket_id = $1 AND key = $2 ORDER BY sequence', [
      bucket.bucketId,
      key,
    ]);
  const count = (answers: readonly CommitAnswer[], outcome: CommitAnswer['outcome']) =>
    answers.filter((answer) => answer.outcome === outcome).length;
  const put = (on: MetadataService, bucket: BucketRecord, key: string, change = {}) =>
    on.commitObject(aCall(), commit(bucket, key, change));

  it('seed-3.11: a commit is visible after its answer and before it nothing is', async () => {
    const bucket = await fixture.bucket(service);
    const found = await service.findObject(aCall(), { bucketName: bucket.name, key: 'a' });
    expect(found).toEqual({ bucket });
    const input = commit(bucket, 'a');
    const answer = await service.commitObject(aCall(), input);
    expect(answer).toMatchObject({ outcome: 'committed', versionId: input.versionId, isNull: true });
    const { version } = await other.findObject(aCall(), { bucketName: bucket.name, key: 'a' });
    expect(version).toMatchObject({
      versionId: input.versionId,
      etag: input.etag,
      sizeBytes: 4096,
      isNull: true,
      isDeleteMarker: false,
      writeId: input.written.writeId,
      attributes: input.attributes,
    });
    expect(version?.chunks?.equals(input.written.chunks)).toBe(true);
  });

  it('100 concurrent commits of one key on two services: all committed, one current version, the last sequence', async () => {
    const bucket = await fixture.bucket(service);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => put(i % 2 === 0 ? service : other, bucket, 'hot')),
    );
    expect(count(answers, 'committed')).toBe(100);
    const last = answers.reduce((a, b) =>
      a.outcome === 'committed' && b.outcome === 'committed' && b.sequence > a.sequence ? b : a,
    );
    const rows = await versionsOf(bucket, 'hot');
    expect(rows).toHaveLength(1);
    const { version } = await service.findObject(aCall(), { bucketName: bucket.name, key: 'hot' });
    expect(version).toMatchObject({ versionId: (last as { versionId: string }).versionId });
    const sequences = new Set(answers.map((answer) => (answer.outcome === 'committed' ? answer.sequence : 0n)));
    expect(sequences.size).toBe(100);
    // Each of the 99 others left a row that frees its bytes.
    const [{ freed }] = await fixture.query(
      "SELECT count(*)::int AS freed FROM metadata.outbox WHERE bucket_id = $1 AND kind = 'free'",
      [bucket.bucketId],
    );
    expect(freed).toBe(99);
  }, 60_000);

  it('100 concurrent commits with If-None-Match: * on two services: exactly one is committed', async () => {
    const bucket = await fixture.bucket(service);
    const conditions = { ifNoneMatch: ['*'] };
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => put(i % 2 === 0 ? service : other, bucket, 'once', { conditions })),
    );
    expect(count(answers, 'committed')).toBe(1);
    expect(count(answers, 'precondition-failed')).toBe(99);
  }, 60_000);

  it('a chain of If-Match commits from two services loses no update', async () => {
    const bucket = await fixture.bucket(service);
    const first = newId();
    await put(service, bucket, 'chain', { etag: first });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        put(i % 2 === 0 ? service : other, bucket, 'chain', { conditions: { ifMatch: [first] } }),
      ),
    );
    expect(count(answers, 'committed')).toBe(1);
    expect(count(answers, 'precondition-failed')).toBe(39);
  }, 60_000);

  it('judges each item by its own conditions', async () => {
    const bucket = await fixture.bucket(service);
    await put(service, bucket, 'k', { etag: 'one' });
    const outcome = async (conditions: object, key = 'k') =>
      (await put(service, bucket, key, { conditions, etag: 'one' })).outcome;
    expect(await outcome({ ifMatch: ['two'] })).toBe('precondition-failed');
    expect(await outcome({ ifMatch: ['two', 'one'] })).toBe('committed');
    expect(await outcome({ ifMatch: ['*'] })).toBe('committed');
    expect(await outcome({ ifNoneMatch: ['one'] })).toBe('precondition-failed');
    expect(await outcome({ ifNoneMatch: ['two'] })).toBe('committed');
    expect(await outcome({ ifNoneMatch: ['*'] }, 'absent-1')).toBe('committed');
    expect(await outcome({ ifMatch: ['*'] }, 'absent-2')).toBe('no-such-key');
    expect(await outcome({ ifMatch: ['one'] }, 'absent-2')).toBe('no-such-key');
  });

  it('one batch holds items of many buckets and kinds, each with its own answer', async () => {
    const buckets = await Promise.all([1, 2, 3].map(() => fixture.bucket(service)));
    await service.deleteBucket(aCall(), { bucketId: buckets[2].bucketId });
    await put(service, buckets[0], 'there');
    const answers = await Promise.all([
      put(service, buckets[0], 'a'),
      put(service, buckets[1], 'a'),
      put(service, buckets[2], 'a'),
      put(service, buckets[0], 'there', { conditions: { ifNoneMatch: ['*'] } }),
      put(service, { ...buckets[1], revision: 1n }, 'b'),
      put(service, buckets[1], 'c', { conditions: { ifMatch: ['*'] } }),
      put(service, buckets[1], 'd', { attemptAgeMs: 24 * 3600 * 1000 }),
    ]);
    expect(answers.map((answer) => answer.outcome)).toEqual([
      'committed',
      'committed',
      'no-bucket',
      'precondition-failed',
      'bucket-changed',
      'no-such-key',
      'late',
    ]);
  });

  it('32 keys of one bucket commit within 1 s while another session holds the lock of a 33rd and a PUT of it waits', async () => {
    const bucket = await fixture.bucket(service);
    await put(service, bucket, 'warm');
    const holder = await fixture.session();
    await holder.query('BEGIN');
    await holder.query('SELECT metadata.lock_key($1, $2)', [bucket.bucketId, 'held']);
    let heldIsDone = false;
    const held = put(service, bucket, 'held').then((answer) => {
      heldIsDone = true;
      return answer;
    });
    // Several more behind it must not fill the slow lane either.
    const behind = Array.from({ length: 8 }, () => put(service, bucket, 'held'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const startedAt = performance.now();
    const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => put(service, bucket, `free-${i}`)));
    const tookMs = performance.now() - startedAt;
    expect(count(answers, 'committed')).toBe(32);
    expect(tookMs).toBeLessThan(1_000);
    expect(heldIsDone).toBe(false);
    await holder.query('COMMIT');
    expect((await held).outcome).toBe('committed');
    expect(count(await Promise.all(behind), 'committed')).toBe(8);
  }, 60_000);

  it('a PUT whose key stays locked is late when its deadline passes, and nothing of it is there', async () => {
    const bucket = await fixture.bucket(service);
    const holder = await fixture.session();
    await holder.query('BEGIN');
    await holder.query('SELECT metadata.lock_key($1, $2)', [bucket.bucketId, 'held']);
    expect(await service.commitObject(aCall(300), commit(bucket, 'held'))).toEqual({ outcome: 'late' });
    await holder.query('COMMIT');
    expect(await versionsOf(bucket, 'held')).toHaveLength(0);
    expect(await service.commitObject(aCall(0), commit(bucket, 'held'))).toEqual({ outcome: 'late' });
  });

  it('a commit after DeleteBucket, also one that raced it, finds no bucket and leaves nothing', async () => {
    const bucket = await fixture.bucket(service);
    const commits = Array.from({ length: 20 }, (_, i) => put(i % 2 === 0 ? service : other, bucket, `k${i}`));
    const deleted = await service.deleteBucket(aCall(), { bucketId: bucket.bucketId });
    const answers = await Promise.all(commits);
    const kept = count(answers, 'committed');
    expect(deleted.outcome).toBe(kept === 0 ? 'deleted' : deleted.outcome);
    if (deleted.outcome === 'deleted') expect(kept).toBe(0);
    else expect(deleted.outcome).toBe('not-empty');

    const empty = await fixture.bucket(service);
    expect(await service.deleteBucket(aCall(), { bucketId: empty.bucketId })).toEqual({ outcome: 'deleted' });
    expect((await put(service, empty, 'k')).outcome).toBe('no-bucket');
    expect(await versionsOf(empty, 'k')).toHaveLength(0);
  });

  it('DeleteBucket waits for a commit under way and then finds its key', async () => {
    const bucket = await fixture.bucket(service);
    const holder = await fixture.session();
    await holder.query('BEGIN');
    await holder.query('SELECT metadata.lock_key($1, $2)', [bucket.bucketId, 'k']);
    const waiting = put(service, bucket, 'k');
    await new Promise((resolve) => setTimeout(resolve, 100));
    // The waiting commit shares the bucket: the delete comes behind it.
    const deleting = service.deleteBucket(aCall(), { bucketId: bucket.bucketId });
    await holder.query('COMMIT');
    expect((await waiting).outcome).toBe('committed');
    expect((await deleting).outcome).toBe('not-empty');
  });

  it('random mixes of commits, deletes, tags and configuration changes on two services end without a deadlock', async () => {
    const buckets = await Promise.all([1, 2, 3].map(() => fixture.bucket(service)));
    const errors: unknown[] = [];
    let random = 12_345;
    const next = (below: number) => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const worker = async (on: MetadataService) => {
      for (let i = 0; i < 40; i++) {
        const bucket = buckets[next(3)];
        const key = `k${next(5)}`;
        const kind = next(10);
        try {
          if (kind < 6) await put(on, bucket, key);
          else if (kind === 6) {
            const { bucket: fresh = bucket } = await on.findBucket(aCall(), { name: bucket.name });
            const ref = { bucketId: fresh.bucketId, bucketRevision: fresh.revision, key };
            await on.setObjectTags(aCall(), { ...ref, tags: { i: `${i}` } });
          } else if (kind < 9) {
            const { bucket: fresh = bucket } = await on.findBucket(aCall(), { name: bucket.name });
            const items = [
              { key, conditions: {} },
              { key: `k${next(5)}`, conditions: {} },
            ];
            await on.deleteObjects(aCall(), { bucketId: fresh.bucketId, bucketRevision: fresh.revision, items });
          } else if (next(2) === 0)
            await on.setVersioning(aCall(), { bucketId: bucket.bucketId, versioning: 'enabled' });
          else {
            await on.putBucketConfiguration(aCall(), { bucketId: bucket.bucketId, kind: 'tagging', document: `${i}` });
          }
        } catch (error) {
          errors.push(error);
        }
      }
    };
    await Promise.all([...Array(6)].flatMap(() => [worker(service), worker(other)]));
    expect(errors).toEqual([]);
    const [{ deadlocks }] = await fixture.query(
      'SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(deadlocks).toBe(0);
  }, 60_000);

  it("seed-3.12: the row holds ordered chunk ids, name, size, owner, etag and the user's pairs", async () => {
    const bucket = await fixture.bucket(service);
    const userMetadata = { colour: 'blau-grün 🎈', __proto__x: '"quoted", \\ back\nslash' };
    const input = commit(bucket, 'päth/ключ', { attributes: { ...commit(bucket, 'x').attributes, userMetadata } });
    await service.commitObject(aCall(), input);
    const [row] = await fixture.query('SELECT * FROM metadata.object_metadata WHERE bucket_name = $1', [bucket.name]);
    const chunkIds = [input.written.chunks.toString('hex', 6, 22)];
    expect(row).toMatchObject({
      name_or_key: 'päth/ключ',
      size: '4096',
      owner: 'account-1',
      etag: input.etag,
      data_blocks: chunkIds,
      name_value_pairs: userMetadata,
    });
    const { version } = await service.findObject(aCall(), { bucketName: bucket.name, key: 'päth/ключ' });
    expect({ ...version?.attributes.userMetadata }).toEqual(userMetadata);
  });

  it('owes a copy only where the profile, the class and the map ask for one', async () => {
    const bucket = await fixture.bucket(service);
    const replication = async (change: object) => {
      const input = commit(bucket, newId(), change);
      await service.commitObject(aCall(), input);
      const rows = await fixture.query('SELECT kind FROM metadata.outbox WHERE write_id = $1 ORDER BY kind', [
        Buffer.from(input.written.writeId, 'hex'),
      ]);
      const found = await service.findObject(aCall(), { bucketName: bucket.name, key: input.key });
      return [found.version?.replication, ...rows.map((row) => row.kind)];
    };
    expect(await replication({})).toEqual(['pending', 'replicate']);
    expect(await replication({ written: written(0) })).toEqual(['none']);
    expect(
      await replication({ attributes: { ...commit(bucket, 'x').attributes, storageClass: 'REDUCED_REDUNDANCY' } }),
    ).toEqual(['none']);
    expect(await replication({ written: written(10, { degraded: true }) })).toEqual(['pending', 'repair', 'replicate']);
  });

  it('keys of one batch in two buckets do not meet: no statement needs two buckets at once', async () => {
    const [one, two] = await Promise.all([fixture.bucket(service), fixture.bucket(service)]);
    const holder = await fixture.session();
    await holder.query('BEGIN');
    // Configuration of bucket one is being changed: bucket two goes on.
    await holder.query('SELECT pg_advisory_xact_lock(metadata.bucket_lock($1))', [one.bucketId]);
    const waiting = put(service, one, 'k');
    expect((await put(service, two, 'k')).outcome).toBe('committed');
    await holder.query('COMMIT');
    expect((await waiting).outcome).toBe('committed');
    // No table is reached from another by anything but its bucket: every key of what grows begins with it.
    const keys = await fixture.query(`SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE n.nspname = 'metadata' AND i.indisunique AND c.relname IN
        ('object_version', 'object_current', 'part', 'upload', 'upload_result', 'usage')`);
    expect(keys.length).toBeGreaterThanOrEqual(6);
    expect(new Set(keys.map((key) => key.attname))).toEqual(new Set(['bucket_id']));
  });

  it('seed-3.11: a lost answer is looked up: what was committed is answered so', async () => {
    const bucket = await fixture.bucket(service);
    const proxy = await DeafProxy.start(fixture.postgres.port);
    const url = new URL(fixture.postgres.url);
    url.hostname = '127.0.0.1';
    url.port = String(proxy.port);
    const behind = await fixture.open(undefined, {}, url.href);
    try {
      expect((await put(behind, bucket, 'warm')).outcome).toBe('committed');
      // Postgres gets the commit and does it; its answer is lost with the connection.
      proxy.loseAnswers();
      const input = commit(bucket, 'answer-lost');
      const [answer] = await Promise.all([
        behind.commitObject(aCall(), input),
        proxy.lost.then(() => proxy.hearAgain()),
      ]);
      expect(answer).toMatchObject({ outcome: 'committed', versionId: input.versionId });
      expect(await versionsOf(bucket, 'answer-lost')).toHaveLength(1);
    } finally {
      await proxy.stop();
    }
  }, 60_000);

  it('seed-3.11: an outcome that cannot be found out is ServiceUnavailable, and a commit that never came leaves nothing', async () => {
    const bucket = await fixture.bucket(service);
    await put(service, bucket, 'warm');
    const storm = Array.from({ length: 60 }, (_, i) => {
      const input = commit(bucket, `storm-${i}`);
      return service.commitObject(aCall(), input).then(
        (answer) => ({ input, outcome: answer.outcome as string }),
        (error: { code: string }) => ({ input, outcome: error.code }),
      );
    });
    await fixture.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast-metadata-commits'",
    );
    for (const { input, outcome } of await Promise.all(storm)) {
      const rows = await versionsOf(bucket, input.key);
      expect([outcome, rows.length]).toEqual(outcome === 'committed' ? ['committed', 1] : ['ServiceUnavailable', 0]);
    }
    expect((await put(service, bucket, 'after')).outcome).toBe('committed');
  }, 60_000);

  it('a key that Postgres cannot hold is refused before it joins a batch', async () => {
    const bucket = await fixture.bucket(service);
    const bad = (key: string) => put(service, bucket, key).catch((error: { code: string }) => error.code);
    const answers = await Promise.all([
      bad('nul\0'),
      put(service, bucket, 'good'),
      bad('half \ud800'),
      bad('é'.repeat(513)),
    ]);
    expect(answers[0]).toBe('InvalidURI');
    expect(answers[1]).toMatchObject({ outcome: 'committed' });
    expect(answers[2]).toBe('InvalidURI');
    expect(answers[3]).toBe('KeyTooLongError');
  });

  it('a map that lost a used device since the write makes a repair row, without margin the commit is refused', async () => {
    const url = await fixture.newDatabase();
    const metadata = await fixture.open([storageSet(1)], {}, url);
    const bucket = await fixture.bucket(metadata);
    const fail = (slot: number) =>
      metadata.changeClusterMap((map) => {
        map.sets[0].nodes[0].controllers[0].devices[slot].state = 'failed';
        return map;
      });
    // The unit of slot 5 is not among the used ones (slots 0 and 1): only the epoch is old.
    await fail(5);
    const untouched = commit(bucket, 'untouched');
    expect((await metadata.commitObject(aCall(), untouched)).outcome).toBe('committed');
    const owed = async () => (await metadata.status()).outbox;
    expect(await owed()).toEqual({});
    // 1+1 with one device gone keeps no margin.
    await fail(0);
    expect(await metadata.commitObject(aCall(), commit(bucket, 'lost'))).toEqual({ outcome: 'margin-lost' });
    const chunks = encodeChunkList([{ sizeBytes: 4096, primary: layout(1, 2, 2) }]);
    const degraded = commit(bucket, 'degraded', { written: written(4096, { chunks }) });
    expect((await metadata.commitObject(aCall(), degraded)).outcome).toBe('committed');
    expect(await owed()).toEqual({ repair: 1 });
  }, 60_000);
});
