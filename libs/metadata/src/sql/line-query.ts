import pg from 'pg';
import type { Row, Statement } from './database.js';

type ColumnParser = (text: string) => unknown;

/** What a query drives of the driver's connection, and is told by its client; the driver's types leave it out. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  /** Texts by name; kept by the client, also for a statement whose first call failed. */
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  parse(statement: { text: string; name: string }): void;
  bind(values: { statement: string; values: readonly unknown[]; valueMapper: typeof textOf }): void;
  describe(portal: { type: 'P'; name: '' }): void;
  execute(portal: { portal: '' }): void;
  sync(): void;
}

/** Of each connection, the statements that it has prepared: how to read the columns of their rows. */
const prepared = new WeakMap<Wire, Map<string, readonly ColumnParser[]>>();

/**
 * A prepared statement on a connection that sends it all day. The driver's own query has the server describe the columns of
 * each answer anew, and builds its readers from that, which costs more than the rows of a small batch.
 */
export class LineQuery implements pg.Submittable {
  /** Known to the client: it tells the connection's prepared statements by them. */
  readonly name: string;
  readonly text: string;
  /** The client wraps it to watch the time. */
  callback: (error: Error | null, rows?: Row[]) => void;
  private readonly values: readonly unknown[];
  private readonly rows: Row[] = [];
  private readers: readonly ColumnParser[] | undefined;
  private connection: Wire | undefined;
  private failure: Error | undefined;

  constructor(statement: Statement & { readonly name: string }, callback: (error: Error | null, rows?: Row[]) => void) {
    this.name = statement.name;
    this.text = statement.text;
    this.values = statement.values ?? [];
    this.callback = callback;
  }

  /** Called by the client when the connection is free. */
  readonly submit = (connection: pg.Connection): void => {
    const wire = connection as unknown as Wire;
    this.connection = wire;
    this.readers = prepared.get(wire)?.get(this.name);
    const { name, text, values } = this;
    wire.stream.cork();
    try {
      if (wire.parsedStatements[name] === undefined) wire.parse({ name, text });
      wire.bind({ statement: name, values, valueMapper: textOf });
      if (this.readers === undefined) wire.describe({ type: 'P', name: '' });
      wire.execute({ portal: '' });
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  };

  handleRowDescription({ fields }: { readonly fields: readonly { readonly dataTypeID: number }[] }): void {
    this.readers = fields.map(({ dataTypeID }) => pg.types.getTypeParser(dataTypeID, 'text') as ColumnParser);
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this.failure !== undefined) return;
    const { readers = [] } = this;
    const row: unknown[] = new Array(fields.length);
    try {
      for (let i = 0; i < fields.length; i++) {
        const text = fields[i];
        row[i] = text === null ? null : readers[i](text);
      }
      this.rows.push(row);
    } catch (error) {
      this.failure = error as Error;
    }
  }

  handleCommandComplete(): void {
    // `readyForQuery` follows.
  }

  handleError(error: Error): void {
    this.callback(error);
  }

  handleReadyForQuery(): void {
    if (this.failure !== undefined) return this.callback(this.failure);
    if (this.connection !== undefined && this.readers !== undefined) remember(this.connection, this.name, this.readers);
    this.callback(null, this.rows);
  }
}

function remember(connection: Wire, name: string, readers: readonly ColumnParser[]): void {
  const known = prepared.get(connection);
  if (known === undefined) prepared.set(connection, new Map([[name, readers]]));
  else known.set(name, readers);
}

/** Statements of a line are given texts of Postgres' own (see array-literal), numbers and booleans. */
function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
