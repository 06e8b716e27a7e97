/**
 * A child process that is a server: its lines of log, its end, and stopping it.
 * It runs in a session of its own, so that Ctrl-C in a terminal reaches only this process, which then stops its
 * children in the right order. On Linux `setpriv --pdeathsig` makes the kernel end it when this process is killed;
 * setpriv is started as the target user, because a change of user would clear that setting again.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorReason } from './error-facts.js';
import { findProgram } from './find-program.js';
import { LocalServiceError } from './local-service-error.js';
import type { StopStep } from './process-table.js';

const LINES_KEPT = 30;
/** After the end of the process: how long its last lines may take, when a grandchild holds the pipe open. */
const LAST_LINES_MS = 500;

/** How a service ended. `requested` is true when stop() ended it; false means it died by itself. */
export interface ServiceExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly requested: boolean;
}

/** The user that a child runs as; undefined where it is taken: the user of this process. */
export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ChildCommand {
  /** For messages: Postgres, Kafka, initdb. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Entered before the privileges are dropped, so the child may be in a folder it could not reach. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly user?: SystemUser;
  /** An open file descriptor to read from. */
  readonly stdin?: number;
  /** Sent by the kernel when this process dies (Linux with setpriv). */
  readonly deathSignal: 'SIGINT' | 'SIGTERM';
  readonly onLog?: (line: string) => void;
}

let deathSignalTool: Promise<string | undefined> | undefined;

/** The path of util-linux's setpriv; undefined without it (busybox has one that does not know the option). */
function findDeathSignalTool(): Promise<string | undefined> {
  deathSignalTool ??= new Promise((resolve) => {
    const path = process.platform === 'linux' ? findProgram('setpriv', process.env) : undefined;
    if (path === undefined) resolve(undefined);
    else execFile(path, ['--pdeathsig=INT', 'true'], (error) => resolve(error === null ? path : undefined));
  });
  return deathSignalTool;
}

export class ChildService {
  readonly pid: number;
  readonly exited: Promise<ServiceExit>;
  private readonly recentLines: string[] = [];
  private stopping: Promise<void> | undefined;
  private ended = false;

  private constructor(
    private readonly child: ChildProcess,
    private readonly command: ChildCommand,
    pid: number,
  ) {
    this.pid = pid;
    this.exited = this.watch();
  }

  /** @throws LocalServiceError when the program cannot be executed */
  static async spawn(command: ChildCommand): Promise<ChildService> {
    const tool = await findDeathSignalTool();
    const prefix = tool === undefined ? [] : [`--pdeathsig=${command.deathSignal.slice(3)}`, command.file];
    const child = spawn(tool ?? command.file, [...prefix, ...command.args], {
      cwd: command.cwd,
      env: command.env,
      detached: true,
      stdio: [command.stdin ?? 'ignore', 'pipe', 'pipe'],
      ...command.user,
    });
    try {
      await once(child, 'spawn');
    } catch (error) {
      const message = `${command.name} (${command.file}) does not start: ${errorReason(error)}`;
      throw new LocalServiceError('StartFailed', message, { cause: error });
    }
    return new ChildService(child, command, child.pid as number);
  }

  private watch(): Promise<ServiceExit> {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => this.keepLine(line));
    }
    const closed = once(this.child, 'close');
    return new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.ended = true;
        const timer = setTimeout(() => {
          this.child.stdout?.destroy();
          this.child.stderr?.destroy();
        }, LAST_LINES_MS);
        void closed.then(() => {
          clearTimeout(timer);
          resolve({ code, signal, requested: this.stopping !== undefined });
        });
      });
    });
  }

  private keepLine(line: string): void {
    this.recentLines.push(line);
    if (this.recentLines.length > LINES_KEPT) this.recentLines.shift();
    this.command.onLog?.(line);
  }

  /** The newest lines of log, for an error message. */
  lastLines(): string {
    return this.recentLines.join('\n');
  }

  get running(): boolean {
    return !this.ended;
  }

  /** Sends each signal in turn until the process is gone. Bounded by the ladder; later calls share the first one. */
  stop(ladder: readonly StopStep[]): Promise<void> {
    this.stopping ??= this.climb(ladder);
    return this.stopping;
  }

  private async climb(ladder: readonly StopStep[]): Promise<void> {
    for (const { signal, waitMs } of ladder) {
      if (this.ended) break;
      this.child.kill(signal);
      const timer = new AbortController();
      await Promise.race([this.exited, sleep(waitMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
      timer.abort();
    }
    if (!this.ended) {
      throw new LocalServiceError(
        'StopFailed',
        `${this.command.name} (process ${this.pid}) does not end, not even by SIGKILL: look at its disk.`,
      );
    }
    await this.exited;
  }
}

/** Runs a command to its end. @returns its lines @throws LocalServiceError with its last lines when it fails */
export async function runToEnd(command: ChildCommand): Promise<string> {
  const child = await ChildService.spawn(command);
  const { code, signal } = await child.exited;
  if (code !== 0) {
    const how = signal === null ? `exit code ${code}` : signal;
    throw new LocalServiceError('StartFailed', `${command.name} failed (${how}):\n${child.lastLines()}`);
  }
  return child.lastLines();
}
