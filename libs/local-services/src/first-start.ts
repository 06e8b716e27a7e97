/**
 * What a store makes at its first start and keeps below its data directory, each file of mode 600:
 *   cluster-secret          authenticates the internal calls and seals the secrets in the database; 64 hex digits
 *   root-credentials.json   only when none were given by the environment
 * No default secret: what is not given is drawn at random.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalServiceError } from './local-service-error.js';
import { makeFolder, syncFolder, writeDurably } from './service-folder.js';

export interface RootCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** True when this start has drawn them: they are shown once. */
  readonly drawn: boolean;
  /** Where they are kept, or that the environment gave them. */
  readonly source: string;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LocalServiceError('NotPermitted', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** 64 hex digits, the same at every start on this directory. */
export async function clusterSecret(dataDirectory: string): Promise<string> {
  const file = join(dataDirectory, 'cluster-secret');
  const kept = (await readIfThere(file))?.trim();
  if (kept !== undefined) {
    if (!/^[0-9a-f]{64}$/.test(kept))
      throw new LocalServiceError(
        'DamagedFile',
        `${file} is damaged: 64 hex digits are expected. Restore it from a copy; without it the sealed secrets in the database cannot be opened.`,
      );
    return kept;
  }
  await makeFolder(dataDirectory);
  const secret = randomBytes(32).toString('hex');
  await writeDurably(file, `${secret}\n`, 0o600);
  await syncFolder(dataDirectory);
  return secret;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function drawAccessKeyId(): string {
  return Array.from(randomBytes(20), (byte) => ALPHABET[byte % 32]).join('');
}

/**
 * HOLDFAST_ROOT_USER and HOLDFAST_ROOT_PASSWORD (or MinIO's names), else those that an earlier start has drawn, else new ones.
 * @throws LocalServiceError 'BadOption' when only one is given or one is too short
 */
export async function rootCredentials(dataDirectory: string, env: NodeJS.ProcessEnv): Promise<RootCredentials> {
  for (const prefix of ['HOLDFAST', 'MINIO']) {
    const user = env[`${prefix}_ROOT_USER`] ?? '';
    const password = env[`${prefix}_ROOT_PASSWORD`] ?? '';
    if (user === '' && password === '') continue;
    if (user.length < 3 || password.length < 8) {
      throw new LocalServiceError(
        'BadOption',
        `set both ${prefix}_ROOT_USER (at least 3 characters) and ${prefix}_ROOT_PASSWORD (at least 8 characters), or neither`,
      );
    }
    return {
      accessKeyId: user,
      secretAccessKey: password,
      drawn: false,
      source: `${prefix}_ROOT_USER and ${prefix}_ROOT_PASSWORD`,
    };
  }
  const file = join(dataDirectory, 'root-credentials.json');
  const kept = await readIfThere(file);
  if (kept !== undefined) {
    const { accessKeyId, secretAccessKey } = parseKept(file, kept);
    return { accessKeyId, secretAccessKey, drawn: false, source: file };
  }
  const drawn = { accessKeyId: drawAccessKeyId(), secretAccessKey: randomBytes(30).toString('base64url') };
  await makeFolder(dataDirectory);
  await writeDurably(file, `${JSON.stringify(drawn)}\n`, 0o600);
  await syncFolder(dataDirectory);
  return { ...drawn, drawn: true, source: file };
}

function parseKept(file: string, text: string): { accessKeyId: string; secretAccessKey: string } {
  try {
    const value = JSON.parse(text) as { accessKeyId?: unknown; secretAccessKey?: unknown };
    if (typeof value.accessKeyId === 'string' && typeof value.secretAccessKey === 'string')
      return { accessKeyId: value.accessKeyId, secretAccessKey: value.secretAccessKey };
  } catch {
    // Told below with the file's name.
  }
  throw new LocalServiceError(
    'DamagedFile',
    `${file} is damaged. Remove it to have new root credentials drawn, or set HOLDFAST_ROOT_USER and HOLDFAST_ROOT_PASSWORD.`,
  );
}
