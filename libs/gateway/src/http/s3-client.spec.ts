import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { InMemoryPorts } from '@holdfast/testkit';
import { encodeListPosition } from '../operations/list-position.codec.js';
import { S3Listener } from './s3-listener.js';

const MIB = 1024 * 1024;
const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const root = ports.memoryIdentity.addAccount('main');
let endpoint = '';
let client: S3Client;

beforeAll(async () => {
  endpoint = `http://127.0.0.1:${await listener.listen(0)}`;
  client = clientOf(root);
  await client.send(new CreateBucketCommand({ Bucket: 'photos' }));
});
afterAll(async () => {
  client.destroy();
  await listener.close();
});

function clientOf(keys: { accessKeyId: string; secretAccessKey: string }, more: S3ClientConfig = {}): S3Client {
  const { accessKeyId, secretAccessKey } = keys;
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    ...more,
  });
}

async function bytesOf(key: string, Range?: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: 'photos', Key: key, Range }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const put = (Key: string, Body: Buffer | string, more: object = {}) =>
  client.send(new PutObjectCommand({ Bucket: 'photos', Key, Body, ...more }));

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    return `${error.$metadata.httpStatusCode} ${error.name}`;
  }
}

describe('objects through aws-sdk v3 with its defaults', () => {
  it.each([0, 1, 4096, 64 * 1024, 64 * 1024 + 1, 5 * MIB - 1, 8 * MIB + 1, 20 * MIB])(
    'gives %i bytes back as they were',
    async (sizeBytes) => {
      const body = randomBytes(sizeBytes);
      const key = `sizes/${sizeBytes}`;
      const answer = await put(key, body);
      expect(answer.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
      expect(sha256(await bytesOf(key))).toBe(sha256(body));
    },
  );

  it('seed-3.17: length, ETag, content type, user metadata and standard headers come back', async () => {
    await put('described', 'hello', {
      ContentType: 'text/plain; charset=utf-8',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment; filename="a b.txt"',
      ContentLanguage: 'de',
      Metadata: { colour: 'blue', 'with-dash': 'Ümlaut'.normalize('NFD').replace(/[^\x20-\x7e]/g, '') },
    });
    const got = await client.send(new GetObjectCommand({ Bucket: 'photos', Key: 'described' }));
    expect(await got.Body?.transformToString()).toBe('hello');
    const head = await client.send(new HeadObjectCommand({ Bucket: 'photos', Key: 'described' }));
    for (const answer of [got, head]) {
      expect(answer).toMatchObject({
        ContentLength: 5,
        ETag: '"5d41402abc4b2a76b9719d911017c592"',
        ContentType: 'text/plain; charset=utf-8',
        CacheControl: 'max-age=60',
        ContentDisposition: 'attachment; filename="a b.txt"',
        ContentLanguage: 'de',
        AcceptRanges: 'bytes',
        Metadata: { colour: 'blue', 'with-dash': 'Umlaut' },
      });
      expect(answer.VersionId).toBeUndefined();
      expect(answer.ReplicationStatus).toBeUndefined();
    }
  });

  it('returns the stored checksum when it is asked for, and not beside a range', async () => {
    await put('checked', 'hello', { ChecksumAlgorithm: 'CRC32C' });
    const whole = await client.send(
      new HeadObjectCommand({ Bucket: 'photos', Key: 'checked', ChecksumMode: 'ENABLED' }),
    );
    expect(whole.ChecksumCRC32C).toBe('mnG7TA==');
    expect(whole.ChecksumType).toBe('FULL_OBJECT');
    const unasked = await fetch(await signed('checked'));
    expect(unasked.headers.get('x-amz-checksum-crc32c')).toBeNull();
    const part = await client.send(
      new GetObjectCommand({ Bucket: 'photos', Key: 'checked', ChecksumMode: 'ENABLED', Range: 'bytes=1-2' }),
    );
    expect(part.ChecksumCRC32C).toBeUndefined();
    expect(await part.Body?.transformToString()).toBe('el');
  });

  it('serves ranges', async () => {
    await put('ranged', Buffer.from('0123456789'));
    expect((await bytesOf('ranged', 'bytes=2-4')).toString()).toBe('234');
    expect((await bytesOf('ranged', 'bytes=7-')).toString()).toBe('789');
    expect((await bytesOf('ranged', 'bytes=-3')).toString()).toBe('789');
    const part = await client.send(new GetObjectCommand({ Bucket: 'photos', Key: 'ranged', Range: 'bytes=0-99' }));
    expect(part.ContentRange).toBe('bytes 0-9/10');
    expect(part.$metadata.httpStatusCode).toBe(206);
    expect(await codeOf(bytesOf('ranged', 'bytes=10-'))).toBe('416 InvalidRange');
  });

  it('judges conditions of reads', async () => {
    const { ETag = '' } = await put('conditional', 'one');
    const get = (more: object) => client.send(new GetObjectCommand({ Bucket: 'photos', Key: 'conditional', ...more }));
    expect(await codeOf(get({ IfMatch: '"other"' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(get({ IfNoneMatch: ETag }))).toMatch(/^304 /);
    expect(await codeOf(get({ IfMatch: ETag }))).toBe('none');
    const answer = await fetch(await signed('conditional'), { headers: { 'if-none-match': ETag } });
    expect(answer.status).toBe(304);
    expect(answer.statusText).toBe('Not Modified');
    expect(answer.headers.get('etag')).toBe(ETag);
  });

  it('judges conditions of writes', async () => {
    const { ETag = '' } = await put('guarded', 'one');
    expect(await codeOf(put('guarded', 'two', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(put('guarded', 'two', { IfMatch: '"0123"' }))).toBe('412 PreconditionFailed');
    expect(await codeOf(put('not-there', 'two', { IfMatch: ETag }))).toBe('404 NoSuchKey');
    expect(await codeOf(put('guarded', 'two', { IfMatch: ETag }))).toBe('none');
    expect((await bytesOf('guarded')).toString()).toBe('two');
  });

  it('knows the null version of an unversioned bucket', async () => {
    await put('versioned', 'x');
    const get = (VersionId: string) =>
      client.send(new GetObjectCommand({ Bucket: 'photos', Key: 'versioned', VersionId }));
    expect(await codeOf(get('null'))).toBe('none');
    expect(await codeOf(get('0'.repeat(32)))).toBe('404 NoSuchVersion');
    expect(await codeOf(get('nonsense'))).toBe('400 InvalidArgument');
  });

  it('shows the state of the secondary copy', async () => {
    await put('copied', 'x');
    const statusOf = async () =>
      (await client.send(new HeadObjectCommand({ Bucket: 'photos', Key: 'copied' }))).ReplicationStatus;
    ports.memoryMetadata.markReplication('photos', 'copied', 'pending');
    expect(await statusOf()).toBe('PENDING');
    ports.memoryMetadata.markReplication('photos', 'copied', 'completed');
    expect(await statusOf()).toBe('COMPLETED');
  });

  it('deletes one and many, idempotently', async () => {
    await put('gone', 'x');
    expect(await codeOf(client.send(new DeleteObjectCommand({ Bucket: 'photos', Key: 'gone' })))).toBe('none');
    expect(await codeOf(client.send(new DeleteObjectCommand({ Bucket: 'photos', Key: 'gone' })))).toBe('none');
    expect(await codeOf(bytesOf('gone'))).toBe('404 NoSuchKey');
    await put('007', 'x');
    await put('7', 'x');
    const many = await client.send(
      new DeleteObjectsCommand({
        Bucket: 'photos',
        Delete: { Objects: [{ Key: '007' }, { Key: 'never' }, { Key: 'k', VersionId: 'nonsense' }] },
      }),
    );
    expect(many.Deleted?.map(({ Key }) => Key)).toEqual(['007', 'never']);
    expect(many.Errors).toMatchObject([{ Key: 'k', Code: 'InvalidArgument' }]);
    expect(await codeOf(bytesOf('007'))).toBe('404 NoSuchKey');
    expect((await bytesOf('7')).toString()).toBe('x');
    const quiet = await client.send(
      new DeleteObjectsCommand({ Bucket: 'photos', Delete: { Quiet: true, Objects: [{ Key: '7' }] } }),
    );
    expect(quiet.Deleted).toBeUndefined();
  });

  it('serves a presigned GET and PUT, with overrides', async () => {
    const url = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'photos', Key: 'by url' }), {
      expiresIn: 60,
    });
    expect((await fetch(url, { method: 'PUT', body: 'through a url' })).status).toBe(200);
    const get = new GetObjectCommand({ Bucket: 'photos', Key: 'by url', ResponseContentType: 'text/csv; name="ü"' });
    const answer = await fetch(await getSignedUrl(client, get, { expiresIn: 60 }));
    expect(await answer.text()).toBe('through a url');
    expect(Buffer.from(answer.headers.get('content-type') ?? '', 'latin1').toString()).toBe('text/csv; name="ü"');
  });
});

/** A URL without the checksum mode that the SDK asks for by default. */
async function signed(Key: string): Promise<string> {
  const modest = clientOf(root, { responseChecksumValidation: 'WHEN_REQUIRED' });
  return getSignedUrl(modest, new GetObjectCommand({ Bucket: 'photos', Key }), { expiresIn: 60 });
}

describe('buckets', () => {
  it('seed-3.6: creates one with its location, again for its owner, never for another', async () => {
    const create = (by: S3Client, Bucket: string, LocationConstraint?: string) =>
      by.send(
        new CreateBucketCommand({
          Bucket,
          ...(LocationConstraint === undefined
            ? {}
            : { CreateBucketConfiguration: { LocationConstraint: LocationConstraint as 'EU' } }),
        }),
      );
    expect((await create(client, 'fresh-bucket')).Location).toBe('/fresh-bucket');
    expect(await codeOf(create(client, 'fresh-bucket'))).toBe('none');
    const stranger = clientOf(ports.memoryIdentity.addAccount('stranger'));
    expect(await codeOf(create(stranger, 'fresh-bucket'))).toBe('409 BucketAlreadyExists');
    stranger.destroy();
    expect(await codeOf(create(client, 'located', 'default'))).toBe('none');
    expect(await codeOf(create(client, 'elsewhere', 'eu-north-7'))).toBe('400 InvalidLocationConstraint');
    expect(await codeOf(create(client, 'Bad_Name'))).toBe('400 InvalidBucketName');
    expect(await codeOf(create(client, 'minio'))).toBe('400 InvalidBucketName');
  });

  it('heads, locates, lists and deletes', async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'short-lived' }));
    const head = await client.send(new HeadBucketCommand({ Bucket: 'short-lived' }));
    expect(head.BucketRegion).toBe('us-east-1');
    const location = await client.send(new GetBucketLocationCommand({ Bucket: 'short-lived' }));
    expect(location.LocationConstraint ?? '').toBe('');
    const list = await client.send(new ListBucketsCommand({}));
    expect(list.Buckets?.map(({ Name }) => Name)).toContain('short-lived');
    expect(list.Owner?.ID).toBe(root.account.canonicalId);
    await client.send(new PutObjectCommand({ Bucket: 'short-lived', Key: 'k', Body: 'x' }));
    const remove = () => client.send(new DeleteBucketCommand({ Bucket: 'short-lived' }));
    expect(await codeOf(remove())).toBe('409 BucketNotEmpty');
    await client.send(new DeleteObjectCommand({ Bucket: 'short-lived', Key: 'k' }));
    expect(await codeOf(remove())).toBe('none');
    expect(await codeOf(remove())).toBe('404 NoSuchBucket');
    expect(await codeOf(client.send(new PutObjectCommand({ Bucket: 'short-lived', Key: 'k', Body: 'x' })))).toBe(
      '404 NoSuchBucket',
    );
  });

  it('lists buckets in pages', async () => {
    for (const Bucket of ['page-a', 'page-b', 'page-c']) await client.send(new CreateBucketCommand({ Bucket }));
    const first = await client.send(new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 2 }));
    expect(first.Buckets?.map(({ Name }) => Name)).toEqual(['page-a', 'page-b']);
    const rest = await client.send(
      new ListBucketsCommand({ Prefix: 'page-', MaxBuckets: 2, ContinuationToken: first.ContinuationToken }),
    );
    expect(rest.Buckets?.map(({ Name }) => Name)).toEqual(['page-c']);
    expect(rest.ContinuationToken).toBeUndefined();
    const ofAKey = encodeListPosition({ kind: 'key', afterKey: 'k'.repeat(300) });
    expect(await codeOf(client.send(new ListBucketsCommand({ ContinuationToken: ofAKey })))).toBe(
      '400 InvalidArgument',
    );
  });
});

describe('listing', () => {
  const keys = ['a.txt', 'd/1', 'd/2', 'e', 'f/x/1', 'ü/\u{1F600}', 'ü/z'];
  beforeAll(async () => {
    await client.send(new CreateBucketCommand({ Bucket: 'listed' }));
    for (const Key of keys) await client.send(new PutObjectCommand({ Bucket: 'listed', Key, Body: Key }));
  });

  it('pages by token over keys and common prefixes', async () => {
    const seen: string[] = [];
    let ContinuationToken: string | undefined;
    let pages = 0;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket: 'listed', Delimiter: '/', MaxKeys: 1, ContinuationToken }),
      );
      expect(page.KeyCount).toBe(1);
      for (const { Key } of page.Contents ?? []) seen.push(Key ?? '');
      for (const { Prefix } of page.CommonPrefixes ?? []) seen.push(Prefix ?? '');
      ContinuationToken = page.NextContinuationToken;
      pages += 1;
    } while (ContinuationToken !== undefined && pages < 20);
    expect(seen).toEqual(['a.txt', 'd/', 'e', 'f/', 'ü/']);
  });

  it('pages by marker', async () => {
    const first = await client.send(new ListObjectsCommand({ Bucket: 'listed', Delimiter: '/', MaxKeys: 2 }));
    expect(first.NextMarker).toBe('d/');
    const second = await client.send(
      new ListObjectsCommand({ Bucket: 'listed', Delimiter: '/', MaxKeys: 2, Marker: first.NextMarker }),
    );
    expect(second.Contents?.map(({ Key }) => Key)).toEqual(['e']);
    expect(second.CommonPrefixes?.map(({ Prefix }) => Prefix)).toEqual(['f/']);
    const plain = await client.send(new ListObjectsCommand({ Bucket: 'listed', MaxKeys: 2 }));
    expect(plain.IsTruncated).toBe(true);
    expect(plain.NextMarker).toBeUndefined();
    expect(plain.Contents?.[0].Owner?.ID).toBe(root.account.canonicalId);
  });

  it('starts after, fetches owners, encodes names, takes an empty page', async () => {
    const after = await client.send(new ListObjectsV2Command({ Bucket: 'listed', StartAfter: 'e', FetchOwner: true }));
    expect(after.Contents?.map(({ Key }) => Key)).toEqual(['f/x/1', 'ü/z', 'ü/\u{1F600}']);
    expect(after.Contents?.[0].Owner?.DisplayName).toBe('main');
    const encoded = await client.send(
      new ListObjectsV2Command({ Bucket: 'listed', Prefix: 'ü/', EncodingType: 'url' }),
    );
    expect(encoded.Contents?.[0].Key).toBe('%C3%BC/z');
    const none = await client.send(new ListObjectsV2Command({ Bucket: 'listed', MaxKeys: 0 }));
    expect(none).toMatchObject({ KeyCount: 0, IsTruncated: false });
  });

  it('refuses arguments that mean nothing', async () => {
    const token = (ContinuationToken: string) =>
      client.send(new ListObjectsV2Command({ Bucket: 'listed', ContinuationToken }));
    expect(await codeOf(token('***'))).toBe('400 InvalidArgument');
    expect(await codeOf(token('AAAA'))).toBe('400 InvalidArgument');
    expect(await codeOf(token(''))).toBe('none');
    expect(await codeOf(client.send(new ListObjectsV2Command({ Bucket: 'listed', MaxKeys: -1 })))).toBe(
      '400 InvalidArgument',
    );
    expect(await codeOf(client.send(new ListObjectsV2Command({ Bucket: 'no-such-bucket' })))).toBe('404 NoSuchBucket');
  });
});

describe('multipart', () => {
  it('uploads in parts and reads ranges across them', async () => {
    const body = randomBytes(23 * MIB + 17);
    const upload = new Upload({ client, partSize: 5 * MIB, params: { Bucket: 'photos', Key: 'large', Body: body } });
    const done = await upload.done();
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-5"$/);
    expect(sha256(await bytesOf('large'))).toBe(sha256(body));
    for (const [first, last] of [
      [5 * MIB - 1, 5 * MIB],
      [0, 0],
      [12 * MIB, 21 * MIB],
      [23 * MIB, 23 * MIB + 16],
    ]) {
      const part = await bytesOf('large', `bytes=${first}-${last}`);
      expect(part.equals(body.subarray(first, last + 1))).toBe(true);
    }
  });

  it('keeps to the states of an upload', async () => {
    const at = { Bucket: 'photos', Key: 'in parts' };
    const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand(at));
    const part = (PartNumber: number, Body: string) =>
      client.send(new UploadPartCommand({ ...at, UploadId, PartNumber, Body }));
    const { ETag } = await part(1, 'one');
    await part(2, 'two');
    const parts = await client.send(new ListPartsCommand({ ...at, UploadId, MaxParts: 1 }));
    expect(parts).toMatchObject({ IsTruncated: true, Parts: [{ PartNumber: 1, ETag, Size: 3 }] });
    const complete = (...Parts: { PartNumber: number; ETag?: string; ChecksumCRC32?: string }[]) =>
      client.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } }));
    expect(await codeOf(complete({ PartNumber: 2, ETag }, { PartNumber: 1, ETag }))).toBe('400 InvalidPartOrder');
    expect(await codeOf(complete({ PartNumber: 1, ETag: '"00"' }))).toBe('400 InvalidPart');
    expect(await codeOf(complete({ PartNumber: 1, ETag, ChecksumCRC32: 'AAAAAA==' }))).toBe('400 InvalidPart');
    expect(await codeOf(part(0, 'zero'))).toBe('400 InvalidArgument');
    expect(await codeOf(part(10_001, 'many'))).toBe('400 InvalidArgument');
    expect(await codeOf(complete({ PartNumber: 1, ETag }))).toBe('none');
    expect(await codeOf(complete({ PartNumber: 1, ETag }))).toBe('none');
    expect(await codeOf(part(3, 'late'))).toBe('404 NoSuchUpload');
    expect((await bytesOf('in parts')).toString()).toBe('one');
  });

  it('aborts, and leaves the uploads of others alone', async () => {
    const at = { Bucket: 'photos', Key: 'aborted' };
    const { UploadId = '' } = await client.send(new CreateMultipartUploadCommand(at));
    const user = clientOf(
      ports.memoryIdentity.addUser(root.account.accountId, 'curious', {
        Effect: 'Allow',
        Action: 's3:*',
        Resource: '*',
      }),
    );
    const foreign = { ...at, UploadId };
    expect(await codeOf(user.send(new UploadPartCommand({ ...foreign, PartNumber: 1, Body: 'x' })))).toBe(
      '403 AccessDenied',
    );
    expect(await codeOf(user.send(new ListPartsCommand(foreign)))).toBe('403 AccessDenied');
    expect(await codeOf(user.send(new AbortMultipartUploadCommand(foreign)))).toBe('403 AccessDenied');
    const complete = { ...foreign, MultipartUpload: { Parts: [{ PartNumber: 1, ETag: 'x' }] } };
    expect(await codeOf(user.send(new CompleteMultipartUploadCommand(complete)))).toBe('403 AccessDenied');
    user.destroy();
    expect(await codeOf(client.send(new AbortMultipartUploadCommand(foreign)))).toBe('none');
    expect(await codeOf(client.send(new AbortMultipartUploadCommand(foreign)))).toBe('404 NoSuchUpload');
    expect(await codeOf(client.send(new ListPartsCommand({ ...at, UploadId: 'nonsense' })))).toBe('404 NoSuchUpload');
  });
});

describe('seed-3.18: every key is a resource of its own', () => {
  it.each([
    'plain',
    'with space',
    'a/b/c',
    'a//b',
    '/leading',
    'trailing/',
    '..',
    'a/../b',
    '.',
    'ü/\u{1F600}',
    '100%',
    'a+b',
    '?&=#',
    "~'()*!",
  ])('%j', async (key) => {
    await put(key, `body of ${key}`);
    expect((await bytesOf(key)).toString()).toBe(`body of ${key}`);
  });

  it('refuses a key of more than 1024 bytes', async () => {
    expect(await codeOf(put('k'.repeat(1024), 'x'))).toBe('none');
    expect(await codeOf(put('k'.repeat(1025), 'x'))).toBe('400 KeyTooLongError');
  });
});
