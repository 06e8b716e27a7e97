import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';
import { NOBODY } from './authorizer.js';
import { DecisionLog } from './decision-log.js';

const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const identity = ports.memoryIdentity;
const main = identity.addAccount('main');
const other = identity.addAccount('other');
const own = main.account.accountId;
const foreign = other.account.accountId;
const everything = { Effect: 'Allow', Action: 's3:*', Resource: '*' } as const;
const powerless = identity.addUser(own, 'powerless');
const bob = identity.addUser(foreign, 'bob', everything);
const poorBob = identity.addUser(foreign, 'poor-bob');
const BUCKET = 'arn:aws:s3:::bucket';
const userArn = (accountId: string, name: string): string => `arn:aws:iam::${accountId}:user/${name}`;
let base = '';

beforeAll(async () => {
  base = `http://127.0.0.1:${await listener.listen(0)}`;
});
afterAll(() => listener.close());
beforeEach(async () => {
  await send('DELETE', '/bucket?policy');
  await send('DELETE', '/bucket?publicAccessBlock');
  await send('PUT', '/bucket');
  await send('PUT', '/bucket/key', { body: 'the body' });
});

type Keys = { accessKeyId: string } | 'nobody';
interface Options {
  readonly as?: Keys;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}
async function send(method: string, path: string, { as = main, body, headers }: Options = {}) {
  const authorization = as === 'nobody' ? {} : { authorization: `Bearer ${identity.tokenOf(as.accessKeyId)}` };
  ports.forgetCalls();
  const answer = await fetch(base + path, { method, body, headers: { ...authorization, ...headers } });
  const text = await answer.text();
  const requestId = answer.headers.get('x-amz-request-id') ?? '';
  return { status: answer.status, requestId, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text };
}
const statusOf = async (...request: Parameters<typeof send>): Promise<number> => (await send(...request)).status;
const policyOf = (...statements: object[]): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: statements.map((one) => ({ Resource: [BUCKET, `${BUCKET}/*`], ...one })),
  });
const putPolicy = (...statements: object[]) => send('PUT', '/bucket?policy', { body: policyOf(...statements) });
const allow = (principal: unknown, action: string | string[] = 's3:GetObject', fields: object = {}): object => ({
  Effect: 'Allow',
  Principal: principal,
  Action: action,
  ...fields,
});
const deny = (principal: unknown, action: string | string[], fields: object = {}): object => ({
  ...allow(principal, action, fields),
  Effect: 'Deny',
});
async function mayRead(...readers: Keys[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const as of readers) statuses.push(await statusOf('GET', '/bucket/key', { as }));
  return statuses;
}

describe('the policy of a bucket', () => {
  it('is returned byte for byte, and is gone when it is deleted', async () => {
    const text = ` {\t"Statement" :[${JSON.stringify({ ...allow('*'), Resource: `${BUCKET}/é*` })}]}\n`;
    expect(await send('PUT', '/bucket?policy', { body: text })).toMatchObject({ status: 204, text: '' });
    expect(await send('GET', '/bucket?policy')).toMatchObject({ status: 200, text });
    expect(await statusOf('DELETE', '/bucket?policy')).toBe(204);
    expect(await send('GET', '/bucket?policy')).toMatchObject({ status: 404, code: 'NoSuchBucketPolicy' });
  });

  it.each([
    [
      'a resource of another bucket',
      allow('*', 's3:GetObject', { Resource: 'arn:aws:s3:::bucket2/*' }),
      'Statement[0].Resource',
    ],
    [
      'one of two in another bucket',
      allow('*', 's3:*', { Resource: [BUCKET, 'arn:aws:s3:::buck?'] }),
      'Statement[0].Resource[1]',
    ],
    ['every resource there is', allow('*', 's3:*', { Resource: '*' }), 'Statement[0].Resource'],
    ['an action of another service', allow('*', 'iam:*'), 'Statement[0].Action'],
    ['no principal', { Effect: 'Allow', Action: 's3:*' }, 'Statement[0].Principal'],
    ['an unknown element', { ...allow('*'), Conditions: {} }, 'Statement[0].Conditions'],
  ])('is refused with %s', async (_name, statement, place) => {
    const answer = await putPolicy(statement);
    expect(answer).toMatchObject({ status: 400, code: 'MalformedPolicy' });
    expect(answer.text).toContain(place);
    expect((await send('GET', '/bucket?policy')).code).toBe('NoSuchBucketPolicy');
  });

  it('may name the bucket by wildcards', async () => {
    for (const Resource of [
      'arn:aws:s3:::*',
      'arn:aws:s3:::*/*',
      'arn:aws:s3:::b*/x',
      'arn:aws:s3:::bucket*',
      'arn:aws:s3:::*x',
    ]) {
      expect((await putPolicy(allow('*', 's3:*', { Resource }))).status).toBe(204);
    }
  });

  it('XE5: takes 20 KiB and no more', async () => {
    const empty = policyOf(allow('*', 's3:GetObject', { Resource: `${BUCKET}/` })).length;
    const withLength = (length: number) =>
      putPolicy(allow('*', 's3:GetObject', { Resource: `${BUCKET}/${'x'.repeat(length - empty)}` }));
    expect((await withLength(20 * 1024)).status).toBe(204);
    expect(await withLength(20 * 1024 + 1)).toMatchObject({ status: 400, code: 'MalformedPolicy' });
  });

  it('says whether it is public', async () => {
    const isPublic = async (): Promise<boolean> =>
      (await send('GET', '/bucket?policyStatus')).text.includes('<IsPublic>true<');
    expect(await isPublic()).toBe(false);
    const from = (...ranges: string[]) =>
      allow('*', 's3:GetObject', { Condition: { IpAddress: { 'aws:SourceIp': ranges } } });
    const eights = Array.from({ length: 256 }, (_, first) => `${first}.0.0.0/8`);
    const cases: [object, boolean][] = [
      [allow('*'), true],
      [allow({ AWS: [foreign, '*'] }), true],
      [allow({ AWS: foreign }), false],
      [deny('*', 's3:*', { Resource: `${BUCKET}/x` }), false],
      [allow('*', 's3:GetObject', { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/32' } } }), false],
      [allow('*', 's3:GetObject', { Condition: { IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '0.0.0.0/1'] } } }), true],
      [from(...eights.slice(0, 16)), false],
      [from(...eights), true],
      [from('10.1.2.3', '::/31'), true],
      [allow('*', 's3:GetObject', { Condition: { StringEquals: { 'aws:userid': 'anonymous' } } }), true],
      [
        allow('*', 's3:GetObject', {
          Condition: { 'ForAnyValue:StringEquals': { 'aws:userid': ['AID', 'anonymous'] } },
        }),
        true,
      ],
      [allow('*', 's3:GetObject', { Condition: { StringEquals: { 'aws:userid': 'AID' } } }), false],
      [allow('*', 's3:GetObject', { Condition: { NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }), true],
      [allow('*', 's3:GetObject', { Condition: { StringLike: { 'aws:PrincipalAccount': '1*' } } }), true],
      [allow('*', 's3:GetObject', { Condition: { StringEquals: { 'aws:PrincipalAccount': foreign } } }), false],
      [allow('*', 's3:GetObject', { Condition: { StringEquals: { 's3:ExistingObjectTag/a': 'b' } } }), true],
    ];
    for (const [statement, expected] of cases) {
      expect((await putPolicy(statement)).status).toBe(204);
      expect(await isPublic()).toBe(expected);
    }
  });
});

describe('XC1: whom the policy of a bucket lets in', () => {
  it('another account needs an allow on both sides', async () => {
    expect(await mayRead(other, bob, poorBob, 'nobody')).toEqual([403, 403, 403, 403]);
    await putPolicy(allow({ AWS: foreign }));
    expect(await mayRead(other, bob, poorBob, 'nobody')).toEqual([200, 200, 403, 403]);
    await putPolicy(allow({ AWS: userArn(foreign, 'poor-bob') }));
    expect(await mayRead(other, bob, poorBob, 'nobody')).toEqual([403, 403, 403, 403]);
    await putPolicy(allow({ CanonicalUser: other.account.canonicalId }));
    expect(await mayRead(other, bob, poorBob)).toEqual([200, 200, 403]);
  });

  it('nobody in particular needs an allow for everybody', async () => {
    await putPolicy(allow('*'));
    expect(await mayRead(other, bob, poorBob, 'nobody', powerless)).toEqual([200, 200, 403, 200, 200]);
    expect(await statusOf('PUT', '/bucket/key', { as: 'nobody', body: 'x' })).toBe(403);
    expect(await statusOf('GET', '/bucket', { as: 'nobody' })).toBe(403);
  });

  it('in its own account it gives to a user by name, and leaves to the account what it gives to the account', async () => {
    expect(await mayRead(powerless)).toEqual([403]);
    await putPolicy(allow({ AWS: userArn(own, 'powerless') }));
    expect(await mayRead(powerless)).toEqual([200]);
    await putPolicy(allow({ AWS: own }));
    expect(await mayRead(powerless)).toEqual([403]);
  });

  it('what it denies is denied to the root of its account too, its own management excepted', async () => {
    const management = ['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'];
    const body = policyOf(deny('*', ['s3:GetObject', ...management]));
    expect(await statusOf('PUT', '/bucket?policy', { body })).toBe(204);
    expect(await mayRead(main)).toEqual([403]);
    expect(ports.backendCalls.some((name) => name.startsWith('data.'))).toBe(false);
    expect(await statusOf('GET', '/bucket?policy')).toBe(200);
    expect(await statusOf('GET', '/bucket?policy', { as: powerless })).toBe(403);
    const headers = { 'x-amz-confirm-remove-self-bucket-access': 'true' };
    await send('PUT', '/self-removed');
    const confirmed = body.replaceAll(BUCKET, 'arn:aws:s3:::self-removed');
    expect(await statusOf('PUT', '/self-removed?policy', { body: confirmed, headers })).toBe(204);
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const request = method === 'PUT' ? { body: confirmed } : {};
      expect(await statusOf(method, '/self-removed?policy', request)).toBe(403);
    }
  });

  it('its management is not for other accounts, whatever it says', async () => {
    await putPolicy(allow({ AWS: foreign }, 's3:*'));
    expect(await statusOf('GET', '/bucket?policy', { as: other })).toBe(405);
    expect(await statusOf('DELETE', '/bucket?policy', { as: other })).toBe(405);
    expect(await statusOf('PUT', '/bucket?policy', { as: other, body: policyOf(allow('*')) })).toBe(405);
  });

  it('listings show its owner to everybody, not who asks', async () => {
    await putPolicy(
      allow('*', ['s3:ListBucket', 's3:ListBucketVersions', 's3:ListBucketMultipartUploads', 's3:PutObject']),
    );
    await send('POST', '/bucket/key?uploads', { as: 'nobody' });
    for (const as of [main, other, 'nobody'] as const) {
      for (const query of ['', '?list-type=2&fetch-owner=true', '?versions', '?uploads']) {
        const { text } = await send('GET', `/bucket${query}`, { as });
        expect(text).toContain(`<Owner><ID>${main.account.canonicalId}</ID><DisplayName>main</DisplayName></Owner>`);
      }
    }
  });

  it('a change of it is heard by the next request', async () => {
    await putPolicy(allow('*'));
    expect(await mayRead('nobody')).toEqual([200]);
    await putPolicy(allow('*'), deny('*', 's3:GetObject', { Resource: `${BUCKET}/k*` }));
    expect(await mayRead('nobody', main)).toEqual([403, 403]);
    await send('DELETE', '/bucket?policy');
    expect(await mayRead('nobody', main)).toEqual([403, 200]);
  });

  it('keys of one request are judged one by one', async () => {
    await putPolicy(allow('*', 's3:DeleteObject', { Resource: `${BUCKET}/open/*` }));
    const body = '<Delete><Object><Key>open/a</Key></Object><Object><Key>key</Key></Object></Delete>';
    for (const as of ['nobody', bob, powerless] as const) {
      const { status, text } = await send('POST', '/bucket?delete', { as, body });
      expect(status).toBe(200);
      expect(text).toContain('<Deleted><Key>open/a</Key></Deleted>');
      expect(text).toContain('<Error><Key>key</Key><Code>AccessDenied</Code>');
    }
  });

  it('XE5: whose policy is dear to hold against many keys refuses them all once a request has taken what it may', async () => {
    const dear = deny('*', 's3:DeleteObject', { Resource: Array(600).fill(`${BUCKET}/*n?z*`) });
    expect((await putPolicy(dear)).status).toBe(204);
    const keys = Array.from({ length: 999 }, (_, index) => `<Object><Key>key${index}${'n'.repeat(900)}</Key></Object>`);
    const body = `<Delete><Object><Key>key</Key></Object>${keys.join('')}</Delete>`;
    const md5 = createHash('md5').update(body).digest('base64');
    const begun = process.cpuUsage();
    const { status, code } = await send('POST', '/bucket?delete', { body, headers: { 'content-md5': md5 } });
    const { user } = process.cpuUsage(begun);
    expect({ status, code }).toEqual({ status: 403, code: 'AccessDenied' });
    expect(user / 1_000).toBeLessThan(2_000);
    expect(await statusOf('GET', '/bucket/key')).toBe(200);
    expect(await statusOf('DELETE', '/bucket/key')).toBe(204);
  });

  it('public access is blocked where the bucket says so', async () => {
    const block = (name: string) =>
      send('PUT', '/bucket?publicAccessBlock', {
        body: `<PublicAccessBlockConfiguration><${name}>true</${name}></PublicAccessBlockConfiguration>`,
      });
    await putPolicy(allow('*'));
    expect((await block('RestrictPublicBuckets')).status).toBe(200);
    expect(await mayRead('nobody', other, powerless)).toEqual([403, 403, 200]);
    expect((await block('BlockPublicPolicy')).status).toBe(200);
    expect(await mayRead('nobody')).toEqual([200]);
    expect(await putPolicy(allow('*'))).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect((await putPolicy(allow({ AWS: foreign }))).status).toBe(204);
    expect((await send('GET', '/bucket?publicAccessBlock')).text).toContain(
      '<BlockPublicAcls>false</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>' +
        '<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets>',
    );
    expect(await statusOf('DELETE', '/bucket?publicAccessBlock')).toBe(204);
    expect((await send('GET', '/bucket?publicAccessBlock')).code).toBe('NoSuchPublicAccessBlockConfiguration');
  });
});

describe('conditions', () => {
  const TAGGED = '<Tagging><TagSet><Tag><Key>security</Key><Value>public</Value></Tag></TagSet></Tagging>';
  const isPublic = { StringEquals: { 's3:ExistingObjectTag/security': 'public' } };

  it('seed-3.19: tags that a condition names are read before the refusal, and never a byte', async () => {
    await send('PUT', '/bucket/tagged', { body: 'tagged' });
    expect(await statusOf('PUT', '/bucket/tagged?tagging', { body: TAGGED })).toBe(200);
    const byTag = identity.addUser(own, 'by-tag', { ...everything, Action: 's3:GetObject', Condition: isPublic });
    await putPolicy(allow({ AWS: '*' }, 's3:GetObject', { Condition: isPublic }));
    for (const as of [byTag, 'nobody', bob] as const) {
      expect(await send('GET', '/bucket/tagged', { as })).toMatchObject({ status: 200, text: 'tagged' });
      expect(await statusOf('GET', '/bucket/key', { as })).toBe(403);
      const reads = ['metadata.findBucket', 'metadata.findObject'];
      expect(ports.backendCalls.filter((name) => !reads.includes(name))).toEqual([]);
    }
    await putPolicy(deny('*', 's3:GetObject', { Condition: isPublic }));
    expect(await statusOf('GET', '/bucket/tagged')).toBe(403);
    expect(await statusOf('GET', '/bucket/key')).toBe(200);
  });

  it('XC1: a missing key is 404 only to those who may list it', async () => {
    const Condition = { StringLike: { 's3:prefix': 'public/*' } };
    await putPolicy(allow({ AWS: '*' }, 's3:ListBucket', { Condition }), allow('*'));
    expect(await statusOf('HEAD', '/bucket/public/none', { as: bob })).toBe(404);
    expect(await statusOf('HEAD', '/bucket/private/none', { as: bob })).toBe(403);
    expect(await statusOf('GET', '/bucket?prefix=public/', { as: 'nobody' })).toBe(200);
    expect(await statusOf('GET', '/bucket?prefix=private/', { as: 'nobody' })).toBe(403);
    expect(await statusOf('GET', '/bucket', { as: 'nobody' })).toBe(403);
  });

  it('XC1: who may list a key but not read it learns that it is missing, and nothing of one that is there', async () => {
    const Condition = { StringLike: { 's3:prefix': ['public/*', 'key'] } };
    const lister = identity.addUser(own, 'lister', { ...everything, Action: 's3:ListBucket', Condition });
    await putPolicy(allow({ AWS: '*' }, 's3:ListBucket', { Condition }));
    for (const as of [lister, bob, 'nobody'] as const) {
      expect(await send('GET', '/bucket/public/none', { as })).toMatchObject({ status: 404, code: 'NoSuchKey' });
      expect(await statusOf('HEAD', '/bucket/public/none', { as })).toBe(404);
      expect(await statusOf('GET', '/bucket/private/none', { as })).toBe(403);
      expect(await send('GET', '/bucket/key', { as })).toMatchObject({ status: 403, code: 'AccessDenied' });
      expect(ports.backendCalls).not.toContain('data.read');
      expect(await statusOf('GET', `/bucket/public/none?versionId=${'0'.repeat(32)}`, { as })).toBe(403);
      const headers = { 'x-amz-expected-bucket-owner': foreign };
      expect(await statusOf('GET', '/bucket/public/none', { as, headers })).toBe(403);
    }
    await putPolicy(allow({ AWS: '*' }, 's3:ListBucket', { Condition }), deny('*', 's3:GetObject'));
    for (const as of [lister, bob, main] as const)
      expect(await statusOf('GET', '/bucket/public/none', { as })).toBe(403);
  });

  it('XC8: a header or a parameter that is named like a key is none', async () => {
    const lies = {
      'aws:username': 'root',
      's3:prefix': 'public/',
      'aws:sourceip': '10.0.0.1',
      'x-forwarded-for': '10.0.0.1',
    };
    const headers = Object.fromEntries(Object.entries(lies).map(([name, value]) => [name.replace(':', '-'), value]));
    await putPolicy(
      allow('*', 's3:GetObject', { Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }),
      allow('*', 's3:GetObject', { Condition: { StringLike: { 's3:prefix': 'public/*' } } }),
      allow('*', 's3:GetObject', { Condition: { StringEquals: { 'aws:username': 'root' } } }),
    );
    const query = new URLSearchParams({ ...lies, prefix: 'public/' });
    expect(await statusOf('GET', `/bucket/key?${query}`, { as: 'nobody', headers })).toBe(403);
    await putPolicy(allow('*', 's3:GetObject', { Condition: { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } } }));
    expect(await statusOf('GET', '/bucket/key', { as: 'nobody', headers })).toBe(200);
  });

  it.each([
    ['aws:UserAgent', { StringLike: { 'aws:UserAgent': 'told*' } }, { 'user-agent': 'told/1' }],
    ['aws:Referer', { StringEquals: { 'aws:Referer': 'http://a/' } }, { referer: 'http://a/' }],
    ['s3:x-amz-acl', { StringEquals: { 's3:x-amz-acl': 'private' } }, { 'x-amz-acl': 'private' }],
    [
      's3:x-amz-storage-class',
      { StringEquals: { 's3:x-amz-storage-class': 'STANDARD' } },
      { 'x-amz-storage-class': 'STANDARD' },
    ],
    ['s3:if-none-match', { Null: { 's3:if-none-match': false } }, { 'if-none-match': '"x"' }],
    [
      's3:RequestObjectTag',
      {
        StringEquals: { 's3:RequestObjectTag/a': 'b' },
        'ForAllValues:StringEquals': { 's3:RequestObjectTagKeys': ['a'] },
      },
      { 'x-amz-tagging': 'a=b' },
    ],
  ])('%s is what the request says', async (_name, Condition, headers: Record<string, string>) => {
    await putPolicy(allow('*', ['s3:PutObject', 's3:PutObjectTagging'], { Condition }));
    expect(await statusOf('PUT', '/bucket/other', { as: 'nobody', body: 'x' })).toBe(403);
    expect(ports.backendCalls.some((name) => name.startsWith('data.'))).toBe(false);
    expect(await statusOf('PUT', '/bucket/other', { as: 'nobody', body: 'x', headers })).toBe(200);
  });

  it('the time, the transport and the principal are conditions too', async () => {
    const Condition = {
      DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
      NumericGreaterThan: { 'aws:EpochTime': 1_700_000_000 },
      Bool: { 'aws:SecureTransport': false },
      StringEquals: { 'aws:PrincipalAccount': foreign, 'aws:username': 'bob', 'aws:PrincipalType': 'User' },
      ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/b?b' },
    };
    await putPolicy(allow('*', 's3:GetObject', { Condition }));
    expect(await mayRead(bob, other, 'nobody', powerless)).toEqual([200, 403, 403, 403]);
  });
});

describe('explanation', () => {
  it('each decision names the statement that made it, or that there was none', async () => {
    const explained = async (...request: Parameters<typeof send>) => {
      const { requestId } = await send(...request);
      const found = listener.decisions.find(requestId);
      expect(JSON.stringify(found)).not.toContain(main.accessKeyId);
      return [found?.allowed, found?.checks[0]?.layer, found?.checks[0]?.statement, found?.checks[0]?.sid];
    };
    await putPolicy(
      allow('*', 's3:GetObject', { Sid: 'Open' }),
      deny('*', 's3:GetObject', { Sid: 'Closed', Resource: `${BUCKET}/closed` }),
    );
    expect(await explained('GET', '/bucket/key')).toEqual([true, 'root', undefined, undefined]);
    expect(await explained('GET', '/bucket/key', { as: 'nobody' })).toEqual([true, 'resource', 0, 'Open']);
    expect(await explained('GET', '/bucket/closed')).toEqual([false, 'resource', 1, 'Closed']);
    expect(await explained('PUT', '/bucket/key', { as: powerless, body: 'x' })).toEqual([
      false,
      'none',
      undefined,
      undefined,
    ]);
    await send('DELETE', '/bucket?policy');
    expect(await explained('GET', '/bucket/key', { as: bob })).toEqual([false, 'none', undefined, undefined]);
    const body = '<Delete><Object><Key>other</Key></Object></Delete>';
    expect(await explained('POST', '/bucket?delete', { as: main, body })).toEqual([true, 'root', undefined, undefined]);
  });

  it('the oldest is forgotten first', async () => {
    const { requestId } = await send('GET', '/bucket/key');
    const small = new DecisionLog(2);
    const { access } = NOBODY;
    for (const id of ['A', 'B', requestId]) small.record(id, access);
    expect([small.find('A'), small.find('B')?.requestId, small.find(requestId)?.checks]).toEqual([undefined, 'B', []]);
  });
});

describe('ownership controls', () => {
  it('are kept as they were set', async () => {
    const put = (rule: string) =>
      statusOf('PUT', '/bucket?ownershipControls', { body: `<OwnershipControls>${rule}</OwnershipControls>` });
    const rule = '<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>';
    expect((await send('GET', '/bucket?ownershipControls')).code).toBe('OwnershipControlsNotFoundError');
    expect([await put(rule), await put(''), await put(rule + rule), await put(rule.replace('Writer', ''))]).toEqual([
      200, 400, 400, 400,
    ]);
    expect((await send('GET', '/bucket?ownershipControls')).text).toContain(rule);
    expect(await statusOf('DELETE', '/bucket?ownershipControls')).toBe(204);
  });
});
