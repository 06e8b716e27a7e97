import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../../http/s3-listener.js';

const clock = new ManualClock(Date.UTC(2026, 10, 21, 10, 0, 0));
const inOneHour = clock.nowMs() / 1000 + 3600;
const ports = new InMemoryPorts(clock);
const main = ports.memoryIdentity.addAccount('main');
const reader = ports.memoryIdentity.addUser(main.account.accountId, 'reader', {
  Effect: 'Allow',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::bucket/*',
});
const listener = new S3Listener(ports);
const withoutV2 = new S3Listener(ports, { signatureV2: 'off' });
let port = 0;
let portWithoutV2 = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  portWithoutV2 = await withoutV2.listen(0);
  await ports.memoryMetadata.createBucket({}, { name: 'bucket', accountId: main.account.accountId });
  expect((await send('PUT', presigned('PUT', '/bucket/key'), { body: 'the body' })).status).toBe(200);
});
afterAll(async () => {
  await listener.close();
  await withoutV2.close();
});
beforeEach(() => ports.forgetCalls());

interface PresignOptions {
  readonly keys?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly expires?: number | string;
  /** Sub-resources and overrides in the order of their names, decoded. */
  readonly resource?: string;
  readonly contentType?: string;
  /** Lines of the string to sign. */
  readonly amzHeaders?: string;
}

/** Presigns as AWS describes it, in its own words. */
function presigned(method: string, path: string, options: PresignOptions = {}): string {
  const { keys = main, expires = inOneHour, resource = '', contentType = '', amzHeaders = '' } = options;
  const suffix = resource === '' ? '' : `?${resource}`;
  const text = `${method}\n\n${contentType}\n${expires}\n${amzHeaders}${path}${suffix}`;
  const signature = createHmac('sha1', keys.secretAccessKey).update(text).digest('base64');
  return `${path}?AWSAccessKeyId=${keys.accessKeyId}&Signature=${encodeURIComponent(signature)}&Expires=${expires}`;
}

interface SendOptions {
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly to?: number;
}

async function send(method: string, path: string, { body, headers, to = port }: SendOptions = {}) {
  // Bytes, because fetch would give a text a content type of its own.
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const answer = await fetch(`http://127.0.0.1:${to}${path}`, { method, body: bytes, headers });
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text, headers: answer.headers };
}

async function expectRefused(attempt: ReturnType<typeof send>, status: number, code: string): Promise<void> {
  const answer = await attempt;
  expect([answer.status, answer.code]).toEqual([status, code]);
  // Where nobody allows, the bucket's record says whether a policy of it could.
  const read = code === 'AccessDenied' ? ['metadata.findBucket'] : [];
  expect(ports.backendCalls.filter((name) => !read.includes(name))).toEqual([]);
}

describe('URLs presigned with version 2', () => {
  it('read, write and delete', async () => {
    expect((await send('GET', presigned('GET', '/bucket/key'))).text).toBe('the body');
    expect((await send('HEAD', presigned('HEAD', '/bucket/key'))).status).toBe(200);
    expect((await send('PUT', presigned('PUT', '/bucket/a%20b%2Fc'), { body: 'x' })).status).toBe(200);
    expect((await send('GET', presigned('GET', '/bucket/'))).text).toContain('<Key>a b/c</Key>');
    expect((await send('DELETE', presigned('DELETE', '/bucket/a%20b%2Fc'))).status).toBe(204);
  });

  it('carry overrides of the answer, signed decoded', async () => {
    const resource = 'response-content-disposition=attachment; filename="Q&A.txt"&response-content-type=text/plain';
    const url = presigned('GET', '/bucket/key', { resource });
    const query = resource.replace('Q&A', 'Q%26A').replaceAll('"', '%22').replaceAll(' ', '%20');
    const answer = await send('GET', `${url}&${query}`);
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="Q&A.txt"');
    expect(answer.headers.get('content-type')).toBe('text/plain');
  });

  it('carry the headers that were signed: the object has them', async () => {
    const url = presigned('PUT', '/bucket/typed', { contentType: 'a/b', amzHeaders: 'x-amz-meta-color:red\n' });
    const inQuery = `${url}&content-type=a%2Fb&x-amz-meta-color=red`;
    const inHeaders = { 'content-type': 'a/b', 'x-amz-meta-color': 'red' };
    for (const [path, headers] of [
      [inQuery, {}],
      [inQuery, inHeaders],
      [url, inHeaders],
    ] as const) {
      expect((await send('PUT', path, { body: 'x', headers })).status).toBe(200);
      const stored = await send('GET', presigned('GET', '/bucket/typed'));
      expect(stored.headers.get('content-type')).toBe('a/b');
      expect(stored.headers.get('x-amz-meta-color')).toBe('red');
      await send('DELETE', presigned('DELETE', '/bucket/typed'));
    }
  });

  it('are good until they expire, and further ahead than a week', async () => {
    const farAhead = clock.nowMs() / 1000 + 30 * 24 * 3600;
    expect((await send('GET', presigned('GET', '/bucket/key', { expires: farAhead }))).status).toBe(200);
    const now = clock.nowMs() / 1000;
    expect((await send('GET', presigned('GET', '/bucket/key', { expires: now }))).status).toBe(200);
    ports.forgetCalls();
    const past = presigned('GET', '/bucket/key', { expires: now - 1 });
    await expectRefused(send('GET', past), 403, 'AccessDenied');
    expect((await send('GET', past)).text).toContain('<Message>Request has expired</Message>');
    await expectRefused(send('GET', presigned('GET', '/bucket/key', { expires: 'soon' })), 403, 'AccessDenied');
    expect(ports.calls).toEqual([]);
  });

  it('XB6: give what the signer may do when they are used', async () => {
    expect((await send('GET', presigned('GET', '/bucket/key', { keys: reader }))).text).toBe('the body');
    ports.forgetCalls();
    await expectRefused(
      send('PUT', presigned('PUT', '/bucket/key', { keys: reader }), { body: 'x' }),
      403,
      'AccessDenied',
    );
  });
});

describe('seed-3.2: a changed URL of version 2 is refused before any other service is called', () => {
  const url = presigned('GET', '/bucket/key');

  it.each([
    ['another key', 'GET', url.replace('/bucket/key', '/bucket/other')],
    ['another bucket', 'GET', url.replace('/bucket/key', '/other/key')],
    ['another method', 'DELETE', url],
    ['a later expiry', 'GET', url.replace(/Expires=(\d+)/, (_, seconds) => `Expires=${Number(seconds) + 1}`)],
    ['a version', 'GET', `${url}&versionId=null`],
    ['an upload', 'GET', `${url}&uploadId=x`],
    ['an override', 'GET', `${url}&response-content-type=text%2Fhtml`],
    ['a header in the query', 'GET', `${url}&x-amz-expected-bucket-owner=x`],
    ['another signature', 'GET', url.replace(/Signature=.../, 'Signature=aaa')],
    ['a malformed signature', 'GET', url.replace(/Signature=.*&/, 'Signature=aaa&')],
  ])('%s: 403 SignatureDoesNotMatch', async (_name, method, path) => {
    await expectRefused(send(method, path), 403, 'SignatureDoesNotMatch');
  });

  it('a header that was not signed: 403 SignatureDoesNotMatch', async () => {
    const put = presigned('PUT', '/bucket/key');
    for (const name of ['x-amz-acl', 'x-amz-meta-a', 'content-type']) {
      await expectRefused(send('PUT', put, { headers: { [name]: 'private' } }), 403, 'SignatureDoesNotMatch');
    }
  });

  it('an unknown key: 403 InvalidAccessKeyId', async () => {
    const keys = { accessKeyId: 'HFNOBODY', secretAccessKey: main.secretAccessKey };
    await expectRefused(send('GET', presigned('GET', '/bucket/key', { keys })), 403, 'InvalidAccessKeyId');
  });

  it('XA8: a missing parameter: 403 AccessDenied', async () => {
    for (const missing of [/AWSAccessKeyId=[^&]*&/, /Signature=[^&]*&/, /&Expires=\d*/]) {
      await expectRefused(send('GET', url.replace(missing, '')), 403, 'AccessDenied');
    }
  });

  it('XA8: another proof beside it: 400 InvalidArgument', async () => {
    const authorization = `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}`;
    await expectRefused(send('GET', url, { headers: { authorization } }), 400, 'InvalidArgument');
    await expectRefused(send('GET', `${url}&X-Amz-Signature=${'0'.repeat(64)}`), 400, 'InvalidArgument');
  });

  it('a session token: 401 InvalidToken', async () => {
    await expectRefused(send('GET', `${url}&x-amz-security-token=t`), 401, 'InvalidToken');
  });

  it('XB4: a copy source in the query copies nothing and writes nothing: 501', async () => {
    const amzHeaders = 'x-amz-copy-source:bucket/key\n';
    const copy = `${presigned('PUT', '/bucket/copy', { amzHeaders })}&x-amz-copy-source=bucket%2Fkey`;
    await expectRefused(send('PUT', copy), 501, 'NotImplemented');
  });
});

describe('version 2 anywhere else is refused', () => {
  it('in the Authorization header: 400 InvalidRequest', async () => {
    const date = new Date(clock.nowMs()).toUTCString();
    const text = `GET\n\n\n\nx-amz-date:${date}\n/bucket/key`;
    const signature = createHmac('sha1', main.secretAccessKey).update(text).digest('base64');
    const headers = { 'x-amz-date': date, authorization: `AWS ${main.accessKeyId}:${signature}` };
    await expectRefused(send('GET', '/bucket/key', { headers }), 400, 'InvalidRequest');
  });

  it('with the setting off: 400 InvalidRequest', async () => {
    const url = presigned('GET', '/bucket/key');
    await expectRefused(send('GET', url, { to: portWithoutV2 }), 400, 'InvalidRequest');
    expect((await send('GET', url)).status).toBe(200);
    const bearer = { authorization: `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}` };
    expect((await send('GET', '/bucket/key', { to: portWithoutV2, headers: bearer })).text).toBe('the body');
  });
});
