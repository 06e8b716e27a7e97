import type { StorageSetEntry, TraceLog } from '@holdfast/contracts';

/** The storage sets that exist when this process starts: makes the first cluster map, later adds what is new. */
export interface ClusterMapSeed {
  /** Absent: a random one is made with an empty database. Another one than the database's is refused (ForeignDatabase). */
  readonly clusterId?: string;
  readonly sets: readonly StorageSetEntry[];
}

export interface MetadataSettings {
  /** Age from which the collector may take an orphan; attempts older than half of it are refused as late. */
  readonly graceMs: number;
  /** How long bytes that no record names any more stay for readers under way. */
  readonly freeDelayMs: number;
  /** Longest wait for an answer of the database beyond the caller's own deadline. */
  readonly answerTimeoutMs: number;
  /** How long a taken outbox row is its taker's before it is delivered again; doubled with each delivery up to `claimMsMax`. */
  readonly claimMs: number;
  readonly claimMsMax: number;
  /** Pause between two foldings of usage deltas; 0 switches the housekeeping off. */
  readonly housekeepingMs: number;
}

export const METADATA_DEFAULTS: MetadataSettings = {
  graceMs: 24 * 3600 * 1000,
  freeDelayMs: 10 * 60 * 1000,
  answerTimeoutMs: 10_000,
  claimMs: 10_000,
  claimMsMax: 60_000,
  housekeepingMs: 5_000,
};

export interface MetadataOptions {
  /** postgres://user:password@host:port/database; Postgres 15 or newer, UTF8. */
  readonly databaseUrl: string;
  /** Absent: the map must already be in the database. */
  readonly clusterMapSeed?: ClusterMapSeed;
  readonly trace: TraceLog;
  readonly settings?: Partial<MetadataSettings>;
}
