import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createClient as generateClient } from '@hey-api/openapi-ts';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test, type TestingModule } from '@nestjs/testing';
import { backgroundCall, Identity, IdentityAdministration, TraceLog } from '@holdfast/contracts';
import { createAdminApp, openApiDocument, S3Listener } from '@holdfast/gateway';
import { IdentityModule } from '@holdfast/identity';
import { startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { InMemoryPorts } from '@holdfast/testkit';

/*
 * The admin REST by a client that is generated from its OpenAPI document and compiled, over IAM on Postgres: what is documented
 * is what is served.
 */
interface Answered {
  readonly data?: unknown;
  readonly error?: unknown;
  readonly response: Response;
}
type Operation = (options: Record<string, unknown>) => Promise<Answered>;
interface Answer {
  readonly status: number;
  /** Of the answer or the problem. */
  readonly body: Record<string, unknown>;
}
interface OpenApi {
  readonly paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
}

const ROOT = { accessKeyId: 'root-of-the-tests', secretAccessKey: 'secret-of-the-root' };
const ALLOW_ALL = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
const READ = { Version: '2012-10-17', Statement: [{ Sid: 'Read', Effect: 'Allow', Action: 's3:Get*', Resource: '*' }] };
const ports = new InMemoryPorts();
const documented = new Map<string, Set<string>>();
const called = new Set<string>();
let directory: string;
let postgres: LocalPostgres;
let module: TestingModule;
let admin: NestExpressApplication;
let operations: Record<string, Operation>;
let baseUrl: string;
let rootToken: string;
let tenant: { accountId: string; token: string; keys: typeof ROOT };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-admin-rest-'));
  for (const methods of Object.values((openApiDocument() as unknown as OpenApi).paths)) {
    for (const { operationId, responses } of Object.values(methods)) {
      documented.set(operationId, new Set(Object.keys(responses)));
    }
  }
  operations = await compiledClient(join(directory, 'client'));
  postgres = await startPostgres({ directory: join(directory, 'postgres') });
  const trace = new TraceLog('test');
  const options = { databaseUrl: postgres.url, clusterSecret: Buffer.alloc(32, 9), rootCredentials: ROOT, trace };
  module = await Test.createTestingModule({ imports: [IdentityModule.forRoot(options)] }).compile();
  const { metadata, data } = ports;
  const identity = module.get(Identity);
  const { metrics, decisions } = new S3Listener({ identity, metadata, data, trace });
  const administration = module.get(IdentityAdministration);
  admin = await createAdminApp({ identity, administration, metadata, trace, metrics, decisions });
  await admin.listen(0, '127.0.0.1');
  baseUrl = await admin.getUrl();
  rootToken = await tokenOf(ROOT);
  tenant = await newTenant();
}, 120_000);
afterAll(async () => {
  await admin.close();
  await module.close();
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

/** Generated, compiled strictly, and loaded. */
async function compiledClient(folder: string): Promise<Record<string, Operation>> {
  const input = join(folder, 'openapi.json');
  const source = join(folder, 'source');
  await mkdir(folder, { recursive: true });
  await writeFile(input, JSON.stringify(openApiDocument()));
  await generateClient({
    input,
    output: source,
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
    logs: { level: 'silent' },
  });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  const require = createRequire(import.meta.url);
  const typescript = require.resolve('typescript');
  await symlink(join(dirname(typescript), '..', '..'), join(folder, 'node_modules'));
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const compiler = join(dirname(typescript), 'tsc.js');
  const strict = ['--ignoreConfig', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
  const lib = ['--lib', 'es2023,dom,dom.iterable', '--outDir', join(folder, 'compiled')];
  await promisify(execFile)(
    process.execPath,
    [compiler, ...strict, ...lib, ...files.map((file) => join(source, file))],
    { cwd: folder },
  );
  return (await import(pathToFileURL(join(folder, 'compiled', 'sdk.gen.js')).href)) as Record<string, Operation>;
}

/** Every answer must be one that the document knows. */
async function call(id: string, options: Record<string, unknown> = {}, token = rootToken): Promise<Answer> {
  called.add(id);
  const { data, error, response } = await operations[id]({ baseUrl, auth: token, ...options });
  expect([id, ...(documented.get(id) ?? [])]).toContain(String(response.status));
  const problem = response.status >= 400;
  if (problem) expect(response.headers.get('content-type')).toContain('application/problem+json');
  return { status: response.status, body: (problem ? error : (data ?? {})) as Record<string, unknown> };
}

async function tokenOf(keys: typeof ROOT): Promise<string> {
  const { body } = await call('issueToken', { body: keys }, '');
  return body.access_token as string;
}
async function newTenant(): Promise<typeof tenant> {
  const name = `tenant-${randomBytes(4).toString('hex')}`;
  const { body } = await call('createAccount', { body: { name, email: `${name}@example.org` } });
  const accountId = body.accountId as string;
  const key = await call('createRootKey', { path: { accountId } });
  const { accessKeyId } = key.body.accessKey as { accessKeyId: string };
  const keys = { accessKeyId, secretAccessKey: key.body.secretAccessKey as string };
  return { accountId, keys, token: await tokenOf(keys) };
}
const asTenant = (id: string, path: Record<string, unknown> = {}, more: Record<string, unknown> = {}) =>
  call(id, { path: { accountId: tenant.accountId, ...path }, ...more }, tenant.token);

describe('the admin REST by its generated client', () => {
  it('administers users, keys, groups and policies of an account by its own root', async () => {
    const user = { userName: 'ada' };
    expect(await asTenant('createUser', {}, { body: { ...user, password: 'correct horse' } })).toMatchObject({
      status: 201,
      body: { ...user, accountId: tenant.accountId },
    });
    expect((await asTenant('createUser', {}, { body: user })).body.title).toBe('EntityAlreadyExists');
    const login = { account: tenant.accountId, user: 'ada', password: 'correct horse' };
    expect((await call('issueToken', { body: login }, '')).status).toBe(200);
    const wrong = await call('issueToken', { body: { ...login, password: 'wrong' } }, '');
    expect(wrong).toMatchObject({ status: 401, body: { title: 'InvalidCredentials' } });

    const policy = { policyName: 'read' };
    expect((await asTenant('putUserPolicy', { ...user, ...policy }, { body: READ })).status).toBe(204);
    expect((await asTenant('listUserPolicies', user)).body).toEqual({
      policies: [{ ...policy, document: JSON.stringify(READ) }],
    });
    expect((await asTenant('getUserPolicy', { ...user, ...policy })).body).toMatchObject(policy);
    const simulated = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k' };
    expect((await asTenant('simulateUser', user, { body: simulated })).body).toEqual({
      decision: 'allow',
      reason: { layer: 'identity', policyName: 'read', statement: 0, sid: 'Read' },
    });
    expect((await asTenant('deleteUserPolicy', { ...user, ...policy })).status).toBe(204);
    expect((await asTenant('deleteUserPolicy', { ...user, ...policy })).body.title).toBe('NoSuchEntity');
    expect((await asTenant('simulateUser', user, { body: simulated })).body).toMatchObject({ decision: 'no-allow' });

    const managed = { policyName: 'managed' };
    expect((await asTenant('createPolicy', {}, { body: { ...managed, document: READ } })).status).toBe(201);
    expect((await asTenant('createPolicyVersion', managed, { body: { document: ALLOW_ALL } })).body).toMatchObject({
      version: 2,
      isDefault: false,
    });
    expect((await asTenant('setDefaultPolicyVersion', managed, { body: { version: 2 } })).status).toBe(204);
    expect((await asTenant('deletePolicyVersion', { ...managed, version: 2 })).body.title).toBe('DeleteConflict');
    expect((await asTenant('deletePolicyVersion', { ...managed, version: 1 })).status).toBe(204);
    expect((await asTenant('getPolicyVersion', { ...managed, version: 2 })).status).toBe(200);
    expect(((await asTenant('listPolicyVersions', managed)).body.versions as unknown[]).length).toBe(1);
    expect((await asTenant('attachUserPolicy', { ...user, ...managed })).status).toBe(204);
    expect((await asTenant('getPolicy', managed)).body).toMatchObject({ attachments: 1, defaultVersion: 2 });
    expect((await asTenant('listAttachedUserPolicies', user)).body).toMatchObject({ policies: [managed] });
    expect((await asTenant('putUserBoundary', user, { body: managed })).status).toBe(204);
    expect((await asTenant('getUser', user)).body).toMatchObject({ boundary: 'managed' });
    expect((await asTenant('deletePolicy', managed)).body.title).toBe('DeleteConflict');
    expect((await asTenant('deleteUserBoundary', user)).status).toBe(204);
    expect((await asTenant('detachUserPolicy', { ...user, ...managed })).status).toBe(204);

    const group = { groupName: 'readers' };
    expect((await asTenant('createGroup', {}, { body: group })).status).toBe(201);
    expect((await asTenant('addGroupMember', { ...group, ...user })).status).toBe(204);
    expect((await asTenant('listGroupMembers', group)).body).toMatchObject({ users: [user] });
    expect((await asTenant('listGroupsOfUser', user)).body).toMatchObject({ groups: [group] });
    expect((await asTenant('putGroupPolicy', { ...group, policyName: 'p' }, { body: READ })).status).toBe(204);
    expect((await asTenant('getGroupPolicy', { ...group, policyName: 'p' })).status).toBe(200);
    expect(((await asTenant('listGroupPolicies', group)).body.policies as unknown[]).length).toBe(1);
    expect((await asTenant('attachGroupPolicy', { ...group, ...managed })).status).toBe(204);
    expect((await asTenant('listAttachedGroupPolicies', group)).body).toMatchObject({ policies: [managed] });
    expect((await asTenant('getGroup', group)).body).toMatchObject(group);
    expect((await asTenant('deleteGroup', group)).body.title).toBe('DeleteConflict');
    expect((await asTenant('detachGroupPolicy', { ...group, ...managed })).status).toBe(204);
    expect((await asTenant('deleteGroupPolicy', { ...group, policyName: 'p' })).status).toBe(204);
    expect((await asTenant('removeGroupMember', { ...group, ...user })).status).toBe(204);
    expect((await asTenant('listGroups')).body).toMatchObject({ groups: [group] });
    expect((await asTenant('deleteGroup', group)).status).toBe(204);
    expect((await asTenant('listPolicies')).body).toMatchObject({ policies: [managed] });
    expect((await asTenant('deletePolicy', managed)).status).toBe(204);

    const made = await asTenant('createUserKey', user);
    const { accessKeyId } = made.body.accessKey as { accessKeyId: string };
    const key = { ...user, accessKeyId };
    expect((await asTenant('createUserKey', user)).status).toBe(201);
    expect((await asTenant('createUserKey', user)).body.title).toBe('LimitExceeded');
    expect((await asTenant('setUserKeyStatus', key, { body: { status: 'inactive' } })).status).toBe(204);
    const keys = await asTenant('listUserKeys', user);
    expect(keys.body.accessKeys).toContainEqual(expect.objectContaining({ accessKeyId, status: 'inactive' }));
    expect(JSON.stringify(keys.body)).not.toContain(made.body.secretAccessKey);
    expect((await asTenant('deleteUserKey', key)).status).toBe(204);
    expect((await asTenant('deleteUserKey', key)).body.title).toBe('NoSuchEntity');
    expect((await asTenant('listUsers')).body).toMatchObject({ users: [user] });
    expect((await asTenant('deleteUser', user)).status).toBe(204);
    expect((await asTenant('getUser', user)).body.title).toBe('NoSuchEntity');
  });

  it('administers accounts and the store by the root of the store alone', async () => {
    const { accountId, token } = await newTenant();
    const path = { accountId };
    expect((await call('getAccount', { path })).body).toMatchObject(path);
    expect((await call('getAccount', { path }, token)).status).toBe(200);
    for (const id of ['createAccount', 'rotateTokenKey']) {
      const body = id === 'createAccount' ? { name: 'x', email: '' } : {};
      expect((await call(id, { body }, token)).body.title).toBe('AccessDenied');
    }
    for (const id of ['listAccounts', 'getStatus', 'getCluster', 'getMetrics'])
      expect((await call(id, {}, token)).body.title).toBe('AccessDenied');
    expect((await call('deleteAccount', { path }, token)).body.title).toBe('AccessDenied');
    expect((await call('getTrace', { path: { requestId: '0123456789ABCDEF' } }, token)).status).toBe(403);
    expect((await call('deleteAccount', { path })).body.title).toBe('DeleteConflict');
    const { body } = await call('listRootKeys', { path });
    const [{ accessKeyId }] = body.accessKeys as { accessKeyId: string }[];
    const key = { ...path, accessKeyId };
    expect((await call('setRootKeyStatus', { path: key, body: { status: 'inactive' } })).status).toBe(204);
    expect((await call('deleteRootKey', { path: key })).status).toBe(204);
    await ports.metadata.createBucket(backgroundCall(1000), { name: 'kept', accountId });
    expect((await call('deleteAccount', { path })).body.title).toBe('DeleteConflict');
    const { bucket } = await ports.metadata.findBucket(backgroundCall(1000), { name: 'kept' });
    await ports.metadata.deleteBucket(backgroundCall(1000), { bucketId: bucket?.bucketId ?? 0n });
    expect((await call('deleteAccount', { path })).status).toBe(204);
    expect((await call('getAccount', { path })).body.title).toBe('NoSuchEntity');
    expect((await call('getStatus')).body).toMatchObject({ repairsOwed: 0 });
    expect((await call('getCluster')).body).toMatchObject({ epoch: '1', sets: [] });
    expect((await call('getTrace', { path: { requestId: '0123456789ABCDEF' } })).body).toEqual({ events: [] });
    expect((await call('getDecision', { path: { requestId: '0123456789ABCDEF' } })).body.title).toBe('NoSuchEntity');
    expect((await call('getMetrics')).status).toBe(200);
    for (const id of ['live', 'ready', 'getKeySet', 'getOpenApi']) expect((await call(id, {}, '')).status).toBe(200);
    const before = rootToken;
    expect((await call('rotateTokenKey', { body: { endOthers: true } })).status).toBe(201);
    expect((await call('getStatus', {}, before)).body.title).toBe('InvalidToken');
    rootToken = await tokenOf(ROOT);
    tenant = { ...tenant, token: await tokenOf(tenant.keys) };
  });

  it('shows buckets and usage to their account, and not those of another', async () => {
    const { accountId } = tenant;
    const other = await newTenant();
    for (const name of ['photos', 'videos', 'zebra'])
      await ports.metadata.createBucket(backgroundCall(1000), { name, accountId });
    const first = await asTenant('listBuckets', {}, { query: { limit: 2 } });
    expect(first.body).toMatchObject({ buckets: [{ name: 'photos' }, { name: 'videos' }], next: 'videos' });
    const second = await asTenant('listBuckets', {}, { query: { limit: 2, after: first.body.next } });
    expect(second.body).toMatchObject({ buckets: [{ name: 'zebra', usage: { objects: 0, bytes: 0 } }] });
    expect(second.body).not.toHaveProperty('next');
    expect((await asTenant('getBucket', { bucketName: 'photos' })).body).toMatchObject({ name: 'photos', accountId });
    expect((await asTenant('getAccountUsage')).body).toEqual({ buckets: 3, objects: 0, bytes: 0 });
    const path = { accountId: other.accountId, bucketName: 'photos' };
    expect((await call('getBucket', { path }, other.token)).body.title).toBe('NoSuchBucket');
    expect((await call('getBucket', { path: { ...path, accountId } }, other.token)).body.title).toBe('AccessDenied');
    const nobody = { accountId: '999999999999' };
    for (const id of ['listBuckets', 'getAccountUsage']) {
      expect((await call(id, { path: { accountId } }, other.token)).body.title).toBe('AccessDenied');
      expect((await call(id, { path: nobody }, other.token)).body.title).toBe('AccessDenied');
      expect((await call(id, { path: nobody })).body.title).toBe('NoSuchEntity');
    }
  });

  it('gives pages of every list without a gap or a repetition', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `paged-${index}`);
    for (const userName of names) await asTenant('createUser', {}, { body: { userName } });
    const listed: string[] = [];
    let after: unknown;
    do {
      const { body } = await asTenant(
        'listUsers',
        {},
        { query: { limit: 2, ...(after === undefined ? {} : { after }) } },
      );
      listed.push(...(body.users as { userName: string }[]).map(({ userName }) => userName));
      after = body.next;
    } while (after !== undefined);
    expect(listed).toEqual(names);
    for (const limit of [0, 1001, 'x', -1]) {
      expect((await asTenant('listUsers', {}, { query: { limit } })).body.title).toBe('InvalidArgument');
    }
  });

  it('XC7: a user who may administer everything of its account touches nothing of another and no root', async () => {
    const deputy = { userName: 'deputy' };
    await asTenant('createUser', {}, { body: deputy });
    await asTenant('putUserPolicy', { ...deputy, policyName: 'all' }, { body: ALLOW_ALL });
    const made = await asTenant('createUserKey', deputy);
    const { accessKeyId } = made.body.accessKey as { accessKeyId: string };
    const token = await tokenOf({ accessKeyId, secretAccessKey: made.body.secretAccessKey as string });
    const own = { accountId: tenant.accountId };
    expect((await call('listUsers', { path: own }, token)).status).toBe(200);
    expect((await call('createRootKey', { path: own }, token)).body.title).toBe('AccessDenied');
    const rootKey = { ...own, ...deputy, accessKeyId: tenant.keys.accessKeyId };
    expect((await call('deleteUserKey', { path: rootKey }, token)).body.title).toBe('NoSuchEntity');
    const other = await newTenant();
    const foreign = { accountId: other.accountId };
    for (const [id, more] of Object.entries<Record<string, unknown>>({
      listUsers: {},
      createUser: { body: { userName: 'x' } },
      listBuckets: {},
      createRootKey: {},
    })) {
      expect((await call(id, { path: foreign, ...more }, token)).body.title).toBe('AccessDenied');
    }
    const path = { ...own, ...deputy };
    expect(
      (await call('simulateUser', { path: { ...path, ...foreign }, body: { action: 'a:b', resource: '*' } }, token))
        .status,
    ).toBe(403);
    const mixed = { ...own, groupName: 'mixed' };
    await call('createGroup', { path: own, body: { groupName: 'mixed' } }, token);
    await call('createUser', { path: foreign, body: { userName: 'stranger' } }, other.token);
    expect((await call('addGroupMember', { path: { ...mixed, userName: 'stranger' } }, token)).body.title).toBe(
      'NoSuchEntity',
    );
  });

  it('XC7: who may make names of one kind makes no other, and a deny of a name holds for one that is to be made', async () => {
    const maker = { userName: 'maker' };
    await asTenant('createUser', {}, { body: maker });
    const users = (pattern: string): string => `arn:aws:iam::${tenant.accountId}:user/${pattern}`;
    const statement = (Effect: string, pattern: string): object => ({
      Effect,
      Action: 'iam:CreateUser',
      Resource: users(pattern),
    });
    const document = {
      Version: '2012-10-17',
      Statement: [statement('Allow', 'dev-*'), statement('Deny', 'dev-admin*')],
    };
    await asTenant('putUserPolicy', { ...maker, policyName: 'p' }, { body: document });
    const made = await asTenant('createUserKey', maker);
    const { accessKeyId } = made.body.accessKey as { accessKeyId: string };
    const token = await tokenOf({ accessKeyId, secretAccessKey: made.body.secretAccessKey as string });
    const path = { accountId: tenant.accountId };
    for (const [userName, status] of Object.entries({ 'dev-1': 201, 'ops-1': 403, 'dev-admin-1': 403 })) {
      expect((await call('createUser', { path, body: { userName } }, token)).status).toBe(status);
    }
  });

  it('condition keys of a request hold on the admin port too', async () => {
    const user = { userName: 'at-home' };
    await asTenant('createUser', {}, { body: user });
    const made = await asTenant('createUserKey', user);
    const { accessKeyId } = made.body.accessKey as { accessKeyId: string };
    const keys = { accessKeyId, secretAccessKey: made.body.secretAccessKey as string };
    const from = (range: string): object => ({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'iam:ListUsers',
          Resource: '*',
          Condition: { IpAddress: { 'aws:SourceIp': range } },
        },
      ],
    });
    for (const [range, status] of [
      ['127.0.0.0/8', 200],
      ['192.0.2.0/24', 403],
    ] as const) {
      await asTenant('putUserPolicy', { ...user, policyName: 'p' }, { body: from(range) });
      const token = await tokenOf(keys);
      expect((await call('listUsers', { path: { accountId: tenant.accountId } }, token)).status).toBe(status);
    }
  });

  it('XC13: refuses unknown fields, wrong types and unknown parameters by name, and shows no value', async () => {
    const secret = 'a-value-that-is-secret';
    const bodies: [string, Record<string, unknown>, unknown, string][] = [
      ['createUser', {}, { userName: 'u', [`x${secret.length}`]: secret }, 'unknown'],
      ['createUser', {}, { userName: 7 }, 'body.userName'],
      ['createGroup', {}, { groupName: 'a/b' }, 'body.groupName'],
      ['createPolicy', {}, { policyName: 'p', document: secret }, 'body.document'],
      ['putUserBoundary', { userName: 'deputy' }, {}, 'body.policyName'],
      ['setDefaultPolicyVersion', { policyName: 'p' }, { version: 0 }, 'body.version'],
    ];
    for (const [id, path, body, place] of bodies) {
      const refused = await asTenant(id, path, { body });
      expect(refused).toMatchObject({ status: 400, body: { title: 'InvalidArgument' } });
      expect(refused.body.detail).toContain(place);
      expect(JSON.stringify(refused.body)).not.toContain(secret);
    }
    const context = { 'aws:SourceIp': ['192.0.2.1'], 'AWS:SourceIP': ['127.0.0.1'] };
    const simulation = { action: 's3:GetObject', resource: '*', context };
    const twice = await asTenant('simulateUser', { userName: 'deputy' }, { body: simulation });
    expect(twice).toMatchObject({ status: 400, body: { title: 'InvalidArgument' } });
    const unknown = await fetch(`${baseUrl}/admin/v1/accounts?verbose=1`, {
      headers: { authorization: `Bearer ${rootToken}` },
    });
    expect(unknown.status).toBe(400);
    const malformed = await asTenant(
      'putUserPolicy',
      { userName: 'deputy', policyName: 'p' },
      { body: { Statement: [] } },
    );
    expect(malformed).toMatchObject({ status: 400, body: { title: 'MalformedPolicy' } });
  });

  it('XC13: refuses a policy of which it would understand less than its author wrote', async () => {
    const deny = '"Effect":"Deny","Action":"s3:*","Resource":"*"';
    for (const statement of [
      `{${deny},"Effect":"Allow"}`,
      `{${deny},"__proto__":{}}`,
      `{${deny},"Condition":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    ]) {
      const document = `{"Version":"2012-10-17","Statement":${statement}}`;
      const base = `${baseUrl}/admin/v1/accounts/${tenant.accountId}`;
      for (const [method, url, body] of [
        ['POST', `${base}/policies`, `{"policyName":"less","document":${document}}`],
        ['PUT', `${base}/users/deputy/policies/less`, document],
        ['POST', `${baseUrl}/auth/token`, JSON.stringify(tenant.keys).replace('}', `,"sessionPolicy":${document}}`)],
      ]) {
        const headers = { authorization: `Bearer ${tenant.token}`, 'content-type': 'application/json' };
        expect([url, statement.slice(0, 80), (await fetch(url, { method, headers, body })).status]).toEqual([
          url,
          statement.slice(0, 80),
          400,
        ]);
      }
    }
  });

  it('XC13: no name is a step to another path, for the clients that shorten it', async () => {
    const user = { userName: 'kept' };
    await asTenant('createUser', {}, { body: user });
    for (const policyName of ['.', '..']) {
      expect((await asTenant('createPolicy', {}, { body: { policyName, document: READ } })).status).toBe(400);
      // What arrives is `DELETE …/users/kept/`.
      const path = { accountId: tenant.accountId, ...user, policyName };
      const { response } = await operations['deleteUserPolicy']({ baseUrl, auth: tenant.token, path });
      expect([policyName, response.status]).toEqual([policyName, 404]);
      expect((await asTenant('getUser', user)).status).toBe(200);
    }
  });

  it('answers a method that a path does not have with 405 and those that it has', async () => {
    for (const [method, path, allowed] of [
      ['PATCH', '/admin/v1/accounts', 'POST, GET, HEAD'],
      ['DELETE', '/auth/token', 'POST'],
      ['OPTIONS', `/admin/v1/accounts/${tenant.accountId}/users/x`, 'GET, HEAD, DELETE'],
      ['POST', '/openapi.json', 'GET, HEAD'],
    ]) {
      const answer = await fetch(`${baseUrl}${path}`, { method });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, allowed]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
  });

  it('was driven through every operation of the document', () => {
    expect([...called].sort()).toEqual([...documented.keys()].sort());
  });
});
