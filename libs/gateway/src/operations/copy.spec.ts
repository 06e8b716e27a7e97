import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
  type ChecksumAlgorithm,
} from '@aws-sdk/client-s3';
import { decodeChunkList } from '@holdfast/contracts';
import { Deadline } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const ports = new InMemoryPorts(undefined, CHUNK_BYTES);
const listener = new S3Listener(ports);
const root = ports.memoryIdentity.addAccount('main');
const { accountId } = root.account;
const stranger = ports.memoryIdentity.addAccount('stranger');
const clients: S3Client[] = [];
let endpoint = '';
let client: S3Client;
const Bucket = 'copies';
const LARGE = randomBytes(5 * MIB + 12_345);
const md5 = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

function clientOf(credentials: { accessKeyId: string; secretAccessKey: string }): S3Client {
  const made = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  clients.push(made);
  return made;
}

function userWith(
  name: string,
  ...statements: { Effect: 'Allow' | 'Deny'; Action: string[]; Resource: string }[]
): S3Client {
  return clientOf(ports.memoryIdentity.addUser(accountId, name, ...statements));
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

async function bytesOf(Key: string, bucket = Bucket): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const put = (Key: string, Body: Buffer | string, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));

/** A multipart object under `Key`, in parts of these sizes. */
async function putInParts(Key: string, whole: Buffer, sizes: readonly number[]): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const Parts: { PartNumber: number; ETag?: string }[] = [];
  let at = 0;
  for (const size of sizes) {
    const PartNumber = Parts.length + 1;
    const Body = whole.subarray(at, (at += size));
    const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));
    Parts.push({ PartNumber, ETag });
  }
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
}

beforeAll(async () => {
  endpoint = `http://127.0.0.1:${await listener.listen(0)}`;
  client = clientOf(root);
  await client.send(new CreateBucketCommand({ Bucket }));
  await client.send(new CreateBucketCommand({ Bucket: 'other-copies' }));
  await clientOf(stranger).send(new CreateBucketCommand({ Bucket: 'foreign' }));
  await put('small', 'the body');
  await put('empty', Buffer.alloc(0));
  await put('large', LARGE);
  await putInParts('in-parts', LARGE, [5 * MIB, 12_345]);
});
afterAll(async () => {
  for (const one of clients) one.destroy();
  await listener.close();
});
beforeEach(() => ports.forgetCalls());

async function begin(Key: string, algorithm?: ChecksumAlgorithm) {
  const input = {
    Bucket,
    Key,
    ChecksumAlgorithm: algorithm,
    ...(algorithm === undefined ? {} : { ChecksumType: 'FULL_OBJECT' as const }),
  };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(input));
  const copyPart = (PartNumber: number, CopySource: string, more: object = {}, as = client) =>
    as.send(new UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber, CopySource, ...more }));
  const complete = (parts: { PartNumber: number; ETag?: string }[]) =>
    client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
  return { UploadId, copyPart, complete };
}

describe('UploadPartCopy', () => {
  it.each(['large', 'in-parts'])('copies %s whole and by ranges into new chunks', async (source) => {
    const { copyPart, complete, UploadId } = await begin('assembled', 'CRC64NVME');
    const chunksBefore = ports.memoryData.chunks.size;
    const first = await copyPart(1, `${Bucket}/${source}`);
    expect(first.CopyPartResult).toMatchObject({ ETag: md5(LARGE), LastModified: expect.any(Date) });
    expect(first.CopySourceVersionId).toBeUndefined();
    const [from, to] = [5 * MIB - 7, 5 * MIB + 1000];
    const second = await copyPart(2, `/${Bucket}/${source}`, { CopySourceRange: `bytes=${from}-${to}` });
    expect(second.CopyPartResult?.ETag).toBe(md5(LARGE.subarray(from, to + 1)));
    expect(second.CopyPartResult?.ChecksumCRC64NVME).toMatch(/^[\w+/]{11}=$/);
    expect(ports.memoryData.chunks.size).toBeGreaterThan(chunksBefore);
    const { Parts } = await client.send(new ListPartsCommand({ Bucket, Key: 'assembled', UploadId }));
    expect(Parts?.map(({ Size }) => Size)).toEqual([LARGE.length, to - from + 1]);
    const done = await complete([
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
    ]);
    const whole = Buffer.concat([LARGE, LARGE.subarray(from, to + 1)]);
    expect((await bytesOf('assembled')).equals(whole)).toBe(true);
    const again = await put('again', whole, { ChecksumAlgorithm: 'CRC64NVME' });
    expect(done.ChecksumCRC64NVME).toBe(again.ChecksumCRC64NVME);
  });

  it('takes exactly bytes=first-last, and only what the source has', async () => {
    const { copyPart } = await begin('ranges');
    const copy = (CopySourceRange: string) => copyPart(1, `${Bucket}/small`, { CopySourceRange });
    for (const range of ['0-2', 'bytes=0', 'bytes=hello-world', 'bytes=0-bar', 'bytes=-3', 'bytes=0-', 'bytes=0-2,3-5'])
      expect(await codeOf(copy(range))).toBe('400 InvalidArgument');
    for (const range of ['bytes=0-8', 'bytes=8-8', 'bytes=100-200'])
      expect(await codeOf(copy(range))).toBe('416 InvalidRange');
    expect(ports.backendCalls).not.toContain('data.read');
    expect((await copy('bytes=4-7')).CopyPartResult?.ETag).toBe(md5(Buffer.from('body')));
    expect((await copyPart(2, `${Bucket}/empty`)).CopyPartResult?.ETag).toBe(md5(Buffer.alloc(0)));
  });

  it('knows no upload, no part number and no source that is not there', async () => {
    const { copyPart } = await begin('missing');
    expect(await codeOf(copyPart(1, `${Bucket}/none`))).toBe('404 NoSuchKey');
    expect(await codeOf(copyPart(1, 'no-such-bucket/none'))).toBe('404 NoSuchBucket');
    expect(await codeOf(copyPart(1, `${Bucket}/small?versionId=x`))).toBe('400 InvalidArgument');
    expect(await codeOf(copyPart(1, `${Bucket}/small?versionId=${'0'.repeat(32)}`))).toBe('404 NoSuchVersion');
    expect(await codeOf(copyPart(1, Bucket))).toBe('400 InvalidArgument');
    expect(await codeOf(copyPart(0, `${Bucket}/small`))).toBe('400 InvalidArgument');
    const gone = new UploadPartCopyCommand({
      ...{ Bucket, Key: 'missing', UploadId: '0'.repeat(32), PartNumber: 1 },
      CopySource: `${Bucket}/small`,
    });
    expect(await codeOf(client.send(gone))).toBe('404 NoSuchUpload');
    expect(ports.backendCalls).not.toContain('data.read');
  });

  it('judges the conditions on the source', async () => {
    const { copyPart } = await begin('conditional');
    const copy = (more: object) => copyPart(1, `${Bucket}/small`, more);
    const future = new Date(Date.now() + 60_000);
    const past = new Date(Date.now() - 3_600_000);
    expect(await codeOf(copy({ CopySourceIfMatch: 'other' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy({ CopySourceIfNoneMatch: md5(Buffer.from('the body')) }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy({ CopySourceIfModifiedSince: future }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy({ CopySourceIfUnmodifiedSince: past }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy({ CopySourceIfMatch: md5(Buffer.from('the body')) }))).toBe('none');
  });

  it('seed-3.19: a source that the caller may not read is 403, and no byte and no record of it is read', async () => {
    const { UploadId } = await begin('guarded');
    const copy = (as: S3Client, CopySource: string) =>
      as.send(new UploadPartCopyCommand({ Bucket, Key: 'guarded', UploadId, PartNumber: 1, CopySource }));
    const writer = userWith('writer', {
      Effect: 'Allow',
      Action: ['s3:PutObject'],
      Resource: `arn:aws:s3:::${Bucket}/*`,
    });
    const kept = userWith(
      'kept',
      { Effect: 'Allow', Action: ['s3:*'], Resource: '*' },
      { Effect: 'Deny', Action: ['s3:GetObject'], Resource: `arn:aws:s3:::${Bucket}/small` },
    );
    const versions = userWith('versions', {
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:PutObject'],
      Resource: `arn:aws:s3:::${Bucket}/*`,
    });
    ports.forgetCalls();
    expect(await codeOf(copy(writer, `${Bucket}/small`))).toBe('403 AccessDenied');
    expect(await codeOf(copy(kept, `${Bucket}/small`))).toBe('403 AccessDenied');
    expect(await codeOf(copy(versions, `${Bucket}/small?versionId=null`))).toBe('403 AccessDenied');
    // An escaped name is the name that it stands for.
    expect(await codeOf(copy(kept, `${Bucket}/%73mall`))).toBe('403 AccessDenied');
    expect(ports.backendCalls).toEqual(['metadata.findBucket', 'metadata.findBucket']);
    expect(await codeOf(copy(client, 'foreign/secret'))).toBe('403 AccessDenied');
    expect(ports.backendCalls).not.toContain('data.read');
  });
});

describe('CopyObject', () => {
  const copy = (Key: string, CopySource: string, more: object = {}, as = client) =>
    as.send(new CopyObjectCommand({ Bucket, Key, CopySource, ...more }));
  const head = (Key: string, more: object = {}) => client.send(new HeadObjectCommand({ Bucket, Key, ...more }));

  beforeAll(async () => {
    await put('described', 'described', {
      ContentType: 'text/plain',
      CacheControl: 'no-store',
      Metadata: { colour: 'blue' },
      Tagging: 'kind=fish&size=',
      ChecksumAlgorithm: 'SHA256',
    });
    ports.forgetCalls();
  });

  it.each(['small', 'empty', 'large', 'in-parts'])('copies %s into one plain object of new chunks', async (source) => {
    const bytes = await bytesOf(source);
    ports.forgetCalls();
    const answer = await copy('copied', `/${Bucket}/${source}`);
    expect(answer.CopyObjectResult).toMatchObject({ ETag: md5(bytes), LastModified: expect.any(Date) });
    expect([answer.VersionId, answer.CopySourceVersionId]).toEqual([undefined, undefined]);
    expect((await bytesOf('copied')).equals(bytes)).toBe(true);
    const read = { requestId: 'r', deadline: Deadline.in(60_000) };
    const { version } = await ports.memoryMetadata.findObject(read, { bucketName: Bucket, key: 'copied' });
    const original = await ports.memoryMetadata.findObject(read, { bucketName: Bucket, key: source });
    expect(version?.partSizes).toBeUndefined();
    const chunkIds = (packed?: Buffer) => decodeChunkList(packed ?? Buffer.of(1)).map(({ primary }) => primary.chunkId);
    const shared = chunkIds(version?.chunks).filter((id) => chunkIds(original.version?.chunks).includes(id));
    expect(shared).toEqual([]);
    // Nothing of the copy hangs on its source.
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'copied' }));
  });

  it('copies to another bucket, over an existing object, and to a key of any name', async () => {
    await client.send(new CopyObjectCommand({ Bucket: 'other-copies', Key: 'k', CopySource: `${Bucket}/small` }));
    await client.send(new CopyObjectCommand({ Bucket: 'other-copies', Key: 'k', CopySource: `${Bucket}/described` }));
    expect((await bytesOf('k', 'other-copies')).toString()).toBe('described');
    for (const key of ['a b', 'a+b', '?versionId', 'ü/\u{1f600}', '100%', 'x?y=z', '/lead', 'a//b']) {
      await put(key, `body of ${key}`);
      await copy(`copy of ${key}`, `${Bucket}/${encodeURIComponent(key)}`);
      expect((await bytesOf(`copy of ${key}`)).toString()).toBe(`body of ${key}`);
    }
  });

  it("COPY keeps headers, metadata, tags and the checksum; REPLACE takes the request's", async () => {
    const kept = await copy('kept', `${Bucket}/described`, { Metadata: { ignored: 'x' }, ContentType: 'image/png' });
    const original = await head('described', { ChecksumMode: 'ENABLED' });
    const shown = { ContentType: 'text/plain', CacheControl: 'no-store', Metadata: { colour: 'blue' } };
    expect(await head('kept', { ChecksumMode: 'ENABLED' })).toMatchObject({
      ...shown,
      ChecksumSHA256: original.ChecksumSHA256,
    });
    expect(kept.CopyObjectResult).toMatchObject({
      ChecksumSHA256: original.ChecksumSHA256,
      ChecksumType: 'FULL_OBJECT',
    });
    const tagsOf = async (Key: string) => (await client.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet;
    expect(await tagsOf('kept')).toEqual([
      { Key: 'kind', Value: 'fish' },
      { Key: 'size', Value: '' },
    ]);
    await copy('replaced', `${Bucket}/described`, {
      MetadataDirective: 'REPLACE',
      Metadata: { shape: 'round' },
      ContentType: 'image/png',
      TaggingDirective: 'REPLACE',
      Tagging: 'kind=bird',
      StorageClass: 'REDUCED_REDUNDANCY',
      ChecksumAlgorithm: 'CRC64NVME',
    });
    const replaced = await head('replaced', { ChecksumMode: 'ENABLED' });
    expect(replaced).toMatchObject({ ContentType: 'image/png', Metadata: { shape: 'round' } });
    expect(replaced).toMatchObject({ StorageClass: 'REDUCED_REDUNDANCY', ChecksumCRC64NVME: expect.any(String) });
    expect([replaced.CacheControl, replaced.ChecksumSHA256]).toEqual([undefined, undefined]);
    expect(await tagsOf('replaced')).toEqual([{ Key: 'kind', Value: 'bird' }]);
    await copy('untagged', `${Bucket}/described`, { TaggingDirective: 'REPLACE' });
    expect(await tagsOf('untagged')).toEqual([]);
    for (const more of [{ MetadataDirective: 'KEEP' }, { TaggingDirective: 'copy' }, { ChecksumAlgorithm: 'MD4' }])
      expect(await codeOf(copy('refused', `${Bucket}/described`, more))).toMatch(/^400 Invalid/);
  });

  it('a composite checksum becomes that of the whole object', async () => {
    const at = { Bucket, Key: 'composite' };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'SHA1' }));
    const part = { ...at, UploadId, PartNumber: 1, Body: 'one part', ChecksumAlgorithm: 'SHA1' as const };
    const { ETag, ChecksumSHA1 } = await client.send(new UploadPartCommand(part));
    const Parts = [{ PartNumber: 1, ETag, ChecksumSHA1 }];
    await client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
    const { CopyObjectResult } = await copy('whole', `${Bucket}/composite`);
    expect(CopyObjectResult).toMatchObject({
      ETag: md5(Buffer.from('one part')),
      ChecksumSHA1,
      ChecksumType: 'FULL_OBJECT',
    });
  });

  it('onto itself only when something changes', async () => {
    await put('itself', 'itself', { Metadata: { colour: 'red' } });
    const itself = `${Bucket}/itself`;
    ports.forgetCalls();
    expect(await codeOf(copy('itself', itself))).toBe('400 InvalidRequest');
    expect(await codeOf(copy('itself', `/${Bucket}/%69tself`))).toBe('400 InvalidRequest');
    expect(ports.backendCalls).not.toContain('data.read');
    await copy('itself', itself, { MetadataDirective: 'REPLACE', Metadata: { colour: 'green' } });
    expect((await head('itself')).Metadata).toEqual({ colour: 'green' });
    await copy('itself', itself, { StorageClass: 'REDUCED_REDUNDANCY' });
    expect(await codeOf(copy('itself', itself, { StorageClass: 'REDUCED_REDUNDANCY' }))).toBe('400 InvalidRequest');
    await copy('itself', itself, { ChecksumAlgorithm: 'CRC32C', StorageClass: 'REDUCED_REDUNDANCY' });
    expect((await head('itself', { ChecksumMode: 'ENABLED' })).ChecksumCRC32C).toBeDefined();
    expect((await bytesOf('itself')).toString()).toBe('itself');
  });

  it('conditions on the source are 412; those on the destination are judged by the commit', async () => {
    const etag = md5(Buffer.from('the body'));
    expect(await codeOf(copy('c', `${Bucket}/small`, { CopySourceIfNoneMatch: etag }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy('c', `${Bucket}/small`, { CopySourceIfMatch: etag, IfNoneMatch: '*' }))).toBe('none');
    expect(await codeOf(copy('c', `${Bucket}/small`, { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy('c', `${Bucket}/small`, { IfMatch: '"other"' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(copy('c', `${Bucket}/described`, { IfMatch: etag }))).toBe('none');
    expect(await codeOf(copy('d', `${Bucket}/small`, { IfMatch: etag }))).toBe('404 NoSuchKey');
    // Both saw no object; the commit lets one of them write it.
    const race = await Promise.all(
      Array.from({ length: 8 }, () => codeOf(copy('raced', `${Bucket}/large`, { IfNoneMatch: '*' }))),
    );
    expect(race.filter((code) => code === 'none')).toHaveLength(1);
    expect(race.filter((code) => code === '412 PreconditionFailed')).toHaveLength(7);
  });

  it('what is not there, and a body, are refused', async () => {
    expect(await codeOf(copy('x', `${Bucket}/none`))).toBe('404 NoSuchKey');
    expect(await codeOf(copy('x', 'no-such-bucket/none'))).toBe('404 NoSuchBucket');
    expect(await codeOf(copy('x', `${Bucket}/`))).toBe('400 InvalidArgument');
    const nowhere = new CopyObjectCommand({ Bucket: 'no-such-bucket', Key: 'x', CopySource: `${Bucket}/small` });
    expect(await codeOf(client.send(nowhere))).toBe('404 NoSuchBucket');
    const withBody = new PutObjectCommand({ Bucket, Key: 'x', Body: 'a body' });
    withBody.middlewareStack.add(
      (next) => (args) => {
        (args.request as { headers: Record<string, string> }).headers['x-amz-copy-source'] = `${Bucket}/small`;
        return next(args);
      },
      { step: 'build' },
    );
    expect(await codeOf(client.send(withBody))).toBe('400 InvalidRequest');
    expect(ports.backendCalls).not.toContain('data.read');
  });

  it('tags come along only for who may read and write them; without tags nobody is asked for that', async () => {
    const user = userWith('no-tags', {
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:PutObject'],
      Resource: `arn:aws:s3:::${Bucket}/*`,
    });
    ports.forgetCalls();
    expect(await codeOf(copy('t', `${Bucket}/described`, {}, user))).toBe('403 AccessDenied');
    expect(ports.backendCalls).not.toContain('data.read');
    expect(await codeOf(copy('t', `${Bucket}/described`, { TaggingDirective: 'REPLACE' }, user))).toBe('none');
    const tagged = { TaggingDirective: 'REPLACE', Tagging: 'a=b' };
    expect(await codeOf(copy('t', `${Bucket}/described`, tagged, user))).toBe('403 AccessDenied');
    expect(await codeOf(copy('t', `${Bucket}/small`, {}, user))).toBe('none');
    // Who may not list learns nothing of what is not there.
    expect(await codeOf(copy('t', `${Bucket}/none`, {}, user))).toBe('403 AccessDenied');
  });

  it('holds the owner of the source against what the client expects', async () => {
    const expecting = (ExpectedSourceBucketOwner: string) =>
      codeOf(copy('owned', `${Bucket}/small`, { ExpectedSourceBucketOwner }));
    expect(await expecting(accountId)).toBe('none');
    expect(await expecting('999999999999')).toBe('403 AccessDenied');
  });

  it('bytes that are not those of the record make no copy', async () => {
    await put('damaged', LARGE);
    const { version } = await ports.memoryMetadata.findObject(
      { requestId: 'r', deadline: Deadline.in(60_000) },
      { bucketName: Bucket, key: 'damaged' },
    );
    const [first] = decodeChunkList(version?.chunks ?? Buffer.of(1));
    const bytes = Buffer.from(ports.memoryData.chunks.get(first.primary.chunkId) ?? Buffer.alloc(0));
    bytes[7] ^= 1;
    ports.memoryData.chunks.set(first.primary.chunkId, bytes);
    expect(await codeOf(copy('from damaged', `${Bucket}/damaged`))).toMatch(/^50\d /);
    expect(await codeOf(head('from damaged'))).toBe('404 NotFound');
  });

  it('24 copies of 5 MiB at once hold 32 MiB of memory and all arrive', async () => {
    let heldBytesMax = 0;
    let writersMax = 0;
    let writers = 0;
    const { read, write } = ports.memoryData;
    ports.memoryData.write = async (...args) => {
      writersMax = Math.max(writersMax, (writers += 1));
      return write.apply(ports.memoryData, args).finally(() => (writers -= 1));
    };
    let openBytes = 0;
    ports.memoryData.read = async function* counted(call, range) {
      const sizeBytes = range.lastByte - range.firstByte + 1;
      openBytes += sizeBytes;
      heldBytesMax = Math.max(heldBytesMax, openBytes);
      try {
        yield* read.call(ports.memoryData, call, range);
        await new Promise((resolve) => setImmediate(resolve));
      } finally {
        openBytes -= sizeBytes;
      }
    };
    const codes = await Promise.all(
      Array.from({ length: 24 }, (_, index) => codeOf(copy(`many/${index}`, `${Bucket}/large`))),
    );
    ports.memoryData.read = read;
    ports.memoryData.write = write;
    // Who waits for its turn holds nothing of the writers'.
    expect(writersMax).toBe(8);
    expect(new Set(codes)).toEqual(new Set(['none']));
    expect(heldBytesMax).toBeLessThanOrEqual(32 * MIB);
    expect((await bytesOf('many/23')).equals(LARGE)).toBe(true);
  });
});
