import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const program = fileURLToPath(new URL('../dist/prepare.js', import.meta.url));
const run = promisify(execFile);

describe('what the containers of a cluster find at their start', () => {
  let folder: string;
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'holdfast-prepare-'))));
  afterEach(() => rm(folder, { recursive: true }));

  const prepare = (env: Record<string, string> = {}) =>
    run(process.execPath, [program, '--run', join(folder, 'run'), '--nodes', join(folder, 'nodes')], {
      env: { PATH: process.env['PATH'], HOLDFAST_DEVICE_BYTES: String(64 * 1024 * 1024), ...env },
    });
  const read = (name: string) => readFile(join(folder, 'run', name), 'utf8');
  async function everything(): Promise<Record<string, string>> {
    const files = await readdir(join(folder, 'run'), { recursive: true, withFileTypes: true });
    const paths = files.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
    for (const path of paths) expect((await stat(path)).mode & 0o777).toBe(0o600);
    return Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await readFile(path, 'utf8')])));
  }

  it('is drawn once and kept: secrets, ids and twelve devices', async () => {
    await prepare();
    const first = await everything();
    expect((await read('cluster/cluster-secret')).trim()).toMatch(/^[0-9a-f]{64}$/);
    const password = (await read('database/password')).trim();
    expect(await read('database/url')).toBe(`postgres://holdfast:${password}@postgres:5432/holdfast\n`);
    const devices = await readdir(join(folder, 'nodes'), { recursive: true });
    expect(devices.filter((name) => name.endsWith('.device')).length).toBe(12);
    await prepare();
    expect(await everything()).toEqual(first);
  });

  it('never makes a device again that was there and is missing, and lets no data node make one', async () => {
    await prepare();
    await rm(join(folder, 'nodes', 'data-node-2', 'left.device'));
    await prepare();
    expect(await readdir(join(folder, 'nodes', 'data-node-2'))).toEqual(['right.device']);
    expect(await read('cluster/data-node-2.devices.json')).not.toContain('createBytes');
  });

  it('takes root credentials that are given, also later, and says what is wrong with them', async () => {
    await prepare();
    const drawn = await read('root/password');
    await prepare({ HOLDFAST_ROOT_USER: 'operator', HOLDFAST_ROOT_PASSWORD: 'long enough' });
    expect([await read('root/user'), await read('root/password')]).toEqual(['operator\n', 'long enough\n']);
    await expect(prepare({ HOLDFAST_ROOT_USER: 'operator' })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('HOLDFAST_ROOT_PASSWORD'),
    });
    await prepare();
    expect(await read('root/password')).toBe(drawn);
  });
});
