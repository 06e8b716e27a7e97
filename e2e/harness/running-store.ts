/** A standalone store or a cluster as a process of its own, started the way a person starts it, on a directory of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestedStore, type Members, type Plan, type ProcessRow } from './tested-store.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

const ROOT_USER = 'e2e-root-user';
const ROOT_PASSWORD = 'e2e-root-password';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class RunningStore extends TestedStore {
  readonly root = { accessKeyId: ROOT_USER, secretAccessKey: ROOT_PASSWORD };
  private child: ChildProcess | undefined;
  output = '';

  private constructor(
    readonly app: 'standalone' | 'cluster',
    readonly directory: string,
    readonly port: number,
    readonly adminPort: number,
    private readonly env: Readonly<Record<string, string>>,
    private readonly args: readonly string[],
  ) {
    super();
  }

  static async start(
    app: 'standalone' | 'cluster',
    options: { env?: Record<string, string>; args?: string[]; directory?: string } = {},
  ): Promise<RunningStore> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), `holdfast-e2e-${app}-`)));
    const store = new RunningStore(
      app,
      directory,
      await freePort(),
      await freePort(),
      options.env ?? {},
      options.args ?? [],
    );
    await store.launch();
    return store;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get admin(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** Starts it on its directory and waits until it says that it is ready. */
  async launch(): Promise<void> {
    const args = [
      join(repository, 'apps', this.app, 'dist', 'main.js'),
      '--data',
      this.directory,
      '--port',
      String(this.port),
      '--admin-port',
      String(this.adminPort),
      ...this.args,
    ];
    this.output = '';
    const child = spawn(process.execPath, args, {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        JAVA_HOME: process.env['JAVA_HOME'],
        HOLDFAST_ROOT_USER: ROOT_USER,
        HOLDFAST_ROOT_PASSWORD: ROOT_PASSWORD,
        HOLDFAST_DEVICE_BYTES: String(1536 * 1024 * 1024),
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      const note = (chunk: Buffer): void => {
        this.output += chunk.toString();
        if (this.output.includes('Holdfast is ready.')) resolve();
      };
      child.stdout.on('data', note);
      child.stderr.on('data', note);
      child.once('exit', (code, signal) =>
        reject(new Error(`${this.app} ended (${code ?? signal}) before it was ready:\n${this.output}`)),
      );
    });
  }

  /** Through the starter's own command line. */
  async control(...words: string[]): Promise<ProcessRow[]> {
    const { stdout } = await run(
      process.execPath,
      [join(repository, 'apps/cluster/dist/main.js'), ...words, '--data', this.directory],
      { env: { PATH: process.env['PATH'] } },
    );
    return stdout
      .split('\n')
      .slice(1)
      .map((line) => /^ {2}(\S+)\s+(not ready|\S+)\s+(\d+|-)/.exec(line))
      .filter((match) => match !== null)
      .map((match) => ({ name: match[1], state: match[2], pid: Number(match[3]) || 0 }));
  }

  async trace(requestId: string): Promise<string> {
    const { stdout } = await run(
      process.execPath,
      [join(repository, 'apps/cluster/dist/trace.js'), requestId, '--data', this.directory],
      { env: { PATH: process.env['PATH'] } },
    ).catch((error: { stdout: string }) => error);
    return stdout;
  }

  async members(): Promise<Members> {
    return {
      plan: JSON.parse(await readFile(join(this.directory, 'cluster.json'), 'utf8')) as Plan,
      clusterSecret: (await readFile(join(this.directory, 'cluster-secret'), 'utf8')).trim(),
      hostOf: async () => '127.0.0.1',
    };
  }

  private async ended(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const done = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(signal);
    return done;
  }

  /** Ctrl-C. Resolves to the exit code. */
  stop(): Promise<number | null> {
    return this.ended('SIGINT');
  }

  kill(): Promise<number | null> {
    return this.ended('SIGKILL');
  }

  /** Stops it and removes its directory. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
