/**
 * Postgres refuses to run as root, so root lends it another user: the owner of the data when there is some, else
 * `postgres`, else `holdfast` (made when possible), else `nobody`.
 */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { SystemUser } from './child-service.js';
import { LocalServiceError } from './local-service-error.js';

const run = promisify(execFile);
const OWN_USER = 'holdfast';

/** The user for the server whose data is in `dataFolder`; undefined: the user of this process. */
export async function choosePostgresUser(dataFolder: string): Promise<SystemUser | undefined> {
  const ownUid = process.getuid?.();
  const owner = await stat(dataFolder).catch(() => undefined);
  if (ownUid !== 0) {
    if (owner !== undefined && ownUid !== undefined && owner.uid !== ownUid) {
      throw new LocalServiceError(
        'NotPermitted',
        `${dataFolder} belongs to user ${owner.uid}, and this process runs as user ${ownUid}. ` +
          'Run it as the user that made the folder (or as root), or choose another data folder.',
      );
    }
    return undefined;
  }
  if (owner !== undefined) {
    if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
    throw new LocalServiceError(
      'NotPermitted',
      `${dataFolder} belongs to root, and Postgres refuses to run as root. Give it to another user: ` +
        `chown -R postgres ${dataFolder}`,
    );
  }
  const found = (await lookUp('postgres')) ?? (await lookUp(OWN_USER));
  if (found !== undefined) return found;
  const made = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', OWN_USER];
  await run('useradd', made).catch(() => undefined);
  const lent = (await lookUp(OWN_USER)) ?? (await lookUp('nobody'));
  if (lent !== undefined) return lent;
  throw new LocalServiceError(
    'NotPermitted',
    'Postgres refuses to run as root, and there is no user postgres, holdfast or nobody to lend it. ' +
      'Make one (useradd --system holdfast), run as another user, or set DATABASE_URL.',
  );
}

async function lookUp(name: string): Promise<SystemUser | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return undefined;
  }
}
