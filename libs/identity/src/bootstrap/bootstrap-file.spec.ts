import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@holdfast/service-host';
import { parseBootstrap, readBootstrapFile, refuseKey } from './bootstrap-file.js';

const SECRET = 'a+secret/with=signs';
const entry = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  access_key: 'AKIDOFMAIN',
  secret_key: SECRET,
  user_id: 'testx$987',
  display_name: 'testx$user of a tenant',
  email: 'tenant@example.com',
  tenant: 'testx',
  ...over,
});
const policy = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } };
const parse = (value: unknown) => parseBootstrap(JSON.stringify(value), '/etc/accounts.json');
function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('bootstrap file', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-bootstrap-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('gives accounts with the ids and names of the file, users with keys and policies', () => {
    const users = { reader: { access_key: 'READER', secret_key: SECRET, policies: { all: policy } }, idle: {} };
    expect(parse({ main: entry({ users }) }).accounts).toEqual([
      {
        name: 'main',
        canonicalId: 'testx$987',
        displayName: 'testx$user of a tenant',
        email: 'tenant@example.com',
        key: { accessKeyId: 'AKIDOFMAIN', secretAccessKey: SECRET },
        users: [
          {
            userName: 'reader',
            key: { accessKeyId: 'READER', secretAccessKey: SECRET },
            policies: [{ policyName: 'all', document: JSON.stringify(policy) }],
          },
          { userName: 'idle', policies: [] },
        ],
      },
    ]);
  });

  it.each<[string, unknown, string]>([
    ['an unknown field', { main: entry({ colour: SECRET }) }, 'main: unknown colour'],
    ['a missing field', { main: entry({ email: undefined }) }, 'main.email: expected'],
    ['a field of another type', { main: entry({ secret_key: 7 }) }, 'main.secret_key: expected'],
    ['a key with a blank', { main: entry({ access_key: 'two words' }) }, 'main.access_key: expected 3 to 128'],
    ['a short secret', { main: entry({ secret_key: 'short' }) }, 'main.secret_key: expected 8 to 256'],
    ['another tenant', { main: entry({ tenant: 'other' }) }, 'main.tenant: expected'],
    ['a name that is a step to another path', { '..': entry() }, '..: is no name'],
    ['a reserved name', { Root: entry() }, 'Root: root is the account of the root credentials'],
    ['a list', [entry()], 'the file: expected an object of accounts'],
    ['half a key', { main: entry({ users: { u: { access_key: 'ABC' } } }) }, 'main.users.u: give both'],
    [
      'a policy that is not one',
      { main: entry({ users: { u: { policies: { p: { Statement: { Effect: SECRET } } } } } }) },
      'main.users.u.policies.p.Statement.Effect: not a policy',
    ],
    [
      'one key twice',
      { a: entry(), b: entry({ user_id: 'testx$2', email: '' }) },
      'b.access_key: the same as a.access_key',
    ],
    ['one id twice', { a: entry(), b: entry({ access_key: 'OTHER' }) }, 'b.user_id: the same as a.user_id'],
  ])('refuses %s and names the file and the field, never a value', (_, value, expected) => {
    const message = refusalOf(() => parse(value));
    expect(message).toContain(`the bootstrap file /etc/accounts.json is not valid: ${expected}`);
    expect(message).not.toContain(SECRET);
  });

  it('tells where the JSON ends to be JSON, and nothing of what stands there', () => {
    const message = refusalOf(() => parseBootstrap(`{"main":\n  {"secret_key": "${SECRET}" "x"}}`, 'f.json'));
    expect(message).toContain('line 2, column');
    expect(message).not.toContain('secret');
  });

  it('names a file that cannot be read', async () => {
    const file = join(directory, 'absent.json');
    await expect(readBootstrapFile(file)).rejects.toThrow(`the bootstrap file ${file} cannot be read (ENOENT)`);
  });

  it('refuses the key of the root credentials', () => {
    const bootstrap = parse({ main: entry({ users: { u: { access_key: 'theroot', secret_key: SECRET } } }) });
    expect(() => refuseKey(bootstrap, 'theroot')).toThrow(
      'main.users.u.access_key: it is the key of the root credentials',
    );
    refuseKey(bootstrap, 'another');
  });
});
