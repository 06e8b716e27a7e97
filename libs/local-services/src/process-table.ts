import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const POLL_MS = 25;

/** What the operating system says of a process. */
export interface ProcessFacts {
  readonly zombie: boolean;
  /** Tells two processes that got the same id one after the other apart, also across a reboot. */
  readonly startedAt: string;
  /** The command line, its words separated by blanks. */
  readonly command: string;
}

/** A process as it is written into a file, to be recognised later. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

/** The process with this id, or undefined when there is none. */
export async function readProcess(pid: number): Promise<ProcessFacts | undefined> {
  return process.platform === 'linux' ? readFromProc(pid) : readFromPs(pid);
}

async function readFromProc(pid: number): Promise<ProcessFacts | undefined> {
  try {
    const [stat, command, bootId] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    ]);
    // "pid (name) state ppid …": the name may hold blanks and brackets, so count from the last bracket on.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      zombie: fields[0] === 'Z' || fields[0] === 'X',
      startedAt: `${bootId.trim()}/${fields[19]}`,
      command: command.replaceAll('\0', ' ').trim(),
    };
  } catch {
    return undefined;
  }
}

async function readFromPs(pid: number): Promise<ProcessFacts | undefined> {
  try {
    const ask = (column: string) => run('ps', ['-p', String(pid), '-o', `${column}=`]);
    const [state, started, command] = await Promise.all([ask('state'), ask('lstart'), ask('command')]);
    return {
      zombie: state.stdout.trim().startsWith('Z'),
      startedAt: started.stdout.trim(),
      command: command.stdout.trim(),
    };
  } catch {
    return undefined;
  }
}

/** Whether the process runs. A zombie does not: it only waits for its parent to look. */
export async function isRunning(pid: number): Promise<boolean> {
  const facts = await readProcess(pid);
  return facts !== undefined && !facts.zombie;
}

/** Whether exactly this process, and not a later one with its id, runs. */
export async function isSameProcessRunning(identity: ProcessIdentity): Promise<boolean> {
  const facts = await readProcess(identity.pid);
  return facts !== undefined && !facts.zombie && facts.startedAt === identity.startedAt;
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, startedAt: (await readProcess(pid))?.startedAt ?? '' };
}

/** True when the process is gone (or a zombie) within the time. */
export async function waitUntilGone(pid: number, timeoutMs: number): Promise<boolean> {
  const giveUpAtMs = performance.now() + timeoutMs;
  while (await isRunning(pid)) {
    if (performance.now() > giveUpAtMs) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** One rung of a ladder of signals: send it, then wait that long before the next one. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/** Climbs the ladder on a process that is not our child. False when it outlives every step. @throws EPERM */
export async function stopForeignProcess(pid: number, ladder: readonly StopStep[]): Promise<boolean> {
  for (const { signal, waitMs } of ladder) {
    if (!(await isRunning(pid))) return true;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    if (await waitUntilGone(pid, waitMs)) return true;
  }
  return false;
}

/** Reads a file written from a ProcessIdentity; undefined when it is missing or not one. */
export async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('pid' in parsed) || !('startedAt' in parsed)) {
      return undefined;
    }
    const { pid, startedAt } = parsed;
    const valid = Number.isSafeInteger(pid) && typeof startedAt === 'string';
    return valid ? { pid: Number(pid), startedAt } : undefined;
  } catch {
    return undefined;
  }
}
