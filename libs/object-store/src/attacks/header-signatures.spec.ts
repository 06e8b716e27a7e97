import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { S3_OPERATIONS } from '@holdfast/s3-protocol';
import { signedChunkFrames, type PlainRequest } from '@holdfast/testkit';
import { DOORS, Doors } from './testing/doors.js';
import { NodeSha256 } from './testing/node-sha256.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open();
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

const GET: PlainRequest = { method: 'GET', path: '/bucket/key' };
const md5 = (text: string): string => createHash('md5').update(text).digest('base64');

describe.each(DOORS)('signatures in the Authorization header, by the %s', (door) => {
  const nobodyWasCalled = (): void => expect(doors.ports.backendCalls).toEqual([]);

  it.each<[string, Record<string, string>]>([
    ['no', {}],
    ['an empty', { authorization: '' }],
  ])('XA1: %s Authorization is 403 AccessDenied', async (_what, headers) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await doors.send(door, {
        method,
        path: '/bucket/key',
        headers,
        body: method === 'PUT' ? 'x' : undefined,
      });
      expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    }
    expect(doors.callsBeyondPolicies).toEqual([]);
  });

  it.each<[string, (authorization: string) => string, string]>([
    ['no fields', () => 'AWS4-HMAC-SHA256', 'AuthorizationHeaderMalformed'],
    ['no Signature', (text) => text.replace(/, Signature=.*/, ''), 'AuthorizationHeaderMalformed'],
    [
      'two Credentials',
      (text) => text.replace('Credential=', 'Credential=a/b, Credential='),
      'AuthorizationHeaderMalformed',
    ],
    ['an unknown field', (text) => `${text}, Extra=1`, 'AuthorizationHeaderMalformed'],
    [
      'no slash in the Credential',
      (text) => text.replace(/Credential=[^,]*/, 'Credential=AKID'),
      'AuthorizationHeaderMalformed',
    ],
    ['another region', (text) => text.replace('us-east-1', 'eu-west-1'), 'AuthorizationHeaderMalformed'],
    ['another service', (text) => text.replace('/s3/', '/iam/'), 'AuthorizationHeaderMalformed'],
    ['another terminator', (text) => text.replace('aws4_request', 'aws3_request'), 'AuthorizationHeaderMalformed'],
    ['a day that is none', (text) => text.replace(/\/\d{8}\//, '/yesterday/'), 'AuthorizationHeaderMalformed'],
    [
      'SignedHeaders with blanks',
      (text) => text.replace('SignedHeaders=', 'SignedHeaders=a b;'),
      'AuthorizationHeaderMalformed',
    ],
    ['another scheme', () => 'Digest username="root"', 'InvalidArgument'],
    ['another version', (text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA512'), 'InvalidRequest'],
    ['bytes above ASCII', (text) => text.replace('Credential=', 'Credential=\u00e9'), 'InvalidAccessKeyId'],
  ])('XA2: an Authorization with %s is refused by its name', async (_what, change, code) => {
    const headers = doors.sign(door, GET);
    const answer = await doors.send(door, {
      ...GET,
      headers: { ...headers, authorization: change(headers.authorization) },
    });
    expect(answer.code).toBe(code);
    expect(answer.status).toBe(code === 'InvalidAccessKeyId' ? 403 : 400);
    nobodyWasCalled();
  });

  it('XA3: an unknown key and a revoked one are 403 InvalidAccessKeyId', async () => {
    const unknown = await doors.sendSigned(door, GET, { accessKeyId: 'HFNOBODY', secretAccessKey: 'x' });
    const revoked = doors.ports.memoryIdentity.addUser(doors.main.account.accountId, `revoked by the ${door}`);
    doors.ports.memoryIdentity.revokeKey(revoked.accessKeyId);
    const answers = [unknown, await doors.sendSigned(door, GET, revoked)];
    for (const { status, code } of answers) expect([status, code]).toEqual([403, 'InvalidAccessKeyId']);
    nobodyWasCalled();
  });

  it.each<[string, (headers: Record<string, string>) => Partial<PlainRequest>]>([
    [
      'a flipped signature',
      (headers) => ({
        headers: {
          ...headers,
          authorization: headers['authorization'].replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        },
      }),
    ],
    ['another method', () => ({ method: 'DELETE' })],
    ['another key', () => ({ path: '/bucket/other' })],
    ['another bucket', () => ({ path: '/theirs/key' })],
    ['another query', () => ({ path: '/bucket/key?versionId=null' })],
    ['another host', (headers) => ({ headers: { ...headers, host: 'elsewhere.test' } })],
    [
      'another date',
      (headers) => ({
        headers: {
          ...headers,
          'x-amz-date': headers['x-amz-date'].replace(/.Z$/, (end) => (end === '0Z' ? '1Z' : '0Z')),
        },
      }),
    ],
  ])('XA4: %s is 403 SignatureDoesNotMatch', async (_what, tamper) => {
    const headers = doors.sign(door, GET);
    const answer = await doors.send(door, { ...GET, headers, ...tamper(headers) });
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
    nobodyWasCalled();
  });

  it('XA4: a wrong secret is 403 SignatureDoesNotMatch', async () => {
    const answer = await doors.sendSigned(door, GET, { ...doors.main, secretAccessKey: doors.other.secretAccessKey });
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
  });

  it.each([16, -16])('XA5: a clock off by %i minutes is 403 RequestTimeTooSkewed', async (minutes) => {
    const answer = await doors.sendSigned(door, GET, doors.main, { atMs: Date.now() + minutes * 60_000 });
    expect([answer.status, answer.code]).toEqual([403, 'RequestTimeTooSkewed']);
    nobodyWasCalled();
  });

  it('XA5: a scope of another day than the request is 403 SignatureDoesNotMatch', async () => {
    const answer = await doors.sendSigned(door, GET, doors.main, { scopeDate: '20200101' });
    expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
  });

  it.each([
    'x-amz-copy-source',
    'x-amz-tagging',
    'x-amz-acl',
    'x-amz-grant-full-control',
    'x-amz-meta-owner',
    'x-amz-server-side-encryption',
    'x-amz-object-lock-mode',
    'x-amz-website-redirect-location',
    'x-amz-storage-class',
    'x-amz-security-token',
    'x-amz-checksum-crc32',
  ])('XA6: an unsigned %s is 403 AccessDenied that names it', async (name) => {
    const put = { method: 'PUT', path: '/bucket/unsigned', body: 'x' };
    const answer = await doors.sendSigned(door, put, doors.main, { extra: { [name]: '/theirs/key' } });
    expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    expect(answer.text).toContain(`<HeadersNotSigned>${name}</HeadersNotSigned>`);
    nobodyWasCalled();
  });

  it('XA7: a body that is not what was signed is 400, and nothing is stored', async () => {
    for (const body of ['other', Buffer.alloc(200_000, 'o')]) {
      const put = {
        method: 'PUT',
        path: '/bucket/replaced',
        body: body.length === 5 ? 'right' : Buffer.alloc(200_000, 'r'),
      };
      const headers = doors.sign(door, put);
      const answer = await doors.send(door, { ...put, headers, body });
      expect([answer.status, answer.code]).toEqual([400, 'XAmzContentSHA256Mismatch']);
    }
    expect(doors.ports.backendCalls).not.toContain('metadata.commitObject');
    expect(await doors.stored('/bucket/replaced')).toBe('NoSuchKey');
  });

  it('XA8: two proofs are refused, never tried one after the other', async () => {
    const path = doors.presign(door, GET);
    const both = await doors.sendSigned(door, { method: 'GET', path });
    expect([both.status, both.code]).toEqual([400, 'InvalidArgument']);
    const token = await doors.send(door, { method: 'GET', path, headers: { authorization: `Bearer ${doors.bearer}` } });
    expect([token.status, token.code]).toEqual([400, 'InvalidArgument']);
    const bearer = `Authorization: Bearer ${doors.bearer}`;
    const twice = await doors.sendBytes(door, doors.text('GET /bucket/key HTTP/1.1', bearer));
    expect(twice.status).toBe(400);
    nobodyWasCalled();
  });

  it('XA8: a credential in the query without a signature is refused', async () => {
    const credential = `X-Amz-Credential=${doors.main.accessKeyId}%2F20260101%2Fus-east-1%2Fs3%2Faws4_request`;
    const answer = await doors.send(door, { method: 'GET', path: `/bucket/key?${credential}` });
    expect([answer.status, answer.code]).toEqual([400, 'AuthorizationQueryParametersError']);
    nobodyWasCalled();
  });

  const writes = S3_OPERATIONS.filter(
    ({ status, body, level }) => status === 'served' && body !== 'none' && body !== 'form' && level !== 'service',
  );
  it.each(writes.map((row) => [row.name, row] as const))(
    'XA9: %s with an unsigned trailer and a made-up signature is 403 SignatureDoesNotMatch',
    async (_name, row) => {
      const query = Object.entries(row.query ?? {}).map(
        ([name, value]) => `${name}=${value === true ? '1' : String(value)}`,
      );
      const path = `${row.level === 'bucket' ? '/bucket' : '/bucket/key'}${query.length > 0 ? `?${query.join('&')}` : ''}`;
      const framed = '1\r\nx\r\n0\r\nx-amz-checksum-crc32:jlbsJQ==\r\n\r\n';
      const headers = doors.sign(
        door,
        {
          method: row.method,
          path,
          headers: { 'x-amz-decoded-content-length': '1', 'x-amz-trailer': 'x-amz-checksum-crc32' },
        },
        { ...doors.main, secretAccessKey: 'made up' },
        { payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
      );
      const answer = await doors.send(door, { method: row.method, path, headers, body: framed });
      expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
      nobodyWasCalled();
    },
  );

  it.each<[string, (frames: string[]) => string[], number, string]>([
    ['a changed chunk', ([first, ...rest]) => [first.replace('one', 'ONE'), ...rest], 403, 'SignatureDoesNotMatch'],
    ['swapped chunks', ([a, b, end]) => [b, a, end], 403, 'SignatureDoesNotMatch'],
    ['no last chunk', ([a, b]) => [a, b], 400, 'IncompleteBody'],
    ['less than announced', ([a, , end]) => [a, end], 403, 'SignatureDoesNotMatch'],
  ])('XA10: signed chunks with %s are refused, and the object stays as it was', async (_what, tamper, status, code) => {
    const path = `/bucket/chunks-${door === 'API'}`;
    expect((await doors.sendSigned(door, { method: 'PUT', path, body: 'before' })).status).toBe(200);
    const put = { method: 'PUT', path, headers: { 'x-amz-decoded-content-length': '6' } };
    const headers = doors.sign(door, put, doors.main, { payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' });
    const frames = signedChunkFrames(['one', 'two'], headers, doors.main);
    const answer = await doors.send(door, { ...put, headers, body: tamper(frames).join('') });
    expect([answer.status, answer.code]).toEqual([status, code]);
    expect(await doors.stored(path)).toBe('before');
    expect((await doors.send(door, { ...put, headers, body: frames.join('') })).status).toBe(200);
    expect(await doors.stored(path)).toBe('onetwo');
  });

  it.each(['5', '7', '0'])('XA10: a decoded length of %s for six bytes stores nothing', async (length) => {
    const put = { method: 'PUT', path: '/bucket/lied', headers: { 'x-amz-decoded-content-length': length } };
    const headers = doors.sign(door, put, doors.main, { payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' });
    const answer = await doors.send(door, {
      ...put,
      headers,
      body: signedChunkFrames(['one', 'two'], headers, doors.main).join(''),
    });
    expect(answer.status).toBe(400);
    expect(['IncompleteBody', 'InvalidRequest']).toContain(answer.code);
    expect(await doors.stored('/bucket/lied')).toBe('NoSuchKey');
  });

  it.each<[string, Record<string, string>, string]>([
    ['another MD5', { 'content-md5': md5('other') }, 'BadDigest'],
    ['a short MD5', { 'content-md5': 'YWJj' }, 'InvalidDigest'],
    ['an MD5 that is no base64', { 'content-md5': '!!!!!!!!!!!!!!!!!!!!!!==' }, 'InvalidDigest'],
    ['another CRC-32', { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
    ['a CRC-32 that is none', { 'x-amz-checksum-crc32': 'AAAA' }, 'BadDigest'],
    ['an algorithm without its checksum', { 'x-amz-sdk-checksum-algorithm': 'SHA256' }, 'InvalidRequest'],
    [
      'another SHA-256',
      { 'x-amz-checksum-sha256': createHash('sha256').update('other').digest('base64') },
      'BadDigest',
    ],
  ])('XA11: %s is refused by its name, and nothing is stored', async (_what, headers, code) => {
    const answer = await doors.sendSigned(door, { method: 'PUT', path: '/bucket/digest', body: 'body', headers });
    expect(answer.status).toBe(400);
    expect(answer.code).toBe(code);
    expect(await doors.stored('/bucket/digest')).toBe('NoSuchKey');
  });

  it('XA11: a trailer that does not match its body stores nothing', async () => {
    const put = {
      method: 'PUT',
      path: '/bucket/trailer',
      headers: { 'x-amz-decoded-content-length': '4', 'x-amz-trailer': 'x-amz-checksum-crc32' },
    };
    const options = { payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' };
    const headers = doors.sign(door, put, doors.main, options);
    const body = '4\r\nbody\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
    const answer = await doors.send(door, { ...put, headers, body });
    expect([answer.status, answer.code]).toEqual([400, 'BadDigest']);
    expect(await doors.stored('/bucket/trailer')).toBe('NoSuchKey');
  });

  it.each([
    ['an empty segment', '/bucket/a//b', {}],
    ['an escaped slash', '/bucket/a%2Fb', {}],
    ['a plus in the path', '/bucket/a%2Bb', {}],
    ['a blank in the path', '/bucket/a%20b', {}],
    ['UTF-8 and a tilde', '/bucket/%C3%A9~%F0%9F%98%80', {}],
    ['dots', '/bucket/a/../b/./c', {}],
    ['an empty value', '/bucket', { prefix: '' }],
    ['unsorted parameters', '/bucket', { 'list-type': '2', delimiter: '/', 'start-after': 'a b+c' }],
    ['repeated parameters', '/bucket', { prefix: ['b', 'a'] }],
  ])("XA12: %s is accepted as AWS's signer signs it, and refused when it is changed", async (_what, path, query) => {
    const signer = new SignatureV4({
      service: 's3',
      region: 'us-east-1',
      credentials: doors.main,
      sha256: NodeSha256,
      uriEscapePath: false,
    });
    const signed = await signer.sign({
      method: 'GET',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path,
      query,
      headers: { host: doors.host(door), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-meta-blanks': ' a   b ' },
    });
    const pairs = Object.entries<string | string[]>(query).flatMap(([name, values]) =>
      [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
    );
    const wirePath = pairs.length > 0 ? `${path}?${pairs.join('&')}` : path;
    const accepted = await doors.send(door, { method: 'GET', path: wirePath, headers: signed.headers });
    expect(accepted.code).not.toBe('SignatureDoesNotMatch');
    expect([200, 404]).toContain(accepted.status);
    const changed = wirePath.includes('?') ? `${wirePath}&max-keys=1` : `${wirePath}x`;
    const refused = await doors.send(door, { method: 'GET', path: changed, headers: signed.headers });
    expect([refused.status, refused.code]).toEqual([403, 'SignatureDoesNotMatch']);
  });

  it('XA13: a refused signature says the same whatever was wrong with it', async () => {
    const wrongSecret = await doors.sendSigned(door, GET, { ...doors.main, secretAccessKey: 'wrong' });
    const headers = doors.sign(door, GET);
    const flipped = await doors.send(door, {
      ...GET,
      headers: { ...headers, authorization: headers.authorization.replace(/.{8}$/, '00000000') },
    });
    const withoutIds = (text: string): string => text.replace(/<(RequestId|HostId)>[^<]*<\/\1>/g, '');
    expect(withoutIds(flipped.text)).toBe(withoutIds(wrongSecret.text));
    expect(flipped.text).not.toContain(doors.main.secretAccessKey);
  });

  it('XA14: a captured PUT may be sent again for 15 minutes; If-None-Match makes it one', async () => {
    const path = `/bucket/replayed-${door === 'API'}`;
    const put = { method: 'PUT', path, body: 'captured' };
    const headers = doors.sign(door, put);
    for (const _time of [1, 2]) expect((await doors.send(door, { ...put, headers })).status).toBe(200);
    const once = { ...put, path: `${path}-once`, headers: { 'if-none-match': '*' } };
    const signed = doors.sign(door, once);
    expect((await doors.send(door, { ...once, headers: signed })).status).toBe(200);
    const again = await doors.send(door, { ...once, headers: signed });
    expect([again.status, again.code]).toEqual([412, 'PreconditionFailed']);
  });
});
