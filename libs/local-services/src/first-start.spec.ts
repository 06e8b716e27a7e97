import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clusterSecret, rootCredentials } from './first-start.js';
import { parseStartOptions } from './start-options.js';
import { welcomeText } from './welcome.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'first-start-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('first start', () => {
  it('draws root credentials once, keeps them with mode 600, and finds them again', async () => {
    const first = await rootCredentials(directory, {});
    const second = await rootCredentials(directory, {});
    expect(first.drawn).toBe(true);
    expect(second).toMatchObject({
      drawn: false,
      accessKeyId: first.accessKeyId,
      secretAccessKey: first.secretAccessKey,
    });
    expect((await stat(join(directory, 'root-credentials.json'))).mode & 0o777).toBe(0o600);
    const other = await rootCredentials(await mkdtemp(join(directory, 'other-')), {});
    expect(other.secretAccessKey).not.toBe(first.secretAccessKey);
  });

  it('takes them from the environment, under the names of MinIO too, whole or not at all', async () => {
    expect(
      await rootCredentials(directory, { HOLDFAST_ROOT_USER: 'root', HOLDFAST_ROOT_PASSWORD: 'long-enough' }),
    ).toMatchObject({ accessKeyId: 'root', drawn: false });
    expect(
      await rootCredentials(directory, { MINIO_ROOT_USER: 'minio', MINIO_ROOT_PASSWORD: 'long-enough' }),
    ).toMatchObject({ accessKeyId: 'minio' });
    await expect(rootCredentials(directory, { HOLDFAST_ROOT_USER: 'root' })).rejects.toMatchObject({
      code: 'BadOption',
    });
    await expect(
      rootCredentials(directory, { HOLDFAST_ROOT_USER: 'root', HOLDFAST_ROOT_PASSWORD: 'short' }),
    ).rejects.toMatchObject({ code: 'BadOption' });
  });

  it('keeps one cluster secret and refuses a damaged one', async () => {
    const secret = await clusterSecret(directory);
    expect(await clusterSecret(directory)).toBe(secret);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(join(directory, 'cluster-secret'))).mode & 0o777).toBe(0o600);
    await writeFile(join(directory, 'cluster-secret'), 'half');
    await expect(clusterSecret(directory)).rejects.toMatchObject({ code: 'DamagedFile' });
  });

  it('shows a drawn secret and no other', () => {
    const credentials = { accessKeyId: 'AK', secretAccessKey: 'very-secret', drawn: true, source: 'file' };
    const base = { endpoint: 'http://127.0.0.1:9000', admin: 'http://127.0.0.1:9001', dataDirectory: directory };
    expect(welcomeText({ ...base, credentials })).toContain('very-secret');
    expect(welcomeText({ ...base, credentials: { ...credentials, drawn: false } })).not.toContain('very-secret');
  });
});

describe('start options', () => {
  const defaults = { command: 'npm start', dataDirectory: 'data' };
  it('reads every option and has defaults', () => {
    expect(parseStartOptions([], defaults)).toMatchObject({
      host: '127.0.0.1',
      port: 9000,
      adminPort: 9001,
      devices: [],
    });
    const given = parseStartOptions(
      [
        'status',
        '--data',
        '/d',
        '--port',
        '1',
        '--admin-port',
        '2',
        '--host',
        '0.0.0.0',
        '--device',
        '/a',
        '--device',
        '/b',
        '--apis',
        '3',
      ],
      { ...defaults, apis: 2 },
    );
    expect(given).toEqual({
      dataDirectory: '/d',
      host: '0.0.0.0',
      port: 1,
      adminPort: 2,
      devices: ['/a', '/b'],
      apis: 3,
      words: ['status'],
    });
  });

  it.each([
    [['--prot', '1']],
    [['--port', 'x']],
    [['--port', '70000']],
    [['--apis', '2']],
    [['--port', '5', '--admin-port', '5']],
  ])('refuses %j with the usage', (args) => {
    expect(() => parseStartOptions(args, defaults)).toThrow(/usage: npm start/);
  });
});
