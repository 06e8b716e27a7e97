import { HoldfastError } from '@holdfast/contracts';
import pg from 'pg';
import { LineQuery } from './line-query.js';

/**
 * Settings of every session. A plan made for an empty table would scan a full one, and a plan by the values of one call
 * costs more than the call: so plans are generic and go by index. Every disabled node costs 1e10 in the planner's eyes,
 * which would wake the JIT compiler.
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_material: 'off',
  enable_memoize: 'off',
  jit: 'off',
  synchronous_commit: 'on',
  default_transaction_isolation: 'read\\ committed',
  idle_in_transaction_session_timeout: '60000',
};
const OPTIONS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');

const CONNECT_TIMEOUT_MS = 3_000;
const ANSWER_GRACE_MS = 2_000;

/** Connections by what they are for, so that none of them can starve another. */
const LANES = {
  /** Items that wait for a lock, alone. */
  contested: 4,
  /** Buckets, uploads, replicas. */
  writes: 4,
  /** Listings and everything else that only reads; the outbox. */
  reads: 4,
} as const;
export type Lane = keyof typeof LANES;

/** Connections that batches leave on, each by one batcher: a second one for commits would gain nothing. */
export type BatchLine = 'commits' | 'deletes' | 'lookups-1' | 'lookups-2';

export interface Statement {
  /** Name of the prepared statement; absent for text that is used once. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** A row by the position of its columns. */
export type Row = readonly unknown[];

/** Postgres as this service uses it. Errors of its methods are the driver's; `asOperatingError` makes them the project's. */
export class MetadataDatabase {
  private readonly lanes = new Map<Lane, pg.Pool>();
  private readonly lines = new Map<BatchLine, Promise<pg.Client>>();
  private closed = false;

  constructor(
    private readonly databaseUrl: string,
    private readonly answerTimeoutMs: number,
  ) {
    for (const [lane, max] of Object.entries(LANES)) {
      const pool = new pg.Pool({ ...this.clientOptions(`holdfast-metadata-${lane}`), max, idleTimeoutMillis: 0 });
      // An idle connection that breaks is dropped by the pool; the next query makes a new one.
      pool.on('error', () => undefined);
      this.lanes.set(lane as Lane, pool);
    }
  }

  private clientOptions(applicationName: string): pg.ClientConfig {
    return {
      connectionString: this.databaseUrl,
      application_name: applicationName,
      options: OPTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      // After the server's own limit, which tells for sure that a statement was undone.
      query_timeout: this.answerTimeoutMs + ANSWER_GRACE_MS,
      keepAlive: true,
    };
  }

  /** A statement on a connection of its own that stays open: it leaves at once, without the detours of a pool. */
  async onLine(line: BatchLine, statement: Statement & { readonly name: string }): Promise<Row[]> {
    const opening = this.lines.get(line) ?? this.openLine(line);
    const client = await opening;
    try {
      return await new Promise((resolve, reject) => {
        client.query(new LineQuery(statement, (error, rows = []) => (error === null ? resolve(rows) : reject(error))));
      });
    } catch (error) {
      if (isConnectionLoss(error)) this.dropLine(line, opening, client);
      throw error;
    }
  }

  private openLine(line: BatchLine): Promise<pg.Client> {
    if (this.closed) throw new HoldfastError('ServiceUnavailable', 'The metadata service is stopping.');
    const client = this.newClient(`holdfast-metadata-${line}`);
    const opening = client.connect().then(() => client);
    client.on('error', () => this.dropLine(line, opening, client));
    this.lines.set(line, opening);
    opening.catch(() => this.dropLine(line, opening, client));
    return opening;
  }

  private dropLine(line: BatchLine, opening: Promise<pg.Client>, client: pg.Client): void {
    if (this.lines.get(line) === opening) this.lines.delete(line);
    void client.end().catch(() => undefined);
  }

  async query(lane: Lane, statement: Statement): Promise<Row[]> {
    const pool = this.lanes.get(lane) as pg.Pool;
    const result = await pool.query({ ...statement, values: statement.values as unknown[], rowMode: 'array' });
    return result.rows as Row[];
  }

  /** A query that changes nothing: repeated once when its connection turns out to be broken. */
  async read(lane: Lane, statement: Statement): Promise<Row[]> {
    try {
      return await this.query(lane, statement);
    } catch (error) {
      if (!isConnectionLoss(error)) throw asOperatingError(error);
      return this.query(lane, statement).catch((again: unknown) => {
        throw asOperatingError(again);
      });
    }
  }

  /** A connection out of the pool. The pool listens for its loss only while it rests there, and nobody else would. */
  private async checkOut(lane: Lane): Promise<pg.PoolClient> {
    const client = await (this.lanes.get(lane) as pg.Pool).connect();
    // The statement under way fails by itself; what happens between two is told by the next one.
    if (client.listenerCount('error') === 0) client.on('error', () => undefined);
    return client;
  }

  /** One statement that ends by itself, undone, when `leftMs` have passed. */
  async timed(lane: Lane, leftMs: number, statement: Statement): Promise<Row[]> {
    const client = await this.checkOut(lane);
    let broken = true;
    try {
      const limit = String(Math.max(1, Math.ceil(Math.min(leftMs, this.answerTimeoutMs))));
      await client.query({
        name: 'limit_statement',
        text: "SELECT set_config('statement_timeout', $1, false)",
        values: [limit],
      });
      const result = await client.query({ ...statement, values: statement.values as unknown[], rowMode: 'array' });
      broken = false;
      return result.rows as Row[];
    } catch (error) {
      broken = isConnectionLoss(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Several statements in one transaction. */
  async transaction<T>(lane: Lane, work: (run: (statement: Statement) => Promise<Row[]>) => Promise<T>): Promise<T> {
    const client = await this.checkOut(lane);
    let broken = true;
    try {
      await client.query('BEGIN');
      await client.query(`SET LOCAL statement_timeout = ${this.answerTimeoutMs}`);
      const result = await work(async (statement) => {
        const answer = await client.query({ ...statement, values: statement.values as unknown[], rowMode: 'array' });
        return answer.rows as Row[];
      });
      await client.query('COMMIT');
      broken = false;
      return result;
    } finally {
      // A transaction that failed ends with its connection.
      client.release(broken);
    }
  }

  /** A query over a connection that nothing else has used: after a loss, when the state of the others is not known. */
  async onFreshConnection(statement: Statement): Promise<Row[]> {
    const client = this.newClient('holdfast-metadata-resolve');
    client.on('error', () => undefined);
    try {
      await client.connect();
      const result = await client.query({ ...statement, values: statement.values as unknown[], rowMode: 'array' });
      return result.rows as Row[];
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** For LISTEN: the caller connects, watches and ends it. */
  newClient(applicationName: string): pg.Client {
    return new pg.Client(this.clientOptions(applicationName));
  }

  async close(): Promise<void> {
    this.closed = true;
    const lines = [...this.lines.values()].map((opening) =>
      opening.then((client) => client.end()).catch(() => undefined),
    );
    await Promise.all([...lines, ...[...this.lanes.values()].map((pool) => pool.end())]);
  }
}

const sqlState = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError && error.code !== undefined ? error.code : undefined;

/**
 * The server has said that it undid the statement, and goes on serving. Judged by the class of the error (its severity is
 * translated in some databases): what ends the session may have come after the commit.
 */
export function isUndone(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !/^(08|57P|58|XX)/.test(state);
}

/** A lock or the statement itself took longer than its time left; it was undone. */
export function isOutOfTime(error: unknown): boolean {
  return isUndone(error) && ['55P03', '57014'].includes(sqlState(error) ?? '');
}

function isConnectionLoss(error: unknown): boolean {
  return !isUndone(error);
}

/** Classes: 08 connection, 40 deadlock or serialisation, 53 resources, 57 operator; and 55P03, a lock not free in time. */
const PASSING = /^(08|40|53|57|55P03)/;

export function asOperatingError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const state = sqlState(error);
  if (state === undefined || PASSING.test(state)) {
    return new HoldfastError(
      'ServiceUnavailable',
      'The metadata database does not answer. Try again.',
      {},
      { cause: error },
    );
  }
  return new HoldfastError('InternalError', undefined, {}, { cause: error });
}
