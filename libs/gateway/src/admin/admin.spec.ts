import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import supertest from 'supertest';
import { InMemoryPorts } from '@holdfast/testkit';
import { RequestMetrics } from '../pipeline/request-metrics.js';
import { createAdminApp } from './admin.module.js';

const ports = new InMemoryPorts();
const metrics = new RequestMetrics();
const store = ports.memoryIdentity.addAccount('store');
const tenant = ports.memoryIdentity.addAccount('tenant');
const deputy = ports.memoryIdentity.addUser(tenant.account.accountId, 'deputy', {
  Effect: 'Allow',
  Action: 'iam:*',
  Resource: '*',
});
const storeRoot = ports.memoryIdentity.tokenOf(store.accessKeyId);
const tenantRoot = ports.memoryIdentity.tokenOf(tenant.accessKeyId);
const deputyToken = ports.memoryIdentity.tokenOf(deputy.accessKeyId);
const ofTenant = `/admin/v1/accounts/${tenant.account.accountId}`;
let ready = true;
let app: NestExpressApplication;
let http: ReturnType<typeof supertest>;

beforeAll(async () => {
  app = await createAdminApp({ ...ports, metrics, isReady: async () => ready });
  await app.listen(0, '127.0.0.1');
  http = supertest(app.getHttpServer());
});
afterAll(() => app.close());
beforeEach(() => ports.forgetCalls());

const as = (token: string, method: 'get' | 'post' | 'put' | 'delete', path: string) =>
  http[method](path).set('Authorization', `Bearer ${token}`);

describe('POST /auth/token', () => {
  const { accessKeyId, secretAccessKey } = store;

  it('answers a bearer token for an access key', async () => {
    const { status, body, headers } = await http.post('/auth/token').send({ accessKeyId, secretAccessKey });
    expect(status).toBe(200);
    expect(body).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600 });
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-powered-by']).toBeUndefined();
    expect((await as(body.access_token, 'get', '/admin/v1/status')).status).toBe(200);
  });

  it('answers a bearer token for a password', async () => {
    const user = { userName: 'ada', password: 'correct horse' };
    expect((await as(tenantRoot, 'post', `${ofTenant}/users`).send(user)).status).toBe(201);
    const right = { account: 'tenant', user: 'ada', password: 'correct horse' };
    expect((await http.post('/auth/token').send(right)).status).toBe(200);
    const wrong = await http.post('/auth/token').send({ ...right, password: 'wrong' });
    expect(wrong.status).toBe(401);
    expect(wrong.headers['content-type']).toContain('application/problem+json');
    expect(wrong.body).toMatchObject({ title: 'InvalidCredentials', status: 401 });
  });

  it.each([
    ['an unknown field', { accessKeyId, secretAccessKey, admin: true }],
    ['a missing field', { accessKeyId }],
    ['two ways at once', { accessKeyId, secretAccessKey, account: 'a', user: 'b', password: 'c' }],
    ['another type', { accessKeyId: 7, secretAccessKey }],
    ['an array', [accessKeyId, secretAccessKey]],
  ])('refuses %s', async (_name, body) => {
    const answer = await http.post('/auth/token').send(body);
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain(secretAccessKey);
    expect(ports.calls).toEqual([]);
  });

  it('refuses what is no JSON, is too large or is compressed', async () => {
    const post = (type: string, body: string) => http.post('/auth/token').set('Content-Type', type).send(body);
    expect((await post('application/json', '{')).status).toBe(400);
    expect((await post('text/plain', JSON.stringify({ accessKeyId, secretAccessKey }))).status).toBe(400);
    expect((await post('application/json', JSON.stringify({ accessKeyId: 'x'.repeat(200_000) }))).status).toBe(413);
    const compressed = http.post('/auth/token').set('Content-Type', 'application/json').set('Content-Encoding', 'gzip');
    expect((await compressed.send('{}')).status).toBe(415);
    expect(ports.calls).toEqual([]);
  });

  it('publishes the keys', async () => {
    expect((await http.get('/.well-known/jwks.json')).body).toEqual({ keys: [] });
  });
});

describe('what the identity port would not take', () => {
  it('a path longer than any name is refused before anybody judges it', async () => {
    const { status, body } = await as(tenantRoot, 'get', `/admin/v1/accounts/${'1'.repeat(5000)}/users`);
    expect({ status, title: body.title }).toEqual({ status: 400, title: 'InvalidArgument' });
    expect(ports.calls.map(({ name }) => name)).toEqual(['authorize']);
  });

  it('a policy longer than any is refused', async () => {
    const document = { Version: '2012-10-17', Statement: [{ Sid: 'x'.repeat(70_000) }] };
    const { status } = await as(tenantRoot, 'put', `${ofTenant}/users/ada/policies/long`).send(document);
    expect(status).toBe(400);
    expect(ports.calls.map(({ name }) => name)).not.toContain('putUserPolicy');
  });
});

const GUARDED: readonly (readonly ['get' | 'post' | 'put' | 'delete', string])[] = [
  ['get', '/metrics'],
  ['get', '/admin/v1/status'],
  ['get', '/admin/v1/trace/0123456789ABCDEF'],
  ['get', '/admin/v1/accounts'],
  ['post', '/admin/v1/accounts'],
  ['get', `${ofTenant}/users`],
  ['post', `${ofTenant}/users`],
  ['delete', `${ofTenant}/users/ada`],
  ['get', `${ofTenant}/keys`],
  ['post', `${ofTenant}/keys`],
  ['put', `${ofTenant}/keys/X`],
  ['delete', `${ofTenant}/keys/X`],
  ['get', `${ofTenant}/users/ada/keys`],
  ['post', `${ofTenant}/users/ada/keys`],
  ['put', `${ofTenant}/users/ada/keys/X`],
  ['delete', `${ofTenant}/users/ada/keys/X`],
  ['get', `${ofTenant}/users/ada/policies`],
  ['put', `${ofTenant}/users/ada/policies/p`],
  ['delete', `${ofTenant}/users/ada/policies/p`],
];

describe.each(GUARDED)('%s %s', (method, path) => {
  const changes = (): string[] =>
    ports.calls.map(({ name }) => name).filter((name) => !['authorize', 'decide'].includes(name));

  it('needs a token: 401', async () => {
    const { status, headers } = await http[method](path);
    expect(status).toBe(401);
    expect(headers['www-authenticate']).toBe('Bearer');
    expect(ports.calls).toEqual([]);
  });

  it('refuses a forged and an expired one: 401', async () => {
    expect((await as('forged', method, path)).status).toBe(401);
    expect((await as(ports.memoryIdentity.tokenOf(store.accessKeyId, 0), method, path)).status).toBe(401);
    expect(changes()).toEqual([]);
  });

  it('refuses a principal of another account: 403', async () => {
    const stranger = ports.memoryIdentity.tokenOf(
      ports.memoryIdentity.addAccount(`stranger ${method} ${path}`).accessKeyId,
    );
    const { status, body } = await as(stranger, method, path);
    expect(status).toBe(403);
    expect(body).toMatchObject({ title: 'AccessDenied' });
    expect(changes()).toEqual([]);
  });
});

describe('accounts', () => {
  it('are made by the root of the store alone', async () => {
    const account = { name: 'new', email: 'new@example.org' };
    expect((await as(tenantRoot, 'post', '/admin/v1/accounts').send(account)).status).toBe(403);
    const made = await as(storeRoot, 'post', '/admin/v1/accounts').send(account);
    expect(made.status).toBe(201);
    const listed = await as(storeRoot, 'get', '/admin/v1/accounts');
    expect(listed.body.accounts).toContainEqual(made.body);
    const key = await as(storeRoot, 'post', `/admin/v1/accounts/${made.body.accountId}/keys`);
    expect(key.status).toBe(201);
    expect(key.body.accessKey).toMatchObject({ accountId: made.body.accountId, userName: '' });
  });

  it('are administered by their own root: user, policy, key', async () => {
    expect((await as(tenantRoot, 'post', `${ofTenant}/users`).send({ userName: 'bob' })).status).toBe(201);
    const document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}';
    const policy = as(tenantRoot, 'put', `${ofTenant}/users/bob/policies/all`).set('Content-Type', 'application/json');
    expect((await policy.send(document)).status).toBe(204);
    const policies = await as(tenantRoot, 'get', `${ofTenant}/users/bob/policies`);
    expect(policies.body).toEqual({ policies: [{ policyName: 'all', document }] });
    const key = await as(tenantRoot, 'post', `${ofTenant}/users/bob/keys`);
    const { accessKeyId } = key.body.accessKey;
    const keyPath = `${ofTenant}/users/bob/keys/${accessKeyId}`;
    expect((await as(tenantRoot, 'put', keyPath).send({ status: 'inactive' })).status).toBe(204);
    const keys = await as(tenantRoot, 'get', `${ofTenant}/users/bob/keys`);
    expect(keys.body.accessKeys).toMatchObject([{ accessKeyId, status: 'inactive' }]);
    expect(JSON.stringify(keys.body)).not.toContain(key.body.secretAccessKey);
    expect((await as(tenantRoot, 'delete', keyPath)).status).toBe(204);
    expect((await as(tenantRoot, 'delete', keyPath)).status).toBe(404);
    expect((await as(tenantRoot, 'delete', `${ofTenant}/users/bob/policies/all`)).status).toBe(204);
    expect((await as(tenantRoot, 'delete', `${ofTenant}/users/bob`)).status).toBe(204);
    expect((await as(tenantRoot, 'delete', `${ofTenant}/users/bob`)).status).toBe(404);
  });

  it('do not let a user who may create keys become root', async () => {
    expect((await as(deputyToken, 'post', `${ofTenant}/users/deputy/keys`)).status).toBe(201);
    expect((await as(deputyToken, 'post', `${ofTenant}/keys`)).status).toBe(403);
    expect((await as(deputyToken, 'get', `${ofTenant}/keys`)).status).toBe(403);
  });

  it('do not let a key be touched through the path of another principal', async () => {
    const path = `${ofTenant}/users/deputy/keys/${tenant.accessKeyId}`;
    expect((await as(deputyToken, 'delete', path)).status).toBe(404);
    expect((await as(deputyToken, 'put', path).send({ status: 'inactive' })).status).toBe(404);
    expect(ports.calls.map(({ name }) => name)).not.toContain('deleteAccessKey');
  });

  it('refuse unknown fields and names that could be read as something else', async () => {
    const post = (body: object) => as(tenantRoot, 'post', `${ofTenant}/users`).send(body);
    expect((await post({ userName: 'eve', isRoot: true })).status).toBe(400);
    expect((await post({ userName: 'eve', accountId: store.account.accountId })).status).toBe(400);
    expect((await post({ userName: 'a/b' })).status).toBe(400);
    expect((await post({ userName: 'a:b' })).status).toBe(400);
    expect(ports.calls.map(({ name }) => name)).not.toContain('createUser');
  });
});

describe('the store', () => {
  it('tells its status and numbers to its own administrators', async () => {
    metrics.begin();
    metrics.end('GetObject', 200, 0, 4096, 2);
    const status = await as(storeRoot, 'get', '/admin/v1/status');
    expect(status.body).toMatchObject({ buckets: 0, objects: 0, bytes: 0, epoch: '1', repairsOwed: 0 });
    const numbers = await as(storeRoot, 'get', '/metrics');
    expect(numbers.text).toContain('holdfast_s3_requests_total{operation="GetObject",status="200"} 1\n');
    expect(numbers.text).toContain('holdfast_s3_sent_bytes_total{operation="GetObject"} 4096\n');
    expect((await as(tenantRoot, 'get', '/metrics')).status).toBe(403);
  });

  it('shows the steps of a request that this process did', async () => {
    const call = { requestId: '0123456789ABCDEF', deadline: {} as never, flow: 'object-creation' as const };
    ports.trace.step(call, 5, 'detail');
    const { body } = await as(storeRoot, 'get', `/admin/v1/trace/${call.requestId}`);
    expect(body.events).toMatchObject([{ step: 5, flow: 'object-creation', process: 'test' }]);
    expect((await as(storeRoot, 'get', '/admin/v1/trace/nonsense')).status).toBe(400);
  });

  it('answers health without a token', async () => {
    expect((await http.get('/health/live')).status).toBe(200);
    expect((await http.get('/health/ready')).status).toBe(200);
    ready = false;
    expect((await http.get('/health/ready')).status).toBe(503);
    ready = true;
  });

  it('answers 404 as a problem for what is not there', async () => {
    const { status, headers } = await http.get('/nothing');
    expect(status).toBe(404);
    expect(headers['content-type']).toContain('application/problem+json');
  });
});
