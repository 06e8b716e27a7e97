import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HoldfastError } from '@holdfast/contracts';
import { ManualClock } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const clock = new ManualClock(Date.UTC(2026, 10, 21, 10, 0, 0));
const ports = new InMemoryPorts(clock);
const main = ports.memoryIdentity.addAccount('main');
const denied = ports.memoryIdentity.addUser(main.account.accountId, 'denied', {
  Effect: 'Deny',
  Action: '*',
  Resource: '*',
});
const listener = new S3Listener(ports);
const second = new S3Listener(ports);
let port = 0;
let portOfSecond = 0;

const RULES =
  '<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><AllowedMethod>GET</AllowedMethod>' +
  '<AllowedOrigin>http://*.example</AllowedOrigin><ExposeHeader>ETag</ExposeHeader></CORSRule>' +
  '<CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://put</AllowedOrigin></CORSRule></CORSConfiguration>';

beforeAll(async () => {
  port = await listener.listen(0);
  portOfSecond = await second.listen(0);
  for (const name of ['bucket', 'plain']) {
    await ports.memoryMetadata.createBucket({}, { name, accountId: main.account.accountId });
  }
  expect((await send('PUT', '/bucket/key', { body: 'the body' })).status).toBe(200);
  expect((await send('PUT', '/bucket?cors', { body: RULES })).status).toBe(200);
});
afterAll(() => Promise.all([listener.close(), second.close()]));
beforeEach(() => ports.forgetCalls());

interface SendOptions {
  readonly body?: string;
  readonly headers?: Record<string, string>;
  /** Null: anonymous. */
  readonly keys?: { readonly accessKeyId: string } | null;
  readonly to?: number;
}

async function send(method: string, path: string, { body, headers, keys = main, to = port }: SendOptions = {}) {
  const authorization = keys && `Bearer ${ports.memoryIdentity.tokenOf(keys.accessKeyId)}`;
  const answer = await fetch(`http://127.0.0.1:${to}${path}`, {
    method,
    body: body === undefined ? undefined : Buffer.from(body),
    headers: { ...headers, ...(authorization ? { authorization } : {}) },
  });
  const text = await answer.text();
  const shared = ['origin', 'methods', 'credentials', 'headers'].map((name) =>
    answer.headers.get(`access-control-allow-${name}`),
  );
  return {
    status: answer.status,
    code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '',
    text,
    headers: answer.headers,
    shared,
  };
}

const PAGE = { origin: 'http://a.example' };
const ALLOWED = ['http://a.example', 'GET', null, null];
const NOTHING = [null, null, null, null];

describe('the CORS configuration of a bucket', () => {
  it('is set, read and taken away', async () => {
    expect((await send('GET', '/plain?cors')).code).toBe('NoSuchCORSConfiguration');
    expect((await send('PUT', '/plain?cors', { body: RULES })).status).toBe(200);
    expect((await send('GET', '/plain?cors')).text).toContain(RULES);
    expect((await send('DELETE', '/plain?cors')).status).toBe(204);
    expect((await send('GET', '/plain?cors')).status).toBe(404);
    expect((await send('DELETE', '/plain?cors')).status).toBe(204);
  });

  it('that is none changes nothing', async () => {
    expect((await send('PUT', '/bucket?cors', { body: '<CORSConfiguration/>' })).code).toBe('MalformedXML');
    expect((await send('PUT', '/bucket?cors', { body: RULES.replace('GET', 'PATCH') })).code).toBe('InvalidRequest');
    expect((await send('GET', '/bucket/key', { headers: PAGE })).shared).toEqual(ALLOWED);
  });

  it('holds at once where it was changed, and within two seconds on every other API', async () => {
    const page = (to: number) => send('GET', '/plain', { headers: PAGE, to });
    expect((await page(port)).shared).toEqual(NOTHING);
    expect((await page(portOfSecond)).shared).toEqual(NOTHING);
    await send('PUT', '/plain?cors', { body: RULES });
    expect((await page(port)).shared).toEqual(ALLOWED);
    clock.advance(2001);
    expect((await page(portOfSecond)).shared).toEqual(ALLOWED);
    await send('DELETE', '/plain?cors');
    expect((await page(port)).shared).toEqual(NOTHING);
    clock.advance(2001);
    expect((await page(portOfSecond)).shared).toEqual(NOTHING);
  });
});

describe('answers to pages of other origins', () => {
  it('say what the page may see: bytes, errors and refusals alike', async () => {
    const headers = PAGE;
    const found = await send('GET', '/bucket/key', { headers });
    expect([found.text, found.shared]).toEqual(['the body', ALLOWED]);
    expect(found.headers.get('vary')).toContain('Origin');
    expect(found.headers.get('access-control-expose-headers')).toBe('ETag');
    const missing = await send('GET', '/bucket/none', { headers });
    expect([missing.status, missing.shared]).toEqual([404, ALLOWED]);
    const anonymous = await send('GET', '/bucket/key', { headers, keys: null });
    expect([anonymous.status, anonymous.shared]).toEqual([403, ALLOWED]);
    const unknown = await send('GET', '/bucket/key?acl', { headers });
    expect([unknown.status, unknown.shared]).toEqual([501, ALLOWED]);
    const stale = '?AWSAccessKeyId=A&Expires=1&Signature=x';
    const expired = await send('GET', `/bucket/key${stale}`, { headers, keys: null });
    expect([expired.status, expired.shared]).toEqual([403, ALLOWED]);
  });

  it('an origin or a method that no rule allows is told nothing', async () => {
    expect((await send('GET', '/bucket/key', { headers: { origin: 'http://evil' } })).shared).toEqual(NOTHING);
    expect((await send('PUT', '/bucket/new', { headers: PAGE, body: 'x' })).shared).toEqual(NOTHING);
    const put = await send('PUT', '/bucket/new', { headers: { origin: 'http://put' }, body: 'x' });
    expect(put.shared).toEqual(['http://put', 'PUT', 'true', null]);
    expect((await send('GET', '/bucket/key')).shared).toEqual(NOTHING);
    expect((await send('GET', '/plain', { headers: PAGE })).headers.get('vary')).toBe(null);
  });

  it('XE11: an arbitrary origin is never told that credentials are allowed', async () => {
    for (const origin of ['http://evil', 'null', 'http://a.example', 'https://put', '*']) {
      expect((await send('GET', '/bucket/key', { headers: { origin } })).shared[2]).toBe(null);
      expect(
        (await send('OPTIONS', '/bucket/key', { headers: { origin, 'access-control-request-method': 'GET' } }))
          .shared[2],
      ).toBe(null);
    }
  });

  it('rules are read once, not for every page', async () => {
    clock.advance(5000);
    for (let round = 0; round < 5; round += 1) await send('GET', '/bucket/key', { headers: PAGE });
    expect(ports.backendCalls.filter((name) => name === 'metadata.findBucket')).toHaveLength(1);
    expect(ports.backendCalls.filter((name) => name === 'metadata.bucketConfiguration').length).toBeLessThanOrEqual(1);
    ports.forgetCalls();
    await send('GET', '/bucket/key');
    expect(ports.backendCalls).toEqual(['metadata.findObject', 'data.read']);
  });

  it('seed-3.2: under an explicit deny nobody is asked for the rules either; known ones are still told', async () => {
    await send('GET', '/bucket/key', { headers: PAGE });
    ports.forgetCalls();
    const known = await send('GET', '/bucket/key', { headers: PAGE, keys: denied });
    expect([known.status, known.shared]).toEqual([403, ALLOWED]);
    const unknown = await send('GET', '/never-seen/key', { headers: PAGE, keys: denied });
    expect([unknown.status, unknown.shared]).toEqual([403, NOTHING]);
    expect(ports.backendCalls).toEqual([]);
  });

  it('an answer does not wait for its rules to be readable', async () => {
    clock.advance(5000);
    const findBucket = ports.memoryMetadata.findBucket.bind(ports.memoryMetadata);
    ports.memoryMetadata.findBucket = () => Promise.reject(new HoldfastError('ServiceUnavailable'));
    try {
      const answer = await send('GET', '/bucket/key', { headers: PAGE });
      expect([answer.status, answer.text, answer.shared]).toEqual([200, 'the body', NOTHING]);
    } finally {
      ports.memoryMetadata.findBucket = findBucket;
    }
  });
});

describe('a preflight', () => {
  const ask = (path: string, headers: Record<string, string> = {}) => send('OPTIONS', path, { headers, keys: null });
  const GET = { ...PAGE, 'access-control-request-method': 'GET' };

  it('needs no proof, on a bucket, an object and a presigned URL', async () => {
    for (const path of [
      '/bucket',
      '/bucket/',
      '/bucket/key',
      '/bucket/none?X-Amz-Signature=x&X-Amz-Credential=y',
      '/bucket/k?acl',
    ]) {
      const answer = await ask(path, GET);
      expect([path, answer.status, answer.text, answer.shared]).toEqual([path, 200, '', ALLOWED]);
    }
    expect(ports.calls.filter((call) => call.port === 'identity')).toEqual([]);
  });

  it('that is none: 400; that is not allowed: 403; without a bucket: 404', async () => {
    expect((await ask('/bucket/key')).status).toBe(400);
    expect((await ask('/bucket/key', PAGE)).code).toBe('BadRequest');
    expect((await ask('/plain', PAGE)).status).toBe(400);
    expect((await ask('/bucket/key', { ...GET, origin: 'http://evil' })).code).toBe('AccessForbidden');
    expect((await ask('/bucket/key', { ...GET, 'access-control-request-method': 'DELETE' })).status).toBe(403);
    expect((await ask('/bucket/key', { ...GET, 'access-control-request-headers': 'x-a' })).status).toBe(403);
    const disabled = await ask('/plain/key', GET);
    expect([disabled.status, disabled.shared]).toEqual([403, NOTHING]);
    expect(disabled.text).toContain('CORS is not enabled for this bucket.');
    expect((await ask('/nowhere', GET)).code).toBe('NoSuchBucket');
  });
});
