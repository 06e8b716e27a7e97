import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { backgroundCall, TraceLog, type CallContext } from '@holdfast/contracts';
import { findFreePort, startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { signedProof } from '@holdfast/testkit';
import { IdentityService } from '../identity.service.js';
import { parseBootstrap } from './bootstrap-file.js';

const ROOT = { accessKeyId: 'root-of-the-tests', secretAccessKey: 'secret-of-the-root' };
const MAIN = { accessKeyId: '0555b35654ad1656d804', secretAccessKey: 'h7GhxuBLTr/2EI4ngqJxD7iBdB3Q==' };
const READER = { accessKeyId: 'READERREADER', secretAccessKey: 'secret-of-the-reader' };
const call = (): CallContext => backgroundCall(20_000);

let directory: string;
let postgres: LocalPostgres;
const opened: IdentityService[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-bootstrap-'));
  postgres = await startPostgres({ directory, port: await findFreePort() });
}, 120_000);
afterEach(async () => {
  await Promise.all(opened.splice(0).map((service) => service.close()));
});
afterAll(async () => {
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

function accounts(over: Record<string, unknown> = {}): Record<string, unknown> {
  const policy = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' } };
  const reader = {
    access_key: READER.accessKeyId,
    secret_key: READER.secretAccessKey,
    policies: { read: policy },
  };
  return {
    main: {
      access_key: MAIN.accessKeyId,
      secret_key: MAIN.secretAccessKey,
      user_id: 'testx$9876',
      display_name: 'testx$tenanteduser',
      email: 'tester@example.com',
      users: { reader },
      ...over,
    },
  };
}

async function open(content: Record<string, unknown> | undefined): Promise<IdentityService> {
  const service = await IdentityService.open({
    databaseUrl: postgres.url,
    clusterSecret: Buffer.alloc(32, 9),
    rootCredentials: ROOT,
    trace: new TraceLog('test'),
    ...(content === undefined ? {} : { bootstrap: parseBootstrap(JSON.stringify(content), 'accounts.json') }),
  });
  opened.push(service);
  return service;
}
const callerOf = async (service: IdentityService, keys: typeof ROOT) =>
  (await service.authorize(call(), { proof: signedProof(keys), checks: [] })).caller;

describe('bootstrap over Postgres', () => {
  it('accounts of the file are there at every start with its ids, names and keys, and their users may what it says', async () => {
    await expect(callerOf(await open(undefined), MAIN)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
    const first = await open(accounts());
    const caller = await callerOf(first, MAIN);
    expect(caller).toMatchObject({ kind: 'root', canonicalId: 'testx$9876', displayName: 'testx$tenanteduser' });
    const checks = [
      { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k' },
      { action: 's3:PutObject', resource: 'arn:aws:s3:::b/k' },
    ];
    const reader = await first.authorize(call(), { proof: signedProof(READER), checks });
    expect(reader).toMatchObject({ decisions: ['allow', 'no-allow'], caller: { accountId: caller.accountId } });

    // A second start changes nothing; one with another secret and name brings them into force.
    const second = await open(accounts());
    expect(await callerOf(second, MAIN)).toEqual(caller);
    const renewed = await open(accounts({ secret_key: 'another-secret', display_name: 'renamed' }));
    const keys = { ...MAIN, secretAccessKey: 'another-secret' };
    expect(await callerOf(renewed, keys)).toEqual({ ...caller, displayName: 'renamed' });
    await expect(callerOf(renewed, MAIN)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
  }, 60_000);

  it('a key that was set inactive stays inactive at the next start', async () => {
    const first = await open(accounts());
    const { accountId } = await callerOf(first, READER);
    const key = { accountId, userName: 'reader', accessKeyId: READER.accessKeyId };
    await first.administration.setAccessKeyStatus(call(), { ...key, status: 'inactive' });
    await expect(callerOf(await open(accounts()), READER)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      'an id',
      { other: { ...(accounts() as never as { main: object }).main, access_key: 'FRESH', email: '' } },
      'other.user_id',
    ],
    [
      'a key',
      { other: { ...(accounts({ user_id: 'o', email: '', users: {} }) as never as { main: object }).main } },
      'other.access_key',
    ],
    [
      'an email',
      { other: { ...(accounts({ user_id: 'o', access_key: 'FRESH', users: {} }) as never as { main: object }).main } },
      'other.email',
    ],
    ['a name', accounts({ user_id: 'somebody-else', email: '' }), 'main'],
  ])(
    '%s of another account is refused by file and field, and nothing of the file is made',
    async (_, content, place) => {
      await open(accounts());
      const before = {
        aaa: {
          ...(accounts({ user_id: 'aaa', access_key: 'AAA', email: '', users: {} }) as never as { main: object }).main,
        },
      };
      await expect(open({ ...before, ...content })).rejects.toMatchObject({
        code: 'InvalidArgument',
        message: expect.stringContaining(`accounts.json does not fit this store: ${place}: `) as unknown,
      });
      const { accounts: known } = await opened[0].administration.listAccounts(call(), { limit: 100 });
      expect(known.map(({ name }) => name)).not.toContain('aaa');
    },
  );
});
