import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  backgroundCall,
  Identity,
  IdentityAdministration,
  SEED_FLOWS,
  TraceLog,
  type AccessCheck,
  type CallContext,
  type FlowName,
} from '@holdfast/contracts';
import { findFreePort, startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { ManualClock } from '@holdfast/stdx';
import { signedProof } from '@holdfast/testkit';
import pg from 'pg';
import { IdentityModule } from './identity.module.js';
import { IdentityService, type IdentityOptions } from './identity.service.js';

const ROOT = { accessKeyId: 'root-of-the-tests', secretAccessKey: 'secret-of-the-root' };
const GET: AccessCheck = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k' };
const ALLOW_ALL = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}';
const DENY_ALL = '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}';
const call = (flow?: FlowName): CallContext => ({ ...backgroundCall(20_000), flow });

let directory: string;
let postgres: LocalPostgres;
let port: number;
const opened: IdentityService[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-identity-'));
  port = await findFreePort();
  postgres = await startPostgres({ directory, port });
}, 120_000);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((service) => service.close()));
});
afterAll(async () => {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

async function open(options: Partial<IdentityOptions> = {}): Promise<IdentityService> {
  const service = await IdentityService.open({
    databaseUrl: postgres.url,
    clusterSecret: Buffer.alloc(32, 9),
    rootCredentials: ROOT,
    trace: new TraceLog('test'),
    ...options,
  });
  opened.push(service);
  return service;
}

async function onDatabase<T>(work: (client: pg.Client) => Promise<T>, databaseUrl = postgres.url): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

let users = 0;
async function newUser(service: IdentityService, password?: string) {
  const { caller } = await service.authorize(call(), { proof: signedProof(ROOT), checks: [] });
  const owner = { accountId: caller.accountId, userName: `user-${users++}` };
  const { administration } = service;
  await administration.createUser(call(), { ...owner, password });
  await administration.putInlinePolicy(call(), { ...holderOf(owner), policyName: 'p', document: ALLOW_ALL });
  const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), owner);
  return { owner, keys: { accessKeyId: accessKey.accessKeyId, secretAccessKey } };
}
const holderOf = ({ accountId, userName }: { accountId: string; userName: string }) => ({
  accountId,
  holder: 'user' as const,
  holderName: userName,
});
const decide = (service: Identity, keys: typeof ROOT) =>
  service.authorize(call(), { proof: signedProof(keys), checks: [GET] });
const tokenOf = async (service: Identity, keys: typeof ROOT): Promise<string> =>
  (await service.issueToken(call(), { kind: 'access-key', ...keys })).accessToken;
const bearer = (service: Identity, token: string) =>
  service.authorize(call(), { proof: { kind: 'bearer', token }, checks: [GET] });

describe('identity over Postgres', () => {
  it('instances that start together on an empty database agree on account and keys', async () => {
    await onDatabase((client) => client.query('CREATE DATABASE together'));
    const databaseUrl = postgres.url.replace(/\/[^/]*$/, '/together');
    const services = await Promise.all([1, 2, 3].map(() => open({ databaseUrl })));
    const answers = await Promise.all(services.map((service) => decide(service, ROOT)));
    expect(new Set(answers.map(({ caller }) => caller.accountId)).size).toBe(1);
    const jwks = await Promise.all(services.map((service) => service.jwks()));
    expect(new Set(jwks.map(({ json }) => json)).size).toBe(1);
    expect((JSON.parse(jwks[0].json) as { keys: unknown[] }).keys).toHaveLength(1);
    const token = await tokenOf(services[0], ROOT);
    expect((await bearer(services[1], token)).decisions).toEqual(['allow']);
  }, 30_000);

  it('seed-3.3: what one instance changes, another obeys within its principal lifetime of one second', async () => {
    const clock = new ManualClock();
    const writer = await open();
    const reader = await open({ clock });
    const { owner, keys } = await newUser(writer);
    expect((await decide(reader, keys)).decisions).toEqual(['allow']);

    await writer.administration.putInlinePolicy(call(), { ...holderOf(owner), policyName: 'q', document: DENY_ALL });
    expect((await decide(writer, keys)).decisions).toEqual(['explicit-deny']);
    clock.advance(1_000);
    expect((await decide(reader, keys)).decisions).toEqual(['explicit-deny']);

    await writer.administration.deleteInlinePolicy(call(), { ...holderOf(owner), policyName: 'q' });
    clock.advance(1_000);
    expect((await decide(reader, keys)).decisions).toEqual(['allow']);

    await writer.administration.setAccessKeyStatus(call(), {
      ...owner,
      accessKeyId: keys.accessKeyId,
      status: 'inactive',
    });
    clock.advance(1_000);
    await expect(decide(reader, keys)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });

    await writer.administration.setAccessKeyStatus(call(), {
      ...owner,
      accessKeyId: keys.accessKeyId,
      status: 'active',
    });
    clock.advance(1_000);
    expect((await decide(reader, keys)).decisions).toEqual(['allow']);
    await expect(open({ settings: { principalLifetimeMs: 1_001 } })).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it('seed-3.3: by the system clock a revoked key and its token stop on a second instance within two seconds', async () => {
    const [writer, reader] = [await open(), await open()];
    const { owner, keys } = await newUser(writer);
    const token = await tokenOf(writer, keys);
    expect((await decide(reader, keys)).decisions).toEqual(['allow']);
    expect((await bearer(reader, token)).decisions).toEqual(['allow']);
    await writer.administration.deleteAccessKey(call(), { ...owner, accessKeyId: keys.accessKeyId });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await expect(decide(reader, keys)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
    await expect(bearer(reader, token)).rejects.toMatchObject({ code: 'InvalidToken' });
  }, 15_000);

  it('seed-3.2: a token that has expired is refused with 401', async () => {
    const clock = new ManualClock();
    const service = await open({ clock, settings: { tokenLifetimeSeconds: 60 } });
    const issued = await service.issueToken(call(), { kind: 'access-key', ...ROOT });
    expect(issued.expiresInSeconds).toBe(60);
    clock.advance(59_000);
    expect((await bearer(service, issued.accessToken)).decisions).toEqual(['allow']);
    clock.advance(1_000);
    await expect(bearer(service, issued.accessToken)).rejects.toMatchObject({ code: 'ExpiredToken', status: 401 });
  });

  it('other root credentials at the next start take effect, also for tokens; account and users stay', async () => {
    const before = await open();
    const { keys } = await newUser(before);
    const { caller } = await decide(before, ROOT);
    const [rootToken, userToken] = [await tokenOf(before, ROOT), await tokenOf(before, keys)];
    const rotated = { accessKeyId: ROOT.accessKeyId, secretAccessKey: 'another root secret' };
    const after = await open({ rootCredentials: rotated });
    expect((await decide(after, rotated)).caller).toEqual(caller);
    await expect(decide(after, ROOT)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
    await expect(tokenOf(after, ROOT)).rejects.toMatchObject({ code: 'InvalidCredentials' });
    await expect(bearer(after, rootToken)).rejects.toMatchObject({ code: 'InvalidToken' });
    expect((await bearer(after, userToken)).decisions).toEqual(['allow']);
    expect((await decide(after, keys)).decisions).toEqual(['allow']);
  });

  it('XC15: no secret, password or private key lies in the database in the clear', async () => {
    const service = await open();
    const { keys, owner } = await newUser(service, 'a password of mine');
    const dump = await onDatabase(async (client) => {
      const tables = await client.query<{ name: string }>(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
      );
      let text = '';
      for (const { name } of tables.rows) {
        const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
        text += rows.map(({ row }) => `${row}\n`).join('');
      }
      return text;
    });
    expect(dump).toContain(keys.accessKeyId);
    expect(dump).toContain(owner.userName);
    for (const secret of [keys.secretAccessKey, ROOT.secretAccessKey, 'a password of mine']) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(dump).not.toContain(Buffer.from(secret).toString('base64url').slice(0, -2));
    }
    expect(dump).not.toMatch(/PRIVATE KEY|"d":/);
  });

  it('a secret moved to another row of the database opens nothing', async () => {
    const service = await open();
    const [mine, theirs] = [await newUser(service), await newUser(service)];
    await onDatabase((client) =>
      client.query(
        `UPDATE iam.access_keys SET sealed_secret = (SELECT sealed_secret FROM iam.access_keys WHERE access_key_id = $1)
         WHERE access_key_id = $2`,
        [mine.keys.accessKeyId, theirs.keys.accessKeyId],
      ),
    );
    const stolen = { accessKeyId: theirs.keys.accessKeyId, secretAccessKey: mine.keys.secretAccessKey };
    await expect(decide(service, stolen)).rejects.toMatchObject({ code: 'InternalError' });
  });

  it('a stored policy that is not understood allows its user nothing', async () => {
    const service = await open();
    const { keys, owner } = await newUser(service);
    const document = '{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Later":{}}}}';
    await onDatabase((client) =>
      client.query("INSERT INTO iam.user_policies SELECT user_id, 'newer', $2 FROM iam.users WHERE user_name = $1", [
        owner.userName,
        document,
      ]),
    );
    await expect(decide(service, keys)).rejects.toMatchObject({ code: 'InternalError' });
  });

  it('does not start with another cluster secret, nor with absent or short root credentials', async () => {
    await open();
    await expect(open({ clusterSecret: Buffer.alloc(32, 8) })).rejects.toThrow(/another cluster secret/);
    for (const rootCredentials of [
      { ...ROOT, accessKeyId: '' },
      { ...ROOT, secretAccessKey: '' },
      { ...ROOT, secretAccessKey: 'short' },
    ]) {
      await expect(open({ rootCredentials })).rejects.toMatchObject({ code: 'InvalidArgument' });
    }
  });

  it('XF10: guessing is refused after a few failures, the right secret with it, until the window ends', async () => {
    const clock = new ManualClock();
    const service = await open({ clock, settings: { loginFailuresMax: 3, loginWindowMs: 60_000 } });
    const { keys } = await newUser(service);
    const { keys: other } = await newUser(service);
    const wrong = { ...keys, secretAccessKey: 'wrong' };
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => tokenOf(service, wrong)));
    const codes = attempts.map((attempt) =>
      attempt.status === 'rejected' ? (attempt.reason as { code: string }).code : 'ok',
    );
    expect(codes.filter((code) => code === 'InvalidCredentials')).toHaveLength(3);
    expect(codes.filter((code) => code === 'SlowDown')).toHaveLength(17);
    await expect(tokenOf(service, keys)).rejects.toMatchObject({ code: 'SlowDown' });
    await expect(tokenOf(service, other)).resolves.toEqual(expect.any(String));
    clock.advance(60_000);
    await expect(tokenOf(service, keys)).resolves.toEqual(expect.any(String));
  });

  it('XF10: an account is counted once by its id and its name, and no flood of key ids wipes the count', async () => {
    const service = await open({ clock: new ManualClock(), settings: { loginFailuresMax: 3 } });
    const { owner } = await newUser(service, 'correct horse');
    const { accounts } = await service.describeAccounts(call(), { accountIds: [owner.accountId] });
    const { accountId } = owner;
    const { name } = accounts[0];
    const codeOf = (attempt: Promise<unknown>): Promise<string> =>
      attempt.then(
        () => 'ok',
        (error: { code: string }) => error.code,
      );
    const login = (account: string, user: string, password: string): Promise<string> =>
      codeOf(service.issueToken(call(), { kind: 'password', account, user, password }));
    const key = (accessKeyId: string): Promise<string> =>
      codeOf(tokenOf(service, { accessKeyId, secretAccessKey: 'wrong' }));

    // Whether the user exists or not: else the limit would tell.
    for (const user of [owner.userName, 'nobody']) {
      const tries = [await login(name, user, 'wrong 1'), await login(accountId, user, 'wrong 2')];
      tries.push(await login(name, user, 'wrong 3'), await login(accountId, user, 'wrong 4'));
      expect(tries).toEqual(['InvalidCredentials', 'InvalidCredentials', 'InvalidCredentials', 'SlowDown']);
    }
    for (let i = 0; i < 10_001; i++) await key(`/${i}`);
    expect(await key(`/0`)).toBe('InvalidCredentials');
    expect([await key(ROOT.accessKeyId), await key(ROOT.accessKeyId)]).not.toContain('SlowDown');
    expect([await key(ROOT.accessKeyId), await key(ROOT.accessKeyId)]).toContain('SlowDown');
    expect(await login(name, owner.userName, 'correct horse')).toBe('SlowDown');
    expect(await login(accountId, owner.userName, 'correct horse')).toBe('SlowDown');
  }, 60_000);

  it('XE5: dear policies: a request is refused for what it would take, on either way to ask', async () => {
    const service = await open();
    const { owner, keys } = await newUser(service);
    const Condition = {
      StringLike: { 'aws:UserAgent': Array.from({ length: 19 }, (_, i) => `*${'a?'.repeat(480)}b${i}*`) },
    };
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: { Effect: 'Deny', Action: '*', Resource: '*', Condition },
    });
    for (const policyName of ['1', '2', '3']) {
      await service.administration.putInlinePolicy(call(), { ...holderOf(owner), policyName, document });
    }
    const { caller } = await service.authorize(call(), { proof: signedProof(keys), checks: [] });
    const checks = Array.from({ length: 1_000 }, (_, i) => ({
      action: 's3:DeleteObject',
      resource: `arn:aws:s3:::b/${i}`,
    }));
    const context = { 'aws:useragent': ['a'.repeat(2048)] };
    const refused = { code: 'AccessDenied' };
    await expect(service.decide(call(), { caller, checks, context })).rejects.toMatchObject(refused);
    await expect(service.authorize(call(), { proof: signedProof(keys), checks: [GET], context })).rejects.toMatchObject(
      refused,
    );
    expect((await service.decide(call(), { caller, checks: [GET] })).decisions).toEqual(['allow']);
  });

  it('XF10: what can be no name is refused and not counted', async () => {
    const service = await open({ clock: new ManualClock(), settings: { loginFailuresMax: 1 } });
    for (let i = 0; i < 3; i++) {
      const wrong = { code: 'InvalidCredentials' };
      const password = { kind: 'password', account: 'a/b', user: 'c', password: 'wrong' } as const;
      await expect(tokenOf(service, { accessKeyId: 'a/b', secretAccessKey: 'x' })).rejects.toMatchObject(wrong);
      await expect(service.issueToken(call(), password)).rejects.toMatchObject(wrong);
      await expect(service.issueToken(call(), { ...password, account: 'a', user: 'b/c' })).rejects.toMatchObject(wrong);
    }
  });

  it.each(Object.keys(SEED_FLOWS) as FlowName[])(
    'emits step 4 of %s with its decision, and its refusal',
    async (flow) => {
      const trace = new TraceLog('iam-1');
      const service = await open({ trace });
      expect(SEED_FLOWS[flow][3]).toMatchObject({ step: 4, component: 'iam' });
      const allowed = call(flow);
      await service.authorize(allowed, {
        proof: signedProof(ROOT),
        checks: [GET, { ...GET, action: 's3:ListBucket' }],
      });
      expect(trace.find(allowed.requestId)).toEqual([
        expect.objectContaining({ flow, step: 4, process: 'iam-1', detail: 'allow s3:GetObject, allow s3:ListBucket' }),
      ]);
      const anonymous = call(flow);
      await service.authorize(anonymous, { proof: { kind: 'anonymous' }, checks: [GET] });
      expect(trace.find(anonymous.requestId)).toMatchObject([{ step: 4, detail: 'no-allow s3:GetObject' }]);
      const refused = call(flow);
      const proof = signedProof({ ...ROOT, accessKeyId: 'unknown' });
      await expect(service.authorize(refused, { proof, checks: [GET] })).rejects.toMatchObject({
        code: 'InvalidAccessKeyId',
      });
      expect(trace.find(refused.requestId)).toMatchObject([{ step: 4, detail: 'InvalidAccessKeyId' }]);
      await service.authorize(call(), { proof: signedProof(ROOT), checks: [GET] });
    },
  );

  it('is a Nest module that offers the port and closes with the application', async () => {
    const options = {
      databaseUrl: postgres.url,
      clusterSecret: Buffer.alloc(32, 9),
      rootCredentials: ROOT,
      trace: new TraceLog('nest'),
    };
    const module = await Test.createTestingModule({ imports: [IdentityModule.forRoot(options)] }).compile();
    const identity = module.get(Identity);
    expect((await decide(identity, ROOT)).decisions).toEqual(['allow']);
    await module.close();
    const administration = module.get(IdentityAdministration);
    await expect(administration.listAccounts(call(), { limit: 1 })).rejects.toMatchObject({
      code: 'ServiceUnavailable',
    });
  });

  it('P1: without Postgres there is no allow and no "unknown key", only ServiceUnavailable, and it recovers by itself', async () => {
    const clock = new ManualClock();
    const service = await open({ clock, settings: { databaseTimeoutMs: 1_000 } });
    const { keys, owner } = await newUser(service, 'a password of mine');
    const token = await tokenOf(service, keys);
    await decide(service, keys);
    await postgres.stop();
    clock.advance(1_000);
    const unavailable = { code: 'ServiceUnavailable', status: 503 };
    try {
      await expect(decide(service, keys)).rejects.toMatchObject(unavailable);
      await expect(decide(service, { ...keys, accessKeyId: 'HFAKNOSUCHKEYAAAAAAA' })).rejects.toMatchObject(
        unavailable,
      );
      await expect(bearer(service, token)).rejects.toMatchObject(unavailable);
      await expect(tokenOf(service, keys)).rejects.toMatchObject(unavailable);
      const login = {
        kind: 'password' as const,
        account: 'root',
        user: owner.userName,
        password: 'a password of mine',
      };
      await expect(service.issueToken(call(), login)).rejects.toMatchObject(unavailable);
      await expect(
        service.administration.listInlinePolicies(call(), { ...holderOf(owner), limit: 1 }),
      ).rejects.toMatchObject(unavailable);
      await expect(service.checkDatabase()).rejects.toMatchObject(unavailable);
      await expect(open({ settings: { databaseTimeoutMs: 1_000 } })).rejects.toMatchObject(unavailable);
    } finally {
      postgres = await startPostgres({ directory, port });
    }
    expect((await decide(service, keys)).decisions).toEqual(['allow']);
    expect((await bearer(service, token)).decisions).toEqual(['allow']);
    await service.checkDatabase();
  }, 60_000);

  it('P4: a database that hangs ends at the deadline of the call', async () => {
    const service = await open();
    const { keys } = await newUser(service);
    const holder = new pg.Client({ connectionString: postgres.url });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('LOCK TABLE iam.access_keys IN ACCESS EXCLUSIVE MODE');
      const hurried = { ...backgroundCall(100) };
      const waiting = service.authorize(hurried, { proof: signedProof(keys), checks: [GET] });
      await expect(waiting).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    } finally {
      await holder.end();
    }
    expect((await decide(service, keys)).decisions).toEqual(['allow']);
  }, 15_000);
});
