import pg from 'pg';
import { errorCode, errorReason } from '../error-facts.js';
import { LocalServiceError } from '../local-service-error.js';

const CONNECT_TIMEOUT_MS = 10_000;
const VERSION_MIN = 15;

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A server that goes away while the connection is idle emits an error; the query in flight rejects on its own.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes the database that `url` names when the server does not have it, and shows that it answers. */
export async function ensureDatabase(url: string): Promise<void> {
  const select = (client: pg.Client) => client.query('SELECT 1');
  try {
    await withClient(url, select);
  } catch (error) {
    if (errorCode(error) !== '3D000') throw error;
    const { pathname } = new URL(url);
    const maintenance = new URL(url);
    maintenance.pathname = '/postgres';
    const name = pg.escapeIdentifier(decodeURIComponent(pathname.slice(1)));
    await withClient(maintenance.href, (client) => client.query(`CREATE DATABASE ${name}`));
    await withClient(url, select);
  }
}

/** Connects to a Postgres that others run and checks its version. @throws LocalServiceError without the password */
export async function checkExternalPostgres(url: string): Promise<void> {
  const place = describe(url);
  let versionNumber: number;
  try {
    versionNumber = await withClient(url, async (client) => {
      const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
      return Number(rows[0].server_version_num);
    });
  } catch (error) {
    throw new LocalServiceError('NotReachable', `DATABASE_URL (${place}): ${explain(error)}`, { cause: error });
  }
  const major = Math.floor(versionNumber / 10_000);
  if (major < VERSION_MIN) {
    throw new LocalServiceError(
      'TooOld',
      `DATABASE_URL (${place}) is Postgres ${major}; Holdfast needs ${VERSION_MIN} or newer. Upgrade that server, ` +
        'or unset DATABASE_URL to use the Postgres that comes along.',
    );
  }
}

/** user@host:port/database of the URL, never its password. */
function describe(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new LocalServiceError('NotReachable', 'DATABASE_URL is not a URL: postgres://user:password@host:port/name.');
  }
  if (parsed.protocol !== 'postgres:' && parsed.protocol !== 'postgresql:') {
    throw new LocalServiceError('NotReachable', 'DATABASE_URL must begin with postgres:// or postgresql://.');
  }
  return `${parsed.username}@${parsed.host}${parsed.pathname}`;
}

function explain(error: unknown): string {
  const reason = errorReason(error);
  switch (errorCode(error)) {
    case 'ECONNREFUSED':
      return 'nothing listens there. Start that Postgres or correct host and port.';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name is unknown. Correct it.';
    case '28P01':
    case '28000':
      return `the server refuses this user: ${reason}. Correct user and password.`;
    case '3D000':
      return `${reason}. Create it (CREATE DATABASE) or name another one.`;
    default:
      return `no connection: ${reason}`;
  }
}
