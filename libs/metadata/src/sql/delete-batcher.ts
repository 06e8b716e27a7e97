import {
  HoldfastError,
  isId,
  LIMITS,
  newId,
  NULL_VERSION,
  type CallContext,
  type MetadataMethods,
} from '@holdfast/contracts';
import { conditionLists } from '../domain/write-conditions.js';
import { bytesArray, plainArray, textArray } from './array-literal.js';
import type { MetadataDatabase } from './database.js';
import { LockingBatcher } from './locking-batcher.js';

const SLOW_LANES = 4;

type DeleteObjects = Parameters<MetadataMethods['deleteObjects']>[1];
type DeleteOutcome = Awaited<ReturnType<MetadataMethods['deleteObjects']>>['outcomes'][number];

interface DeleteItem {
  readonly call: CallContext;
  readonly bucketId: bigint;
  readonly bucketRevision: bigint;
  readonly key: string;
  readonly target: string | null;
  readonly markerId: string;
  readonly ifMatch: string | null;
}

type Judged = DeleteOutcome | { readonly outcome: 'bucket-changed' };

const DELETE_SQL =
  'SELECT item, outcome, marked, existed, owes FROM metadata.delete_batch(' +
  '$1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::float8[], $8::text[], $9, $10)';

/** Deletes of keys and of single versions, batched like commits. */
export class DeleteBatcher {
  private readonly batcher: LockingBatcher<DeleteItem, Judged>;

  constructor(
    private readonly database: MetadataDatabase,
    private readonly options: { readonly freeDelayMs: number; readonly onOwed: () => void },
  ) {
    this.batcher = new LockingBatcher(
      { sizeMax: LIMITS.commitBatchMax, slowLanes: SLOW_LANES },
      {
        lockName: (item) => `${item.bucketId}/${item.key}`,
        leftMs: (item) => item.call.deadline.leftMs(),
        late: { outcome: 'late', existed: false },
        send: (items, wait) => this.send(items, wait),
        // A delete can be repeated: nothing to look up.
        resolve: (items) => Promise.resolve(items.map(() => undefined)),
      },
    );
  }

  /** Errors: OperationAborted when the bucket's configuration is no longer the one of `bucketRevision`; ServiceUnavailable. */
  async delete(call: CallContext, input: DeleteObjects): Promise<DeleteOutcome[]> {
    const judged = await Promise.all(
      input.items.map((item) =>
        this.batcher.submit({
          call,
          bucketId: input.bucketId,
          bucketRevision: input.bucketRevision,
          key: item.key,
          target: targetOf(item.versionId),
          markerId: newId(),
          ifMatch: conditionLists(item.conditions).ifMatch,
        }),
      ),
    );
    return judged.map((outcome) => {
      if (outcome.outcome !== 'bucket-changed') return outcome;
      throw new HoldfastError('OperationAborted', 'The configuration of the bucket has just changed. Try again.');
    });
  }

  private async send(items: readonly DeleteItem[], wait: boolean): Promise<(Judged | 'busy')[]> {
    const statement = {
      name: 'delete_batch',
      text: DELETE_SQL,
      values: [
        plainArray(items.map((item) => item.bucketId)),
        plainArray(items.map((item) => item.bucketRevision)),
        textArray(items.map((item) => item.key)),
        textArray(items.map((item) => item.target)),
        bytesArray(items.map((item) => item.markerId)),
        textArray(items.map((item) => item.ifMatch)),
        plainArray(items.map((item) => item.call.deadline.leftMs())),
        textArray(items.map((item) => item.call.requestId)),
        wait,
        this.options.freeDelayMs,
      ],
    };
    const rows = wait
      ? await this.database.timed('contested', items[0].call.deadline.leftMs(), statement)
      : await this.database.onLine('deletes', statement);
    const results: (Judged | 'busy')[] = [];
    let owed = false;
    for (const [item, outcome, marked, existed, owes] of rows) {
      const place = (item as number) - 1;
      results[place] = judgedFrom(
        outcome as string,
        existed as boolean,
        marked === true ? items[place].markerId : undefined,
      );
      owed ||= owes as boolean;
    }
    if (owed) this.options.onOwed();
    return results;
  }
}

/** A version id that nobody can have made names nothing: the empty one. */
function targetOf(versionId: string | undefined): string | null {
  if (versionId === undefined) return null;
  return versionId === NULL_VERSION || isId(versionId) ? versionId : '';
}

function judgedFrom(outcome: string, existed: boolean, markerVersionId: string | undefined): Judged | 'busy' {
  if (outcome === 'busy' || outcome === 'bucket-changed') return outcome === 'busy' ? outcome : { outcome };
  return {
    outcome: outcome as DeleteOutcome['outcome'],
    existed,
    ...(markerVersionId === undefined ? {} : { markerVersionId }),
  };
}
