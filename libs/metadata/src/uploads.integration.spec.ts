import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LIMITS, newId, type BucketRecord } from '@holdfast/contracts';
import type { MetadataService } from './metadata.service.js';
import { aCall, ATTRIBUTES, commit, MetadataFixture, written } from './testing/metadata-fixture.js';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const BIG = LIMITS.partBytesMin;

describe('multipart uploads', () => {
  let fixture: MetadataFixture;
  let service: MetadataService;
  let other: MetadataService;

  beforeAll(async () => {
    fixture = await MetadataFixture.start();
    service = await fixture.open();
    other = await fixture.open();
  }, 60_000);
  afterAll(() => fixture?.stop());

  class Upload {
    readonly uploadId = newId();
    readonly versionId = newId();
    constructor(
      readonly bucket: BucketRecord,
      readonly key: string,
    ) {}
    get ref() {
      return { bucketId: this.bucket.bucketId, key: this.key, uploadId: this.uploadId };
    }
    create(change = {}) {
      return service.createUpload(aCall(), {
        ...this.ref,
        ...change,
        attributes: ATTRIBUTES,
        accountId: 'account-1',
        initiatorArn: 'arn:me',
      });
    }
    async part(partNumber: number, sizeBytes: number, etag = md5(`${partNumber}`), change = {}, on = service) {
      const part = written(sizeBytes);
      const input = {
        ...this.ref,
        partNumber,
        etag,
        checksums: { crc32: 'x' },
        written: part,
        attemptAgeMs: 0,
        ...change,
      };
      return { part, answer: await on.commitPart(aCall(), input) };
    }
    complete(numbers: number[], change = {}, on = service) {
      const parts = numbers.map((partNumber) => ({ partNumber, etag: md5(`${partNumber}`) }));
      const input = {
        ...this.ref,
        versionId: newId(),
        parts,
        checksums: {},
        conditions: {},
        bucketRevision: this.bucket.revision,
        ...change,
      };
      return on.completeUpload(aCall(), input);
    }
    abort(on = service) {
      return on.abortUpload(aCall(), this.ref);
    }
  }
  const begin = async (key = 'k', bucket?: BucketRecord) => {
    const upload = new Upload(bucket ?? (await fixture.bucket(service)), key);
    expect(await upload.create()).toEqual({ outcome: 'created' });
    return upload;
  };
  const outboxOf = async (writeId: string) =>
    (
      await fixture.query('SELECT kind FROM metadata.outbox WHERE write_id = $1 ORDER BY kind', [
        Buffer.from(writeId, 'hex'),
      ])
    ).map((row) => row.kind);

  it('completes the named parts into one version, frees the others, keeps write ids, and answers a retry the same', async () => {
    const upload = await begin();
    const first = await upload.part(1, BIG);
    const unused = await upload.part(2, BIG);
    const replaced = await upload.part(5, 77);
    const last = await upload.part(5, 99);
    const parts = await service.listParts(aCall(), { ...upload.ref, afterPart: 0, limit: 2 });
    expect(parts).toMatchObject({
      found: true,
      truncated: true,
      parts: [{ partNumber: 1, sizeBytes: BIG, checksums: { crc32: 'x' } }, { partNumber: 2 }],
    });
    const rest = await service.listParts(aCall(), { ...upload.ref, afterPart: 2, limit: 2 });
    expect(rest).toMatchObject({ found: true, truncated: false, parts: [{ partNumber: 5, sizeBytes: 99 }] });

    const answer = await upload.complete([1, 5]);
    const digests = Buffer.from(md5('1') + md5('5'), 'hex');
    const etag = `${createHash('md5').update(digests).digest('hex')}-2`;
    expect(answer).toMatchObject({ outcome: 'completed', etag, isNull: true });
    expect(await upload.complete([1, 5], {}, other)).toEqual(answer);
    expect(await upload.abort()).toEqual({ outcome: 'no-upload' });
    expect((await upload.part(9, 1)).answer.outcome).toBe('no-upload');
    expect(await service.listParts(aCall(), { ...upload.ref, afterPart: 0, limit: 10 })).toMatchObject({
      found: false,
      parts: [],
    });

    const { version } = await service.findObject(aCall(), { bucketName: upload.bucket.name, key: 'k' });
    expect(version).toMatchObject({
      etag,
      sizeBytes: BIG + 99,
      partSizes: [BIG, 99],
      replication: 'pending',
      attributes: ATTRIBUTES,
    });
    expect([version?.chunks, version?.writeId]).toEqual([undefined, undefined]);
    const read = await service.readParts(aCall(), {
      bucketId: upload.bucket.bucketId,
      versionId: version?.versionId as string,
      firstPart: 1,
      lastPart: 1,
    });
    expect(read.parts).toHaveLength(1);
    expect(read.parts[0].chunks.equals(last.part.chunks)).toBe(true);

    expect(await outboxOf(first.part.writeId)).toEqual(['replicate']);
    expect(await outboxOf(last.part.writeId)).toEqual(['replicate']);
    expect(await outboxOf(unused.part.writeId)).toEqual(['free']);
    expect(await outboxOf(replaced.part.writeId)).toEqual(['free']);
    // Replacing the object frees every part of it.
    await service.commitObject(aCall(), commit(upload.bucket, 'k'));
    expect(await outboxOf(first.part.writeId)).toEqual(['free', 'replicate']);
    expect(await outboxOf(last.part.writeId)).toEqual(['free', 'replicate']);
  });

  it('refuses wrong order, unknown parts, other etags and small parts, and changes nothing', async () => {
    const upload = await begin();
    await upload.part(1, BIG);
    await upload.part(2, BIG - 1);
    await upload.part(3, 1);
    expect((await upload.complete([])).outcome).toBe('invalid-part');
    expect((await upload.complete([2, 1])).outcome).toBe('invalid-part-order');
    expect((await upload.complete([1, 1])).outcome).toBe('invalid-part-order');
    expect((await upload.complete([1, 4])).outcome).toBe('invalid-part');
    expect((await upload.complete([1], { parts: [{ partNumber: 1, etag: md5('no') }] })).outcome).toBe('invalid-part');
    expect((await upload.complete([1, 2, 3])).outcome).toBe('part-too-small');
    expect((await upload.complete([1, 3], { bucketRevision: 1n })).outcome).toBe('bucket-changed');
    expect((await upload.complete([1, 3], { conditions: { ifMatch: ['*'] } })).outcome).toBe('no-such-key');
    await service.commitObject(aCall(), commit(upload.bucket, 'k', { etag: 'there' }));
    expect((await upload.complete([1, 3], { conditions: { ifNoneMatch: ['*'] } })).outcome).toBe('precondition-failed');
    expect((await upload.complete([1, 3], { conditions: { ifMatch: ['other'] } })).outcome).toBe('precondition-failed');
    expect((await upload.complete([1, 2], { conditions: { ifMatch: ['there'] } })).outcome).toBe('completed');
    const gone = new Upload(upload.bucket, 'k');
    expect((await gone.complete([1])).outcome).toBe('no-upload');
    expect((await gone.part(1, 1)).answer.outcome).toBe('no-upload');
    expect(await gone.abort()).toEqual({ outcome: 'no-upload' });
    expect((await new Upload({ ...upload.bucket, bucketId: 999_999n }, 'k').create()).outcome).toBe('no-bucket');
  });

  it('Complete against Abort: one of them wins, and no byte is left without an owner', async () => {
    for (let round = 0; round < 10; round++) {
      const upload = await begin(`race-${round}`);
      const { part } = await upload.part(1, BIG);
      const [completed, aborted] = await Promise.all([upload.complete([1], {}, other), upload.abort()]);
      const won = [completed.outcome === 'completed', aborted.outcome === 'aborted'];
      expect(won.filter(Boolean)).toHaveLength(1);
      expect([completed.outcome, aborted.outcome]).toContain('no-upload');
      expect(await outboxOf(part.writeId)).toEqual(won[0] ? ['replicate'] : ['free']);
    }
  }, 60_000);

  it('Complete against UploadPart of the same number: the version has the part that was named, or the part is refused', async () => {
    for (let round = 0; round < 10; round++) {
      const upload = await begin(`parts-${round}`);
      const { part } = await upload.part(1, BIG);
      const [completed, again] = await Promise.all([
        upload.complete([1]),
        upload.part(1, BIG, md5('changed'), {}, other),
      ]);
      if (completed.outcome === 'completed') {
        expect(again.answer.outcome).toBe('no-upload');
        expect(await outboxOf(part.writeId)).toEqual(['replicate']);
      } else {
        expect([completed.outcome, again.answer.outcome]).toEqual(['invalid-part', 'committed']);
        expect(await outboxOf(part.writeId)).toEqual(['free']);
      }
    }
  }, 60_000);

  it('the same part many times at once leaves one part and frees the others', async () => {
    const upload = await begin();
    const sent = await Promise.all(
      Array.from({ length: 20 }, (_, i) => upload.part(1, BIG, md5('1'), {}, i % 2 ? other : service)),
    );
    expect(sent.map(({ answer }) => answer.outcome)).toEqual(sent.map(() => 'committed'));
    const freed = await Promise.all(sent.map(({ part }) => outboxOf(part.writeId)));
    expect(freed.filter((kinds) => kinds.includes('free'))).toHaveLength(19);
    expect((await upload.complete([1])).outcome).toBe('completed');
  }, 60_000);

  it('10,000 parts complete into one version that is read part by part', async () => {
    const upload = await begin();
    const numbers = Array.from({ length: 10_000 }, (_, i) => i + 1);
    const { part } = await upload.part(1, BIG);
    await fixture.query(
      `INSERT INTO metadata.part SELECT bucket_id, owner_id, i, key, i, decode(md5(i::text), 'hex'), size_bytes, md5(i::text),
        checksums, last_modified_ms, chunks, 'none' FROM metadata.part, generate_series(2, 10000) i WHERE owner_id = $1`,
      [Buffer.from(upload.uploadId, 'hex')],
    );
    const answer = await upload.complete(numbers);
    expect(answer).toMatchObject({ outcome: 'completed' });
    expect(answer.etag).toMatch(/-10000$/);
    const { version } = await service.findObject(aCall(), { bucketName: upload.bucket.name, key: 'k' });
    expect(version?.partSizes).toHaveLength(10_000);
    const range = {
      bucketId: upload.bucket.bucketId,
      versionId: answer.versionId as string,
      firstPart: 9_998,
      lastPart: 9_999,
    };
    expect((await service.readParts(aCall(), range)).parts).toHaveLength(2);
    expect(part.sizeBytes).toBe(BIG);
  }, 60_000);

  it('a whole checksum stands for exactly the parts that it was computed from, and a retry is told it again', async () => {
    const upload = new Upload(await fixture.bucket(service), 'k');
    const checksum = { algorithm: 'crc32', type: 'FULL_OBJECT' } as const;
    await upload.create({ checksum });
    expect((await service.findUpload(aCall(), upload.ref)).upload).toMatchObject({ checksum });
    await upload.part(1, BIG, md5('1'), { checksums: { crc32: 'one' } });
    await upload.part(2, 7, md5('2'), { checksums: { crc32: 'two' } });
    const parts = (second: string) => [
      { partNumber: 1, etag: md5('1'), checksum: 'one' },
      { partNumber: 2, etag: md5('2'), checksum: second },
    ];
    const whole = { checksums: { crc32: 'whole' }, checksumType: 'FULL_OBJECT' };
    expect((await upload.complete([], { ...whole, parts: parts('other') })).outcome).toBe('invalid-part');
    expect((await upload.complete([1, 2], whole)).outcome).toBe('invalid-part');
    const sized = { ...whole, parts: parts('two'), sizeBytes: BIG };
    expect((await upload.complete([], sized)).outcome).toBe('size-mismatch');
    const answer = await upload.complete([], { ...sized, sizeBytes: BIG + 7 });
    expect(answer).toMatchObject({ outcome: 'completed', ...whole });
    expect(await upload.complete([1, 2], {}, other)).toEqual(answer);
    const { version } = await service.findObject(aCall(), { bucketName: upload.bucket.name, key: 'k' });
    expect(version?.attributes).toEqual({ ...ATTRIBUTES, ...whole });
    const list = { bucketName: upload.bucket.name, prefix: '', delimiter: '', limit: 1 };
    expect((await service.listObjects(aCall(), list)).entries).toMatchObject([
      { object: { checksumAlgorithms: ['crc32'] } },
    ]);
  });

  it('a late part is refused and leaves nothing', async () => {
    const upload = await begin();
    const { answer } = await upload.part(1, BIG, md5('1'), { attemptAgeMs: 24 * 3600 * 1000 });
    expect(answer.outcome).toBe('late');
    expect((await service.listParts(aCall(), { ...upload.ref, afterPart: 0, limit: 10 })).parts).toEqual([]);
    const found = await service.findUpload(aCall(), upload.ref);
    expect(found.upload).toMatchObject({ attributes: ATTRIBUTES, accountId: 'account-1', initiatorArn: 'arn:me' });
  });

  it('a part whose device has gone since is owed a repair, or refused without margin', async () => {
    const metadata = await fixture.open(undefined, {}, await fixture.newDatabase());
    const bucket = await fixture.bucket(metadata);
    const ref = { bucketId: bucket.bucketId, key: 'k', uploadId: newId() };
    await metadata.createUpload(aCall(), { ...ref, attributes: ATTRIBUTES, accountId: 'a', initiatorArn: 'b' });
    await metadata.changeClusterMap((map) => {
      map.sets[0].nodes[0].controllers[0].devices[0].state = 'failed';
      return map;
    });
    const input = { ...ref, partNumber: 1, etag: md5('1'), checksums: {}, written: written(), attemptAgeMs: 0 };
    expect((await metadata.commitPart(aCall(), input)).outcome).toBe('margin-lost');
    const fresh = { ...input, written: written(4096, { epoch: 2n }) };
    expect((await metadata.commitPart(aCall(), fresh)).outcome).toBe('committed');
  }, 60_000);
});
