import {
  decodeChunkList,
  HoldfastError,
  type CallContext,
  type MetadataMethods,
  type RedundancyProfile,
} from '@holdfast/contracts';
import { hasSecondary, mergeCopies, unpackChunks } from '../domain/chunk-merge.js';
import { bytesArray, plainArray } from './array-literal.js';
import { IDENTITY_COLUMNS, identityFromRow } from './cluster-map.repository.js';
import { isOutOfTime, type MetadataDatabase } from './database.js';

type Input<K extends keyof MetadataMethods> = Parameters<MetadataMethods[K]>[1];
type Output<K extends keyof MetadataMethods> = Awaited<ReturnType<MetadataMethods[K]>>;

/** Records of writes by their id: what replication and the collector ask. */
const RECORDS =
  '(SELECT v.bucket_id, v.write_id, v.key, v.chunks FROM metadata.object_version v ' +
  'WHERE v.bucket_id = w.bucket_id AND v.write_id = w.write_id ' +
  'UNION ALL SELECT p.bucket_id, p.write_id, p.key, p.chunks FROM metadata.part p ' +
  'WHERE p.bucket_id = w.bucket_id AND p.write_id = w.write_id LIMIT 1)';

/** The record changes only when another copy is confirmed: twice is rare, more is a fault. */
const MERGE_ATTEMPTS_MAX = 5;

export class WriteRepository {
  constructor(
    private readonly database: MetadataDatabase,
    private readonly graceMs: number,
  ) {}

  async find(input: Input<'findWrite'>): Promise<Output<'findWrite'>> {
    const [row] = await this.database.read('reads', {
      name: 'find_write',
      text: `SELECT b.name, b.profile_k, b.profile_m, b.profile_secondary, b.home_set_id, r.chunks
        FROM (SELECT $1::bigint AS bucket_id, $2::bytea AS write_id) w
        JOIN metadata.bucket b ON b.bucket_id = w.bucket_id CROSS JOIN LATERAL ${RECORDS} r`,
      values: [input.bucketId, Buffer.from(input.writeId, 'hex')],
    });
    if (row === undefined) return { found: false };
    const [name, k, m, secondary, homeSetId, packed] = row;
    const [first] = unpackChunks(packed as Buffer);
    return {
      found: true,
      bucketName: name as string,
      profile: { k, m, secondary } as RedundancyProfile,
      chunks: packed as Buffer,
      primarySetId: first === undefined ? (homeSetId as number) : first.primary.setId,
    };
  }

  /** Errors: InvalidArgument when the copy does not fit the record. */
  async confirmReplica(call: CallContext, input: Input<'confirmReplica'>): Promise<Output<'confirmReplica'>> {
    const receivedAtMs = performance.now();
    const copies = decodeChunkList(input.copies);
    for (let attempt = 1; attempt <= MERGE_ATTEMPTS_MAX; attempt++) {
      const ageMs = input.attemptAgeMs + performance.now() - receivedAtMs;
      const leftMs = Math.min(call.deadline.leftMs(), this.graceMs / 2 - ageMs);
      if (leftMs <= 0) return { outcome: 'late' };
      const record = await this.record(input.bucketId, input.writeId);
      if (record === undefined || hasSecondary(unpackChunks(record.packed))) {
        await this.confirmIntent(input.intentId);
        return { outcome: record === undefined ? 'gone' : 'already' };
      }
      const merged = mergeCopies(unpackChunks(record.packed), copies);
      const outcome = await this.replace(input, record, merged, leftMs);
      if (outcome !== 'changed') return { outcome };
    }
    throw new HoldfastError('ServiceUnavailable', 'The record keeps changing. Try again.');
  }

  private async record(bucketId: bigint, writeId: string): Promise<{ key: string; packed: Buffer } | undefined> {
    const [row] = await this.database.read('reads', {
      name: 'write_record',
      text: `SELECT r.key, r.chunks FROM (SELECT $1::bigint AS bucket_id, $2::bytea AS write_id) w CROSS JOIN LATERAL ${RECORDS} r`,
      values: [bucketId, Buffer.from(writeId, 'hex')],
    });
    return row === undefined ? undefined : { key: row[0] as string, packed: row[1] as Buffer };
  }

  private async replace(
    input: Input<'confirmReplica'>,
    record: { key: string; packed: Buffer },
    merged: Buffer,
    leftMs: number,
  ): Promise<'kept' | 'changed' | 'late'> {
    const writeId = Buffer.from(input.writeId, 'hex');
    try {
      const [[outcome]] = await this.database.timed('writes', leftMs, {
        name: 'confirm_replica',
        text: 'SELECT metadata.confirm_replica($1, $2, $3, $4, $5, $6, $7)',
        values: [input.intentId, input.bucketId, record.key, writeId, record.packed, merged, leftMs],
      });
      return outcome as 'kept' | 'changed' | 'late';
    } catch (error) {
      if (isOutOfTime(error)) return 'late';
      throw error;
    }
  }

  async confirmIntent(intentId: bigint): Promise<void> {
    await this.database.query('reads', {
      name: 'confirm_intent',
      text: 'DELETE FROM metadata.outbox o WHERE o.intent_id = $1',
      values: [intentId],
    });
  }

  /** One statement, hence one snapshot. */
  async live(input: Input<'liveWrites'>): Promise<Output<'liveWrites'>> {
    const rows = await this.database.read('reads', {
      name: 'live_writes',
      text: `SELECT ${IDENTITY_COLUMNS}, found.write_id, found.chunks FROM (SELECT 1) one LEFT JOIN (
          SELECT r.write_id, r.chunks FROM unnest($1::bigint[], $2::bytea[]) AS w(bucket_id, write_id)
          CROSS JOIN LATERAL ${RECORDS} r) found ON true`,
      values: [plainArray(input.writes, (write) => write.bucketId), bytesArray(input.writes, (write) => write.writeId)],
    });
    const live = rows
      .filter((row) => row[3] !== null)
      .map((row) => ({ writeId: (row[3] as Buffer).toString('hex'), chunks: row[4] as Buffer }));
    return { database: identityFromRow(rows[0]), live };
  }
}
