import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DOORS, Doors, type Door } from './testing/doors.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open({ limits: { bodyIdleTimeoutMs: 1000, bodyGraceMs: 1000 } });
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

type Fields = Readonly<Record<string, string>>;
const BOUNDARY = '----form';
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface FormOptions {
  readonly conditions: readonly unknown[];
  readonly expiresInMs?: number;
  readonly bucket?: string;
  readonly secret?: string;
}

/** The fields of a form with a signed policy. */
function signed(fields: Fields, { conditions, expiresInMs = 60_000, bucket = 'bucket', secret }: FormOptions): Fields {
  const at = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const proof = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${doors.main.accessKeyId}/${scope}`,
    'x-amz-date': at,
  };
  const allowed = Object.entries(proof).map(([name, value]) => ({ [name]: value }));
  const expiration = new Date(Date.now() + expiresInMs).toISOString();
  const document = JSON.stringify({ expiration, conditions: [{ bucket }, ...conditions, ...allowed] });
  const policy = Buffer.from(document).toString('base64');
  let key: Buffer = Buffer.from(`AWS4${secret ?? doors.main.secretAccessKey}`);
  for (const part of scope.split('/')) key = hmac(key, part);
  return { ...fields, ...proof, policy, 'x-amz-signature': hmac(key, policy).toString('hex') };
}

/** Without the end: what a client that goes on sending has sent so far. */
function bodyOf(fields: Fields, file: string): string {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return `${parts.join('')}--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n${file}`;
}

function post(door: Door, fields: Fields, file = 'the file') {
  const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
  return doors.send(door, {
    method: 'POST',
    path: '/bucket',
    headers,
    body: `${bodyOf(fields, file)}\r\n--${BOUNDARY}--\r\n`,
  });
}

describe.each(DOORS)('form uploads, by the %s', (door) => {
  const refused = async (fields: Fields, status: number, code: string): Promise<void> => {
    const answer = await post(door, fields);
    expect([answer.status, answer.code]).toEqual([status, code]);
    expect(doors.ports.backendCalls).toEqual([]);
  };
  const exact = { conditions: [{ key: 'form' }] };

  it('XB7: what the policy allows is stored', async () => {
    expect((await post(door, signed({ key: 'form' }, exact))).status).toBe(204);
    expect(await doors.stored('/bucket/form')).toBe('the file');
  });

  it('XB7: a bad signature, an ended policy, another bucket, another field: 403', async () => {
    await refused(signed({ key: 'form' }, { ...exact, secret: 'wrong' }), 403, 'SignatureDoesNotMatch');
    await refused(signed({ key: 'form' }, { ...exact, expiresInMs: -1000 }), 403, 'AccessDenied');
    await refused(signed({ key: 'form' }, { ...exact, bucket: 'theirs' }), 403, 'AccessDenied');
    await refused(signed({ key: 'other' }, exact), 403, 'AccessDenied');
    await refused(signed({ key: 'form', 'x-amz-meta-extra': '1' }, exact), 403, 'AccessDenied');
    await refused(
      signed({ key: 'form' }, { conditions: [...exact.conditions, { acl: 'private' }] }),
      403,
      'AccessDenied',
    );
  });

  it('XB7: no signature, or a policy that is none: 400', async () => {
    const { 'x-amz-signature': _taken, ...unsigned } = signed({ key: 'form' }, exact);
    await refused(unsigned, 400, 'InvalidArgument');
    await refused({ ...signed({ key: 'form' }, exact), policy: '!' }, 400, 'InvalidPolicyDocument');
  });

  it('XB7: a form without any proof is nobody: 403', async () => {
    const answer = await post(door, { key: 'form' });
    expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    expect(doors.ports.backendCalls).not.toContain('data.write');
  });

  it('XB8: a file over its range is refused while it still comes, and nothing is stored', async () => {
    const range = { conditions: [{ key: 'cut' }, ['content-length-range', 0, 1000]] };
    const connection = await doors.connect(door);
    const body = bodyOf(signed({ key: 'cut' }, range), 'x'.repeat(500_000));
    const type = `Content-Type: multipart/form-data; boundary=${BOUNDARY}`;
    // Far more is announced than is sent: whoever waits for the end waits for ever.
    connection.send(`POST /bucket HTTP/1.1\r\nHost: a\r\n${type}\r\nContent-Length: 100000000\r\n\r\n${body}`);
    const answer = await connection.answer();
    expect([answer.status, /<Code>(\w+)</.exec(answer.body)?.[1]]).toEqual([400, 'EntityTooLarge']);
    const small = { conditions: [{ key: 'cut' }, ['content-length-range', 100, 1000]] };
    const tooSmall = await post(door, signed({ key: 'cut' }, small));
    expect([tooSmall.status, tooSmall.code]).toEqual([400, 'EntityTooSmall']);
    expect(await doors.stored('/bucket/cut')).toBe('NoSuchKey');
  });
});
