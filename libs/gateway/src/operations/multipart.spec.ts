import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
  type CompletedPart,
  type CompleteMultipartUploadCommandInput,
  type ObjectAttributes,
} from '@aws-sdk/client-s3';
import { Deadline } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const MIB = 1024 * 1024;
const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const root = ports.memoryIdentity.addAccount('main');
let client: S3Client;
const Bucket = 'parts';
const deadline = Deadline.in(60_000);

beforeAll(async () => {
  client = new S3Client({
    endpoint: `http://127.0.0.1:${await listener.listen(0)}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: root,
    maxAttempts: 1,
    // What is checked here is sent by hand.
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  await client.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  client.destroy();
  await listener.close();
});

const BODIES = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(1234)];
const WHOLE = Buffer.concat(BODIES);
const ALL: ObjectAttributes[] = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'];
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64');
const md5 = (bytes: Buffer): Buffer => createHash('md5').update(bytes).digest();
const ETAG = `"${md5(Buffer.concat(BODIES.map(md5))).toString('hex')}-3"`;
function crc32Of(bytes: Buffer): string {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(bytes));
  return digest.toString('base64');
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    return `${error.$metadata.httpStatusCode} ${error.name}`;
  }
}

async function begin(Key: string, ChecksumAlgorithm?: ChecksumAlgorithm, ChecksumType?: ChecksumType) {
  const input = { Bucket, Key, ChecksumAlgorithm, ChecksumType };
  const { UploadId, ...created } = await client.send(new CreateMultipartUploadCommand(input));
  const part = async (PartNumber: number, Body: Buffer, more: object = {}): Promise<CompletedPart> => {
    const sent = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ...more }));
    const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 } = sent;
    return { PartNumber, ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 };
  };
  const complete = (Parts: CompletedPart[], more: Partial<CompleteMultipartUploadCommandInput> = {}) =>
    client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more }));
  return { UploadId, created, part, complete };
}

describe('checksums of multipart objects', () => {
  it.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
    '%s composite: made of the part checksums, returned with their number, and told again to a retry',
    async (algorithm) => {
      const Key = `composite-${algorithm}`;
      const { created, part, complete } = await begin(Key, algorithm);
      expect(created).toMatchObject({ ChecksumAlgorithm: algorithm, ChecksumType: 'COMPOSITE' });
      const parts: CompletedPart[] = [];
      for (const [index, body] of BODIES.entries())
        parts.push(await part(index + 1, body, { ChecksumAlgorithm: algorithm }));
      const done = await complete(parts);
      const name = `Checksum${algorithm}` as const;
      expect(done).toMatchObject({ ETag: ETAG, ChecksumType: 'COMPOSITE' });
      expect(done[name]).toMatch(/^[A-Za-z0-9+/]+=*-3$/);
      if (algorithm === 'SHA256') {
        const raw = BODIES.map((body) => createHash('sha256').update(body).digest());
        expect(done[name]).toBe(`${sha256(Buffer.concat(raw))}-3`);
      }
      expect(await complete(parts)).toMatchObject({ ETag: ETAG, [name]: done[name], ChecksumType: 'COMPOSITE' });
      expect(await complete(parts, { [name]: done[name] })).toMatchObject({ [name]: done[name] });
      expect(await codeOf(complete(parts.slice(0, 2)))).toBe('400 InvalidPart');
      const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
      expect(head).toMatchObject({ [name]: done[name], ChecksumType: 'COMPOSITE' });
      expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).not.toHaveProperty(name);
    },
  );

  it.each(['CRC32', 'CRC32C', 'CRC64NVME'] as const)(
    '%s of the whole object follows from the parts without reading them',
    async (algorithm) => {
      const Key = `full-${algorithm}`;
      const { created, part, complete } = await begin(Key, algorithm, 'FULL_OBJECT');
      expect(created).toMatchObject({ ChecksumAlgorithm: algorithm, ChecksumType: 'FULL_OBJECT' });
      const parts: CompletedPart[] = [];
      // A part that comes without a checksum is given the one of its upload.
      for (const [index, body] of BODIES.entries()) parts.push(await part(index + 1, body));
      ports.forgetCalls();
      const bare = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
      const done = await complete(bare, { ChecksumType: 'FULL_OBJECT', MpuObjectSize: WHOLE.length });
      expect(ports.backendCalls.filter((name) => name.startsWith('data.'))).toEqual([]);
      const name = `Checksum${algorithm}` as const;
      const whole = await client.send(
        new PutObjectCommand({ Bucket, Key: `${Key}-whole`, Body: WHOLE, ChecksumAlgorithm: algorithm }),
      );
      expect(done).toMatchObject({ [name]: whole[name], ChecksumType: 'FULL_OBJECT' });
      if (algorithm === 'CRC32') expect(done.ChecksumCRC32).toBe(crc32Of(WHOLE));
      // The SDK verifies the bytes against it.
      const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
      expect(got).toMatchObject({ [name]: whole[name], ChecksumType: 'FULL_OBJECT' });
      expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(WHOLE)).toBe(true);
    },
  );

  it('refuses what does not fit: type, algorithm, part checksum, whole checksum, size; the upload stays open', async () => {
    expect(await codeOf(begin('k', 'SHA256', 'FULL_OBJECT'))).toBe('400 InvalidRequest');
    expect(await codeOf(begin('k', 'CRC64NVME', 'COMPOSITE'))).toBe('400 InvalidRequest');
    expect(await codeOf(begin('k', undefined, 'COMPOSITE'))).toBe('400 InvalidRequest');
    const { part, complete } = await begin('refused', 'SHA256');
    expect(await codeOf(part(1, BODIES[2], { ChecksumCRC32: crc32Of(BODIES[2]) }))).toBe('400 InvalidRequest');
    expect(await codeOf(part(1, BODIES[2], { ChecksumSHA256: sha256(BODIES[0]) }))).toBe('400 BadDigest');
    expect(await codeOf(part(1, BODIES[2], { ChecksumSHA256: 'bad' }))).toBe('400 BadDigest');
    const good = await part(1, BODIES[2], { ChecksumSHA256: sha256(BODIES[2]) });
    const wrong = sha256(Buffer.from('another'));
    expect(await codeOf(complete([{ ...good, ChecksumSHA256: undefined }]))).toBe('400 InvalidRequest');
    expect(await codeOf(complete([{ ...good, ChecksumSHA256: wrong }]))).toBe('400 InvalidPart');
    expect(await codeOf(complete([good], { ChecksumSHA256: wrong }))).toBe('400 BadDigest');
    expect(await codeOf(complete([good], { ChecksumSHA256: 'bad' }))).toBe('400 BadDigest');
    expect(await codeOf(complete([good], { ChecksumCRC32: crc32Of(BODIES[2]) }))).toBe('400 InvalidRequest');
    expect(await codeOf(complete([good], { ChecksumType: 'FULL_OBJECT' }))).toBe('400 InvalidRequest');
    expect(await codeOf(complete([good], { MpuObjectSize: 1 }))).toBe('400 InvalidRequest');
    const composite = sha256(createHash('sha256').update(BODIES[2]).digest());
    const done = await complete([good], { ChecksumSHA256: `${composite}-1`, MpuObjectSize: BODIES[2].length });
    expect(done.ChecksumSHA256).toBe(`${composite}-1`);
    expect(await codeOf(complete([good], { ChecksumSHA256: wrong }))).toBe('400 BadDigest');
  });

  it('takes parts with a checksum in an upload that named no algorithm', async () => {
    const { created, part, complete } = await begin('unnamed');
    expect(created.ChecksumAlgorithm).toBeUndefined();
    const sent = await part(1, BODIES[2], { ChecksumCRC32: crc32Of(BODIES[2]) });
    expect(sent.ChecksumCRC32).toBe(crc32Of(BODIES[2]));
    expect(await codeOf(complete([{ ...sent, ChecksumCRC32: crc32Of(BODIES[0]) }]))).toBe('400 InvalidPart');
    const done = await complete([{ PartNumber: 1, ETag: sent.ETag }]);
    expect(done.ChecksumCRC32).toBeUndefined();
  });
});

describe('parts of an object', () => {
  const numbers = [2, 3, 9];
  let uploadId: string | undefined;

  beforeAll(async () => {
    const { UploadId, part, complete } = await begin('numbered', 'CRC32', 'FULL_OBJECT');
    uploadId = UploadId;
    const parts: CompletedPart[] = [];
    for (const [index, body] of BODIES.entries()) parts.push(await part(numbers[index], body));
    const listed = await client.send(new ListPartsCommand({ Bucket, Key: 'numbered', UploadId, MaxParts: 2 }));
    expect(listed).toMatchObject({
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
      IsTruncated: true,
      NextPartNumberMarker: '3',
    });
    expect(listed.Parts?.map(({ ChecksumCRC32 }) => ChecksumCRC32)).toEqual(BODIES.slice(0, 2).map(crc32Of));
    await complete(parts);
    await client.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: 'plain', ChecksumAlgorithm: 'SHA1' }));
    await client.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: Buffer.alloc(0) }));
  });

  it('GET and HEAD give one part by its number, with its checksum and the number of parts', async () => {
    for (const [index, PartNumber] of numbers.entries()) {
      const body = BODIES[index];
      const first = BODIES.slice(0, index).reduce((sum, { length }) => sum + length, 0);
      const answer = {
        PartsCount: 3,
        ETag: ETAG,
        ContentLength: body.length,
        ContentRange: `bytes ${first}-${first + body.length - 1}/${WHOLE.length}`,
        ChecksumCRC32: crc32Of(body),
      };
      const input = { Bucket, Key: 'numbered', PartNumber, ChecksumMode: 'ENABLED' } as const;
      const got = await client.send(new GetObjectCommand(input));
      expect(got.$metadata.httpStatusCode).toBe(206);
      expect(got).toMatchObject(answer);
      expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(body)).toBe(true);
      const head = await client.send(new HeadObjectCommand(input));
      expect(head.$metadata.httpStatusCode).toBe(206);
      expect(head).toMatchObject(answer);
    }
  });

  it('a part without a byte is answered without one, not with the whole object', async () => {
    const { part, complete } = await begin('tail', 'CRC32', 'FULL_OBJECT');
    await complete([await part(2, BODIES[0]), await part(7, Buffer.alloc(0))]);
    const input = { Bucket, Key: 'tail', PartNumber: 7, ChecksumMode: 'ENABLED' } as const;
    const got = await client.send(new GetObjectCommand(input));
    expect((await got.Body?.transformToByteArray())?.length).toBe(0);
    const head = await client.send(new HeadObjectCommand(input));
    for (const { $metadata, ...answer } of [got, head]) {
      expect($metadata.httpStatusCode).toBe(206);
      expect(answer).toMatchObject({ PartsCount: 2, ContentLength: 0, ChecksumCRC32: 'AAAAAA==' });
      expect(answer.ContentRange).toBeUndefined();
    }
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key: 'tail' }));
    expect(got.ETag).toBe(ETag);
  });

  it('an empty object that was put whole says its checksum once', async () => {
    await client.send(
      new PutObjectCommand({ Bucket, Key: 'hollow', Body: Buffer.alloc(0), ChecksumCRC32: 'AAAAAA==' }),
    );
    const input = { Bucket, Key: 'hollow', PartNumber: 1, ChecksumMode: 'ENABLED' } as const;
    const head = await client.send(new HeadObjectCommand(input));
    expect([head.$metadata.httpStatusCode, head.ContentLength, head.ChecksumCRC32]).toEqual([200, 0, 'AAAAAA==']);
  });

  it('a number that no part has is 400 InvalidPart; a plain object is its own first part', async () => {
    const get = (Key: string, PartNumber: number, more: object = {}) =>
      client.send(new GetObjectCommand({ Bucket, Key, PartNumber, ...more }));
    for (const number of [1, 4, 10, 10_000]) expect(await codeOf(get('numbered', number))).toBe('400 InvalidPart');
    expect(await codeOf(get('plain', 2))).toBe('400 InvalidPart');
    expect(await codeOf(get('plain', 0))).toBe('400 InvalidArgument');
    expect(await codeOf(get('plain', 10_001))).toBe('400 InvalidArgument');
    expect(await codeOf(get('plain', 1, { Range: 'bytes=0-1' }))).toBe('400 InvalidRequest');
    expect(await codeOf(get('none', 1))).toBe('404 NoSuchKey');
    const plain = await get('plain', 1);
    expect(plain).toMatchObject({ ContentRange: 'bytes 0-4/5' });
    expect([plain.PartsCount, await plain.Body?.transformToString()]).toEqual([undefined, 'plain']);
    const empty = await get('empty', 1);
    expect([empty.$metadata.httpStatusCode, await empty.Body?.transformToString()]).toEqual([200, '']);
  });

  it('an object that is replaced between its record and its parts is a 503 to try again, not the end of the process', async () => {
    const { part, complete } = await begin('replaced');
    await complete([await part(1, BODIES[2])]);
    const found = await ports.metadata.findObject(
      { requestId: 'r', deadline },
      { bucketName: Bucket, key: 'replaced' },
    );
    await client.send(new PutObjectCommand({ Bucket, Key: 'replaced', Body: 'newer' }));
    const { findObject } = ports.memoryMetadata;
    ports.memoryMetadata.findObject = async (call, input) => {
      ports.memoryMetadata.findObject = findObject;
      return (await findObject.call(ports.memoryMetadata, call, input)) && found;
    };
    expect(await codeOf(client.send(new GetObjectCommand({ Bucket, Key: 'replaced' })))).toBe('503 ServiceUnavailable');
    const now = await client.send(new GetObjectCommand({ Bucket, Key: 'replaced' }));
    expect(await now.Body?.transformToString()).toBe('newer');
  });

  it('GetObjectAttributes tells what was asked for, parts in pages', async () => {
    const ask = (Key: string, ObjectAttributes: ObjectAttributes[], more: object = {}) =>
      client.send(new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes, ...more }));
    const all = await ask('numbered', ALL);
    expect(all).toMatchObject({
      ETag: ETAG.slice(1, -1),
      Checksum: { ChecksumCRC32: crc32Of(WHOLE), ChecksumType: 'FULL_OBJECT' },
      ObjectParts: { TotalPartsCount: 3, IsTruncated: false },
      StorageClass: 'STANDARD',
      ObjectSize: WHOLE.length,
    });
    expect(all.LastModified).toBeInstanceOf(Date);
    expect(all.VersionId).toBeUndefined();
    expect(all.ObjectParts?.Parts).toEqual(
      BODIES.map((body, index) => ({ PartNumber: numbers[index], Size: body.length, ChecksumCRC32: crc32Of(body) })),
    );
    const page = await ask('numbered', ['ObjectParts'], { MaxParts: 1, PartNumberMarker: 2 });
    expect(page.ObjectParts).toMatchObject({ IsTruncated: true, PartNumberMarker: '2', NextPartNumberMarker: '3' });
    expect(page.ObjectParts?.Parts?.map(({ PartNumber }) => PartNumber)).toEqual([3]);
    expect([page.ETag, page.ObjectSize, page.Checksum]).toEqual([undefined, undefined, undefined]);
    const plain = await ask('plain', ALL);
    expect(plain).toMatchObject({ ObjectSize: 5, Checksum: { ChecksumType: 'FULL_OBJECT' } });
    expect(plain.ObjectParts).toBeUndefined();
    expect(await codeOf(ask('none', ALL))).toBe('404 NoSuchKey');
    expect(await codeOf(ask('plain', ['Colour' as ObjectAttributes]))).toBe('400 InvalidArgument');
  });

  it('ListMultipartUploads pages through what is open', async () => {
    const open: string[] = [];
    for (const Key of ['list/a', 'list/a', 'list/b/1', 'list/b/2', 'list/ü'])
      open.push((await begin(Key, 'CRC32')).UploadId ?? '');
    const list = (more: object) => client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/', ...more }));
    const all = await list({});
    expect(all.Uploads?.map(({ UploadId }) => UploadId)).toEqual(open);
    expect(all.Uploads?.[0]).toMatchObject({
      Key: 'list/a',
      StorageClass: 'STANDARD',
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'COMPOSITE',
      Initiator: { ID: `arn:aws:iam::${root.account.accountId}:root` },
      Owner: { DisplayName: 'main' },
    });
    expect([all.IsTruncated, all.NextKeyMarker, all.MaxUploads]).toEqual([false, undefined, 1000]);
    const first = await list({ MaxUploads: 1 });
    expect(first).toMatchObject({ IsTruncated: true, NextKeyMarker: 'list/a', NextUploadIdMarker: open[0] });
    const next = await list({ MaxUploads: 1, KeyMarker: 'list/a', UploadIdMarker: open[0] });
    expect(next.Uploads?.map(({ UploadId }) => UploadId)).toEqual([open[1]]);
    expect((await list({ KeyMarker: 'list/a' })).Uploads).toHaveLength(3);
    const rolled = await list({ Delimiter: '/', MaxUploads: 3, EncodingType: 'url' });
    expect(rolled.CommonPrefixes).toEqual([{ Prefix: 'list/b/' }]);
    expect(rolled).toMatchObject({ IsTruncated: true, NextKeyMarker: 'list/b/', EncodingType: 'url' });
    const after = await list({ Delimiter: '/', KeyMarker: 'list/b/', EncodingType: 'url' });
    expect(after.Uploads?.map(({ Key }) => Key)).toEqual(['list/%C3%BC']);
    expect(await codeOf(list({ EncodingType: 'xml' as 'url' }))).toBe('400 InvalidArgument');
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket, MaxUploads: 0 }))).IsTruncated).toBe(false);
    expect(open).not.toContain(uploadId);
  });
});
