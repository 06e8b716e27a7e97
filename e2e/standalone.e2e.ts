import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketWebsiteCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import supertest from 'supertest';
import { startStore } from './harness/start-store.js';
import type { TestedStore } from './harness/tested-store.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let store: TestedStore;
let s3: S3Client;

async function bodyOf(client: S3Client, bucket: string, key: string, range?: string): Promise<Buffer> {
  const answer = await client.send(
    new GetObjectCommand({ Bucket: bucket, Key: key, ...(range ? { Range: range } : {}) }),
  );
  return Buffer.from(await (answer.Body as { transformToByteArray(): Promise<Uint8Array> }).transformToByteArray());
}

beforeAll(async () => {
  store = await startStore('standalone');
  s3 = store.client();
  await s3.send(new CreateBucketCommand({ Bucket: 'first' }));
}, 60_000);
afterAll(() => store.remove(), 30_000);

describe('standalone, through the AWS SDK with default settings', () => {
  it.each([0, 1, 4096, 5 * MIB - 1, 5 * MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 7])(
    'seed-3.16: %i bytes come back as they went',
    async (size) => {
      const body = randomBytes(size);
      await s3.send(
        new PutObjectCommand({
          Bucket: 'first',
          Key: `size/${size}`,
          Body: body,
          Metadata: { colour: 'green' },
          ContentType: 'x/y',
        }),
      );
      const head = await s3.send(new HeadObjectCommand({ Bucket: 'first', Key: `size/${size}` }));
      expect([head.ContentLength, head.ContentType, head.Metadata]).toEqual([size, 'x/y', { colour: 'green' }]);
      expect(sha256(await bodyOf(s3, 'first', `size/${size}`))).toBe(sha256(body));
      if (size > 10)
        expect(sha256(await bodyOf(s3, 'first', `size/${size}`, `bytes=3-${size - 4}`))).toBe(
          sha256(body.subarray(3, size - 3)),
        );
    },
  );

  it('uploads in parts from a stream of unknown length', async () => {
    const body = randomBytes(17 * MIB + 3);
    const pieces = Readable.from(
      (function* () {
        for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000);
      })(),
    );
    const done = await new Upload({ client: s3, params: { Bucket: 'first', Key: 'parts', Body: pieces } }).done();
    expect(done.ETag).toMatch(/-4"$/);
    expect(sha256(await bodyOf(s3, 'first', 'parts'))).toBe(sha256(body));
    expect(await bodyOf(s3, 'first', 'parts', 'bytes=5242870-5242890')).toEqual(body.subarray(5242870, 5242891));
  });

  it('seed-3.18: keys with slashes, spaces, percent signs, unicode and dots are what they are', async () => {
    const keys = ['a/b/c', '/lead', 'a//b', '../up', 'a b+c%20d', 'ключ/🜁', 'e\u0301', '\u00e9', 'q?&=#\'"', 'a/./b'];
    await s3.send(new CreateBucketCommand({ Bucket: 'keys' }));
    for (const key of keys) await s3.send(new PutObjectCommand({ Bucket: 'keys', Key: key, Body: key }));
    for (const key of keys) expect((await bodyOf(s3, 'keys', key)).toString()).toBe(key);
    const listed = (await s3.send(new ListObjectsV2Command({ Bucket: 'keys' }))).Contents?.map((one) => one.Key);
    expect(listed).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    const removed = await s3.send(
      new DeleteObjectsCommand({ Bucket: 'keys', Delete: { Objects: keys.map((Key) => ({ Key })) } }),
    );
    expect(removed.Deleted?.length).toBe(keys.length);
    await s3.send(new DeleteBucketCommand({ Bucket: 'keys' }));
    await expect(s3.send(new ListObjectsV2Command({ Bucket: 'keys' }))).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });

  it('lists with prefix, delimiter and pages', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'list' }));
    for (let i = 0; i < 12; i += 1)
      await s3.send(new PutObjectCommand({ Bucket: 'list', Key: `d${i % 3}/k${i}`, Body: Buffer.alloc(0) }));
    await s3.send(new PutObjectCommand({ Bucket: 'list', Key: 'top', Body: Buffer.alloc(0) }));
    const pages: string[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: 'list', Delimiter: '/', MaxKeys: 2, ContinuationToken: token }),
      );
      pages.push(
        [
          ...(page.CommonPrefixes ?? []).map((one) => one.Prefix),
          ...(page.Contents ?? []).map((one) => one.Key),
        ].join(),
      );
      token = page.NextContinuationToken;
    } while (token);
    expect(pages).toEqual(['d0/,d1/', 'd2/,top']);
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'list', Prefix: 'd1/' }))).KeyCount).toBe(4);
  });

  it('serves presigned URLs, PUT and GET, and refuses a changed one', async () => {
    const put = await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'first', Key: 'signed' }), { expiresIn: 60 });
    expect((await fetch(put, { method: 'PUT', body: 'by url' })).status).toBe(200);
    const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'first', Key: 'signed' }), { expiresIn: 60 });
    expect(await (await fetch(get)).text()).toBe('by url');
    const other = await fetch(get.replace('/first/signed', '/first/size/1'));
    expect([other.status, await other.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
  });

  it('deletes, and says 404 NoSuchKey afterwards; planned operations answer 501 by name', async () => {
    await s3.send(new PutObjectCommand({ Bucket: 'first', Key: 'gone', Body: 'x' }));
    await s3.send(new DeleteObjectCommand({ Bucket: 'first', Key: 'gone' }));
    await expect(s3.send(new GetObjectCommand({ Bucket: 'first', Key: 'gone' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(s3.send(new GetBucketWebsiteCommand({ Bucket: 'first' }))).rejects.toMatchObject({
      name: 'NotImplemented',
      message: expect.stringContaining('GetBucketWebsite'),
    });
  });

  it('one of many conditional creates wins, and all plain ones', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        s3.send(new PutObjectCommand({ Bucket: 'first', Key: 'once', Body: `body ${i}`, IfNoneMatch: '*' })).then(
          () => 200,
          (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
        ),
      ),
    );
    expect(outcomes.filter((status) => status === 200).length).toBe(1);
    expect(outcomes.every((status) => [200, 409, 412].includes(status))).toBe(true);
    const plain = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        s3.send(new PutObjectCommand({ Bucket: 'first', Key: 'hot', Body: `whole body ${i}` })),
      ),
    );
    expect(plain.length).toBe(100);
    expect((await bodyOf(s3, 'first', 'hot')).toString()).toMatch(/^whole body \d+$/);
  });
});

describe('standalone, with a token', () => {
  it('curl-like PUT and GET with Authorization: Bearer', async () => {
    const token = await store.token();
    const http = supertest(store.endpoint);
    await http.put('/first/by-token').set('Authorization', `Bearer ${token}`).send('token body').expect(200);
    const got = await http.get('/first/by-token').set('Authorization', `Bearer ${token}`).buffer(true).expect(200);
    expect(got.text ?? got.body.toString()).toBe('token body');
    await http.get('/first/by-token').expect(403);
    await http
      .get('/first/by-token')
      .set('Authorization', `Bearer ${token.slice(0, -4)}AAAA`)
      .expect(401);
    const none = `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${token.split('.')[1]}.`;
    await http.get('/first/by-token').set('Authorization', `Bearer ${none}`).expect(401);
  });

  it('answers the token form exactly and refuses unknown fields and wrong secrets', async () => {
    const admin = supertest(store.admin);
    const good = await admin
      .post('/auth/token')
      .send(store.root)
      .expect((r) => expect([200, 201]).toContain(r.status));
    expect(Object.keys(good.body as object).sort()).toEqual(['access_token', 'expires_in', 'token_type']);
    await admin
      .post('/auth/token')
      .send({ accessKeyId: store.root.accessKeyId, secretAccessKey: 'wrong-password' })
      .expect(401);
    await admin.post('/auth/token').send({ accessKeyId: 'a', secretAccessKey: 'b', more: 1 }).expect(400);
    const keys = await admin.get('/.well-known/jwks.json').expect(200);
    expect((keys.body as { keys: { d?: string }[] }).keys[0].d).toBeUndefined();
  });
});

describe('standalone, killed', () => {
  it('promise: after kill -9 the next start comes up by itself with every acknowledged object', async () => {
    const acknowledged: string[] = [];
    let n = 0;
    const storm = Array.from({ length: 8 }, async () => {
      for (;;) {
        const key = `storm/${n++}`;
        const put = await s3
          .send(new PutObjectCommand({ Bucket: 'first', Key: key, Body: sha256(Buffer.from(key)) }))
          .then(
            () => true,
            () => false,
          );
        if (!put) return;
        acknowledged.push(key);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await store.kill();
    await Promise.all(storm);
    await store.launch();
    expect(acknowledged.length).toBeGreaterThan(20);
    for (const key of acknowledged) expect((await bodyOf(s3, 'first', key)).toString()).toBe(sha256(Buffer.from(key)));
    expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map((one) => one.Name)).toContain('first');
  }, 60_000);

  it('Ctrl-C stops it cleanly, and the next start finds the data', async () => {
    expect(await store.stop()).toBe(0);
    await store.launch();
    expect((await bodyOf(s3, 'first', 'by-token')).toString()).toBe('token body');
  }, 60_000);
});
