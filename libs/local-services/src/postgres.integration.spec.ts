import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { findProgram } from './find-program.js';
import { startPostgres, type LocalPostgres } from './postgres.js';
import { isRunning, waitUntilGone } from './process-table.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const COMMITS_BEFORE_KILL = 300;
const TEST_TIMEOUT_MS = 60_000;

/** Run by a process of its own: eight connections that insert, and print each number after its commit. */
const STORM = `
  import pg from 'pg';
  import { startPostgres } from './dist/index.js';
  const { url, pid } = await startPostgres({ directory: process.env.STORM_FOLDER });
  console.log('pid ' + pid);
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  await pool.query('CREATE TABLE IF NOT EXISTS acked (n bigint PRIMARY KEY)');
  let next = Number((await pool.query('SELECT coalesce(max(n), 0) AS n FROM acked')).rows[0].n);
  for (let lane = 0; lane < 8; lane += 1) (async () => {
    for (;;) { const n = ++next; await pool.query('INSERT INTO acked VALUES ($1)', [n]); console.log('ack ' + n); }
  })();
`;

async function query<Row extends pg.QueryResultRow>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

describe('our own Postgres', () => {
  let root: string;
  let directory: string;
  const running: LocalPostgres[] = [];
  const children: ChildProcess[] = [];

  const start = async (port?: number): Promise<LocalPostgres> => {
    const postgres = await startPostgres({ directory, port });
    running.push(postgres);
    return postgres;
  };

  beforeAll(async () => {
    execFileSync(process.execPath, ['tools/build.mjs', 'libs/local-services'], { cwd: join(PROJECT, '..', '..') });
    // Mode 700: when root runs this, the server's user cannot pass it, as with data below a closed home.
    root = await mkdtemp(join(tmpdir(), 'holdfast-postgres-'));
    await chmod(root, 0o700);
    directory = join(root, 'deep', 'postgres');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const postgres of running.splice(0)) await postgres.stop();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it(
    'keeps its rows, its password and its port from one start to the next',
    async () => {
      const first = await start();
      await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await first.stop();
      await first.stop();
      expect(await first.exited).toEqual({ code: 0, signal: null, requested: true });

      const second = await start();
      expect(second.url).toBe(first.url);
      expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is durable, checksummed, UTF-8, and open to the holder of the password on its socket and the loopback address alone',
    async () => {
      const { url, pid, port } = await start();
      const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'listen_addresses'];
      const more = ['unix_socket_directories', 'server_encoding', 'password_encryption'];
      const wanted = [...names, ...more].map((name) => `current_setting('${name}') AS ${name}`);
      expect(await query(url, `SELECT ${wanted.join(', ')}`)).toEqual([
        {
          fsync: 'on',
          full_page_writes: 'on',
          synchronous_commit: 'on',
          data_checksums: 'on',
          listen_addresses: '127.0.0.1',
          unix_socket_directories: '.',
          server_encoding: 'UTF8',
          password_encryption: 'scram-sha-256',
        },
      ]);
      const rules = await query<{ auth_method: string }>(url, 'SELECT DISTINCT auth_method FROM pg_hba_file_rules');
      expect(rules).toEqual([{ auth_method: 'scram-sha-256' }]);
      const { hostname } = new URL(url);
      expect(decodeURIComponent(hostname)).toBe(join(directory, 'data'));
      expect((await stat(join(directory, 'data', `.s.PGSQL.${port}`))).mode & 0o777).toBe(0o600);
      for (const host of [hostname, '127.0.0.1']) {
        const holder = new URL(url);
        holder.hostname = host;
        expect(await query(holder.href, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        const stranger = new URL(holder);
        stranger.password = 'wrong';
        await expect(query(stranger.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      }
      expect((await stat(join(directory, 'password'))).mode & 0o777).toBe(0o600);
      expect(execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })).not.toContain(
        new URL(url).password,
      );
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'is reached on the loopback address where the path of a socket would be too long',
    async () => {
      const far = await startPostgres({ directory: join(root, 'far'.repeat(40), 'postgres') });
      running.push(far);
      expect(new URL(far.url).hostname).toBe('127.0.0.1');
      expect(await query(far.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'refuses a second start in the same folder, a taken port and a lost password with what to do',
    async () => {
      const { stop } = await start();
      await expect(startPostgres({ directory })).rejects.toMatchObject({
        code: 'InUse',
        message: expect.stringContaining(directory),
      });
      await stop();
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      await expect(start(port)).rejects.toMatchObject({
        code: 'PortTaken',
        message: expect.stringContaining(`127.0.0.1:${port}`),
      });
      server.close();
      const password = await readFile(join(directory, 'password'), 'utf8');
      await rm(join(directory, 'password'));
      await expect(start()).rejects.toMatchObject({ code: 'DamagedFile' });
      await writeFile(join(directory, 'password'), 'wrong\n', { mode: 0o600 });
      await expect(start()).rejects.toMatchObject({ message: expect.stringContaining('is not the one of this data') });
      await writeFile(join(directory, 'password'), password, { mode: 0o600 });
      const again = await start();
      expect(await query(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'says what Postgres said when it does not start',
    async () => {
      const { stop } = await start();
      await stop();
      const version = join(directory, 'data', 'PG_VERSION');
      const kept = await readFile(version, 'utf8');
      await writeFile(version, '9.6\n');
      await expect(start()).rejects.toMatchObject({
        code: 'StartFailed',
        message: expect.stringContaining('not compatible'),
      });
      await writeFile(version, kept);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'starts although the id of its dead server went to a stranger',
    async () => {
      const { stop } = await start();
      await stop();
      const { uid, gid } = await stat(join(directory, 'data'));
      const identity = process.getuid?.() === 0 ? { uid, gid } : {};
      const stranger = spawn('sleep', ['60'], { cwd: '/', ...identity });
      children.push(stranger);
      await once(stranger, 'spawn');
      const lines = [stranger.pid, join(directory, 'data'), 1, 5432, '', '127.0.0.1', '', 'ready', ''];
      await writeFile(join(directory, 'data', 'postmaster.pid'), lines.join('\n'));
      const again = await start();
      expect(await query(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(await isRunning(stranger.pid as number)).toBe(true);
    },
    TEST_TIMEOUT_MS,
  );

  async function killDuringStorm(environment: NodeJS.ProcessEnv): Promise<{ serverPid: number; acked: number[] }> {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', STORM], {
      cwd: PROJECT,
      env: { ...environment, STORM_FOLDER: directory },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const ended = once(child, 'close');
    const acked: number[] = [];
    let serverPid = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [what, value] = line.split(' ');
      if (what === 'pid') serverPid = Number(value);
      else if (acked.push(Number(value)) === COMMITS_BEFORE_KILL) child.kill('SIGKILL');
    });
    await ended;
    expect(acked.length).toBeGreaterThanOrEqual(COMMITS_BEFORE_KILL);
    return { serverPid, acked };
  }

  async function expectAllAcked(acked: readonly number[]): Promise<void> {
    const { url } = await start();
    const rows = await query<{ n: string }>(url, 'SELECT n FROM acked');
    const present = new Set(rows.map(({ n }) => Number(n)));
    expect(acked.filter((n) => !present.has(n))).toEqual([]);
  }

  it(
    'comes up by itself with every acknowledged row after its parent was killed in a storm of commits',
    async () => {
      const { serverPid, acked } = await killDuringStorm(process.env);
      if (findProgram('setpriv', process.env) !== undefined) expect(await waitUntilGone(serverPid, 20_000)).toBe(true);
      await expectAllAcked(acked);
      expect(await isRunning(serverPid)).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'does so too where the kernel does not end the server with its parent, and after the server itself was killed',
    async () => {
      const bin = join(root, 'bin');
      await mkdir(bin);
      for (const tool of ['id', 'ps']) {
        const found = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
        await symlink(found, join(bin, tool));
      }
      const { serverPid, acked } = await killDuringStorm({ ...process.env, PATH: [bin, PROJECT].join(delimiter) });
      expect(await isRunning(serverPid)).toBe(true);
      await expectAllAcked(acked);
      expect(await isRunning(serverPid)).toBe(false);

      const { pid, exited } = running[0];
      process.kill(pid, 'SIGKILL');
      expect(await exited).toMatchObject({ requested: false });
      expect(await waitUntilGone(pid, 5_000)).toBe(true);
      await expectAllAcked(acked);
    },
    TEST_TIMEOUT_MS,
  );
});
