import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@holdfast/stdx';
import { newId } from '@holdfast/contracts';
import { S3_OPERATIONS, type S3Operation } from '@holdfast/s3-protocol';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';
import { OPERATIONS } from '../operations/operation-registry.js';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const EMPTY_SHA256 = createHash('sha256').digest('hex');
const clock = new ManualClock(Date.UTC(2026, 10, 21, 10, 0, 0));
const ports = new InMemoryPorts(clock);
const listener = new S3Listener(ports);
const main = ports.memoryIdentity.addAccount('main');
const other = ports.memoryIdentity.addAccount('other');
const { accountId } = main.account;
const everything = { Effect: 'Allow', Action: 's3:*', Resource: '*' } as const;
const denied = ports.memoryIdentity.addUser(accountId, 'denied', everything, {
  Effect: 'Deny',
  Action: '*',
  Resource: 'arn:aws:s3:::bucket*',
});
const powerless = ports.memoryIdentity.addUser(accountId, 'powerless');
const reader = ports.memoryIdentity.addUser(accountId, 'reader', {
  Effect: 'Allow',
  Action: ['s3:GetObject', 's3:PutObject'],
  Resource: 'arn:aws:s3:::bucket/*',
});
let port = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  expect((await send('PUT', '/bucket', { keys: main })).status).toBe(200);
  expect((await send('PUT', '/bucket/key', { keys: main, body: 'the body' })).status).toBe(200);
});
afterAll(() => listener.close());
beforeEach(() => ports.forgetCalls());

interface SendOptions {
  readonly keys?: Keys;
  readonly bearer?: string;
  readonly body?: string;
  readonly skewMs?: number;
  readonly headers?: Record<string, string>;
  /** Changes what is sent after it was signed. */
  readonly tamper?: { readonly path?: string; readonly signature?: string; readonly method?: string };
}

/** Signs as AWS describes it, in its own words: the oracle of what the server recomputes. */
function sign(
  method: string,
  path: string,
  host: string,
  options: SendOptions & { keys: Keys },
): Record<string, string> {
  const at = new Date(clock.nowMs() + (options.skewMs ?? 0)).toISOString().replace(/[:-]|\.\d{3}/g, '');
  const payload = options.body === undefined ? EMPTY_SHA256 : createHash('sha256').update(options.body).digest('hex');
  const headers: Record<string, string> = {
    host,
    'x-amz-content-sha256': payload,
    'x-amz-date': at,
    ...options.headers,
  };
  const names = Object.keys(headers).sort();
  const [rawPath, query = ''] = path.split('?');
  const sorted =
    query === ''
      ? ''
      : query
          .split('&')
          .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
          .sort()
          .join('&');
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
  const canonical = `${method}\n${rawPath}\n${sorted}\n${lines}\n${names.join(';')}\n${payload}`;
  const scope = `${at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${at}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
  let key: Buffer = Buffer.from(`AWS4${options.keys.secretAccessKey}`);
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  const signature = options.tamper?.signature ?? createHmac('sha256', key).update(text).digest('hex');
  const credential = `Credential=${options.keys.accessKeyId}/${scope}`;
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const { host: _host, ...sent } = headers;
  return { ...sent, authorization };
}

async function send(method: string, path: string, options: SendOptions = {}) {
  const host = `127.0.0.1:${port}`;
  const { keys, bearer, body, tamper } = options;
  const headers =
    keys !== undefined
      ? sign(method, path, host, { ...options, keys })
      : { ...options.headers, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) };
  const answer = await fetch(`http://${host}${tamper?.path ?? path}`, {
    method: tamper?.method ?? method,
    headers,
    body,
  });
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text, headers: answer.headers };
}

/** A request of each served operation on the bucket `bucket` and the key `key`. */
const UPLOAD_ID = newId(0);
const DELETE_XML = '<Delete><Object><Key>key</Key></Object></Delete>';
const POLICY = JSON.stringify({
  Statement: { Effect: 'Deny', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/closed/*' },
});
const OWNERSHIP_XML =
  '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>';
const VERSIONING_XML = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
const TAGGING_XML = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
const COMPLETE_XML =
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>';
const CORS_XML =
  '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>';
const formPart = (name: string, value: string): string =>
  `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const FORM = `${formPart('key', 'key')}${formPart('file', 'new body')}--x--\r\n`;
type Sent = readonly [method: string, path: string, body?: string, headers?: Record<string, string>];
const SERVED: Readonly<Record<keyof typeof OPERATIONS, Sent>> = {
  ListBuckets: ['GET', '/'],
  CreateBucket: ['PUT', '/bucket'],
  HeadBucket: ['HEAD', '/bucket'],
  DeleteBucket: ['DELETE', '/bucket'],
  GetBucketLocation: ['GET', '/bucket?location'],
  ListObjects: ['GET', '/bucket'],
  ListObjectsV2: ['GET', '/bucket?list-type=2'],
  ListObjectVersions: ['GET', '/bucket?versions'],
  GetBucketVersioning: ['GET', '/bucket?versioning'],
  PutBucketVersioning: ['PUT', '/bucket?versioning', VERSIONING_XML],
  GetBucketTagging: ['GET', '/bucket?tagging'],
  PutBucketTagging: ['PUT', '/bucket?tagging', TAGGING_XML],
  DeleteBucketTagging: ['DELETE', '/bucket?tagging'],
  GetBucketPolicy: ['GET', '/bucket?policy'],
  PutBucketPolicy: ['PUT', '/bucket?policy', POLICY],
  DeleteBucketPolicy: ['DELETE', '/bucket?policy'],
  GetBucketPolicyStatus: ['GET', '/bucket?policyStatus'],
  GetPublicAccessBlock: ['GET', '/bucket?publicAccessBlock'],
  PutPublicAccessBlock: ['PUT', '/bucket?publicAccessBlock', '<PublicAccessBlockConfiguration/>'],
  DeletePublicAccessBlock: ['DELETE', '/bucket?publicAccessBlock'],
  GetBucketOwnershipControls: ['GET', '/bucket?ownershipControls'],
  PutBucketOwnershipControls: ['PUT', '/bucket?ownershipControls', OWNERSHIP_XML],
  DeleteBucketOwnershipControls: ['DELETE', '/bucket?ownershipControls'],
  DeleteObjects: ['POST', '/bucket?delete', DELETE_XML],
  OptionsBucket: ['OPTIONS', '/bucket'],
  OptionsObject: ['OPTIONS', '/bucket/key'],
  GetBucketCors: ['GET', '/bucket?cors'],
  PutBucketCors: ['PUT', '/bucket?cors', CORS_XML],
  DeleteBucketCors: ['DELETE', '/bucket?cors'],
  PostObject: ['POST', '/bucket', FORM, { 'content-type': 'multipart/form-data; boundary=x' }],
  PutObject: ['PUT', '/bucket/key', 'new body'],
  CopyObject: ['PUT', '/bucket/copy', undefined, { 'x-amz-copy-source': 'bucket/key' }],
  GetObject: ['GET', '/bucket/key'],
  HeadObject: ['HEAD', '/bucket/key'],
  DeleteObject: ['DELETE', '/bucket/key'],
  GetObjectTagging: ['GET', '/bucket/key?tagging'],
  PutObjectTagging: ['PUT', '/bucket/key?tagging', TAGGING_XML],
  DeleteObjectTagging: ['DELETE', '/bucket/key?tagging'],
  CreateMultipartUpload: ['POST', '/bucket/key?uploads', ''],
  UploadPart: ['PUT', `/bucket/key?partNumber=1&uploadId=${UPLOAD_ID}`, 'part'],
  UploadPartCopy: [
    'PUT',
    `/bucket/key?partNumber=1&uploadId=${UPLOAD_ID}`,
    undefined,
    { 'x-amz-copy-source': 'bucket/key' },
  ],
  CompleteMultipartUpload: ['POST', `/bucket/key?uploadId=${UPLOAD_ID}`, COMPLETE_XML],
  AbortMultipartUpload: ['DELETE', `/bucket/key?uploadId=${UPLOAD_ID}`],
  ListMultipartUploads: ['GET', '/bucket?uploads'],
  GetObjectAttributes: ['GET', '/bucket/key?attributes', undefined, { 'x-amz-object-attributes': 'ETag' }],
  ListParts: ['GET', `/bucket/key?uploadId=${UPLOAD_ID}`],
};
/** A preflight asks nobody: a browser sends it without any proof. */
const OPERATION_CASES = Object.entries(SERVED).filter(([, [method]]) => method !== 'OPTIONS');
const ON_BUCKETS = OPERATION_CASES.filter(([name]) => name !== 'ListBuckets');

describe('the operation table', () => {
  it('has one handler for every served row and none for any other', () => {
    const served = S3_OPERATIONS.filter(({ status }) => status === 'served').map(({ name }) => name);
    expect(Object.keys(OPERATIONS).sort()).toEqual([...served].sort());
    for (const [name, operation] of Object.entries(OPERATIONS)) expect(operation.name).toBe(name);
  });

  const planned = S3_OPERATIONS.filter(({ status, name }) => status === 'planned' && name !== 'WriteGetObjectResponse');
  it.each(planned.map((row) => [row.name, row] as const))('%s answers 501 by its name', async (name, row) => {
    const answer = await send(row.method, pathOf(row), { headers: headersOf(row), body: bodyOf(row) });
    expect(answer.status).toBe(501);
    if (row.method !== 'HEAD') expect(answer.text).toContain(`${name} is not implemented`);
    expect(ports.calls).toEqual([]);
  });
});

function pathOf({ level, query = {} }: S3Operation): string {
  const path = { service: '/', bucket: '/bucket', object: '/bucket/key' }[level];
  const pairs = Object.entries(query).map(([name, value]) => (value === true ? `${name}=1` : `${name}=${value}`));
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}

function headersOf({ headers = [], body }: S3Operation): Record<string, string> {
  const named = Object.fromEntries(headers.map((name) => [name, 'value']));
  return body === 'form' ? { ...named, 'content-type': 'multipart/form-data; boundary=x' } : named;
}

function bodyOf({ method, body }: S3Operation): string | undefined {
  return method === 'GET' || method === 'HEAD' || body === 'none' ? undefined : 'x';
}

describe('seed-3.2: IAM is asked first, and a refusal ends the request there', () => {
  const expectNobodyCalled = (): void => expect(ports.backendCalls).toEqual([]);
  // The policy of the bucket could still allow: its record says whether there is one.
  const expectRecordAtMost = (): void =>
    expect(ports.backendCalls.filter((name) => name !== 'metadata.findBucket')).toEqual([]);

  it.each(OPERATION_CASES)('%s without credentials: 403', async (_name, [method, path, body, named]) => {
    expect((await send(method, path, { headers: named, body })).status).toBe(403);
    expectRecordAtMost();
  });

  it.each(OPERATION_CASES)('%s with a forged token: 401', async (_name, [method, path, body, named]) => {
    const { status, headers } = await send(method, path, { headers: named, bearer: 'forged', body });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expectNobodyCalled();
  });

  it.each(OPERATION_CASES)('%s with a token that has ended: 401', async (_name, [method, path, body, named]) => {
    const bearer = ports.memoryIdentity.tokenOf(main.accessKeyId, 0);
    expect((await send(method, path, { headers: named, bearer, body })).status).toBe(401);
    expectNobodyCalled();
  });

  it('an unsigned token, an empty one and a broken one: 401', async () => {
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"root"}').toString('base64url')}.`;
    for (const bearer of [none, 'a.b.c', '!']) {
      expect((await send('GET', '/bucket/key', { bearer })).status).toBe(401);
    }
    expectNobodyCalled();
  });

  it.each(OPERATION_CASES)(
    '%s with a wrong signature: 403 SignatureDoesNotMatch',
    async (_name, [method, path, body, named]) => {
      const answer = await send(method, path, {
        headers: named,
        keys: main,
        body,
        tamper: { signature: '0'.repeat(64) },
      });
      expect(answer.status).toBe(403);
      if (method !== 'HEAD') expect(answer.code).toBe('SignatureDoesNotMatch');
      expectNobodyCalled();
    },
  );

  it.each([20, -20])('a clock off by %i minutes: 403 RequestTimeTooSkewed', async (minutes) => {
    const answer = await send('GET', '/bucket/key', { keys: main, skewMs: minutes * 60_000 });
    expect([answer.status, answer.code]).toEqual([403, 'RequestTimeTooSkewed']);
    expectNobodyCalled();
  });

  it('an unknown key: 403 InvalidAccessKeyId', async () => {
    const answer = await send('GET', '/bucket/key', { keys: { accessKeyId: 'HFNOBODY', secretAccessKey: 'x' } });
    expect([answer.status, answer.code]).toEqual([403, 'InvalidAccessKeyId']);
    expectNobodyCalled();
  });

  it('nor is metadata asked for the CORS rules of a bucket, to tell the page of another origin of the refusal', async () => {
    const headers = { origin: 'https://page.example' };
    const nobody = { accessKeyId: 'HFNOBODY', secretAccessKey: 'x' };
    const refused: [SendOptions, string][] = [
      [{ keys: main, skewMs: 20 * 60_000 }, 'RequestTimeTooSkewed'],
      [{ keys: main, tamper: { signature: '0'.repeat(64) } }, 'SignatureDoesNotMatch'],
      [{ keys: nobody }, 'InvalidAccessKeyId'],
      [{ keys: denied }, 'AccessDenied'],
      [{ bearer: 'forged' }, 'InvalidToken'],
      [{ bearer: 'two words' }, 'InvalidToken'],
    ];
    // Each by a name of its own: the rules of none are remembered.
    for (const [index, [options, code]] of refused.entries())
      expect([code, (await send('GET', `/bucket-${index}/key`, { ...options, headers })).code]).toEqual([code, code]);
    expectNobodyCalled();
  });

  it('a signature moved to another path, query or method: 403', async () => {
    for (const tamper of [{ path: '/bucket/other' }, { path: '/bucket/key?versionId=null' }, { method: 'DELETE' }]) {
      const answer = await send('GET', '/bucket/key', { keys: main, tamper });
      expect([answer.status, answer.code]).toEqual([403, 'SignatureDoesNotMatch']);
    }
    expectNobodyCalled();
  });

  it.each(ON_BUCKETS.filter(([name]) => name !== 'DeleteObjects'))(
    '%s under an explicit deny: 403 AccessDenied',
    async (_name, [method, path, body, named]) => {
      const answer = await send(method, path, { headers: named, keys: denied, body });
      expect(answer.status).toBe(403);
      if (method !== 'HEAD') expect(answer.code).toBe('AccessDenied');
      expectNobodyCalled();
    },
  );

  it.each(OPERATION_CASES.filter(([name]) => name !== 'DeleteObjects'))(
    '%s without an allow: 403 AccessDenied',
    async (_name, [method, path, body, named]) => {
      expect((await send(method, path, { headers: named, keys: powerless, body })).status).toBe(403);
      expectRecordAtMost();
    },
  );

  it('DeleteObjects under an explicit deny deletes no key', async () => {
    const answer = await send('POST', '/bucket?delete', { keys: denied, body: DELETE_XML });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('<Code>AccessDenied</Code>');
    expect(ports.backendCalls).not.toContain('metadata.deleteObjects');
  });

  it('asks once, for all that the operation needs', async () => {
    await send('GET', '/bucket/key', { keys: main });
    expect(ports.calls.map(({ name }) => name)).toEqual(['authorize', 'findObject', 'read']);
  });
});

describe('seed-3.19: what a caller may not read it does not get, nor learn of', () => {
  it('GET without permission is 403 without a data call', async () => {
    expect((await send('GET', '/bucket/key', { keys: denied })).code).toBe('AccessDenied');
    expect((await send('GET', '/bucket/key', { keys: powerless })).code).toBe('AccessDenied');
    expect(ports.backendCalls).toEqual(['metadata.findBucket']);
  });

  it('a missing key is 404 to those who may list, and 403 to others', async () => {
    expect((await send('GET', '/bucket/none', { keys: main })).code).toBe('NoSuchKey');
    expect((await send('GET', '/bucket/none', { keys: reader })).code).toBe('AccessDenied');
    expect((await send('HEAD', '/bucket/none', { keys: reader })).status).toBe(403);
    expect((await send('GET', '/bucket/key', { keys: reader })).text).toBe('the body');
  });

  it('a delete marker shows itself to those who may list, and looks like a missing key to others', async () => {
    const status = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>';
    await send('PUT', '/bucket-of-markers', { keys: main });
    await send('PUT', '/bucket-of-markers?versioning', { keys: main, body: status });
    await send('PUT', '/bucket-of-markers/gone', { keys: main, body: 'x' });
    const marker = await send('DELETE', '/bucket-of-markers/gone', { keys: main });
    const versionId = marker.headers.get('x-amz-version-id') as string;
    const blind = ports.memoryIdentity.addUser(accountId, 'blind', {
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:GetObjectTagging'],
      Resource: '*',
    });
    const seen = async (path: string, keys: Keys) => {
      const { status: answered, code, headers } = await send('GET', path, { keys });
      return [answered, code, headers.get('x-amz-delete-marker'), headers.get('x-amz-version-id')];
    };
    expect(await seen('/bucket-of-markers/gone', main)).toEqual([404, 'NoSuchKey', 'true', versionId]);
    expect(await seen('/bucket-of-markers/none', main)).toEqual([404, 'NoSuchKey', 'false', null]);
    expect(await seen('/bucket-of-markers/gone?tagging', main)).toEqual([405, 'MethodNotAllowed', 'true', versionId]);
    for (const path of ['gone', 'none', 'gone?tagging', 'none?tagging']) {
      expect(await seen(`/bucket-of-markers/${path}`, blind)).toEqual([403, 'AccessDenied', null, null]);
    }
  });

  it('a version needs a permission of its own', async () => {
    expect((await send('GET', '/bucket/key?versionId=null', { keys: reader })).code).toBe('AccessDenied');
    expect((await send('GET', '/bucket/key?versionId=null', { keys: main })).text).toBe('the body');
  });

  const foreign = ON_BUCKETS.filter(([name]) => name !== 'CreateBucket');
  it.each(foreign)(
    '%s on the bucket of another account: 403, no object byte read',
    async (_name, [method, path, body, named]) => {
      expect((await send(method, path, { headers: named, keys: other, body })).status).toBe(403);
      const reads = ports.backendCalls.filter(
        (name) =>
          !['metadata.findBucket', 'metadata.findObject', 'metadata.listObjects', 'metadata.listVersions'].includes(
            name,
          ),
      );
      expect(reads).toEqual([]);
      expect((await send('GET', '/bucket/key', { keys: main })).text).toBe('the body');
    },
  );

  it('holds the owner against what the client expects', async () => {
    const headers = (owner: string) => ({ 'x-amz-expected-bucket-owner': owner });
    expect((await send('GET', '/bucket/key', { keys: main, headers: headers(accountId) })).status).toBe(200);
    expect((await send('GET', '/bucket/key', { keys: main, headers: headers('999999999999') })).code).toBe(
      'AccessDenied',
    );
  });

  it('a hinted record refuses nobody: a bucket that changed hands is looked up again', async () => {
    await send('PUT', '/handed-on', { keys: other });
    expect((await send('PUT', '/handed-on/key', { keys: other, body: 'x' })).status).toBe(200);
    await send('DELETE', '/handed-on/key', { keys: other });
    const { bucket } = await ports.memoryMetadata.findBucket({}, { name: 'handed-on' });
    await ports.memoryMetadata.deleteBucket({}, { bucketId: bucket?.bucketId ?? 0n });
    await ports.memoryMetadata.createBucket({}, { name: 'handed-on', accountId });
    expect((await send('PUT', '/handed-on/key', { keys: main, body: 'mine' })).status).toBe(200);
    expect((await send('PUT', '/handed-on/key', { keys: other, body: 'theirs' })).status).toBe(403);
    expect((await send('GET', '/handed-on/key', { keys: main })).text).toBe('mine');
  });
});

describe('seed-3.14: metadata says where the bytes are, data has them', () => {
  it('a GET asks metadata for chunk ids and data for those chunks', async () => {
    const { version } = await ports.memoryMetadata.findObject({}, { bucketName: 'bucket', key: 'key' });
    expect(version?.chunks?.includes(Buffer.from('the body'))).toBe(false);
    expect((await send('GET', '/bucket/key', { keys: main })).text).toBe('the body');
    expect(ports.backendCalls).toEqual(['metadata.findObject', 'data.read']);
  });

  it('an unknown key and an unknown bucket are told apart', async () => {
    expect((await send('GET', '/bucket/unknown', { keys: main })).code).toBe('NoSuchKey');
    expect((await send('GET', '/unknown-bucket/key', { keys: main })).code).toBe('NoSuchBucket');
    expect(ports.backendCalls).not.toContain('data.read');
  });

  it('HEAD asks data for nothing', async () => {
    expect((await send('HEAD', '/bucket/key', { keys: main })).headers.get('content-length')).toBe('8');
    expect(ports.backendCalls).toEqual(['metadata.findObject']);
  });
});

describe('tokens', () => {
  it('a bearer token is enough for every path of S3', async () => {
    const bearer = ports.memoryIdentity.tokenOf(main.accessKeyId);
    expect((await send('PUT', '/bucket/by-token', { bearer, body: 'x' })).status).toBe(200);
    expect((await send('GET', '/bucket/by-token', { bearer })).text).toBe('x');
    expect((await send('GET', '/bucket', { bearer })).text).toContain('<Key>by-token</Key>');
    expect((await send('DELETE', '/bucket/by-token', { bearer })).status).toBe(204);
  });
});
