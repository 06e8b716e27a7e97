import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { BucketRecord, ListObjects, ObjectList } from '@holdfast/contracts';
import { prefixEnd } from './domain/key-order.js';
import type { MetadataService } from './metadata.service.js';
import { aCall, MetadataFixture, storageSet } from './testing/metadata-fixture.js';

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What a listing is, said the slow way. */
function expectedNames(keys: readonly string[], query: Partial<ListObjects>): string[] {
  const { prefix = '', delimiter = '', afterKey, afterPrefix } = query;
  const names = new Set<string>();
  for (const key of [...keys].sort(compare)) {
    if (!key.startsWith(prefix)) continue;
    if (afterKey !== undefined && compare(key, afterKey) <= 0) continue;
    if (afterPrefix !== undefined && (compare(key, afterPrefix) < 0 || key.startsWith(afterPrefix))) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    names.add(at < 0 ? key : `${key.slice(0, at + delimiter.length)} (prefix)`);
  }
  return [...names];
}

const namesOf = (list: ObjectList) =>
  list.entries.map((entry) => (entry.kind === 'object' ? entry.object.key : `${entry.prefix} (prefix)`));

describe('listings', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open([storageSet(1)]);
    other = await fixture.open([storageSet(1)]);
  }, 60_000);
  afterAll(() => fixture?.stop());

  /** Rows of the pointer table alone: a listing reads nothing else. */
  const fill = async (keys: readonly string[]): Promise<BucketRecord> => {
    const bucket = await fixture.bucket(service);
    await fixture.query(
      `INSERT INTO metadata.object_current SELECT $1, k, 1, 5, 'etag', 7, 'STANDARD', 'crc32' FROM unnest($2::text[]) k`,
      [bucket.bucketId, keys],
    );
    return bucket;
  };
  const list = (bucket: BucketRecord, query: Partial<ListObjects> = {}, on = service) =>
    on.listObjects(aCall(), { bucketName: bucket.name, prefix: '', delimiter: '', limit: 1000, ...query });

  /** Follows the pages to the end, each on the other service. */
  const pages = async (bucket: BucketRecord, query: Partial<ListObjects>, limit: number) => {
    const names: string[] = [];
    let probes = 0;
    let after: Partial<ListObjects> = {};
    for (let page = 0; ; page++) {
      const answer = await list(bucket, { ...query, ...after, limit }, page % 2 === 0 ? service : other);
      names.push(...namesOf(answer));
      probes += answer.probes;
      if (!answer.truncated) return { names, probes };
      const last = answer.entries[answer.entries.length - 1];
      after = last.kind === 'object' ? { afterKey: last.object.key } : { afterPrefix: last.prefix };
    }
  };

  it('promise: 100,000 keys under two prefixes with a delimiter cost a few probes', async () => {
    const bucket = await fixture.bucket(service);
    await fixture.query(
      `INSERT INTO metadata.object_current SELECT $1, CASE WHEN i % 2 = 0 THEN 'photos/' ELSE 'videos/' END || lpad(i::text, 8, '0'),
        i, 5, 'etag', 7, 'STANDARD', '' FROM generate_series(1, 100000) i`,
      [bucket.bucketId],
    );
    const top = await list(bucket, { delimiter: '/' });
    expect(namesOf(top)).toEqual(['photos/ (prefix)', 'videos/ (prefix)']);
    expect(top.truncated).toBe(false);
    expect(top.probes).toBeLessThanOrEqual(3);
    // And a page of keys is one bounded scan.
    const page = await list(bucket, { prefix: 'photos/', delimiter: '/' });
    expect(page.entries).toHaveLength(1000);
    expect([page.truncated, page.probes]).toEqual([true, 1]);
    const all = await pages(bucket, { prefix: 'videos/' }, 1000);
    expect(all.names).toHaveLength(50_000);
    expect(all.probes).toBe(50);
    expect(new Set(all.names).size).toBe(50_000);
  }, 60_000);

  it('XE9: pages put together are the whole, on both services, for every prefix, delimiter and page size', async () => {
    const keys = [
      '/',
      '//',
      'a',
      'a/',
      'a/b',
      'a/b/c',
      'a/b/d',
      'a//x',
      'a0',
      'a%',
      'a_b',
      "a' OR true --",
      'a\\',
      'A',
      'b',
      'b/1',
      'b/2',
      'bb/1',
      'z\ud7ff',
      'z\ud7ff/1',
      'z\ue000',
      'z\uffff',
      'z\u{10000}',
      'z\u{10ffff}',
      'z\u{10ffff}/1',
      'z\u{10ffff}/2',
      '\u{10ffff}',
      '\u{10ffff}\u{10ffff}',
      '\u{10ffff}/x',
      'é',
      'e\u0301',
      'line\nfeed',
      'tab\t',
      'x--1',
      'x--2',
      'x-',
    ];
    const bucket = await fill(keys);
    for (const prefix of [
      '',
      'a',
      'a/',
      'a/b',
      'a/b/c',
      'z',
      'z\u{10ffff}',
      '\u{10ffff}',
      'a%',
      'a_',
      "a'",
      'nothing',
      '/',
      'é',
    ]) {
      for (const delimiter of ['', '/', '--', '\u{10ffff}', 'b']) {
        const query = { prefix, delimiter };
        const expected = expectedNames(keys, query);
        const whole = await list(bucket, query);
        expect([query, namesOf(whole), whole.truncated]).toEqual([query, expected, false]);
        for (const limit of [1, 3]) {
          expect([query, limit, (await pages(bucket, query, limit)).names]).toEqual([query, limit, expected]);
        }
      }
    }
  }, 60_000);

  it('a key that is after a place inside a common prefix still shows the prefix; one after the prefix does not', async () => {
    const keys = ['a/1', 'a/5', 'a/9', 'b'];
    const bucket = await fill(keys);
    const names = async (query: Partial<ListObjects>) => namesOf(await list(bucket, query));
    expect(await names({ delimiter: '/', afterKey: 'a/5' })).toEqual(['a/ (prefix)', 'b']);
    expect(await names({ delimiter: '/', afterKey: 'a/9' })).toEqual(['b']);
    expect(await names({ delimiter: '/', afterPrefix: 'a/' })).toEqual(['b']);
    expect(await names({ afterKey: 'a/5' })).toEqual(['a/9', 'b']);
    expect(await names({ afterKey: 'a/50' })).toEqual(['a/9', 'b']);
    expect(await names({ prefix: 'a/', afterKey: 'A' })).toEqual(['a/1', 'a/5', 'a/9']);
    expect(await names({ prefix: 'a/', afterKey: 'zzz' })).toEqual([]);
    expect(await names({ prefix: 'a/\0' })).toEqual([]);
  });

  it('says what a page needs to say, and nothing for a limit of 0', async () => {
    const bucket = await fill(['k']);
    const answer = await list(bucket);
    expect(answer.bucket).toEqual(bucket);
    expect(answer.entries).toEqual([
      {
        kind: 'object',
        object: {
          key: 'k',
          sizeBytes: 5,
          etag: 'etag',
          lastModifiedMs: 7,
          storageClass: 'STANDARD',
          checksumAlgorithms: ['crc32'],
        },
      },
    ]);
    expect(await list(bucket, { limit: 0 })).toMatchObject({ entries: [], truncated: false });
    const missing = await service.listObjects(aCall(), { bucketName: 'missing', prefix: '', delimiter: '', limit: 10 });
    expect(missing).toEqual({ entries: [], truncated: false, probes: 0 });
  });

  it('Postgres and this process agree on the end of a prefix', async () => {
    for (const prefix of ['a', 'a/', 'a\ud7ff', 'a\uffff', 'a\u{10ffff}', '\u{10ffff}', 'é', '', '\u007f', '\u07ff']) {
      const [row] = await fixture.query('SELECT metadata.prefix_end($1) AS place', [prefix]);
      expect(row.place).toBe(prefixEnd(prefix) ?? null);
    }
  });
});
