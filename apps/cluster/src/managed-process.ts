/** One process of the cluster under the starter: started, watched, restarted after a crash, stopped and killed by name. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export type ProcessState = 'stopped' | 'starting' | 'ready' | 'not ready' | 'crashed' | 'killed' | 'stopping';

export interface ProcessView {
  readonly name: string;
  readonly state: ProcessState;
  readonly pid?: number;
  readonly restarts: number;
  /** Where it listens, for people. */
  readonly where: string;
}

/** What the starter can do with any member of the cluster, one of our services or Kafka or Postgres. */
export interface Managed {
  readonly name: string;
  view(): ProcessView;
  start(): Promise<void>;
  /** Ends it cleanly; it stays down until it is started by name. */
  stop(): Promise<void>;
  /** SIGKILL; it stays down until it is started by name. */
  kill(): Promise<void>;
}

export interface ProcessSpec {
  readonly name: string;
  /** Compiled main file. */
  readonly file: string;
  /** Asked at each start. */
  readonly environment: () => Readonly<Record<string, string>>;
  /** Port of `/health/ready` on 127.0.0.1. */
  readonly healthPort: number;
  readonly where: string;
  readonly logFile: string;
}

/** Half of what tools/node-flags.mjs gives the store as one process: here many share a machine. */
const NODE_FLAGS = ['--enable-source-maps', '--max-semi-space-size=16', '--heap-growing-percent=50'];
const STOP_WAIT_MS = 20_000;
const START_WAIT_MS = 60_000;
const POLL_MS = 500;
/** A process that crashes again at once is started again after a growing pause. */
const RESTART_PAUSES_MS = [200, 1000, 2000, 5000];

/** States in which readiness decides what is shown. */
const WATCHED: ReadonlySet<ProcessState> = new Set(['starting', 'ready', 'not ready']);

export class ManagedProcess implements Managed {
  readonly name: string;
  private state: ProcessState = 'stopped';
  private child: ChildProcess | undefined;
  private output: WriteStream | undefined;
  private restarts = 0;
  private crashesInARow = 0;
  private poll: NodeJS.Timeout | undefined;

  constructor(
    private readonly spec: ProcessSpec,
    private readonly onChange: (view: ProcessView) => void,
  ) {
    this.name = spec.name;
  }

  view(): ProcessView {
    const pid = this.child?.pid;
    return {
      name: this.name,
      state: this.state,
      restarts: this.restarts,
      where: this.spec.where,
      ...(pid === undefined ? {} : { pid }),
    };
  }

  /** Resolves when it is ready. Errors: it ended before, with the name of its log. */
  async start(): Promise<void> {
    if (this.child) return;
    this.launch();
    await this.untilReady();
  }

  async stop(): Promise<void> {
    const child = this.child;
    if (!child) return this.change('stopped');
    this.change('stopping');
    const ended = ending(child);
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS);
    await ended;
    clearTimeout(late);
    this.change('stopped');
  }

  async kill(): Promise<void> {
    const child = this.child;
    this.change('killed');
    if (!child) return;
    const ended = ending(child);
    child.kill('SIGKILL');
    await ended;
  }

  private launch(): void {
    this.output ??= createWriteStream(this.spec.logFile, { flags: 'a', mode: 0o600 });
    this.change('starting');
    const child = spawn(process.execPath, [...NODE_FLAGS, this.spec.file], {
      env: {
        PATH: process.env['PATH'] ?? '',
        NODE_ENV: 'production',
        // Flushes of several devices hold threads of the pool; with the default four, reads would wait behind them.
        UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] ?? '16',
        HOLDFAST_STOP_WITH_STDIN: 'true',
        ...this.spec.environment(),
      },
      // The far end of its standard input closes with this process, however it ends.
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C reaches the starter alone, which stops the members in order.
      detached: true,
    });
    this.child = child;
    child.stdout?.pipe(this.output, { end: false });
    child.stderr?.pipe(this.output, { end: false });
    child.once('exit', () => this.ended(child));
    child.once('error', () => this.ended(child));
    clearInterval(this.poll);
    this.poll = setInterval(() => void this.check(), POLL_MS);
  }

  private ended(child: ChildProcess): void {
    if (this.child !== child) return;
    this.child = undefined;
    clearInterval(this.poll);
    if (this.state === 'killed' || this.state === 'stopping') return;
    this.change('crashed');
    const pauseMs = RESTART_PAUSES_MS[Math.min(this.crashesInARow, RESTART_PAUSES_MS.length - 1)];
    this.crashesInARow += 1;
    setTimeout(() => {
      if (this.state !== 'crashed') return;
      this.restarts += 1;
      this.launch();
    }, pauseMs).unref();
  }

  private async check(): Promise<void> {
    const child = this.child;
    const ready = await isReady(this.spec.healthPort);
    // A check that was under way when somebody stopped or killed the process has nothing to say any more.
    if (this.child !== child || child === undefined || !WATCHED.has(this.state)) return;
    if (ready) {
      this.crashesInARow = 0;
      this.change('ready');
    } else if (this.state === 'ready') this.change('not ready');
  }

  private async untilReady(): Promise<void> {
    const untilMs = Date.now() + START_WAIT_MS;
    while (Date.now() < untilMs) {
      if (await isReady(this.spec.healthPort)) return this.change('ready');
      if (this.state === 'crashed' || this.state === 'killed' || this.state === 'stopped') break;
      await sleep(30);
    }
    throw new Error(`${this.name} did not become ready: see ${this.spec.logFile}`);
  }

  private change(state: ProcessState): void {
    if (this.state === state) return;
    this.state = state;
    this.onChange(this.view());
  }
}

function ending(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
