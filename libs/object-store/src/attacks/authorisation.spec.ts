import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { newId } from '@holdfast/contracts';
import { S3_OPERATIONS, type S3Operation } from '@holdfast/s3-protocol';
import { configureLog, TrustedProxies } from '@holdfast/service-host';
import { DOORS, Doors, type Door } from './testing/doors.js';

let doors: Doors;
beforeAll(async () => {
  doors = await Doors.open();
});
afterAll(() => doors.close());
beforeEach(() => doors.ports.forgetCalls());

const PLANNED: readonly S3Operation[] = S3_OPERATIONS.filter(
  ({ status, name }) => status === 'planned' && name !== 'WriteGetObjectResponse',
);

/** A request of an operation on the bucket `bucket` and the key `key`. */
function requestOf({ level, method, query = {}, headers = [], body }: S3Operation) {
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${value === true ? '1' : value}`);
  const path = { service: '/', bucket: '/bucket', object: '/bucket/key' }[level];
  const named: Record<string, string> = Object.fromEntries(headers.map((name) => [name, 'value']));
  if (body === 'form') named['content-type'] = 'multipart/form-data; boundary=x';
  const hasBody = method !== 'GET' && method !== 'HEAD' && body !== 'none';
  return {
    method,
    path: pairs.length > 0 ? `${path}?${pairs.join('&')}` : path,
    headers: named,
    body: hasBody ? 'x' : undefined,
  };
}

describe.each(DOORS)('authorisation, by the %s', (door) => {
  it.each([
    ['GET', '/theirs/key'],
    ['HEAD', '/theirs/key'],
    ['PUT', '/theirs/key'],
    ['DELETE', '/theirs/key'],
    ['GET', '/theirs'],
    ['HEAD', '/theirs'],
    ['DELETE', '/theirs'],
    ['GET', '/theirs?list-type=2'],
    ['POST', '/theirs/key?uploads'],
  ])('XC1: %s %s of another account is 403, and no object byte is read', async (method, path) => {
    const body = method === 'PUT' || method === 'POST' ? 'mine now' : undefined;
    const answer = await doors.sendSigned(door, { method, path, body });
    expect(answer.status).toBe(403);
    expect(doors.ports.backendCalls.filter((name) => name.startsWith('data.'))).toEqual([]);
    expect((await doors.sendSigned(door, { method: 'GET', path: '/theirs/key' }, doors.other)).text).toBe('theirs');
  });

  it('XC1: whoever may not list learns nothing of a missing key', async () => {
    const reader = doors.ports.memoryIdentity.addUser(doors.main.account.accountId, `reader-${door === 'API'}`, {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: 'arn:aws:s3:::bucket/*',
    });
    const missing = { method: 'GET', path: '/bucket/none' };
    expect((await doors.sendSigned(door, missing, reader)).code).toBe('AccessDenied');
    expect((await doors.sendSigned(door, missing)).code).toBe('NoSuchKey');
    expect((await doors.sendSigned(door, { ...missing, method: 'HEAD' }, reader)).status).toBe(403);
  });

  it.each([
    '/bucket/../theirs/key',
    '/bucket/%2e%2e/theirs/key',
    '/bucket/..%2ftheirs%2fkey',
    '/bucket/./key',
    '/bucket//key',
  ])('XC3: %s names a key of the first segment, and no other bucket', async (path) => {
    // By token: signers do not agree on which of these characters they escape.
    const headers = { authorization: `Bearer ${doors.bearer}` };
    expect((await doors.send(door, { method: 'PUT', path, body: 'literal', headers })).status).toBe(200);
    expect((await doors.send(door, { method: 'GET', path, headers })).text).toBe('literal');
    expect((await doors.sendSigned(door, { method: 'GET', path: '/theirs/key' }, doors.other)).text).toBe('theirs');
    expect(await doors.stored('/bucket/key')).toBe('bucket');
    expect((await doors.send(door, { method: 'DELETE', path, headers })).status).toBe(204);
  });

  it.each(['/../theirs/key', '/./key', '/%2e%2e/theirs', '//theirs/key', '/%2Fbucket/key'])(
    'XC3: %s is no bucket',
    async (path) => {
      const answer = await doors.sendSigned(door, { method: 'GET', path });
      expect([answer.status, answer.code]).toEqual([400, 'InvalidBucketName']);
      expect(doors.ports.calls).toEqual([]);
    },
  );

  it.each(['/theirs/key', 'theirs/key', '/theirs/key?versionId=null', '/theirs%2Fkey', '/bucket/../theirs/key'])(
    'XC2, XC3: a copy of %s gets no byte of another account',
    async (source) => {
      const started = await doors.sendSigned(door, { method: 'POST', path: '/bucket/stolen?uploads', body: '' });
      const uploadId = /<UploadId>([^<]+)</.exec(started.text)?.[1];
      doors.ports.forgetCalls();
      for (const path of ['/bucket/stolen', `/bucket/stolen?partNumber=1&uploadId=${uploadId}`]) {
        const headers = { 'x-amz-copy-source': source };
        const answer = await doors.sendSigned(door, { method: 'PUT', path, headers, body: '' });
        // With dots it is a key of one's own bucket, which is not there.
        expect(answer.status).toBe(source.includes('..') ? 404 : 403);
      }
      expect(doors.ports.backendCalls.filter((name) => name.startsWith('data.'))).toEqual([]);
      expect(await doors.stored('/bucket/stolen')).toBe('NoSuchKey');
    },
  );

  it('XC4: a version needs s3:GetObjectVersion', async () => {
    const reader = doors.ports.memoryIdentity.addUser(doors.main.account.accountId, `plain-${door === 'API'}`, {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: '*',
    });
    const answer = await doors.sendSigned(door, { method: 'GET', path: '/bucket/key?versionId=null' }, reader);
    expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
    expect(doors.callsBeyondPolicies).toEqual([]);
  });

  it('XC5: the upload of another principal, or of another bucket, is out of reach', async () => {
    const started = await doors.sendSigned(door, { method: 'POST', path: '/bucket/big?uploads', body: '' });
    const uploadId = /<UploadId>([^<]+)</.exec(started.text)?.[1] ?? '';
    const complete =
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>';
    const calls = [
      { method: 'PUT', path: `/big?partNumber=1&uploadId=${uploadId}`, body: 'part' },
      { method: 'POST', path: `/big?uploadId=${uploadId}`, body: complete },
      { method: 'DELETE', path: `/big?uploadId=${uploadId}` },
      { method: 'GET', path: `/big?uploadId=${uploadId}` },
    ];
    for (const call of calls) {
      const foreign = await doors.sendSigned(door, { ...call, path: `/bucket${call.path}` }, doors.other);
      expect([foreign.status, foreign.code]).toEqual([403, 'AccessDenied']);
      const elsewhere = await doors.sendSigned(door, { ...call, path: `/theirs${call.path}` }, doors.other);
      expect([elsewhere.status, elsewhere.code]).toEqual([404, 'NoSuchUpload']);
    }
    const unknown = await doors.sendSigned(door, { method: 'GET', path: `/bucket/big?uploadId=${newId(0)}` });
    expect([unknown.status, unknown.code]).toEqual([404, 'NoSuchUpload']);
    expect((await doors.sendSigned(door, { method: 'GET', path: `/bucket/big?uploadId=${uploadId}` })).status).toBe(
      200,
    );
  });

  it.each(['userid', 'aws:username', 'jwt:sub', 'principaltype', 'x-amz-meta-userid'])(
    'XC8: a header named %s makes nobody somebody else',
    async (name) => {
      const powerless = doors.ports.memoryIdentity.addUser(doors.main.account.accountId, `${name}-${door === 'API'}`);
      const bearer = doors.ports.memoryIdentity.tokenOf(powerless.accessKeyId);
      const headers = { authorization: `Bearer ${bearer}`, ...(name.includes(':') ? {} : { [name]: 'root' }) };
      const answer = await doors.send(door, { method: 'GET', path: '/bucket/key', headers });
      expect([answer.status, answer.code]).toEqual([403, 'AccessDenied']);
      expect(doors.callsBeyondPolicies).toEqual([]);
    },
  );

  const OF_SERVICES = /Replication|Notification|Lifecycle/;
  const deputies = PLANNED.filter(({ name }) => OF_SERVICES.test(name));
  it.each(deputies.map((row) => [row.name, row] as const))(
    'XC9: %s answers 501 by its name: no role acts for anybody',
    async (name, row) => {
      const answer = await doors.sendSigned(door, requestOf(row));
      expect([answer.status, answer.code]).toEqual([501, 'NotImplemented']);
      expect(answer.text).toContain(`${name} is not implemented`);
      expect(doors.ports.backendCalls).toEqual([]);
    },
  );

  it('XC9: the rows are those of replication, notification and lifecycle', () => {
    expect(deputies.map(({ name }) => name).sort()).toEqual([
      'DeleteBucketLifecycle',
      'DeleteBucketReplication',
      'GetBucketLifecycleConfiguration',
      'GetBucketNotificationConfiguration',
      'GetBucketReplication',
      'PutBucketLifecycleConfiguration',
      'PutBucketNotificationConfiguration',
      'PutBucketReplication',
    ]);
  });

  it.each(PLANNED.map((row) => [row.name, row] as const))(
    'XC12: %s is 501 by its name, never another operation',
    async (name, row) => {
      const answer = await doors.sendSigned(door, requestOf(row));
      expect(answer.status).toBe(501);
      if (row.method !== 'HEAD') expect(answer.text).toContain(`${name} is not implemented`);
      expect(doors.ports.backendCalls).toEqual([]);
    },
  );

  it.each(['GET', 'PUT', 'DELETE', 'HEAD'])(
    'XC12: %s of an unknown sub-resource is 501, never the object',
    async (method) => {
      for (const query of ['newthing', 'Acl', 'policy2', 'uploadid', 'newthing=']) {
        const body = method === 'PUT' ? 'fell through' : undefined;
        const answer = await doors.sendSigned(door, { method, path: `/bucket/key?${query}`, body });
        expect({ query, status: answer.status }).toEqual({ query, status: 501 });
      }
      expect(doors.ports.backendCalls).toEqual([]);
      expect(await doors.stored('/bucket/key')).toBe('bucket');
    },
  );

  const LOCK = /ObjectLock|Retention|LegalHold/;
  it.each(PLANNED.filter(({ name }) => LOCK.test(name)).map((row) => [row.name, row] as const))(
    'XC14: %s answers 501 by its name',
    async (name, row) => {
      const answer = await doors.sendSigned(door, requestOf(row));
      expect([answer.status, answer.code]).toEqual([501, 'NotImplemented']);
      expect(answer.text).toContain(`${name} is not implemented`);
    },
  );

  it.each(['x-amz-object-lock-mode', 'x-amz-object-lock-retain-until-date', 'x-amz-object-lock-legal-hold'])(
    'XC14: a PUT with %s is 501 and stores nothing: a lock is never promised and not kept',
    async (name) => {
      const answer = await doors.sendSigned(door, {
        method: 'PUT',
        path: '/bucket/locked',
        body: 'x',
        headers: { [name]: 'GOVERNANCE' },
      });
      expect([answer.status, answer.code]).toEqual([501, 'NotImplemented']);
      expect(await doors.stored('/bucket/locked')).toBe('NoSuchKey');
    },
  );

  it('XC15: no answer and no line of the log shows a secret', async () => {
    const lines: string[] = [];
    const written = jest.spyOn(process.stderr, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    configureLog({ service: 'test', level: 'debug' });
    const findObject = jest.spyOn(doors.ports.memoryMetadata, 'findObject').mockRejectedValueOnce(new Error('planted'));
    const wrong = { ...doors.main, secretAccessKey: doors.other.secretAccessKey };
    const asked = { method: 'GET', path: '/bucket/key' };
    const answers = [
      await doors.sendSigned(door, asked),
      await doors.sendSigned(door, { method: 'GET', path: '/' }),
      await doors.sendSigned(door, { method: 'GET', path: '/bucket/none' }),
      await doors.sendSigned(door, asked, wrong),
      await doors.send(door, { ...asked, path: doors.presign(door, asked, wrong) }),
      await doors.send(door, { ...asked, headers: { authorization: `Bearer ${doors.bearer}x` } }),
      await doors.send(door, {
        ...asked,
        headers: { authorization: `Bearer ${doors.bearer}`, 'x-holdfast-code': 'x' },
      }),
    ];
    for (const spy of [written, findObject]) spy.mockRestore();
    configureLog({ service: 'test', level: 'error' });
    expect(answers[0].status).toBe(500);
    expect(lines.join('')).toContain('planted');
    const secrets = [doors.main.secretAccessKey, doors.other.secretAccessKey, doors.bearer];
    const shown = answers.map(({ text, headers }) => text + JSON.stringify(headers)).concat(lines);
    for (const secret of secrets) expect(shown.filter((text) => text.includes(secret))).toEqual([]);
  });
});

describe('the address of a client', () => {
  const ASKED = { method: 'GET', path: '/bucket/key' };

  /** Answers to a user who may read from 203.0.113.0/24 alone, and says to be there. */
  async function statusOf(held: Doors, door: Door, forwardedFor: string): Promise<number> {
    const { accountId } = held.main.account;
    const userName = `from-${door === 'API'}-${forwardedFor.length}`;
    const keys = held.ports.memoryIdentity.addUser(accountId, userName, {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: '*',
      Condition: { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' } },
    });
    const { status } = await held.sendSigned(door, ASKED, keys, { extra: { 'x-forwarded-for': forwardedFor } });
    return status;
  }

  it.each(DOORS)('XC8: X-Forwarded-For of anybody is not aws:SourceIp, by the %s', async (door) => {
    expect(await statusOf(doors, door, '203.0.113.9')).toBe(403);
    const own = doors.text('GET /bucket/key HTTP/1.1', 'x-holdfast-client: 203.0.113.9');
    expect((await doors.sendBytes(door, own)).status).toBe(door === 'API' ? 403 : 200);
  });

  it.each(DOORS)('XC8: that of a trusted proxy is, from its end, by the %s', async (door) => {
    const behindProxy = await Doors.open({ trustedProxies: new TrustedProxies(['127.0.0.0/8']) });
    try {
      expect(await statusOf(behindProxy, door, '203.0.113.9')).toBe(200);
      expect(await statusOf(behindProxy, door, '198.51.100.7, 203.0.113.19')).toBe(200);
      expect(await statusOf(behindProxy, door, '203.0.113.9, 198.51.100.77')).toBe(403);
    } finally {
      await behindProxy.close();
    }
  });
});

describe('internal headers', () => {
  it.each(['x-holdfast-call', 'x-holdfast-code', 'x-holdfast-client', 'x-holdfast-role'])(
    'XC10: the load balancer strips %s',
    async (name) => {
      const answer = await doors.sendBytes('load balancer', doors.text('GET /bucket/key HTTP/1.1', `${name}: forged`));
      expect([answer.status, answer.body]).toEqual([200, 'bucket']);
    },
  );

  it.each(['x-holdfast-call', 'x-holdfast-code', 'x-holdfast-client', 'x-holdfast-role'])(
    'XC10: %s without the code of the cluster is 403 at the API, and nobody is called',
    async (name) => {
      const answer = await doors.sendBytes('API', doors.text('GET /bucket/key HTTP/1.1', `${name}: forged`));
      expect([answer.status, answer.body.includes('<Code>AccessDenied</Code>')]).toEqual([403, true]);
      expect(doors.ports.calls).toEqual([]);
    },
  );

  it.each(DOORS)('XC10: headers of replication and the like of others mean nothing to the %s', async (door) => {
    const headers = {
      'x-amz-replication-status': 'REPLICA',
      'x-minio-source-mtime': '2000-01-01T00:00:00Z',
      'x-minio-replication-request': 'true',
      'x-internal-principal': 'root',
    };
    const put = { method: 'PUT', path: '/bucket/replica', body: 'x', headers };
    expect((await doors.sendSigned(door, put)).status).toBe(200);
    const read = await doors.sendSigned(door, { method: 'GET', path: '/bucket/replica' });
    expect(read.headers['x-amz-replication-status']).toBeUndefined();
    expect(Date.parse(read.headers['last-modified'] ?? '')).toBeGreaterThan(Date.now() - 60_000);
    const other = await doors.sendSigned(door, { ...put, path: '/theirs/key' });
    expect(other.status).toBe(403);
  });
});
