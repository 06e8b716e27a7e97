import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type BucketRecord, type ListVersions, type VersionList } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, commit, MetadataFixture, storageSet } from './testing/metadata-fixture.js';

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const namesOf = (list: VersionList) =>
  list.entries.map((entry) =>
    entry.kind === 'prefix' ? `${entry.prefix} (prefix)` : `${entry.version.key}@${entry.version.versionId}`,
  );

describe('version listings', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open([storageSet(1)]);
    other = await fixture.open([storageSet(1)]);
  }, 60_000);
  afterAll(() => fixture?.stop());

  const list = (bucket: BucketRecord, query: Partial<ListVersions> = {}, on = service) =>
    on.listVersions(aCall(), { bucketName: bucket.name, prefix: '', delimiter: '', limit: 1000, ...query });

  /** Rows alone: `counts` versions of each key, the newest with the highest number. Answers ids by key, newest first. */
  const fill = async (counts: Readonly<Record<string, number>>) => {
    const bucket = await fixture.bucket(service);
    const ids = new Map<string, string[]>();
    const rows = Object.entries(counts).flatMap(([key, count]) =>
      Array.from({ length: count }, (_, i) => ({ key, sequence: i + 1, id: newId() })),
    );
    for (const { key, id } of rows) ids.set(key, [id, ...(ids.get(key) ?? [])]);
    await fixture.query(
      `INSERT INTO metadata.object_version (bucket_id, key, sequence, version_id, is_null, is_delete_marker, revision,
          size_bytes, etag, last_modified_ms, attributes, replication)
        SELECT $1, r.key, r.sequence, decode(r.id, 'hex'), false, false, r.sequence, 5, 'etag', 7,
          '{"storageClass":"STANDARD","checksums":{"crc32":"x"}}', 'none'
        FROM unnest($2::text[], $3::bigint[], $4::text[]) r(key, sequence, id)`,
      [bucket.bucketId, rows.map(({ key }) => key), rows.map(({ sequence }) => sequence), rows.map(({ id }) => id)],
    );
    return { bucket, ids };
  };

  /** Follows the pages to the end, each on the other service. */
  const pages = async (bucket: BucketRecord, query: Partial<ListVersions>, limit: number) => {
    const entries: VersionList['entries'] = [];
    let probes = 0;
    let after: Partial<ListVersions> = {};
    for (let page = 0; ; page++) {
      const answer = await list(bucket, { ...query, ...after, limit }, page % 2 === 0 ? service : other);
      entries.push(...answer.entries);
      probes += answer.probes;
      if (!answer.truncated) return { names: namesOf({ entries, truncated: false, probes }), entries, probes };
      const last = answer.entries[answer.entries.length - 1];
      after =
        last.kind === 'version'
          ? { afterKey: last.version.key, afterVersionId: last.version.versionId }
          : { afterPrefix: last.prefix };
    }
  };

  it('pages put together are the whole, newest first in each key, for every prefix, delimiter and page size', async () => {
    const counts = { a: 3, 'a/': 1, 'a/b': 4, 'a/b/c': 1, a0: 7, b: 1, 'b/1': 2, 'z\u{10ffff}': 2, é: 1, '\ue000': 2 };
    const { bucket, ids } = await fill(counts);
    for (const prefix of ['', 'a', 'a/', 'b', 'z', 'none']) {
      for (const delimiter of ['', '/', 'a']) {
        const expected: string[] = [];
        for (const key of [...ids.keys()].sort(compare)) {
          if (!key.startsWith(prefix)) continue;
          const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
          if (at < 0) expected.push(...(ids.get(key) ?? []).map((id) => `${key}@${id}`));
          else if (expected.at(-1) !== `${key.slice(0, at + delimiter.length)} (prefix)`) {
            expected.push(`${key.slice(0, at + delimiter.length)} (prefix)`);
          }
        }
        for (const limit of [1, 2, 3, 1000]) {
          const { names, entries } = await pages(bucket, { prefix, delimiter }, limit);
          expect({ prefix, delimiter, limit, names }).toEqual({ prefix, delimiter, limit, names: expected });
          const latest = entries.flatMap((entry) =>
            entry.kind === 'version' && entry.version.isLatest ? [entry] : [],
          );
          for (const { version } of latest) expect(version.versionId).toBe(ids.get(version.key)?.[0]);
          expect(latest).toHaveLength(
            new Set(names.filter((name) => name.includes('@')).map((n) => n.split('@')[0])).size,
          );
        }
      }
    }
  }, 60_000);

  it('promise: what is listed costs what is returned: 50,000 versions of a key, 100,000 keys under two prefixes', async () => {
    const bucket = await fixture.bucket(service);
    await fixture.query(
      `INSERT INTO metadata.object_version (bucket_id, key, sequence, version_id, is_null, is_delete_marker, revision, size_bytes,
          etag, last_modified_ms, attributes, replication)
        SELECT $1, k, s, decode(md5(k || s), 'hex'), false, false, s, 5, 'etag', 7, '{"storageClass":"STANDARD","checksums":{}}', 'none'
        FROM (SELECT 'many' AS k, s FROM generate_series(1, 50000) s UNION ALL
          SELECT CASE WHEN s % 2 = 0 THEN 'photos/' ELSE 'videos/' END || lpad(s::text, 8, '0'), s
          FROM generate_series(1, 100000) s) rows`,
      [bucket.bucketId],
    );
    // Once before it is measured: what the first call reads of the catalogue is not what it reads of the table.
    await fixture.query(
      `CREATE FUNCTION metadata_test_plan(p_query text) RETURNS json LANGUAGE plpgsql AS $$
       DECLARE v_plan json; BEGIN EXECUTE p_query; EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || p_query INTO v_plan; RETURN v_plan; END $$`,
    );
    const top = await list(bucket, { delimiter: '/', limit: 3 });
    expect([top.entries.length, top.truncated]).toEqual([3, true]);
    const prefixes = await list(bucket, { delimiter: '/', afterKey: 'many' });
    expect(namesOf(prefixes)).toEqual(['photos/ (prefix)', 'videos/ (prefix)']);
    expect(prefixes.probes).toBeLessThanOrEqual(3);
    const middle = await list(bucket, { limit: 1000 });
    const last = middle.entries[999];
    const afterVersionId = last.kind === 'version' ? last.version.versionId : '';
    const deep = await list(bucket, { afterKey: 'many', afterVersionId, limit: 1000 });
    expect([deep.entries.length, deep.truncated, deep.probes]).toEqual([1000, true, 2]);
    const keys = await list(bucket, { prefix: 'photos/' });
    expect([keys.entries.length, keys.truncated, keys.probes]).toEqual([1000, true, 1002]);
    // Pages of Postgres that ten entries touch, wherever they lie: all versions of the key fill more than a thousand.
    await fixture.query('ANALYZE metadata.object_version');
    for (const after of [null, afterVersionId]) {
      const [{ plan }] = await fixture.query(
        `SELECT metadata_test_plan('SELECT * FROM metadata.list_versions(${bucket.bucketId}, '''', '''', '''', ' ||
          ${after === null ? `'NULL, NULL'` : `'''many'', ''${after}'''`} || ', 10)') AS plan`,
      );
      const [{ Plan: node }] = plan as [{ Plan: Record<string, number> }];
      expect(node['Actual Rows']).toBe(11);
      expect(node['Shared Hit Blocks'] + node['Shared Read Blocks']).toBeLessThan(200);
    }
  }, 60_000);

  it('shows what a version is; a marker whose version is gone begins the key again, and leaves nothing out', async () => {
    let bucket = await fixture.bucket(service);
    const first = commit(bucket, 'k');
    await service.commitObject(aCall(), first);
    await service.setVersioning(aCall(), { bucketId: bucket.bucketId, versioning: 'enabled' });
    bucket = (await service.findBucket(aCall(), { name: bucket.name })).bucket as BucketRecord;
    const second = commit(bucket, 'k');
    await service.commitObject(aCall(), second);
    const ref = { bucketId: bucket.bucketId, bucketRevision: bucket.revision };
    const { outcomes } = await service.deleteObjects(aCall(), { ...ref, items: [{ key: 'k', conditions: {} }] });
    const markerId = outcomes[0].marker?.versionId as string;
    const entries = (await list(bucket)).entries.map((entry) => (entry.kind === 'version' ? entry.version : undefined));
    const shown = {
      key: 'k',
      etag: second.etag,
      sizeBytes: 4096,
      storageClass: 'STANDARD',
      checksumAlgorithms: ['crc32c'],
    };
    expect(entries).toMatchObject([
      { versionId: markerId, isDeleteMarker: true, isLatest: true, isNull: false, sizeBytes: 0, etag: '' },
      { ...shown, versionId: second.versionId, isDeleteMarker: false, isLatest: false, isNull: false },
      { ...shown, versionId: first.versionId, isLatest: false, isNull: true, etag: first.etag },
    ]);
    const after = async (afterVersionId: string) => namesOf(await list(bucket, { afterKey: 'k', afterVersionId }));
    const [two, one] = [`k@${second.versionId}`, `k@${first.versionId}`];
    expect(await after(markerId)).toEqual([two, one]);
    expect(await after(second.versionId)).toEqual([one]);
    expect(await after('null')).toEqual([]);
    await service.deleteObjects(aCall(), { ...ref, items: [{ key: 'k', versionId: markerId, conditions: {} }] });
    expect(await after(markerId)).toEqual([two, one]);
    expect((await list(bucket, { limit: 0 })).truncated).toBe(false);
    expect(await service.listVersions(aCall(), { bucketName: 'none', prefix: '', delimiter: '', limit: 1 })).toEqual({
      entries: [],
      truncated: false,
      probes: 0,
    });
  });
});
