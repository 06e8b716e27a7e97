import { afterEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  identify,
  isRunning,
  isSameProcessRunning,
  readIdentity,
  readProcess,
  stopForeignProcess,
} from './process-table.js';
import { claimFolder } from './service-folder.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function shell(script: string): Promise<{ child: ChildProcess; firstLine: string }> {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, firstLine: chunk.toString().trim() };
}

/** A shell that has said something may not have become its last command yet. */
async function untilCommandIs(pid: number, command: string): Promise<void> {
  while ((await readProcess(pid))?.command !== command) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function endedPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid as number;
}

describe('the process table', () => {
  it('knows a running process and its command', async () => {
    const { child } = await shell('echo up; exec sleep 60');
    await untilCommandIs(child.pid as number, 'sleep 60');
    expect(await readProcess(child.pid as number)).toMatchObject({ zombie: false, command: 'sleep 60' });
    expect(await isRunning(child.pid as number)).toBe(true);
  });

  it('takes neither an ended process nor a zombie for a running one', async () => {
    expect(await isRunning(await endedPid())).toBe(false);
    // The shell becomes a sleep, which never asks for the end of the child that the shell left to it. The child ends
    // only after that: a shell would ask.
    const { child, firstLine } = await shell('sleep 61 & echo $!; exec sleep 60');
    const zombiePid = Number(firstLine);
    await untilCommandIs(child.pid as number, 'sleep 60');
    process.kill(zombiePid, 'SIGKILL');
    while ((await readProcess(zombiePid))?.zombie === false) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await readProcess(zombiePid)).toMatchObject({ zombie: true });
    expect(await isRunning(zombiePid)).toBe(false);
  });

  it('tells a later process with the same id apart', async () => {
    const mine = await identify(process.pid);
    expect(await isSameProcessRunning(mine)).toBe(true);
    expect(await isSameProcessRunning({ ...mine, startedAt: 'another time' })).toBe(false);
  });

  it('climbs the ladder until the process is gone', async () => {
    const { child } = await shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    const gone = await stopForeignProcess(child.pid as number, [
      { signal: 'SIGTERM', waitMs: 100 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ]);
    expect(gone).toBe(true);
  });
});

describe('the claim on a folder', () => {
  it('holds against everyone while its owner lives, and falls with it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-claim-'));
    try {
      const release = await claimFolder(folder, 'Postgres');
      await expect(claimFolder(folder, 'Postgres')).rejects.toMatchObject({
        code: 'InUse',
        message: expect.stringContaining(folder),
      });
      await release();
      const ended = { pid: await endedPid(), startedAt: 'long ago' };
      await writeFile(join(folder, 'owner.json'), JSON.stringify(ended));
      expect(await readIdentity(join(folder, 'owner.json'))).toEqual(ended);
      await (
        await claimFolder(folder, 'Postgres')
      )();
      await writeFile(join(folder, 'owner.json'), 'torn{');
      await (
        await claimFolder(folder, 'Postgres')
      )();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
