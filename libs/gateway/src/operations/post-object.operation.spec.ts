import { createHash, createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { InMemoryPorts, RawConnection, sendRequest, signRequest } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

type Fields = Record<string, string>;
interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const clock = new ManualClock(Date.UTC(2026, 10, 21, 10, 0, 0));
const ports = new InMemoryPorts(clock);
const main = ports.memoryIdentity.addAccount('main');
const other = ports.memoryIdentity.addAccount('other');
const writer = ports.memoryIdentity.addUser(main.account.accountId, 'writer', {
  Effect: 'Allow',
  Action: 's3:PutObject',
  Resource: 'arn:aws:s3:::bucket/allowed.txt',
});
const listener = new S3Listener(ports, { signatureV2: 'all' });
const withoutV2 = new S3Listener(ports);
let port = 0;
let portWithoutV2 = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  portWithoutV2 = await withoutV2.listen(0);
  await ports.memoryMetadata.createBucket({}, { name: 'bucket', accountId: main.account.accountId });
});
afterAll(() => Promise.all([listener.close(), withoutV2.close()]));
beforeEach(() => ports.forgetCalls());

const encoded = (policy: unknown): string => Buffer.from(JSON.stringify(policy)).toString('base64');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface SignOptions {
  readonly keys?: Keys;
  /** Beside those that allow exactly the fields. */
  readonly more?: readonly unknown[];
  /** In the place of those that allow the fields; the fields of the proof are always allowed. */
  readonly conditions?: readonly unknown[];
  readonly bucket?: string;
  readonly expiration?: string;
  readonly policy?: string;
}

const exactly = (fields: Fields): unknown[] => Object.entries(fields).map(([name, value]) => ({ [name]: value }));

function policyFor(fields: Fields, proof: Fields, options: SignOptions): string {
  const { more = [], conditions = exactly(fields), bucket = 'bucket', expiration = '2026-11-21T11:00:00Z' } = options;
  return options.policy ?? encoded({ expiration, conditions: [{ bucket }, ...conditions, ...exactly(proof), ...more] });
}

/** Signed as AWS describes it for version 4, in its own words. */
function signedV4(fields: Fields, options: SignOptions = {}): Fields {
  const { keys = main } = options;
  const proof = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${keys.accessKeyId}/20261121/us-east-1/s3/aws4_request`,
    'x-amz-date': '20261121T095000Z',
  };
  const policy = policyFor(fields, proof, options);
  let key: Buffer = Buffer.from(`AWS4${keys.secretAccessKey}`);
  for (const scope of ['20261121', 'us-east-1', 's3', 'aws4_request']) key = hmac(key, scope);
  return { ...fields, ...proof, policy, 'x-amz-signature': hmac(key, policy).toString('hex') };
}

function signedV2(fields: Fields, options: SignOptions = {}): Fields {
  const { keys = main } = options;
  const policy = policyFor(fields, {}, options);
  const signature = createHmac('sha1', keys.secretAccessKey).update(policy).digest('base64');
  return { ...fields, AWSAccessKeyId: keys.accessKeyId, policy, signature };
}

interface PostOptions {
  readonly file?: string | Buffer;
  readonly fileName?: string;
  readonly headers?: Record<string, string>;
  readonly to?: number;
  readonly path?: string;
}

/** As a browser sends it. */
async function post(fields: Fields, options: PostOptions = {}) {
  const { file = 'the file', fileName = 'f.txt', headers, to = port, path = '/bucket' } = options;
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append('file', new Blob([Buffer.from(file)], { type: 'text/x-file' }), fileName);
  const url = `http://127.0.0.1:${to}${path}`;
  return answered(await fetch(url, { method: 'POST', body, headers, redirect: 'manual' }));
}

async function answered(answer: Response) {
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text, headers: answer.headers };
}

async function get(key: string) {
  const authorization = `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}`;
  return answered(await fetch(`http://127.0.0.1:${port}/bucket/${key}`, { headers: { authorization } }));
}

async function expectRefused(attempt: ReturnType<typeof post>, status: number, code: string): Promise<void> {
  const answer = await attempt;
  expect([answer.status, answer.code]).toEqual([status, code]);
  // A policy of the bucket could have allowed it.
  expect(ports.backendCalls.filter((name) => name !== 'metadata.findBucket')).toEqual([]);
}

describe.each([
  ['version 4', signedV4],
  ['version 2', signedV2],
])('a form signed with %s', (_name, signed) => {
  it('stores its file under its key, with its headers and metadata', async () => {
    const fields = {
      key: 'a/b c.txt',
      acl: 'private',
      'Content-Type': 'text/plain',
      'Cache-Control': 'no-cache',
      'Content-Disposition': 'inline',
      'Content-Encoding': 'x',
      Expires: 'soon',
      'x-amz-meta-Color': 'grün',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    };
    const answer = await post(signed(fields));
    expect([answer.status, answer.text]).toEqual([204, '']);
    const md5 = createHash('md5').update('the file').digest('hex');
    expect(answer.headers.get('etag')).toBe(`"${md5}"`);
    expect(answer.headers.get('location')).toBe(`http://127.0.0.1:${port}/bucket/a/b%20c.txt`);
    const stored = await get('a/b%20c.txt');
    expect(stored.text).toBe('the file');
    const names = ['content-type', 'cache-control', 'content-disposition', 'content-encoding', 'expires'];
    expect(names.map((name) => stored.headers.get(name))).toEqual(['text/plain', 'no-cache', 'inline', 'x', 'soon']);
    expect(Buffer.from(stored.headers.get('x-amz-meta-color') ?? '', 'latin1').toString()).toBe('grün');
    expect(stored.headers.get('x-amz-storage-class')).toBe('REDUCED_REDUNDANCY');
  });

  it('the policy is held against the key with the name of the file in it', async () => {
    const form = signed({ key: 'up/${filename}' }, { conditions: [['starts-with', '$key', 'up/']] });
    expect((await post(form, { fileName: 'photo.jpg' })).status).toBe(204);
    expect((await get('up/photo.jpg')).text).toBe('the file');
    const exact = signed({ key: '${filename}' }, { conditions: [{ key: 'allowed.txt' }] });
    expect((await post(exact, { fileName: 'C:\\x\\allowed.txt' })).status).toBe(204);
    ports.forgetCalls();
    await expectRefused(post(exact, { fileName: 'other.txt' }), 403, 'AccessDenied');
  });

  it('XB7: a changed policy, signature or key: 403', async () => {
    const form = signed({ key: 'k' });
    const forged = { ...form, policy: signed({ key: 'k' }, { more: [{}] })['policy'] };
    await expectRefused(post(forged), 403, 'SignatureDoesNotMatch');
    const wrong = signed({ key: 'k' }, { keys: { ...main, secretAccessKey: 'x' } });
    await expectRefused(post(wrong), 403, 'SignatureDoesNotMatch');
    const nobody = signed({ key: 'k' }, { keys: { accessKeyId: 'HFNOBODY', secretAccessKey: 'x' } });
    await expectRefused(post(nobody), 403, 'InvalidAccessKeyId');
  });

  it('XB7: what the policy does not allow: 403, and no byte is stored', async () => {
    const denied = (fields: Fields, conditions: readonly unknown[], expiration = '2026-11-21T11:00:00Z') =>
      expectRefused(post(signed(fields, { conditions, expiration })), 403, 'AccessDenied');
    await denied({ key: 'k' }, [{ key: 'k' }], '2026-11-21T09:59:59Z');
    await denied({ key: 'k' }, [{ key: 'other' }]);
    await denied({ key: 'k', 'x-amz-meta-a': 'b' }, [{ key: 'k' }]);
    await denied({ key: 'k' }, [{ key: 'k' }, ['starts-with', '$x-amz-meta-a', '']]);
    await denied({ key: 'k', submit: 'Upload' }, [{ key: 'k' }]);
    await expectRefused(post(signed({ key: 'k' }, { bucket: 'other' })), 403, 'AccessDenied');
  });

  it('XB7: a policy that is none: 400 InvalidPolicyDocument', async () => {
    for (const policy of [encoded({ conditions: [] }), encoded([]), Buffer.from('{').toString('base64')]) {
      await expectRefused(post(signed({ key: 'k' }, { policy })), 400, 'InvalidPolicyDocument');
    }
    await expectRefused(post(signed({ key: 'k' }, { policy: 'no base64!' })), 400, 'InvalidPolicyDocument');
  });

  it('XB7: fields that are missing: 400 InvalidArgument', async () => {
    const form = signed({ key: 'k' });
    const needed = Object.keys(form).filter((name) => /^(policy|signature|awsaccesskeyid|x-amz-)/i.test(name));
    expect(needed.length).toBeGreaterThanOrEqual(3);
    for (const name of needed) {
      const { [name]: _left, ...rest } = form;
      await expectRefused(post(rest), 400, 'InvalidArgument');
    }
    await expectRefused(post(signed({})), 400, 'InvalidArgument');
    await expectRefused(post(signed({ key: '' })), 400, 'InvalidArgument');
    expect(ports.calls).toEqual([]);
  });

  it('XB8: sizes out of the range of the policy: 400, and nothing is stored', async () => {
    const range = { more: [['content-length-range', 5, 100_000]] };
    const form = (key: string) => signed({ key }, range);
    expect((await post(form('s1'), { file: '12345' })).status).toBe(204);
    expect((await post(form('s2'), { file: Buffer.alloc(100_000) })).status).toBe(204);
    const small = await post(form('s3'), { file: '1234' });
    expect([small.status, small.code]).toEqual([400, 'EntityTooSmall']);
    const large = await post(form('s4'), { file: Buffer.alloc(100_001) });
    expect([large.status, large.code]).toEqual([400, 'EntityTooLarge']);
    for (const key of ['s3', 's4']) expect((await get(key)).code).toBe('NoSuchKey');
  });

  it('the permission on the real key is asked', async () => {
    const form = (key: string) => signed({ key }, { keys: writer, conditions: [['starts-with', '$key', '']] });
    expect((await post(form('${filename}'), { fileName: 'allowed.txt' })).status).toBe(204);
    ports.forgetCalls();
    await expectRefused(post(form('${filename}'), { fileName: 'denied.txt' }), 403, 'AccessDenied');
    const foreign = await post(signed({ key: 'k' }, { keys: other }));
    expect([foreign.status, foreign.code]).toEqual([403, 'AccessDenied']);
    expect(ports.backendCalls).not.toContain('data.write');
  });
});

describe('what a form may and may not be', () => {
  it('empty and larger than memory wants to hold: all of it is streamed', async () => {
    expect((await post(signedV4({ key: 'empty' }), { file: '' })).status).toBe(204);
    expect((await get('empty')).text).toBe('');
    const file = Buffer.alloc(3_000_000, 'abcdefghij');
    expect((await post(signedV4({ key: 'large' }), { file })).status).toBe(204);
    expect((await get('large')).text).toBe(file.toString());
  });

  it('checksums and Content-MD5 are verified and the checksum is kept', async () => {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32('the file'));
    const good = await post(signedV4({ key: 'sum', 'x-amz-checksum-crc32': sum.toString('base64') }));
    expect([good.status, good.headers.get('x-amz-checksum-crc32')]).toEqual([204, sum.toString('base64')]);
    const bad = await post(signedV4({ key: 'bad', 'x-amz-checksum-crc32': 'AAAAAA==' }));
    expect([bad.status, bad.code]).toEqual([400, 'BadDigest']);
    const md5 = createHash('md5').update('x').digest('base64');
    expect((await post(signedV4({ key: 'bad', 'Content-MD5': md5 }))).code).toBe('BadDigest');
    expect((await get('bad')).code).toBe('NoSuchKey');
  });

  it.each([
    ['200', 200],
    ['201', 201],
    ['204', 204],
    ['404', 204],
    ['', 204],
  ])('success_action_status %s answers %i', async (asked, status) => {
    const answer = await post(signedV4({ key: 'a&b', success_action_status: asked }));
    expect(answer.status).toBe(status);
    if (status !== 201) return expect(answer.text).toBe('');
    expect(answer.headers.get('content-type')).toBe('application/xml');
    const etag = createHash('md5').update('the file').digest('hex');
    expect(answer.text).toContain(
      `<PostResponse><Location>http://127.0.0.1:${port}/bucket/a%26b</Location><Bucket>bucket</Bucket>` +
        `<Key>a&amp;b</Key><ETag>&quot;${etag}&quot;</ETag></PostResponse>`,
    );
  });

  it.each([
    ['http://h.example/done', 'http://h.example/done?'],
    ['https://h.example/done?a=b#top', 'https://h.example/done?a=b&', '#top'],
  ])('success_action_redirect %s: 303, and what was stored', async (redirect, start, end = '') => {
    const etag = createHash('md5').update('the file').digest('hex');
    for (const name of ['success_action_redirect', 'redirect']) {
      const answer = await post(signedV4({ key: 'd/é', [name]: redirect, success_action_status: '200' }));
      expect(answer.status).toBe(303);
      expect(answer.headers.get('location')).toBe(`${start}bucket=bucket&key=d%2F%C3%A9&etag=%22${etag}%22${end}`);
    }
  });

  it('what is no address of the web counts as no redirect', async () => {
    for (const target of ['javascript:alert(1)', 'file:///etc/passwd', '/relative', 'no url', '']) {
      const answer = await post(signedV4({ key: 'k', success_action_redirect: target }));
      expect([target, answer.status]).toEqual([target, 204]);
    }
  });

  it('XE8: line breaks in a redirect or in a header: 400 InvalidArgument', async () => {
    for (const name of ['success_action_redirect', 'x-amz-meta-a', 'Content-Type', 'acl']) {
      const form = signedV4({ key: 'k', [name]: 'http://h\r\nSet-Cookie: a=b' });
      await expectRefused(post(form), 400, 'InvalidArgument');
    }
  });

  it('XA6: headers beside the form mean nothing: only its fields were signed', async () => {
    const headers = {
      'x-amz-meta-a': 'b',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'cache-control': 'no-store',
      'x-amz-copy-source': 'bucket/large',
    };
    expect((await post(signedV4({ key: 'plain' }), { headers, file: 'x' })).status).toBe(204);
    const stored = await get('plain');
    expect(stored.text).toBe('x');
    for (const name of ['x-amz-meta-a', 'x-amz-storage-class', 'cache-control'])
      expect(stored.headers.get(name)).toBe(null);
  });

  it('what a PUT refuses a form refuses too', async () => {
    const refused = (fields: Fields, status: number, code: string) =>
      expectRefused(post(signedV4({ key: 'k', ...fields })), status, code);
    await refused({ acl: 'nonsense' }, 400, 'InvalidArgument');
    await refused({ 'x-amz-storage-class': 'nonsense' }, 400, 'InvalidStorageClass');
    await refused({ 'x-amz-server-side-encryption': 'AES256' }, 501, 'NotImplemented');
    await refused({ 'x-amz-meta-a': 'x'.repeat(3000) }, 400, 'MetadataTooLarge');
    await refused({ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': 'AAAAAA==' }, 400, 'BadDigest');
    await expectRefused(post(signedV4({ key: 'k'.repeat(1025) })), 400, 'KeyTooLongError');
    await expectRefused(post(signedV4({ key: 'k\0' })), 400, 'InvalidURI');
  });

  it('tags come as an XML document, and need a permission of their own', async () => {
    const document = (value: string) =>
      `<Tagging><TagSet><Tag><Key>a b</Key><Value>${value}</Value></Tag></TagSet></Tagging>`;
    const tagged = (tagging: string, keys: Keys = main) => post(signedV4({ key: 'allowed.txt', tagging }, { keys }));
    expect((await tagged(document('c=d+e'))).status).toBe(204);
    expect((await get('allowed.txt?tagging')).text).toContain('<Key>a b</Key><Value>c=d+e</Value>');
    ports.forgetCalls();
    await expectRefused(tagged(document('x'), writer), 403, 'AccessDenied');
    await expectRefused(tagged('a=b'), 400, 'MalformedXML');
    await expectRefused(tagged(document('&lt;')), 400, 'InvalidTag');
    const twice = signedV4({ key: 'k', tagging: document('x'), 'x-amz-tagging': 'a=b' });
    await expectRefused(post(twice), 400, 'InvalidArgument');
  });

  it('XA8: two proofs, in the form or beside it: 400 InvalidArgument', async () => {
    const authorization = `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}`;
    await expectRefused(post(signedV4({ key: 'k' }), { headers: { authorization } }), 400, 'InvalidArgument');
    const both = { ...signedV4({ key: 'k' }), AWSAccessKeyId: 'a', signature: 'b' };
    await expectRefused(post(both), 400, 'InvalidArgument');
    expect(ports.calls).toEqual([]);
  });

  it('XA2: a scope, a date and an algorithm that are not those of this store', async () => {
    const form = signedV4({ key: 'k' });
    const changed = (fields: Fields, status: number, code: string) =>
      expectRefused(post({ ...form, ...fields }), status, code);
    await changed({ 'x-amz-credential': 'A/20261121/eu-west-1/s3/aws4_request' }, 400, 'InvalidArgument');
    await changed({ 'x-amz-credential': 'A' }, 400, 'InvalidArgument');
    await changed({ 'x-amz-date': 'yesterday' }, 400, 'InvalidArgument');
    await changed({ 'x-amz-date': '20261120T000000Z' }, 403, 'SignatureDoesNotMatch');
    await changed({ 'x-amz-algorithm': 'AWS4-HMAC-MD5' }, 400, 'InvalidArgument');
    await changed({ 'x-amz-signature': 'short' }, 403, 'SignatureDoesNotMatch');
    await changed({ 'x-amz-security-token': 't' }, 400, 'InvalidToken');
  });

  it('a token in the header is a proof for a form without one', async () => {
    const authorization = `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}`;
    expect((await post({ key: 'by-token' }, { headers: { authorization } })).status).toBe(204);
    expect((await get('by-token')).text).toBe('the file');
  });

  it('XA7: a signature in the header covers the whole form: another body is not stored', async () => {
    const part = (name: string, value: string): string =>
      `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const send = (key: string, file: string, signedBody?: string) => {
      const body = `${part('key', key)}${part('file', file)}--x--\r\n`;
      const request = {
        method: 'POST',
        path: '/bucket',
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
        body,
      };
      const host = `127.0.0.1:${port}`;
      const headers = signRequest({ ...request, body: signedBody ?? body }, main, { host, atMs: clock.nowMs() });
      return sendRequest(port, { ...request, headers });
    };
    expect((await send('by-header', 'a')).status).toBe(204);
    expect((await get('by-header')).text).toBe('a');
    for (const file of ['b', 'b'.repeat(200_000)]) {
      const answer = await send('by-header', file, 'another body');
      expect([answer.status, answer.code]).toEqual([400, 'XAmzContentSHA256Mismatch']);
    }
    expect((await get('by-header')).text).toBe('a');
  });

  it('version 2 is refused unless it is switched on', async () => {
    await expectRefused(post(signedV2({ key: 'k' }), { to: portWithoutV2 }), 400, 'InvalidRequest');
    expect((await post(signedV4({ key: 'k' }), { to: portWithoutV2 })).status).toBe(204);
  });

  it('an anonymous form is stored where the policy of the bucket lets everybody write, and nowhere else', async () => {
    const stored = ports.backendCalls.length;
    expect((await post({ key: 'open/k' })).code).toBe('AccessDenied');
    expect(ports.backendCalls.slice(stored)).not.toContain('data.write');
    const Statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::bucket/open/*',
    };
    const body = JSON.stringify({ Version: '2012-10-17', Statement: [Statement] });
    const authorization = `Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}`;
    const put = { method: 'PUT', headers: { authorization }, body: Buffer.from(body) };
    expect((await fetch(`http://127.0.0.1:${port}/bucket?policy`, put)).status).toBe(204);
    expect((await post({ key: 'open/${filename}' }, { fileName: 'a.txt' })).status).toBe(204);
    expect((await get('open/a.txt')).text).toBe('the file');
    for (const key of ['closed/k', '${filename}']) {
      expect((await post({ key }, { fileName: 'b.txt' })).code).toBe('AccessDenied');
    }
    const remove = { method: 'DELETE', headers: { authorization } };
    expect((await fetch(`http://127.0.0.1:${port}/bucket?policy`, remove)).status).toBe(204);
  });

  it('a form for a bucket that is not there, or is another one: 404, 403', async () => {
    const form = (bucket: string) => signedV4({ key: 'k' }, { bucket });
    expect((await post(form('nowhere'), { path: '/nowhere' })).code).toBe('NoSuchBucket');
    expect((await post(form('bucket'), { path: '/bucket/' })).status).toBe(204);
  });
});

describe('forms that no browser sends', () => {
  async function raw(body: string, headers = `Content-Length: ${Buffer.byteLength(body)}\r\n`) {
    const connection = await RawConnection.open(port);
    const authorization = `Authorization: Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}\r\n`;
    connection.send(
      `POST /bucket HTTP/1.1\r\nHost: h\r\n${authorization}Content-Type: multipart/form-data; boundary=b\r\n${headers}\r\n${body}`,
    );
    const answer = await connection.answer();
    const code = /<Code>(\w+)<\/Code>/.exec(answer.body)?.[1] ?? '';
    return { connection, status: answer.status, code };
  }
  const part = (name: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

  it('a body without a length: 411', async () => {
    const { status, connection } = await raw('', 'Transfer-Encoding: chunked\r\n');
    expect(status).toBe(411);
    connection.destroy();
  });

  it('a length above every object is refused before the body', async () => {
    const { code, connection } = await raw('', 'Content-Length: 6000000000\r\nExpect: 100-continue\r\n');
    expect(code).toBe('EntityTooLarge');
    connection.destroy();
  });

  it('a file without its boundary is not stored: 400 MalformedPOSTRequest', async () => {
    const { code, connection } = await raw(part('key', 'cut') + part('file', 'x'.repeat(200_000)));
    expect(code).toBe('MalformedPOSTRequest');
    expect((await get('cut')).code).toBe('NoSuchKey');
    connection.destroy();
  });

  it('a body that ends early is not stored', async () => {
    const connection = await RawConnection.open(port);
    const authorization = `Authorization: Bearer ${ports.memoryIdentity.tokenOf(main.accessKeyId)}\r\n`;
    const body = `${part('key', 'short')}${part('file', 'y'.repeat(100_000))}`;
    connection.send(
      `POST /bucket HTTP/1.1\r\nHost: h\r\n${authorization}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length + 50}\r\n\r\n${body}`,
    );
    connection.socket.end();
    expect((await connection.answer()).status).not.toBe(204);
    expect((await get('short')).code).toBe('NoSuchKey');
  });

  it('after a form the connection serves the next request', async () => {
    const body = `${part('key', 'first')}${part('file', 'z')}${part('late', 'field')}--b--\r\n`;
    const { status, connection } = await raw(body);
    expect(status).toBe(204);
    connection.send('GET /_holdfast/health/live HTTP/1.1\r\nHost: h\r\n\r\n');
    expect((await connection.answer()).status).toBe(200);
    connection.destroy();
  });

  it('fields without end are given up: 400 MaxPostPreDataLengthExceeded', async () => {
    const { code, connection } = await raw(part('x-ignore-a', 'x'.repeat(40_000)));
    expect(code).toBe('MaxPostPreDataLengthExceeded');
    connection.destroy();
  });

  it('is multipart, or no form: 412', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/bucket`, {
      method: 'POST',
      body: new URLSearchParams({ key: 'k' }),
    });
    expect(answer.status).toBe(412);
  });
});
