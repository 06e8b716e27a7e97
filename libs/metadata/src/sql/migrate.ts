import { HoldfastError } from '@holdfast/contracts';
import type pg from 'pg';
import type { MetadataDatabase } from './database.js';
import { InitialSchema1763690000000 } from './migrations/1763690000000-initial-schema.migration.js';

/** In the order of their time stamps; one that was released is never changed. */
const MIGRATIONS = [InitialSchema1763690000000];

const OLDEST_POSTGRES = 150_000;
/** Session lock of whoever migrates ("metadata" in bytes); outside the numbers of schema/lock-functions, whose bit 63 is 0. */
const MIGRATION_LOCK = -7_883_942_146_011_300_000n;

/**
 * Brings schema `metadata` up to date; several processes may start at once. Errors: ServiceUnavailable; InvalidRequest when
 * the server is too old or the database is not UTF8.
 */
export async function migrate(database: MetadataDatabase, databaseUrl: string): Promise<void> {
  const guard = database.newClient('holdfast-metadata-migrate');
  guard.on('error', () => undefined);
  await guard.connect();
  try {
    const facts = await guard.query<{ version: string; encoding: string }>(
      "SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding",
    );
    const { version, encoding } = facts.rows[0];
    if (Number(version) < OLDEST_POSTGRES) {
      throw new HoldfastError('InvalidRequest', `Postgres ${version} is too old: 15 or newer is needed.`);
    }
    if (encoding !== 'UTF8') {
      throw new HoldfastError(
        'InvalidRequest',
        `The database is encoded as ${encoding}. Create one with ENCODING 'UTF8'.`,
      );
    }
    await guard.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK.toString()]);
    await guard.query('CREATE SCHEMA IF NOT EXISTS metadata');
    if (await isCurrent(guard)) return;
    // Loaded on need: a start that migrates nothing does not pay for it.
    const { DataSource } = await import('typeorm');
    const source = new DataSource({
      type: 'postgres',
      url: databaseUrl,
      schema: 'metadata',
      applicationName: 'holdfast-metadata-migrate',
      migrations: [...MIGRATIONS],
      migrationsTableName: 'migration',
      migrationsTransactionMode: 'each',
      poolSize: 1,
    });
    await source.initialize();
    try {
      await source.runMigrations();
    } finally {
      await source.destroy();
    }
  } finally {
    await guard.end().catch(() => undefined);
  }
}

async function isCurrent(guard: pg.Client): Promise<boolean> {
  const table = await guard.query<{ there: boolean }>("SELECT to_regclass('metadata.migration') IS NOT NULL AS there");
  if (!table.rows[0].there) return false;
  const done = await guard.query<{ name: string }>('SELECT name FROM metadata.migration');
  const names = new Set(done.rows.map((row) => row.name));
  return MIGRATIONS.every((migration) => names.has(migration.name));
}
