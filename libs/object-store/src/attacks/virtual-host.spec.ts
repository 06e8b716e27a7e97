import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signRequest, presignRequest, type PlainRequest } from '@holdfast/testkit';
import { DOORS, Doors, type Door } from './testing/doors.js';

const DOMAINS = ['s3.test', 'eu.s3.test', 'localhost'];
let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open({ domains: DOMAINS, signatureV2: 'all' });
});
afterAll(() => doors.close());

/** Signs for this Host and sends it as it is. */
async function sendTo(door: Door, host: string, request: PlainRequest) {
  const headers = signRequest(request, doors.main, { host });
  return doors.send(door, { ...request, headers: { ...headers, host } });
}

describe.each(DOORS)('a Host that names the bucket, by the %s', (door) => {
  const own = door === 'API' ? 'a' : 'b';

  it('reads, writes, lists and deletes; the path is the key', async () => {
    const host = 'bucket.s3.test';
    const path = `/${own}/x%20y`;
    expect((await sendTo(door, host, { method: 'PUT', path, body: 'by host' })).status).toBe(200);
    expect((await sendTo(door, host, { method: 'GET', path })).text).toBe('by host');
    expect(await doors.stored(`/bucket${path}`)).toBe('by host');
    expect((await sendTo(door, host, { method: 'GET', path: '/?prefix=' + own })).text).toContain(
      `<Key>${own}/x y</Key>`,
    );
    expect((await sendTo(door, host, { method: 'HEAD', path: '/' })).status).toBe(200);
    expect((await sendTo(door, host, { method: 'GET', path: '/?location' })).text).toContain('LocationConstraint');
    expect((await sendTo(door, host, { method: 'DELETE', path })).status).toBe(204);
    const missing = await sendTo(door, host, { method: 'GET', path });
    expect([missing.code, missing.text.includes(`<Resource>/bucket${path}</Resource>`)]).toEqual(['NoSuchKey', true]);
  });

  it.each([
    'bucket.s3.test:9000',
    'BUCKET.S3.Test',
    'bucket.s3.test.',
    'bucket.s3.test.:80',
    'bucket.eu.s3.test',
    'bucket.localhost',
  ])('%s names it', async (host) => {
    expect((await sendTo(door, host, { method: 'GET', path: '/key' })).text).toBe('bucket');
  });

  it.each([
    's3.test',
    'S3.TEST.:80',
    'eu.s3.test',
    '127.0.0.1',
    '[::1]:9000',
    'bucket.other.test',
    'buckets3.test',
    'x.s3.test.evil',
  ])('%s names none: the path does', async (host) => {
    expect((await sendTo(door, host, { method: 'GET', path: '/bucket/key' })).text).toBe('bucket');
  });

  it('a bucket with dots is one bucket', async () => {
    const host = `${own}.photos.2026.s3.test`;
    expect((await sendTo(door, host, { method: 'PUT', path: '/', body: '' })).status).toBe(200);
    expect((await sendTo(door, host, { method: 'PUT', path: '/k', body: 'dots' })).status).toBe(200);
    expect(await doors.stored(`/${own}.photos.2026/k`)).toBe('dots');
  });

  it.each([
    '.s3.test',
    'a..b.s3.test',
    'a.s3.test',
    '-bucket.s3.test',
    '127.0.0.1.s3.test',
    'minio.s3.test',
    'x_y.s3.test',
  ])('XE7: %s names no bucket that can be: 400 InvalidBucketName', async (host) => {
    doors.ports.forgetCalls();
    const answer = await sendTo(door, host, { method: 'GET', path: '/bucket/key' });
    expect([answer.status, answer.code]).toEqual([400, 'InvalidBucketName']);
    expect(doors.ports.backendCalls).toEqual([]);
  });

  it.each([
    'bucket.s3.test:port',
    'bucket.s3.test:80:80',
    'bucket@s3.test',
    'bucket/theirs.s3.test',
    'a b.s3.test',
    'bücket.s3.test',
    '[bucket].s3.test',
  ])('XE7: %s is no host: 400', async (host) => {
    doors.ports.forgetCalls();
    const bytes = `GET /key HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${doors.bearer}\r\n\r\n`;
    expect((await doors.sendBytes(door, bytes)).status).toBe(400);
    expect(doors.ports.backendCalls).toEqual([]);
  });

  it('XE7: a signature for one host is none for another', async () => {
    const request = { method: 'GET', path: '/key' };
    const headers = signRequest(request, doors.main, { host: 'bucket.s3.test' });
    for (const host of ['theirs.s3.test', 's3.test', 'bucket.eu.s3.test']) {
      const answer = await doors.send(door, { ...request, headers: { ...headers, host } });
      expect([host, answer.status, answer.code]).toEqual([host, 403, 'SignatureDoesNotMatch']);
    }
  });

  it('XE7: dots and escapes in the path stay in the key of this bucket', async () => {
    for (const path of ['/../theirs/key', '/%2e%2e/theirs/key', '//theirs/key', '/theirs/key']) {
      const headers = { host: 'bucket.s3.test', authorization: `Bearer ${doors.bearer}` };
      const answer = await doors.send(door, { method: 'GET', path, headers });
      expect([path, answer.code]).toEqual([path, 'NoSuchKey']);
    }
  });

  it('paths of health checks are keys there, and health checks everywhere else', async () => {
    const path = '/_holdfast/health/live';
    expect((await sendTo(door, 'bucket.s3.test', { method: 'PUT', path, body: own })).status).toBe(200);
    expect((await sendTo(door, 'bucket.s3.test', { method: 'GET', path })).text).toBe(own);
    expect((await doors.send(door, { method: 'GET', path, headers: { host: 's3.test' } })).text).toContain('ok');
  });

  it('presigned URLs of both versions and the header of version 2 sign the bucket of the Host', async () => {
    const host = 'bucket.s3.test';
    const v4 = presignRequest({ method: 'GET', path: '/key' }, doors.main, { host });
    expect((await doors.send(door, { method: 'GET', path: v4, headers: { host } })).text).toBe('bucket');
    expect((await doors.send(door, { method: 'GET', path: v4, headers: { host: 'theirs.s3.test' } })).status).toBe(403);
    const sign = (text: string) => createHmac('sha1', doors.main.secretAccessKey).update(text).digest('base64');
    const expires = Math.floor(Date.now() / 1000) + 60;
    const signature = encodeURIComponent(sign(`GET\n\n\n${expires}\n/bucket/key`));
    const v2 = `/key?AWSAccessKeyId=${doors.main.accessKeyId}&Expires=${expires}&Signature=${signature}`;
    expect((await doors.send(door, { method: 'GET', path: v2, headers: { host } })).text).toBe('bucket');
    const swapped = await doors.send(door, { method: 'GET', path: v2, headers: { host: 'theirs.s3.test' } });
    expect([swapped.status, swapped.code]).toEqual([403, 'SignatureDoesNotMatch']);
    const date = new Date().toUTCString();
    for (const [path, resource] of [
      ['/key', '/bucket/key'],
      ['/', '/bucket/'],
      ['/?location', '/bucket/?location'],
    ]) {
      const authorization = `AWS ${doors.main.accessKeyId}:${sign(`GET\n\n\n${date}\n${resource}`)}`;
      expect((await doors.send(door, { method: 'GET', path, headers: { host, date, authorization } })).status).toBe(
        200,
      );
    }
  });

  it('a form goes to the bucket of the Host, and is told where its file is', async () => {
    const part = (name: string, value: string): string =>
      `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const body = `${part('key', `form/${own}`)}${part('success_action_status', '201')}${part('file', 'of a form')}--x--\r\n`;
    const answer = await sendTo(door, 'bucket.s3.test', {
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body,
    });
    expect([answer.status, answer.headers['location']]).toEqual([201, `http://bucket.s3.test/form/${own}`]);
    expect(await doors.stored(`/bucket/form/${own}`)).toBe('of a form');
  });
});
