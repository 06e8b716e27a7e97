/**
 * The folder of one local service: made, claimed by one process at a time, with small files that outlive a start.
 * The claim only serves a clear message: what keeps two servers apart in the end is their own lock in the data.
 */
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './error-facts.js';
import { findFreePort, isPortFree } from './free-port.js';
import { LocalServiceError } from './local-service-error.js';
import { identify, isSameProcessRunning, readIdentity } from './process-table.js';

const OWNER_FILE = 'owner.json';
const CLAIM_ATTEMPTS = 3;

/** Makes the folder (mode 700) with its parents. @throws LocalServiceError that names it */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw folderError(path, error);
  }
}

/** Turns what the file system said of a service's folder into an error that names the folder and the way out. */
export function folderError(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    const message = `No permission to write in ${path} (${code}). Choose another data folder, or let this user own it.`;
    return new LocalServiceError('NotPermitted', message, { cause: error });
  }
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    const message = `${path} cannot be used as a folder: it, or a parent of it, is a file. Choose another one.`;
    return new LocalServiceError('NotPermitted', message, { cause: error });
  }
  return error;
}

/** Claims the folder for this process. @returns gives it back @throws LocalServiceError `InUse` while its owner lives */
export async function claimFolder(path: string, serviceName: string): Promise<() => Promise<void>> {
  const file = join(path, OWNER_FILE);
  const content = `${JSON.stringify(await identify(process.pid))}\n`;
  for (let attempt = 0; attempt < CLAIM_ATTEMPTS; attempt += 1) {
    try {
      await writeFile(file, content, { flag: 'wx', mode: 0o600 });
      return () => rm(file, { force: true });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw folderError(path, error);
    }
    const owner = await readIdentity(file);
    if (owner !== undefined && (await isSameProcessRunning(owner))) {
      const who = owner.pid === process.pid ? 'this process' : `process ${owner.pid}`;
      throw new LocalServiceError(
        'InUse',
        `${serviceName} in ${path} is already run by ${who}. Stop it first, or use another data folder.`,
      );
    }
    await rm(file, { force: true });
  }
  throw new LocalServiceError('InUse', `Another process is starting ${serviceName} in ${path}. Try again.`);
}

/** Writes a small file so that it is whole on disk before the call returns. */
export async function writeDurably(path: string, content: string, mode: number): Promise<void> {
  await writeFile(path, content, { mode, flush: true });
}

/** Makes the names in a folder (a rename, a new file) survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export interface ChosenPort {
  readonly port: number;
  /** False when the caller asked for exactly this one: then losing it is an error, not a reason to take another. */
  readonly replaceable: boolean;
}

/** The wanted port, else the one kept in `file`, else a free one. @throws LocalServiceError `PortTaken` */
export async function choosePort(file: string, wanted: number | undefined, serviceName: string): Promise<ChosenPort> {
  if (wanted !== undefined && wanted !== 0) {
    if (!(await isPortFree(wanted))) throw portTakenError(wanted, serviceName);
    return { port: wanted, replaceable: false };
  }
  const kept = Number(await readFile(file, 'utf8').catch(() => ''));
  if (Number.isInteger(kept) && kept > 0 && kept < 65_536 && (await isPortFree(kept))) {
    return { port: kept, replaceable: true };
  }
  return { port: await findFreePort(), replaceable: true };
}

export function portTakenError(port: number, serviceName: string): LocalServiceError {
  return new LocalServiceError(
    'PortTaken',
    `${serviceName} cannot listen on 127.0.0.1:${port}: another program has it, or this user may not bind it. ` +
      'Stop that program or choose another port.',
  );
}
