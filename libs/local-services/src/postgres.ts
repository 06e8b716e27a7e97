import type { ServiceExit } from './child-service.js';
import { LocalServiceError } from './local-service-error.js';

export interface StartPostgresOptions {
  /** Folder for the data, the password (mode 600) and the remembered port. Made when missing. */
  readonly directory: string;
  /** Port on 127.0.0.1. 0 or undefined: the one of the last start when it is free, else any free one. */
  readonly port?: number;
  /** Every line that Postgres and initdb write. */
  readonly onLog?: (line: string) => void;
}

export interface LocalPostgres {
  /** postgres://user:password@127.0.0.1:port/holdfast */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends all sessions, writes a checkpoint and waits; bounded, may be called twice. */
  stop(): Promise<void>;
  /** Resolves (never rejects) when Postgres is gone. */
  readonly exited: Promise<ServiceExit>;
}

export interface ResolvePostgresOptions extends StartPostgresOptions {
  /** DATABASE_URL: a Postgres that others run. When given (not empty), nothing is started. */
  readonly databaseUrl?: string;
}

export interface ResolvedPostgres {
  readonly external: boolean;
  readonly url: string;
  /** Does nothing for an external one. */
  stop(): Promise<void>;
  /** Never resolves for an external one. */
  readonly exited: Promise<ServiceExit>;
}

/** Starts a Postgres of our own in `directory`. @throws LocalServiceError */
export async function startPostgres(options: StartPostgresOptions): Promise<LocalPostgres> {
  throw new LocalServiceError('StartFailed', `Postgres cannot be started in ${options.directory} yet.`);
}

/** The Postgres to use: the external one of `databaseUrl` (15 or newer), else our own. @throws LocalServiceError */
export async function resolvePostgres(options: ResolvePostgresOptions): Promise<ResolvedPostgres> {
  return { external: false, ...(await startPostgres(options)) };
}
