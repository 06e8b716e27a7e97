import { LIMITS, type CallContext, type CommitAnswer, type CommitObject } from '@holdfast/contracts';
import { unpackChunks } from '../domain/chunk-merge.js';
import { judgeMargin } from '../domain/margin.js';
import { conditionLists } from '../domain/write-conditions.js';
import { bytesArray, plainArray, textArray } from './array-literal.js';
import type { ClusterMapRepository } from './cluster-map.repository.js';
import type { MetadataDatabase, Row } from './database.js';
import { LockingBatcher } from './locking-batcher.js';
import { tagsText } from './record-rows.js';

const SLOW_LANES = 4;
/** A map that moves on faster than commits can follow. */
const EPOCH_ATTEMPTS_MAX = 5;
const RESOLVE_ATTEMPTS = 3;
const RESOLVE_PAUSE_MS = 200;

const COMMIT_SQL =
  'SELECT item, outcome, sequence, last_modified_ms, is_null, owes FROM metadata.commit_batch(' +
  '$1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], ' +
  '$10::text[], $11::bytea[], $12::bytea[], $13::bigint[], $14::boolean[], $15::text[], $16::text[], $17::float8[], ' +
  '$18::text[], $19, $20)';

interface CommitItem {
  readonly call: CallContext;
  readonly input: CommitObject;
  readonly receivedAtMs: number;
  readonly epoch: bigint;
  readonly degraded: boolean;
  /** Called when the item leaves for the database for the first time. */
  readonly onSent: () => void;
}

type Judged = CommitAnswer | { readonly outcome: 'stale-epoch' };

export interface CommitBatcherOptions {
  readonly graceMs: number;
  readonly freeDelayMs: number;
  /** After a commit that owes work to a relay. */
  readonly onOwed: () => void;
}

/** Commits of objects: batched, each judged alone, each with its own answer. */
export class CommitBatcher {
  private readonly batcher: LockingBatcher<CommitItem, Judged>;

  constructor(
    private readonly database: MetadataDatabase,
    private readonly maps: ClusterMapRepository,
    private readonly options: CommitBatcherOptions,
  ) {
    this.batcher = new LockingBatcher(
      { sizeMax: LIMITS.commitBatchMax, slowLanes: SLOW_LANES },
      {
        lockName: ({ input }) => `${input.bucketId}/${input.key}`,
        leftMs: (item) => this.leftMs(item),
        late: { outcome: 'late' },
        send: (items, wait) => this.send(items, wait),
        resolve: (items) => this.resolve(items),
      },
    );
  }

  /** `onSent` is called when the commit first leaves for the database. Errors: ServiceUnavailable when the outcome is open. */
  async commit(call: CallContext, input: CommitObject, onSent: () => void): Promise<CommitAnswer> {
    let item: CommitItem = {
      call,
      input,
      receivedAtMs: performance.now(),
      epoch: input.written.epoch,
      degraded: input.written.degraded,
      onSent: once(onSent),
    };
    for (let attempt = 1; attempt <= EPOCH_ATTEMPTS_MAX; attempt++) {
      const judged = await this.batcher.submit(item);
      if (judged.outcome !== 'stale-epoch') return judged;
      const today = await this.maps.current();
      const written = await this.maps.ofEpoch(input.written.epoch);
      if (written === undefined) break;
      const margin = judgeMargin(unpackChunks(input.written.chunks), written, today);
      if (margin === 'lost') break;
      item = { ...item, epoch: today.epoch, degraded: input.written.degraded || margin === 'degraded' };
    }
    return { outcome: 'margin-lost' };
  }

  private leftMs({ call, input, receivedAtMs }: CommitItem): number {
    const ageMs = input.attemptAgeMs + performance.now() - receivedAtMs;
    return Math.min(call.deadline.leftMs(), this.options.graceMs / 2 - ageMs);
  }

  private async send(items: readonly CommitItem[], wait: boolean): Promise<(Judged | 'busy')[]> {
    for (const item of items) item.onSent();
    const statement = { name: 'commit_batch', text: COMMIT_SQL, values: this.valuesOf(items, wait) };
    const rows = wait
      ? await this.database.timed('contested', this.leftMs(items[0]), statement)
      : await this.database.onLine('commits', statement);
    const results: (Judged | 'busy')[] = [];
    let owed = false;
    for (const row of rows) {
      const place = (row[0] as number) - 1;
      results[place] = judgedFromRow(row, items[place].input.versionId);
      owed ||= row[5] as boolean;
    }
    if (owed) this.options.onOwed();
    return results;
  }

  private valuesOf(items: readonly CommitItem[], wait: boolean): unknown[] {
    const inputs = items.map((item) => item.input);
    const conditions = inputs.map((input) => conditionLists(input.conditions));
    return [
      plainArray(inputs, (input) => input.bucketId),
      plainArray(inputs, (input) => input.bucketRevision),
      textArray(inputs, (input) => input.key),
      bytesArray(inputs, (input) => input.versionId),
      textArray(inputs, (input) => input.etag),
      plainArray(inputs, (input) => input.written.sizeBytes),
      textArray(inputs, (input) => JSON.stringify(input.attributes)),
      textArray(inputs, (input) => tagsText(input.tags)),
      textArray(inputs, (input) => input.attributes.storageClass),
      textArray(inputs, (input) => Object.keys(input.attributes.checksums).join(',')),
      bytesArray(inputs, (input) => input.written.writeId),
      bytesArray(inputs, (input) => input.written.chunks),
      plainArray(items, (item) => item.epoch),
      plainArray(items, (item) => item.degraded),
      textArray(conditions, (lists) => lists.ifMatch),
      textArray(conditions, (lists) => lists.ifNoneMatch),
      // In whole milliseconds: the text of a fraction costs more than all other numbers.
      plainArray(items, (item) => Math.floor(this.leftMs(item))),
      textArray(items, (item) => item.call.requestId),
      wait,
      this.options.freeDelayMs,
    ];
  }

  /** A version that is there was committed; one that is not may still come, so it stays unknown. */
  private async resolve(items: readonly CommitItem[]): Promise<(CommitAnswer | undefined)[]> {
    const inputs = items.map((item) => item.input);
    const statement = {
      text:
        'SELECT r.item, v.sequence, v.last_modified_ms, v.is_null FROM unnest($1::bigint[], $2::text[], $3::bytea[]) ' +
        'WITH ORDINALITY AS r(bucket_id, key, version_id, item) JOIN metadata.object_version v ' +
        'ON v.bucket_id = r.bucket_id AND v.key = r.key AND v.version_id = r.version_id',
      values: [
        plainArray(inputs, (input) => input.bucketId),
        textArray(inputs, (input) => input.key),
        bytesArray(inputs, (input) => input.versionId),
      ],
    };
    const rows = await this.lookUpRepeatedly(statement);
    const known: (CommitAnswer | undefined)[] = items.map(() => undefined);
    for (const [item, sequence, lastModifiedMs, isNull] of rows) {
      const place = Number(item) - 1;
      known[place] = {
        outcome: 'committed',
        sequence: BigInt(sequence as string),
        lastModifiedMs: Number(lastModifiedMs),
        versionId: inputs[place].versionId,
        isNull: isNull as boolean,
      };
    }
    return known;
  }

  private async lookUpRepeatedly(statement: { text: string; values: unknown[] }): Promise<Row[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.database.onFreshConnection(statement);
      } catch (error) {
        if (attempt === RESOLVE_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, RESOLVE_PAUSE_MS));
      }
    }
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

function judgedFromRow(row: Row, versionId: string): Judged | 'busy' {
  const outcome = row[1] as Judged['outcome'] | 'busy';
  if (outcome === 'busy') return outcome;
  if (outcome !== 'committed') return { outcome };
  const [, , sequence, lastModifiedMs, isNull] = row;
  return {
    outcome,
    sequence: BigInt(sequence as string),
    lastModifiedMs: Number(lastModifiedMs),
    versionId,
    isNull: isNull as boolean,
  };
}
