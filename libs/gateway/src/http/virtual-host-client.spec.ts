import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { InMemoryPorts, sendRequest } from '@holdfast/testkit';
import { S3Listener } from './s3-listener.js';

const ports = new InMemoryPorts();
const listener = new S3Listener(ports, { domains: ['s3.test'] });
const { accessKeyId, secretAccessKey } = ports.memoryIdentity.addAccount('main');
/** Every name is this machine. */
const lookup: LookupFunction = (_host, { all }, callback) =>
  all === true ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(null, '127.0.0.1', 4);
let client: S3Client;
let port = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  client = new S3Client({
    endpoint: `http://s3.test:${port}`,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestHandler: { httpAgent: new Agent({ lookup }) },
  });
});
afterAll(async () => {
  client.destroy();
  await listener.close();
});

describe.each([
  ['photos', 'photos.s3.test', ''],
  // With dots no certificate would fit: the SDK takes path style by itself.
  ['my.photos.2026', 's3.test', '/my.photos.2026'],
])('the SDK as it comes, with the bucket %s', (Bucket, host, path) => {
  it('makes a bucket, writes in one piece and in parts, lists, reads and deletes', async () => {
    await client.send(new CreateBucketCommand({ Bucket }));
    const Key = 'a b/ü+(1).txt';
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'by host', Metadata: { a: 'b' } }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key }));
    expect([await got.Body?.transformToString(), got.Metadata]).toEqual(['by host', { a: 'b' }]);
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    const part = { Bucket, Key: 'parts', UploadId, PartNumber: 1 };
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: 'one part' }));
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    const done = await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload }),
    );
    expect(done.Location).toBe(`http://${host}:${port}${path}/parts`);
    const listed = await client.send(new ListObjectsV2Command({ Bucket }));
    expect(listed.Contents?.map((entry) => entry.Key)).toEqual([Key, 'parts']);
    const Delete = { Objects: [{ Key }, { Key: 'parts' }] };
    expect((await client.send(new DeleteObjectsCommand({ Bucket, Delete }))).Deleted).toHaveLength(2);
  });

  it('presigns, and a page of another origin may use the URL', async () => {
    const rule = { AllowedMethods: ['GET'], AllowedOrigins: ['http://page.test'] };
    await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }));
    await client.send(new PutObjectCommand({ Bucket, Key: 'shared', Body: 'shared' }));
    const url = new URL(await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'shared' })));
    expect([url.host, url.pathname]).toEqual([`${host}:${port}`, `${path}/shared`]);
    const headers = { host: url.host, origin: 'http://page.test' };
    const answer = await sendRequest(port, { method: 'GET', path: url.pathname + url.search, headers });
    expect([answer.text, answer.headers['access-control-allow-origin']]).toEqual(['shared', 'http://page.test']);
  });
});
