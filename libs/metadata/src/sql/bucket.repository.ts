import {
  HoldfastError,
  type BucketRecord,
  type CallContext,
  type MetadataMethods,
  type RedundancyProfile,
} from '@holdfast/contracts';
import { prefixEnd } from '../domain/key-order.js';
import { isOutOfTime, type MetadataDatabase, type Statement } from './database.js';
import { bucketColumns, bucketFromRow } from './record-rows.js';

type Input<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>[1];
type BucketChange = Awaited<ReturnType<MetadataMethods['setVersioning']>>;

const CREATE_ATTEMPTS_MAX = 5;

export interface NewBucket {
  readonly name: string;
  readonly accountId: string;
  readonly homeSetId: number;
  readonly profile: RedundancyProfile;
  readonly location?: string;
}

export class BucketRepository {
  constructor(
    private readonly database: MetadataDatabase,
    private readonly freeDelayMs: number,
  ) {}

  /** Of several that create one name exactly one is told `created`. */
  async create(call: CallContext, bucket: NewBucket): Promise<{ outcome: 'created' | 'exists'; bucket: BucketRecord }> {
    const { k, m, secondary } = bucket.profile;
    for (let attempt = 1; attempt <= CREATE_ATTEMPTS_MAX; attempt++) {
      const made = await this.database.timed('writes', call.deadline.leftMs(), {
        name: 'create_bucket',
        text: `INSERT INTO metadata.bucket AS b (name, account_id, created_at_ms, home_set_id, profile_k, profile_m,
            profile_secondary, revision, location)
          VALUES ($1, $2, metadata.now_ms(), $3, $4, $5, $6, metadata.next_number(), $7)
          ON CONFLICT (name) DO NOTHING RETURNING ${bucketColumns('b')}`,
        values: [bucket.name, bucket.accountId, bucket.homeSetId, k, m, secondary, bucket.location ?? null],
      });
      const found = made.length > 0 ? made : await this.rowsByName(bucket.name);
      const record = found.length > 0 ? bucketFromRow(found[0]) : undefined;
      // Deleted between the two statements: the name is free again.
      if (record !== undefined) return { outcome: made.length > 0 ? 'created' : 'exists', bucket: record };
    }
    throw new HoldfastError('ServiceUnavailable', 'The bucket is being made and deleted at once. Try again.');
  }

  private rowsByName(name: string) {
    return this.database.query('reads', {
      name: 'bucket_by_name',
      text: `SELECT ${bucketColumns('b')} FROM metadata.bucket b WHERE b.name = $1`,
      values: [name],
    });
  }

  async delete(call: CallContext, bucketId: bigint): Promise<'deleted' | 'no-bucket' | 'not-empty'> {
    const leftMs = call.deadline.leftMs();
    const [[outcome]] = await this.database.timed('writes', leftMs, {
      name: 'delete_bucket',
      text: 'SELECT metadata.delete_bucket($1, $2, $3, $4)',
      values: [bucketId, leftMs, call.requestId, this.freeDelayMs],
    });
    return outcome as 'deleted' | 'no-bucket' | 'not-empty';
  }

  async list(query: {
    accountId: string;
    prefix: string;
    after: string;
    limit: number;
  }): Promise<{ buckets: BucketRecord[]; truncated: boolean }> {
    const rows = await this.database.read('reads', {
      name: 'list_buckets',
      text: `SELECT ${bucketColumns('b')} FROM metadata.bucket b
        WHERE b.account_id = $1 AND b.name >= $2 AND b.name > $3 AND ($4::text IS NULL OR b.name < $4)
        ORDER BY b.name LIMIT $5`,
      values: [query.accountId, query.prefix, query.after, prefixEnd(query.prefix) ?? null, query.limit + 1],
    });
    const buckets = rows.slice(0, query.limit).map((row) => bucketFromRow(row) as BucketRecord);
    return { buckets, truncated: rows.length > query.limit };
  }

  setVersioning(call: CallContext, input: Input<'setVersioning'>): Promise<BucketChange> {
    return this.change(call, (leftMs) => ({
      name: 'set_versioning',
      text: 'SELECT outcome, revision FROM metadata.set_versioning($1, $2, $3, $4)',
      values: [input.bucketId, input.bucketRevision ?? null, input.versioning, leftMs],
    }));
  }

  putConfiguration(call: CallContext, input: Input<'putBucketConfiguration'>): Promise<BucketChange> {
    return this.change(call, (leftMs) => ({
      name: 'put_bucket_configuration',
      text: 'SELECT outcome, revision FROM metadata.put_bucket_configuration($1, $2, $3, $4, $5)',
      values: [input.bucketId, input.bucketRevision ?? null, input.kind, input.document ?? null, leftMs],
    }));
  }

  private async change(call: CallContext, statement: (leftMs: number) => Statement): Promise<BucketChange> {
    const leftMs = call.deadline.leftMs();
    try {
      const [[outcome, revision]] = await this.database.timed('writes', leftMs, statement(leftMs));
      if (outcome !== 'changed') return { outcome: outcome as BucketChange['outcome'] };
      return { outcome, revision: BigInt(revision as string) };
    } catch (error) {
      if (isOutOfTime(error)) return { outcome: 'late' };
      throw error;
    }
  }

  async configuration(input: Input<'bucketConfiguration'>): Promise<{ document?: string; revision: bigint }> {
    const [row] = await this.database.read('reads', {
      name: 'bucket_configuration',
      text: `SELECT b.revision, c.document FROM metadata.bucket b LEFT JOIN metadata.bucket_configuration c
        ON c.bucket_id = b.bucket_id AND c.kind = $2 WHERE b.bucket_id = $1`,
      values: [input.bucketId, input.kind],
    });
    if (row === undefined) return { revision: 0n };
    const revision = BigInt(row[0] as string);
    return row[1] === null ? { revision } : { document: row[1] as string, revision };
  }
}
