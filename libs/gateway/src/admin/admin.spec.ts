import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import supertest from 'supertest';
import { HoldfastError, type IdentityAdministration } from '@holdfast/contracts';
import { InMemoryPorts, RawConnection } from '@holdfast/testkit';
import { AccessJudgement } from '../pipeline/access-judgement.js';
import { DecisionLog } from '../pipeline/decision-log.js';
import { RequestMetrics } from '../pipeline/request-metrics.js';
import { createAdminApp } from './admin.module.js';

const ports = new InMemoryPorts();
const metrics = new RequestMetrics();
const decisions = new DecisionLog();
const store = ports.memoryIdentity.addAccount('store');
const tenant = ports.memoryIdentity.addAccount('tenant');
const storeRoot = ports.memoryIdentity.tokenOf(store.accessKeyId);
const tenantRoot = ports.memoryIdentity.tokenOf(tenant.accessKeyId);
const ofTenant = `/admin/v1/accounts/${tenant.account.accountId}`;
/** Knows nobody: what a request does to it is what it would have done. */
const administration = new Proxy({} as IdentityAdministration, {
  get: (_target, name) => async (call: { requestId: string }) => {
    ports.calls.push({ port: 'identity', name: String(name), requestId: call.requestId });
    throw new HoldfastError('NoSuchEntity');
  },
});
let ready = true;
let app: NestExpressApplication;
let http: ReturnType<typeof supertest>;

beforeAll(async () => {
  app = await createAdminApp({ ...ports, administration, metrics, decisions, isReady: async () => ready });
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

  it('XF4: refuses what is no JSON, is too large or is compressed', async () => {
    const post = (type: string, body: string) => http.post('/auth/token').set('Content-Type', type).send(body);
    expect((await post('application/json', '{')).status).toBe(400);
    expect((await post('text/plain', JSON.stringify({ accessKeyId, secretAccessKey }))).status).toBe(415);
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
  ['get', '/admin/v1/decisions/0123456789ABCDEF'],
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

  it('XC11: needs a token: 401', async () => {
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

  it('XC11: refuses a principal of another account: 403', async () => {
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
  it('XC13: refuse unknown fields and names that could be read as something else', async () => {
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

  it('shows why a request was allowed or refused', async () => {
    const caller = {
      ...{ kind: 'user' as const, accountId: '1', canonicalId: 'c', displayName: 'd', userName: 'u', userId: 'id' },
      arn: 'arn:aws:iam::1:user/u',
    };
    const check = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/tab\tand\nline' };
    const reason = { layer: 'identity', policyName: 'readers', statement: 2, sid: 'Closed' } as const;
    const access = new AccessJudgement(caller, {}, [check], [{ decision: 'explicit-deny', reason }], 1);
    decisions.record('0123456789ABCDEF', access);
    expect((await as(storeRoot, 'get', '/admin/v1/decisions/0123456789ABCDEF')).body).toEqual({
      requestId: '0123456789ABCDEF',
      principal: caller.arn,
      allowed: false,
      checks: [{ ...check, decision: 'explicit-deny', ...reason }],
    });
    expect((await as(storeRoot, 'get', '/admin/v1/decisions/FFFFFFFFFFFFFFFF')).status).toBe(404);
    expect((await as(storeRoot, 'get', '/admin/v1/decisions/nonsense')).status).toBe(400);
  });

  it('answers health without a token', async () => {
    expect((await http.get('/health/live')).status).toBe(200);
    expect((await http.get('/health/ready')).status).toBe(200);
    ready = false;
    expect((await http.get('/health/ready')).status).toBe(503);
    ready = true;
  });

  it.each(['/nothing', '/admin/v1/status/', '/ADMIN/v1/status', '/admin/v1/Status', '/openapi.json/more'])(
    'answers 404 as a problem for what is not there: %s',
    async (path) => {
      const { status, body, headers } = await as(storeRoot, 'get', path);
      expect({ status, title: body.title }).toEqual({ status: 404, title: 'NotFound' });
      expect(headers['content-type']).toContain('application/problem+json');
    },
  );

  it.each([
    [400, 'FOO / HTTP/1.1\r\n\r\n'],
    [400, 'GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    [431, `GET /health/live HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('answers %i as a problem to what is no request', async (status, bytes) => {
    const connection = await RawConnection.open((app.getHttpServer().address() as AddressInfo).port);
    connection.send(bytes);
    const answer = await connection.answer();
    expect(answer.status).toBe(status);
    expect(answer.head).toContain('Content-Type: application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({ type: 'about:blank', status });
    expect(await connection.closed()).toBe(true);
  });

  describe('XC13: a request with two readings is refused as on the S3 port, before anybody is asked', () => {
    const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`;
    it.each([
      ['two tokens', `Host: x\r\n${bearer(storeRoot)}${bearer('forged')}`],
      ['one token twice', `Host: x\r\n${bearer(storeRoot)}${bearer(storeRoot)}`],
      ['two hosts', `Host: x\r\nHost: y\r\n${bearer(storeRoot)}`],
      ['two types', `Host: x\r\nContent-Type: text/plain\r\nContent-Type: application/json\r\n${bearer(storeRoot)}`],
    ])('%s', async (_name, headers) => {
      const connection = await RawConnection.open((app.getHttpServer().address() as AddressInfo).port);
      connection.send(`GET /admin/v1/status HTTP/1.1\r\n${headers}\r\n`);
      const { status, body } = await connection.answer();
      expect({ status, title: JSON.parse(body).title }).toEqual({ status: 400, title: 'InvalidRequest' });
      expect(await connection.closed()).toBe(true);
      expect(ports.calls).toEqual([]);
    });

    it('more headers than are taken', async () => {
      const connection = await RawConnection.open((app.getHttpServer().address() as AddressInfo).port);
      connection.send(`GET /health/live HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(2_500)}\r\n`);
      const { status, body } = await connection.answer();
      expect({ status, title: JSON.parse(body).title }).toEqual({ status: 400, title: 'RequestHeaderSectionTooLarge' });
    });
  });

  it.each(['/auth/token', '/admin/v1/accounts'])(
    'XF4: a body that announces too much is refused by its head, before it comes: %s',
    async (path) => {
      const connection = await RawConnection.open((app.getHttpServer().address() as AddressInfo).port);
      const begunMs = performance.now();
      connection.send(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}`,
      );
      const { status, head, body } = await connection.answer();
      expect({ status, title: JSON.parse(body).title }).toEqual({ status: 413, title: 'BodyTooLarge' });
      expect(head).toContain('Content-Type: application/problem+json');
      expect(performance.now() - begunMs).toBeLessThan(1_500);
      expect(await connection.closed()).toBe(true);
    },
  );

  it('shows nothing of an entity that the document does not know', async () => {
    const { metadata } = ports;
    const leaking = new Proxy(metadata, {
      get: (target, name) =>
        name === 'status'
          ? async (...args: Parameters<typeof metadata.status>) => ({
              ...(await target.status(...args)),
              secret: 'hush',
            })
          : Reflect.get(target, name),
    });
    const leaky = await createAdminApp({ ...ports, metadata: leaking, administration, metrics, decisions });
    await leaky.listen(0, '127.0.0.1');
    const answer = await supertest(leaky.getHttpServer())
      .get('/admin/v1/status')
      .set('Authorization', `Bearer ${storeRoot}`);
    await leaky.close();
    expect({ status: answer.status, title: answer.body.title }).toEqual({ status: 500, title: 'InternalError' });
    expect(answer.text).not.toContain('hush');
  });
});
