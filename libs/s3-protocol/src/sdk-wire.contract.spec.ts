/** What the AWS SDK sends over a real socket is understood, and what the encoders write the SDK understands. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type ChecksumAlgorithm as SdkChecksumAlgorithm,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { HoldfastError } from '@holdfast/contracts';
import {
  AwsChunkedDecoder,
  awsChunkedOptions,
  canonicalRequest,
  checkTime,
  CHECKSUM_ALGORITHMS,
  createChecksum,
  decodeCompleteMultipartUpload,
  decodeCreateBucketConfiguration,
  decodeDelete,
  deriveSigningKey,
  effectiveHeaders,
  encodeDeleteResult,
  encodeError,
  encodeListAllMyBuckets,
  encodeListBucketV2,
  encodeListParts,
  encodeLocationConstraint,
  extractObjectHeaders,
  HeaderList,
  parseCredential,
  parseRequestTarget,
  payloadMode,
  requestedChecksum,
  resolveOperation,
  signatureMatches,
  signatureOf,
  stringToSign,
  verifyChecksum,
  type HeaderV4Credential,
  type QueryV4Credential,
  type RequestTarget,
} from './index.js';

const SECRET = 'secret/with=marks+';
const KEYS = ['plain', 'a//b/../c', ' sp ace+plus%20', "é€😀!'()*~;:@&=$,?#", '/lead', 'trail/'];

interface Received {
  readonly target: RequestTarget;
  readonly operation: string;
  readonly headers: HeaderList;
  readonly credential: HeaderV4Credential | QueryV4Credential;
  readonly body: Buffer;
}

let received: Received | undefined;
let answer: { status: number; body: string };
let server: Server;
let client: S3Client;

/** The steps of a gateway: resolve, identify, verify, read the body. */
async function receive(
  method: string,
  url: string,
  rawHeaders: string[],
  source: AsyncIterable<Buffer>,
): Promise<Received> {
  const target = parseRequestTarget(url);
  const request = { method, ...target, headers: new HeaderList(rawHeaders) };
  const operation = resolveOperation(request).name;
  const credential = parseCredential(request, { region: 'us-east-1' });
  if (credential.kind !== 'header-v4' && credential.kind !== 'query-v4')
    throw new Error('the request has no signature');
  checkTime(credential, Date.now());
  const signingKey = deriveSigningKey(SECRET, credential.scope);
  const expected = signatureOf(stringToSign(canonicalRequest(request, credential), credential), signingKey);
  if (!signatureMatches(expected, credential.signature)) throw new HoldfastError('SignatureDoesNotMatch');
  const headers = effectiveHeaders(request, credential);
  const mode = payloadMode(credential, headers);
  const requested = requestedChecksum(headers);
  const checksum = requested && createChecksum(requested.algorithm);
  const decoder =
    mode.kind === 'chunked' ? new AwsChunkedDecoder(source, awsChunkedOptions(mode, headers, undefined)) : undefined;
  const pieces: Buffer[] = [];
  for await (const piece of decoder ?? source) {
    pieces.push(piece);
    checksum?.update(piece);
  }
  if (requested && checksum) verifyChecksum(requested, checksum.digest(), decoder?.trailers ?? new Map());
  return { target, operation, headers, credential, body: Buffer.concat(pieces) };
}

function last(): Received {
  if (received === undefined) throw new Error('nothing was received');
  return received;
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    try {
      received = await receive(request.method ?? '', request.url ?? '', request.rawHeaders, request);
      response.writeHead(answer.status, { 'content-type': 'application/xml' }).end(answer.body);
    } catch (error) {
      const reply = encodeError(error, { resource: request.url ?? '', requestId: 'R' });
      response.writeHead(reply.status, { connection: 'close' }).end(reply.body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: 'AKID', secretAccessKey: SECRET },
  });
});

afterAll(async () => {
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  received = undefined;
  answer = { status: 200, body: '' };
});

describe('requests of the SDK', () => {
  it.each(KEYS)('seed-3.18: PutObject and GetObject of the key %j', async (Key) => {
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: 'hello', Metadata: { colour: 'green' } }));
    expect(last()).toMatchObject({ operation: 'PutObject', target: { bucket: 'bucket', key: Key } });
    expect(last().body.toString()).toBe('hello');
    expect({ ...extractObjectHeaders(last().headers).user }).toEqual({ colour: 'green' });
    await client.send(new GetObjectCommand({ Bucket: 'bucket', Key, Range: 'bytes=0-1' }));
    expect(last()).toMatchObject({ operation: 'GetObject', target: { key: Key } });
  });

  it.each(CHECKSUM_ALGORITHMS)('a streamed body comes framed, with %s in its trailer', async (algorithm) => {
    const content = Buffer.alloc(300_000, 'x');
    const Body = Readable.from([content.subarray(0, 100_000), content.subarray(100_000)]);
    const ChecksumAlgorithm: SdkChecksumAlgorithm = algorithm;
    await client.send(
      new PutObjectCommand({
        Bucket: 'bucket',
        Key: 'k',
        Body,
        ContentLength: content.length,
        ChecksumAlgorithm,
        ContentEncoding: 'gzip',
      }),
    );
    expect(last().credential.payloadHash).toBe('STREAMING-UNSIGNED-PAYLOAD-TRAILER');
    expect(last().body.equals(content)).toBe(true);
    expect(extractObjectHeaders(last().headers).standard['content-encoding']).toBe('gzip');
  });

  it('presigned URLs carry headers in their query', async () => {
    const command = new PutObjectCommand({ Bucket: 'bucket', Key: 'a b+c/é', Metadata: { colour: 'green' } });
    const url = await getSignedUrl(client, command, { expiresIn: 60 });
    const response = await fetch(url, { method: 'PUT', body: 'hello' });
    expect(await response.text()).toBe('');
    expect(last()).toMatchObject({ operation: 'PutObject', credential: { kind: 'query-v4', expiresSeconds: 60 } });
    expect({ ...extractObjectHeaders(last().headers).user }).toEqual({ colour: 'green' });
    const changed = await fetch(url.replace('colour', 'color'), { method: 'PUT', body: 'hello' });
    expect(await changed.text()).toContain('<Code>SignatureDoesNotMatch</Code>');
  });

  it('DeleteObjects, CompleteMultipartUpload and CreateBucket bring the documents that are decoded', async () => {
    answer.body = encodeDeleteResult({
      deleted: [{ key: '007' }],
      errors: [{ key: 'x', code: 'AccessDenied', message: 'm' }],
    });
    const Objects = ['007', ' a&<b>"\' ', 'line\nfeed\r', 'é😀'].map((Key) => ({ Key }));
    const result = await client.send(new DeleteObjectsCommand({ Bucket: 'bucket', Delete: { Objects, Quiet: true } }));
    expect(last().operation).toBe('DeleteObjects');
    expect(decodeDelete(last().body)).toEqual({ quiet: true, objects: Objects.map(({ Key }) => ({ key: Key })) });
    expect(result.Deleted).toEqual([{ Key: '007' }]);
    expect(result.Errors).toEqual([{ Key: 'x', Code: 'AccessDenied', Message: 'm' }]);

    answer.body = '<CompleteMultipartUploadResult/>';
    const Parts = [{ PartNumber: 1, ETag: '"e"', ChecksumCRC32: 'AAAAAA==' }];
    await client.send(
      new CompleteMultipartUploadCommand({ Bucket: 'bucket', Key: 'k', UploadId: 'u', MultipartUpload: { Parts } }),
    );
    expect(decodeCompleteMultipartUpload(last().body)).toEqual([
      { partNumber: 1, etag: 'e', checksums: { CRC32: 'AAAAAA==' } },
    ]);

    answer.body = '';
    const CreateBucketConfiguration = { LocationConstraint: 'eu-west-1' } as const;
    await client.send(new CreateBucketCommand({ Bucket: 'bucket', CreateBucketConfiguration }));
    expect(decodeCreateBucketConfiguration(last().body)).toEqual({ locationConstraint: 'eu-west-1' });
  });
});

describe('answers to the SDK', () => {
  const owner = { id: 'ID', displayName: 'Name' };
  const time = new Date(Date.UTC(2024, 4, 24, 1, 2, 3));

  it('ListBuckets and GetBucketLocation', async () => {
    answer.body = encodeListAllMyBuckets({ owner, buckets: [{ name: 'b1', createdAtMs: time.getTime() }] });
    const result = await client.send(new ListBucketsCommand({}));
    expect(last().operation).toBe('ListBuckets');
    expect(result).toMatchObject({
      Owner: { ID: 'ID', DisplayName: 'Name' },
      Buckets: [{ Name: 'b1', CreationDate: time }],
    });
    answer.body = encodeLocationConstraint('eu-west-1');
    expect(await client.send(new GetBucketLocationCommand({ Bucket: 'bucket' }))).toMatchObject({
      LocationConstraint: 'eu-west-1',
    });
  });

  it('ListObjectsV2', async () => {
    const object = {
      key: '007 <&>',
      lastModifiedMs: time.getTime(),
      etag: 'e',
      sizeBytes: 12,
      storageClass: 'STANDARD',
    };
    answer.body = encodeListBucketV2({
      ...{ bucket: 'bucket', prefix: '', delimiter: '/', maxKeys: 2, urlEncoded: false, isTruncated: true },
      ...{ nextContinuationToken: 't', objects: [object], commonPrefixes: ['p/'] },
    });
    const result = await client.send(new ListObjectsV2Command({ Bucket: 'bucket', Delimiter: '/' }));
    expect(last().operation).toBe('ListObjectsV2');
    expect(result).toMatchObject({
      ...{ KeyCount: 2, IsTruncated: true, NextContinuationToken: 't', MaxKeys: 2 },
      Contents: [{ Key: '007 <&>', Size: 12, ETag: '"e"', LastModified: time, StorageClass: 'STANDARD' }],
      CommonPrefixes: [{ Prefix: 'p/' }],
    });
  });

  it('ListParts', async () => {
    answer.body = encodeListParts({
      ...{ bucket: 'bucket', key: 'k', uploadId: 'u', owner, initiator: owner, storageClass: 'STANDARD' },
      ...{ partNumberMarker: 0, maxParts: 1000, isTruncated: false },
      parts: [{ partNumber: 1, lastModifiedMs: time.getTime(), etag: 'e', sizeBytes: 5, checksums: { CRC32: 'c' } }],
    });
    const result = await client.send(new ListPartsCommand({ Bucket: 'bucket', Key: 'k', UploadId: 'u' }));
    expect(last().operation).toBe('ListParts');
    expect(result.Parts).toEqual([{ PartNumber: 1, LastModified: time, ETag: '"e"', Size: 5, ChecksumCRC32: 'c' }]);
  });

  it('errors by their names', async () => {
    const reply = encodeError(new HoldfastError('NoSuchKey', undefined, { Key: 'k' }), {
      resource: '/bucket/k',
      requestId: 'R9',
    });
    answer = { status: reply.status, body: reply.body };
    await expect(client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
      $metadata: { httpStatusCode: 404 },
    });
  });
});
