/**
 * A Postgres of our own on 127.0.0.1, from the programs of the npm package, with its data in one folder:
 *   data/            the cluster, of the user that Postgres runs as (data.new while initdb works: a rename is the commit)
 *   password, port   kept for the next start; owner.json while a process runs it
 *
 * As root the server runs as another user (see postgres-user.ts), who may not be able to pass the parents of the folder
 * (data below a 0700 home). So the folder is entered as root, the privileges are dropped after that, and the server gets
 * `-D /proc/self/cwd`. That was tried with PostgreSQL 18 and holds for initdb, all backends, parallel workers and
 * crash recovery: each is forked in that folder and never leaves it, the kernel follows this link without looking at
 * the parents, and the shared memory key comes from the folder's inode, not from its name. `-D .` does not work:
 * Postgres makes it absolute by its name. The password reaches initdb the same way, as an open descriptor.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChildService, runToEnd, type ServiceExit, type SystemUser } from './child-service.js';
import { errorReason } from './error-facts.js';
import { LocalServiceError } from './local-service-error.js';
import { preparePostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import { choosePostgresUser } from './postgres-user.js';
import { readProcess, stopForeignProcess, type StopStep } from './process-table.js';
import {
  choosePort,
  claimFolder,
  folderError,
  makeFolder,
  portTakenError,
  syncFolder,
  writeDurably,
} from './service-folder.js';
import { checkExternalPostgres, ensureDatabase } from './sql/postgres-probe.js';

const USER_NAME = 'holdfast';
const DATABASE_NAME = 'holdfast';
const SELF_CWD = '/proc/self/cwd';
const PASSWORD_BYTES = 24;
/** What the kernel takes as the path of a socket, its final zero taken off. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103;
/** Recovery after a crash replays the log; minutes are normal on a slow disk. */
const READY_TIMEOUT_MS = 600_000;
const READY_POLL_MS = 15;
const ZOMBIE_WAIT_MS = 2_000;
const START_ATTEMPTS = 20;
const RETRY_PAUSE_MS = 500;

/** Fast shutdown (ends sessions, writes a checkpoint), then immediate (the next start recovers), then by force. */
const STOP_LADDER: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

/** Written once into postgresql.conf by initdb: an operator may change them there. */
const INITIAL_SETTINGS = {
  max_connections: '100',
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
};

/** On every command line: what the promises of the store rest on, and what keeps the server on this machine. */
const FIXED_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_permissions: '0600',
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  data_sync_retry: 'off',
  password_encryption: 'scram-sha-256',
  logging_collector: 'off',
  log_destination: 'stderr',
};

export interface StartPostgresOptions {
  /** Folder for the data, the password (mode 600) and the remembered port. Made when missing. */
  readonly directory: string;
  /** Port on 127.0.0.1. 0 or undefined: the one of the last start when it is free, else any free one. */
  readonly port?: number;
  /** Every line that Postgres and initdb write. */
  readonly onLog?: (line: string) => void;
}

export interface LocalPostgres {
  /**
   * postgres://user:password@host:port/holdfast, where host is the folder of its socket, percent-encoded, or 127.0.0.1 when
   * the path of a socket there would be too long. It listens on 127.0.0.1 in either case.
   */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends all sessions, writes a checkpoint and waits; bounded, may be called twice. */
  stop(): Promise<void>;
  /** Resolves (never rejects) when Postgres is gone. */
  readonly exited: Promise<ServiceExit>;
}

export interface ResolvePostgresOptions extends StartPostgresOptions {
  /** DATABASE_URL: a Postgres that others run. When given (not empty), nothing is started. */
  readonly databaseUrl?: string;
}

export interface ResolvedPostgres {
  readonly external: boolean;
  readonly url: string;
  /** Does nothing for an external one. */
  stop(): Promise<void>;
  /** Never resolves for an external one. */
  readonly exited: Promise<ServiceExit>;
}

/** The Postgres to use: the external one of `databaseUrl` (15 or newer), else our own. @throws LocalServiceError */
export async function resolvePostgres(options: ResolvePostgresOptions): Promise<ResolvedPostgres> {
  const { databaseUrl } = options;
  if (databaseUrl === undefined || databaseUrl === '') {
    const { url, exited, stop } = await startPostgres(options);
    return { external: false, url, exited, stop };
  }
  await checkExternalPostgres(databaseUrl);
  return { external: true, url: databaseUrl, stop: async () => undefined, exited: new Promise(() => undefined) };
}

/** What every step of one start needs. */
interface Site {
  readonly directory: string;
  readonly dataFolder: string;
  readonly user: SystemUser | undefined;
  readonly binaries: PostgresBinaries;
  readonly password: string;
  readonly onLog?: (line: string) => void;
}

/**
 * Starts a Postgres of our own in `directory`, with the database `holdfast`. One that a killed process left behind is
 * stopped first, so the one that runs is always a child of this process. @throws LocalServiceError
 */
export async function startPostgres(options: StartPostgresOptions): Promise<LocalPostgres> {
  const directory = resolve(options.directory);
  await makeFolder(directory);
  const release = await claimFolder(directory, 'Postgres');
  try {
    const dataFolder = join(directory, 'data');
    const user = await choosePostgresUser(dataFolder);
    const binaries = await preparePostgresBinaries(user);
    const password = await ensurePassword(directory, existsSync(dataFolder));
    const site: Site = { directory, dataFolder, user, binaries, password, onLog: options.onLog };
    if (!existsSync(dataFolder)) await initialise(site);
    await clearLeftBehind(dataFolder);
    const { server, port } = await startServer(site, options.port);
    const url = `postgres://${USER_NAME}:${password}@${hostOf(dataFolder, port)}:${port}/${DATABASE_NAME}`;
    await makeUsable(site, server, url, port);
    const exited = server.exited.then(async (exit) => {
      await release().catch(() => undefined);
      return exit;
    });
    const stop = async (): Promise<void> => {
      await server.stop(STOP_LADDER);
      await exited;
    };
    return { url, port, pid: server.pid, exited, stop };
  } catch (error) {
    await release();
    throw folderError(directory, error);
  }
}

async function ensurePassword(directory: string, hasData: boolean): Promise<string> {
  const path = join(directory, 'password');
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
  if (kept.trim() !== '') return kept.trim();
  if (hasData) {
    throw new LocalServiceError(
      'DamagedFile',
      `${path} is missing, but ${directory} holds a database. Put the file back (the password of the role ` +
        `${USER_NAME}), or move ${directory} away to begin with an empty database.`,
    );
  }
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  await writeDurably(path, `${password}\n`, 0o600);
  return password;
}

/** A socket of the file system costs both sides a third of what TCP does; its folder lets nobody in but the server's user. */
function hostOf(dataFolder: string, port: number): string {
  const pathBytes = Buffer.byteLength(join(dataFolder, `.s.PGSQL.${port}`));
  return pathBytes > SOCKET_PATH_BYTES_MAX ? '127.0.0.1' : encodeURIComponent(dataFolder);
}

/** The name by which the server reaches its data, with the data folder as its working directory. */
function pathForServer(site: Site, folder: string): string {
  return site.user !== undefined && existsSync(SELF_CWD) ? SELF_CWD : folder;
}

/** Nothing of our environment may steer the server: PGDATA, PGOPTIONS, LC_ALL and their like. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LANG: 'C', TZ: 'UTC' };
}

async function initialise(site: Site): Promise<void> {
  const fresh = `${site.dataFolder}.new`;
  const passwordFile = join(site.directory, 'password.new');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeDurably(passwordFile, `${site.password}\n`, 0o600);
  if (site.user !== undefined) {
    await chown(fresh, site.user.uid, site.user.gid);
    await chown(passwordFile, site.user.uid, site.user.gid);
    if (!existsSync(SELF_CWD)) await chmod(site.directory, 0o711);
  }
  const passwordHandle = await open(passwordFile, 'r');
  try {
    await runToEnd({
      name: 'initdb',
      file: site.binaries.initdb,
      args: initdbArguments(pathForServer(site, fresh)),
      cwd: fresh,
      env: serverEnvironment(),
      user: site.user,
      stdin: passwordHandle.fd,
      deathSignal: 'SIGTERM',
      onLog: site.onLog,
    });
  } finally {
    await passwordHandle.close();
    await rm(passwordFile, { force: true });
  }
  await rename(fresh, site.dataFolder);
  await syncFolder(site.directory);
}

function initdbArguments(dataPath: string): string[] {
  // The builtin provider sorts by code point whatever C library runs it: indices stay valid when the system changes.
  const locale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
  return [
    `--pgdata=${dataPath}`,
    `--username=${USER_NAME}`,
    '--pwfile=/dev/stdin',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    `--locale=${locale}`,
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    ...Object.entries(INITIAL_SETTINGS).map(([name, value]) => `--set=${name}=${value}`),
  ];
}

/**
 * Clears the way when an earlier server was not stopped by us. `postmaster.pid` names it; a live one is stopped, a
 * dead one needs nothing, and for a zombie or a stranger with the same process id (usual in containers, where ids
 * begin anew) the file goes, because Postgres would take either for a live server and refuse to start.
 */
async function clearLeftBehind(dataFolder: string): Promise<void> {
  const lockFile = join(dataFolder, 'postmaster.pid');
  const pid = Number((await readFile(lockFile, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  const facts = await readProcess(pid);
  if (facts === undefined) return;
  if (!facts.zombie && (await isServerOf(pid, facts.command, dataFolder))) {
    if (await stopForeignProcess(pid, STOP_LADDER.slice(0, 2))) return;
    throw new LocalServiceError(
      'InUse',
      `An earlier Postgres (process ${pid}) still runs in ${dataFolder} and does not stop. End it and start again.`,
    );
  }
  if (facts.zombie) await waitForReaping(pid);
  await rm(lockFile, { force: true });
}

async function waitForReaping(pid: number): Promise<void> {
  const giveUpAtMs = performance.now() + ZOMBIE_WAIT_MS;
  while (performance.now() < giveUpAtMs && (await readProcess(pid))?.zombie === true) await sleep(READY_POLL_MS);
}

async function isServerOf(pid: number, command: string, dataFolder: string): Promise<boolean> {
  if (!command.includes('postgres')) return false;
  const [working, data] = await Promise.all([stat(`/proc/${pid}/cwd`).catch(() => undefined), stat(dataFolder)]);
  if (working === undefined) return command.includes(dataFolder);
  return working.ino === data.ino && working.dev === data.dev;
}

async function startServer(site: Site, wantedPort?: number): Promise<{ server: ChildService; port: number }> {
  const portFile = join(site.directory, 'port');
  for (let attempt = 1; ; attempt += 1) {
    const { port, replaceable } = await choosePort(portFile, wantedPort, 'Postgres');
    const server = await spawnServer(site, port);
    if (await waitUntilReady(site, server)) {
      await writeDurably(portFile, `${port}\n`, 0o600);
      return { server, port };
    }
    const lines = server.lastLines();
    const lostPort = /could not bind|could not create any TCP\/IP sockets/.test(lines);
    if (lostPort && !replaceable) throw portTakenError(port, 'Postgres');
    // Backends of a server that was killed hard notice within moments that it is gone.
    const othersLeaving = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/.test(lines);
    if (attempt >= START_ATTEMPTS || !(lostPort || othersLeaving)) {
      throw new LocalServiceError('StartFailed', `Postgres in ${site.dataFolder} does not start. It said:\n${lines}`);
    }
    if (othersLeaving) await sleep(RETRY_PAUSE_MS);
  }
}

function spawnServer(site: Site, port: number): Promise<ChildService> {
  // By its own name for the folder: the whole path may be too long for a socket, or closed to the server's user.
  const settings = Object.entries({ ...FIXED_SETTINGS, unix_socket_directories: '.', port: String(port) });
  return ChildService.spawn({
    name: 'Postgres',
    file: site.binaries.postgres,
    args: [
      '-D',
      pathForServer(site, site.dataFolder),
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    cwd: site.dataFolder,
    env: serverEnvironment(),
    user: site.user,
    deathSignal: 'SIGINT',
    onLog: site.onLog,
  });
}

/** False when the server ended before it was ready. Line 8 of `postmaster.pid` is its state. */
async function waitUntilReady(site: Site, server: ChildService): Promise<boolean> {
  const lockFile = join(site.dataFolder, 'postmaster.pid');
  const giveUpAtMs = performance.now() + READY_TIMEOUT_MS;
  while (server.running) {
    const lines = (await readFile(lockFile, 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') return true;
    if (performance.now() > giveUpAtMs) {
      const said = server.lastLines();
      await server.stop(STOP_LADDER);
      throw new LocalServiceError(
        'StartFailed',
        `Postgres in ${site.dataFolder} is not ready after ${READY_TIMEOUT_MS / 1000} s. It said:\n${said}`,
      );
    }
    await sleep(READY_POLL_MS);
  }
  await server.exited;
  return false;
}

async function makeUsable(site: Site, server: ChildService, url: string, port: number): Promise<void> {
  try {
    await ensureDatabase(url);
  } catch (error) {
    await server.stop(STOP_LADDER);
    const reason = errorReason(error);
    const hint = reason.includes('password') ? ` ${join(site.directory, 'password')} is not the one of this data.` : '';
    throw new LocalServiceError(
      'StartFailed',
      `Postgres runs on 127.0.0.1:${port} but the database ${DATABASE_NAME} cannot be used: ${reason}.${hint}`,
      { cause: error },
    );
  }
}
