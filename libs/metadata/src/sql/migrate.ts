import { HoldfastError } from '@holdfast/contracts';
import { DataSource } from 'typeorm';
import type { MetadataDatabase } from './database.js';
import { InitialSchema1763690000000 } from './migrations/1763690000000-initial-schema.migration.js';

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
    const source = new DataSource({
      type: 'postgres',
      url: databaseUrl,
      schema: 'metadata',
      applicationName: 'holdfast-metadata-migrate',
      migrations: [InitialSchema1763690000000],
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
