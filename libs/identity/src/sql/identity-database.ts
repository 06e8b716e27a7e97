import pg from 'pg';
import { DataSource } from 'typeorm';
import { unknownAccount } from '../domain/entity-names.js';
import { databaseError } from './database-error.js';
import { IdentitySchema } from './identity-schema.migration.js';

export interface IdentityDatabaseOptions {
  readonly databaseUrl: string;
  readonly connectionsMax: number;
  /** For a connection, and for each statement. */
  readonly timeoutMs: number;
}

/** "holdfast" and "iam" as bytes: the session lock under which one instance at a time prepares the schema. */
const PREPARATION_LOCK = [0x686f6c64, 0x0069616d];
const PREPARATION_TIMEOUT_MS = 60_000;

/** Connections to Postgres. Every failure leaves as a HoldfastError (see `databaseError`). */
export class IdentityDatabase {
  private readonly pool: pg.Pool;
  constructor(private readonly options: IdentityDatabaseOptions) {
    const { databaseUrl, connectionsMax, timeoutMs } = options;
    this.pool = new pg.Pool({
      connectionString: databaseUrl,
      application_name: 'holdfast-iam',
      max: connectionsMax,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      // The server may be gone without a word: then the client ends the wait.
      query_timeout: timeoutMs + 500,
      keepAlive: true,
    });
    // An idle connection that breaks is replaced at the next statement, which reports what matters.
    this.pool.on('error', () => undefined);
  }

  /** `refuse` may turn a failed statement into an error of the caller's. */
  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    refuse: (error: unknown) => void = () => undefined,
  ): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(text, values)).rows;
    } catch (error) {
      refuse(error);
      throw databaseError(error);
    }
  }

  /** Errors: NoSuchEntity. */
  async requireAccount(accountId: string): Promise<void> {
    const rows = await this.query('SELECT FROM iam.accounts WHERE account_id = $1', [accountId]);
    if (rows.length === 0) throw unknownAccount();
  }

  /** The number of rows that changed. */
  async execute(text: string, values: unknown[]): Promise<number> {
    try {
      return (await this.pool.query(text, values)).rowCount ?? 0;
    } catch (error) {
      throw databaseError(error);
    }
  }

  async transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect().catch((error: unknown) => {
      throw databaseError(error);
    });
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      // Rolled back by closing: a connection in an unknown state is not used again.
      client.release(true);
      throw databaseError(error);
    }
  }

  /** Brings the schema up to date, then runs `work`, while no other instance does either. */
  async prepare(work: () => Promise<void>): Promise<void> {
    const { databaseUrl, timeoutMs } = this.options;
    const holder = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: PREPARATION_TIMEOUT_MS,
    });
    try {
      holder.on('error', () => undefined);
      await holder.connect();
      await holder.query('SELECT pg_advisory_lock($1, $2)', PREPARATION_LOCK);
      await holder.query('CREATE SCHEMA IF NOT EXISTS iam');
      await migrate(databaseUrl);
      await work();
    } catch (error) {
      throw databaseError(error);
    } finally {
      await holder.end().catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

async function migrate(databaseUrl: string): Promise<void> {
  const source = new DataSource({
    type: 'postgres',
    url: databaseUrl,
    schema: 'iam',
    migrations: [IdentitySchema],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    poolSize: 1,
    logging: false,
  });
  await source.initialize();
  try {
    await source.runMigrations();
  } finally {
    await source.destroy();
  }
}
