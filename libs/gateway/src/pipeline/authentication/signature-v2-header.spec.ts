import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../../http/s3-listener.js';

const clock = new ManualClock(Date.UTC(2026, 10, 21, 10, 0, 0));
const NOW = new Date(clock.nowMs()).toUTCString();
const ports = new InMemoryPorts(clock);
const main = ports.memoryIdentity.addAccount('main');
const powerless = ports.memoryIdentity.addUser(main.account.accountId, 'powerless');
const listener = new S3Listener(ports, { signatureV2: 'all' });
const presignedOnly = new S3Listener(ports, { signatureV2: 'presigned' });
let port = 0;
let portOfPresignedOnly = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  portOfPresignedOnly = await presignedOnly.listen(0);
  expect((await send('PUT', '/bucket')).status).toBe(200);
  expect((await send('PUT', '/bucket/key', { body: 'the body' })).status).toBe(200);
});
afterAll(() => Promise.all([listener.close(), presignedOnly.close()]));
beforeEach(() => ports.forgetCalls());

interface SendOptions {
  readonly body?: string;
  /** Lower-case names. */
  readonly headers?: Record<string, string>;
  readonly keys?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Path and sub-resources that are signed, where they are not those that are sent. */
  readonly resource?: string;
  readonly unsigned?: Record<string, string>;
  readonly to?: number;
}

/** Signs as AWS describes it, in its own words: x-amz-date unless a date is given. */
async function send(method: string, url: string, options: SendOptions = {}) {
  const { body, keys = main, headers: given = {}, unsigned = {}, to = port } = options;
  const dated = 'date' in given || 'x-amz-date' in given;
  const headers: Record<string, string> = dated ? { ...given } : { ...given, 'x-amz-date': NOW };
  const amz = Object.keys(headers).filter((name) => name.startsWith('x-amz-'));
  const lines = amz.sort().map((name) => `${name}:${headers[name]}\n`);
  const date = 'x-amz-date' in headers ? '' : headers['date'];
  const resource = options.resource ?? (/^\/[^/?]+$/.test(url) ? `${url}/` : url);
  const text = `${method}\n\n${headers['content-type'] ?? ''}\n${date}\n${lines.join('')}${resource}`;
  const signature = createHmac('sha1', keys.secretAccessKey).update(text).digest('base64');
  const answer = await fetch(`http://127.0.0.1:${to}${url}`, {
    method,
    body: body === undefined ? undefined : Buffer.from(body),
    headers: { authorization: `AWS ${keys.accessKeyId}:${signature}`, ...headers, ...unsigned },
  });
  const answered = await answer.text();
  const code = /<Code>(\w+)<\/Code>/.exec(answered)?.[1] ?? '';
  return { status: answer.status, code, text: answered, headers: answer.headers };
}

async function expectRefused(attempt: ReturnType<typeof send>, status: number, code: string): Promise<void> {
  const answer = await attempt;
  expect([answer.status, answer.code]).toEqual([status, code]);
  // Where nobody allows, the bucket's record says whether a policy of it could.
  const read = code === 'AccessDenied' ? ['metadata.findBucket'] : [];
  expect(ports.backendCalls.filter((name) => !read.includes(name))).toEqual([]);
}

describe('version 2 in the Authorization header, with the setting all', () => {
  it('reads, writes, lists and deletes', async () => {
    expect((await send('GET', '/bucket/key')).text).toBe('the body');
    expect((await send('GET', '/bucket/key', { headers: { date: NOW } })).text).toBe('the body');
    const headers = { 'content-type': 'a/b', 'x-amz-meta-a': 'b' };
    expect((await send('PUT', '/bucket/x%20y', { body: 'x', headers })).status).toBe(200);
    const stored = await send('GET', '/bucket/x%20y');
    expect([stored.headers.get('content-type'), stored.headers.get('x-amz-meta-a')]).toEqual(['a/b', 'b']);
    const listed = await send('GET', '/bucket?prefix=x&list-type=2', { resource: '/bucket/' });
    expect(listed.text).toContain('<Key>x y</Key>');
    expect((await send('DELETE', '/bucket/x%20y')).status).toBe(204);
    expect((await send('GET', '/', { resource: '/' })).text).toContain('<Name>bucket</Name>');
  });

  it('signs sub-resources in the order of their names, and overrides decoded', async () => {
    const begun = await send('POST', '/bucket/big?uploads');
    const uploadId = /<UploadId>(\w+)</.exec(begun.text)?.[1] ?? '';
    const part = `partNumber=1&uploadId=${uploadId}`;
    expect((await send('PUT', `/bucket/big?${part}`, { body: 'part' })).status).toBe(200);
    const turned = `/bucket/big?uploadId=${uploadId}&partNumber=1`;
    expect((await send('PUT', turned, { body: 'part', resource: `/bucket/big?${part}` })).status).toBe(200);
    expect((await send('GET', `/bucket/big?uploadId=${uploadId}`)).text).toContain('<PartNumber>1</PartNumber>');
    expect((await send('DELETE', `/bucket/big?uploadId=${uploadId}`)).status).toBe(204);
    const resource = '/bucket/key?response-content-type=text/x y';
    const shown = await send('GET', '/bucket/key?response-content-type=text%2Fx%20y', { resource });
    expect(shown.headers.get('content-type')).toBe('text/x y');
  });

  it('x-amz-date outweighs Date, which it then leaves out of what is signed', async () => {
    expect((await send('GET', '/bucket/key', { unsigned: { date: 'nonsense' } })).status).toBe(200);
  });

  it('seed-3.2: a caller without permission is refused before any other service is called', async () => {
    await expectRefused(send('GET', '/bucket/key', { keys: powerless }), 403, 'AccessDenied');
  });

  it.each([
    ['unparseable', 'Bad Date', 'AccessDenied'],
    ['empty', '', 'AccessDenied'],
    ['before 1970', 'Tue, 07 Jul 1950 21:53:04 GMT', 'AccessDenied'],
    ['years ago', 'Tue, 07 Jul 2010 21:53:04 GMT', 'RequestTimeTooSkewed'],
    ['years ahead', 'Tue, 07 Jul 9999 21:53:04 GMT', 'RequestTimeTooSkewed'],
    ['16 minutes ago', new Date(clock.nowMs() - 960_000).toUTCString(), 'RequestTimeTooSkewed'],
    ['16 minutes ahead', new Date(clock.nowMs() + 960_000).toUTCString(), 'RequestTimeTooSkewed'],
  ])('XA5: a date that is %s: 403', async (_name, date, code) => {
    await expectRefused(send('GET', '/bucket/key', { headers: { 'x-amz-date': date } }), 403, code);
    await expectRefused(send('PUT', '/bucket/key', { headers: { 'x-amz-date': date }, body: 'x' }), 403, code);
    await expectRefused(send('GET', '/bucket/key', { headers: { date } }), 403, code);
    expect(ports.calls).toEqual([]);
  });

  it('XA6: no header and no parameter that an operation obeys can be added', async () => {
    for (const name of ['x-amz-meta-a', 'x-amz-acl', 'content-type']) {
      const unsigned = { [name]: 'private' };
      await expectRefused(send('PUT', '/bucket/key', { unsigned, body: 'x' }), 403, 'SignatureDoesNotMatch');
    }
    for (const added of ['versionId=null', 'response-content-type=a', 'uploads', 'acl']) {
      const attempt = send(added === 'uploads' ? 'POST' : 'GET', `/bucket/key?${added}`, { resource: '/bucket/key' });
      expect((await attempt).status).toBeGreaterThanOrEqual(403);
      expect(ports.backendCalls).toEqual([]);
    }
    await expectRefused(
      send('GET', '/bucket/key?x-amz-meta-a=b', { resource: '/bucket/other' }),
      403,
      'SignatureDoesNotMatch',
    );
  });

  it('XA3, XA4: unknown keys, wrong secrets and malformed signatures', async () => {
    const nobody = { accessKeyId: 'HFNOBODY', secretAccessKey: 'x' };
    await expectRefused(send('GET', '/bucket/key', { keys: nobody }), 403, 'InvalidAccessKeyId');
    const wrong = { ...main, secretAccessKey: `${main.secretAccessKey}x` };
    await expectRefused(send('GET', '/bucket/key', { keys: wrong }), 403, 'SignatureDoesNotMatch');
    const malformed = (authorization: string) => send('GET', '/bucket/key', { unsigned: { authorization } });
    await expectRefused(malformed(`AWS ${main.accessKeyId}:abcd`), 403, 'SignatureDoesNotMatch');
    await expectRefused(malformed('AWS HAHAHA'), 400, 'InvalidArgument');
    await expectRefused(malformed('AWS :sig'), 400, 'InvalidArgument');
    await expectRefused(malformed('AWS a:b c'), 400, 'InvalidArgument');
  });

  it('XA8: a second proof beside it: 400', async () => {
    await expectRefused(send('GET', `/bucket/key?Signature=a&AWSAccessKeyId=b`), 400, 'InvalidArgument');
    await expectRefused(send('GET', `/bucket/key?X-Amz-Signature=a`), 400, 'InvalidArgument');
  });

  it('a signed chunk framing needs version 4: 400', async () => {
    const headers = { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' };
    await expectRefused(send('PUT', '/bucket/key', { headers, body: 'x' }), 400, 'InvalidRequest');
  });

  it('without the setting: 400, and nobody is asked', async () => {
    await expectRefused(send('GET', '/bucket/key', { to: portOfPresignedOnly }), 400, 'InvalidRequest');
    expect(ports.calls).toEqual([]);
  });
});
