import type { MetadataMethods } from '@holdfast/contracts';
import type { MetadataDatabase } from './database.js';

const FOLD_ROWS = 10_000;
const RESULT_KEPT_MS = 24 * 3600 * 1000;

/** Counts, and the folding that keeps them cheap. */
export class StatusRepository {
  constructor(private readonly database: MetadataDatabase) {}

  async status(): Promise<Awaited<ReturnType<MetadataMethods['status']>>> {
    const [row] = await this.database.read('reads', {
      name: 'status',
      text: `SELECT (SELECT max(m.epoch) FROM metadata.cluster_map m), (SELECT count(*) FROM metadata.bucket),
        coalesce((SELECT sum(u.objects) FROM metadata.usage u), 0)
          + coalesce((SELECT sum(d.objects) FROM metadata.usage_delta d), 0),
        coalesce((SELECT sum(u.bytes) FROM metadata.usage u), 0) + coalesce((SELECT sum(d.bytes) FROM metadata.usage_delta d), 0),
        coalesce((SELECT json_object_agg(o.kind, o.owed)
          FROM (SELECT x.kind, count(*) AS owed FROM metadata.outbox x GROUP BY x.kind) o), '{}'),
        coalesce((SELECT metadata.now_ms() - min(r.created_at_ms) FROM metadata.outbox r WHERE r.kind = 'replicate'), 0)`,
    });
    const [epoch, buckets, objects, bytes, outbox, oldestReplicateMs] = row;
    return {
      epoch: BigInt(epoch as string),
      buckets: Number(buckets),
      objects: Number(objects),
      bytes: Number(bytes),
      outbox: outbox as Record<string, number>,
      oldestReplicateMs: Math.max(0, Number(oldestReplicateMs)),
    };
  }

  async bucketUsage(bucketIds: readonly bigint[]): Promise<{ bucketId: bigint; objects: number; bytes: number }[]> {
    const rows = await this.database.read('reads', {
      name: 'bucket_usage',
      text: `SELECT held.bucket_id, sum(held.objects), sum(held.bytes) FROM (
          SELECT u.bucket_id, u.objects, u.bytes FROM metadata.usage u WHERE u.bucket_id = ANY ($1::bigint[])
          UNION ALL
          SELECT d.bucket_id, d.objects, d.bytes FROM metadata.usage_delta d WHERE d.bucket_id = ANY ($1::bigint[])
        ) held GROUP BY held.bucket_id`,
      values: [`{${bucketIds.join(',')}}`],
    });
    return rows.map(([bucketId, objects, bytes]) => ({
      bucketId: BigInt(bucketId as string),
      objects: Number(objects),
      bytes: Number(bytes),
    }));
  }

  async accountUsage(accountId: string): Promise<{ buckets: number; objects: number; bytes: number }> {
    const [[buckets, objects, bytes]] = await this.database.read('reads', {
      name: 'account_usage',
      text: `SELECT count(*),
          coalesce(sum((SELECT sum(u.objects) FROM metadata.usage u WHERE u.bucket_id = b.bucket_id)), 0)
            + coalesce(sum((SELECT sum(d.objects) FROM metadata.usage_delta d WHERE d.bucket_id = b.bucket_id)), 0),
          coalesce(sum((SELECT sum(u.bytes) FROM metadata.usage u WHERE u.bucket_id = b.bucket_id)), 0)
            + coalesce(sum((SELECT sum(d.bytes) FROM metadata.usage_delta d WHERE d.bucket_id = b.bucket_id)), 0)
        FROM metadata.bucket b WHERE b.account_id = $1`,
      values: [accountId],
    });
    return { buckets: Number(buckets), objects: Number(objects), bytes: Number(bytes) };
  }

  /** Folds usage deltas and forgets results of uploads that nobody may ask for any more. Answers the deltas folded. */
  async tidy(): Promise<number> {
    let folded = 0;
    for (;;) {
      const [[count]] = await this.database.query('reads', {
        name: 'fold_usage',
        text: 'SELECT metadata.fold_usage($1)',
        values: [FOLD_ROWS],
      });
      folded += count as number;
      if ((count as number) < FOLD_ROWS) break;
    }
    await this.database.query('reads', {
      name: 'forget_results',
      text: 'DELETE FROM metadata.upload_result r WHERE r.last_modified_ms < metadata.now_ms() - $1::bigint',
      values: [RESULT_KEPT_MS],
    });
    return folded;
  }
}
