import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId, type BucketRecord, type MetadataMethods } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, ATTRIBUTES, commit, MetadataFixture, written } from './testing/metadata-fixture.js';

type Query = Partial<Parameters<MetadataMethods['listUploads']>[1]>;

describe('lists of open uploads and of parts', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let bucket: BucketRecord;
  const uploads: { key: string; uploadId: string }[] = [];

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
    bucket = await fixture.bucket(service);
    let nowMs = Date.now();
    // By bytes U+FFFD comes before U+1F600, by UTF-16 after it.
    for (const key of ['b', 'a/1', 'a/2', 'a/2', 'a/2', 'c/x/1', 'c/x/2', '\ufffd', '\u{1f600}', 'a']) {
      const uploadId = newId((nowMs += 1));
      uploads.push({ key, uploadId });
      const ref = { bucketId: bucket.bucketId, key, uploadId };
      const checksum = key === 'b' ? { checksum: { algorithm: 'crc32', type: 'FULL_OBJECT' as const } } : {};
      await service.createUpload(aCall(), {
        ...ref,
        ...checksum,
        attributes: ATTRIBUTES,
        accountId: 'account-1',
        initiatorArn: 'arn:me',
      });
    }
  }, 60_000);
  afterAll(() => fixture?.stop());

  const page = (query: Query = {}) =>
    service.listUploads(aCall(), { bucketId: bucket.bucketId, prefix: '', delimiter: '', limit: 1000, ...query });
  const shown = ({ entries }: Awaited<ReturnType<typeof page>>) =>
    entries.map((entry) => (entry.kind === 'prefix' ? `${entry.prefix} (prefix)` : entry.upload.key));

  it('lists by key in byte order, uploads of one key by age, with what each was created with', async () => {
    const all = await page();
    expect(all.truncated).toBe(false);
    expect(shown(all)).toEqual(['a', 'a/1', 'a/2', 'a/2', 'a/2', 'b', 'c/x/1', 'c/x/2', '\ufffd', '\u{1f600}']);
    const ids = all.entries.flatMap((entry) => (entry.kind === 'upload' ? [entry.upload.uploadId] : []));
    expect(ids.slice(2, 5)).toEqual(uploads.filter(({ key }) => key === 'a/2').map(({ uploadId }) => uploadId));
    const b = all.entries.find((entry) => entry.kind === 'upload' && entry.upload.key === 'b');
    expect(b).toMatchObject({
      upload: {
        initiatorArn: 'arn:me',
        storageClass: 'STANDARD',
        checksum: { algorithm: 'crc32', type: 'FULL_OBJECT' },
      },
    });
  });

  it('pages of any size give every upload once, by key and id marker', async () => {
    const whole = (await page()).entries;
    for (const limit of [1, 2, 3, 7]) {
      const seen: typeof whole = [];
      let after: Query = {};
      for (;;) {
        const { entries, truncated } = await page({ ...after, limit });
        seen.push(...entries);
        expect(entries.length).toBe(truncated ? limit : entries.length);
        const last = entries.at(-1);
        if (!truncated || last?.kind !== 'upload') break;
        after = { afterKey: last.upload.key, afterUploadId: last.upload.uploadId };
      }
      expect(seen).toEqual(whole);
    }
    expect(shown(await page({ afterKey: 'a/2' }))[0]).toBe('b');
    expect((await page({ limit: 0 })).entries).toEqual([]);
  });

  it('rolls up by delimiter and goes on after a common prefix', async () => {
    const rolled = await page({ delimiter: '/' });
    expect(shown(rolled)).toEqual(['a', 'a/ (prefix)', 'b', 'c/ (prefix)', '\ufffd', '\u{1f600}']);
    expect(shown(await page({ delimiter: '/', prefix: 'c/' }))).toEqual(['c/x/ (prefix)']);
    const first = await page({ delimiter: '/', limit: 2 });
    expect([shown(first), first.truncated]).toEqual([['a', 'a/ (prefix)'], true]);
    expect(shown(await page({ delimiter: '/', limit: 2, afterPrefix: 'a/' }))).toEqual(['b', 'c/ (prefix)']);
    expect(shown(await page({ prefix: 'a/2' }))).toEqual(['a/2', 'a/2', 'a/2']);
    expect(shown(await page({ prefix: 'a/2', afterKey: 'a' }))).toHaveLength(3);
    expect(shown(await page({ prefix: 'nothing' }))).toEqual([]);
  });

  it('costs what it returns: 20,000 uploads under two prefixes are two probes and one for the end', async () => {
    const crowded = await fixture.bucket(service);
    await fixture.query(
      `INSERT INTO metadata.upload (bucket_id, key, upload_id, attributes, account_id, initiator_arn, created_at_ms)
        SELECT $1, CASE WHEN i % 2 = 0 THEN 'even/' ELSE 'odd/' END || i, decode(md5(i::text), 'hex'),
          '{"storageClass":"STANDARD"}', 'a', 'b', 0 FROM generate_series(1, 20000) i`,
      [crowded.bucketId],
    );
    const list = await page({ bucketId: crowded.bucketId, delimiter: '/', limit: 10 });
    expect(shown(list)).toEqual(['even/ (prefix)', 'odd/ (prefix)']);
    expect(list.probes).toBeLessThanOrEqual(3);
  }, 60_000);

  it('lists the parts of a version by the numbers they were uploaded under, with sizes and checksums', async () => {
    const ref = { bucketId: bucket.bucketId, key: 'parts', uploadId: newId() };
    await service.createUpload(aCall(), { ...ref, attributes: ATTRIBUTES, accountId: 'a', initiatorArn: 'b' });
    const etag = 'd41d8cd98f00b204e9800998ecf8427e';
    const numbers = [2, 3, 7, 10_000];
    for (const partNumber of numbers) {
      const sizeBytes = 5 * 2 ** 20 + partNumber;
      const part = { etag, checksums: { crc32: `${partNumber}` }, written: written(sizeBytes), attemptAgeMs: 0 };
      expect((await service.commitPart(aCall(), { ...ref, partNumber, ...part })).outcome).toBe('committed');
    }
    const versionId = newId();
    const done = await service.completeUpload(aCall(), {
      ...ref,
      versionId,
      parts: numbers.map((partNumber) => ({ partNumber, etag })),
      checksums: {},
      conditions: {},
      bucketRevision: bucket.revision,
    });
    expect(done.outcome).toBe('completed');
    const list = (afterPart: number, limit: number) =>
      service.listVersionParts(aCall(), { bucketId: bucket.bucketId, versionId, afterPart, limit });
    const all = await list(0, 1000);
    expect(all.truncated).toBe(false);
    expect(all.parts).toEqual(
      numbers.map((partNumber, place) => ({
        place,
        partNumber,
        sizeBytes: 5 * 2 ** 20 + partNumber,
        checksums: { crc32: `${partNumber}` },
      })),
    );
    expect(await list(2, 2)).toEqual({ parts: all.parts.slice(1, 3), truncated: true });
    expect((await list(6, 1)).parts.map(({ partNumber }) => partNumber)).toEqual([7]);
    expect((await list(10_000, 1)).parts).toEqual([]);
    await service.commitObject(aCall(), commit(bucket, 'parts'));
    expect((await list(0, 1000)).parts).toEqual([]);
  });
});
