import type { Intent } from '@holdfast/contracts';
import type { ClaimedIntent } from '../outbox-source.js';
import { plainArray } from './array-literal.js';
import type { MetadataDatabase, Row } from './database.js';

export interface ClaimSettings {
  /** How long a row is its taker's; doubled with every delivery that was not confirmed … */
  readonly claimMs: number;
  /** … up to this. */
  readonly claimMsMax: number;
}

/** The table as a queue. Each statement is a transaction of its own: none stays open while an effect is made. */
export class OutboxRepository {
  constructor(
    private readonly database: MetadataDatabase,
    private readonly settings: ClaimSettings,
  ) {}

  async claim(limit: number): Promise<ClaimedIntent[]> {
    const rows = await this.database.query('reads', {
      name: 'claim_intents',
      text: `WITH due AS (
          SELECT o.intent_id, o.bucket_id FROM metadata.outbox o
          WHERE o.kind IN ('replicate', 'free') AND o.claimed_until_ms <= (SELECT metadata.now_ms())
          ORDER BY o.claimed_until_ms LIMIT $1 FOR UPDATE SKIP LOCKED)
        UPDATE metadata.outbox o SET attempts = o.attempts + 1,
          claimed_until_ms = metadata.now_ms() + least($2::bigint << least(o.attempts, 20), $3::bigint)
        FROM due d WHERE o.intent_id = d.intent_id AND o.bucket_id = d.bucket_id
        RETURNING o.intent_id, o.kind, o.bucket_id, o.write_id, o.chunks, o.request_id, o.attempts`,
      values: [limit, this.settings.claimMs, this.settings.claimMsMax],
    });
    return rows.map(claimedFromRow).sort((a, b) => (a.intent.intentId < b.intent.intentId ? -1 : 1));
  }

  /** An intent that could not be handed over was not delivered: its attempt does not count. */
  async release(intentIds: readonly bigint[], backoffMs: number): Promise<void> {
    await this.database.query('reads', {
      name: 'release_intents',
      text:
        'UPDATE metadata.outbox o SET attempts = greatest(0, o.attempts - 1), claimed_until_ms = metadata.now_ms() + $2 ' +
        'WHERE o.intent_id = ANY ($1::bigint[])',
      values: [plainArray(intentIds, (id) => id), Math.ceil(backoffMs)],
    });
  }

  async notify(channel: string): Promise<void> {
    await this.database.query('reads', {
      name: 'notify_outbox',
      text: 'SELECT pg_notify($1, $2)',
      values: [channel, ''],
    });
  }
}

function claimedFromRow(row: Row): ClaimedIntent {
  const [id, kind, bucket, write, chunks, requestId, attempts] = row;
  const place = {
    intentId: BigInt(id as string),
    bucketId: BigInt(bucket as string),
    writeId: (write as Buffer).toString('hex'),
  };
  const intent: Intent =
    kind === 'free'
      ? { kind, ...place, chunks: chunks as Buffer }
      : { kind: 'replicate', ...place, requestId: requestId as string };
  return { intent, attempts: attempts as number };
}
