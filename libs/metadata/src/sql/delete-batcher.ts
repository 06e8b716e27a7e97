import {
  isId,
  LIMITS,
  newId,
  NULL_VERSION,
  type CallContext,
  type DeleteConditions,
  type DeleteOutcome,
  type MetadataMethods,
} from '@holdfast/contracts';
import { conditionLists } from '../domain/write-conditions.js';
import { bytesArray, plainArray, textArray } from './array-literal.js';
import type { MetadataDatabase, Row } from './database.js';
import { LockingBatcher } from './locking-batcher.js';

const SLOW_LANES = 4;

type DeleteObjects = Parameters<MetadataMethods['deleteObjects']>[1];

interface DeleteItem {
  readonly call: CallContext;
  readonly bucketId: bigint;
  readonly bucketRevision: bigint;
  readonly key: string;
  readonly target: string | null;
  readonly markerId: string;
  readonly conditions: DeleteConditions;
}

const DELETE_SQL =
  'SELECT item, outcome, marked, marker_is_null, existed, removed_marker, owes FROM metadata.delete_batch(' +
  '$1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[], $8::bigint[], ' +
  '$9::float8[], $10::text[], $11, $12)';

/** Deletes of keys and of single versions, batched like commits. */
export class DeleteBatcher {
  private readonly batcher: LockingBatcher<DeleteItem, DeleteOutcome>;

  constructor(
    private readonly database: MetadataDatabase,
    private readonly options: { readonly freeDelayMs: number; readonly onOwed: () => void },
  ) {
    this.batcher = new LockingBatcher(
      { sizeMax: LIMITS.commitBatchMax, slowLanes: SLOW_LANES },
      {
        lockName: (item) => `${item.bucketId}/${item.key}`,
        leftMs: (item) => item.call.deadline.leftMs(),
        late: { outcome: 'late', existed: false, removedMarker: false },
        send: (items, wait) => this.send(items, wait),
        // A delete can be repeated: nothing to look up.
        resolve: (items) => Promise.resolve(items.map(() => undefined)),
      },
    );
  }

  /** One outcome per item in their order. Errors: ServiceUnavailable. */
  delete(call: CallContext, input: DeleteObjects): Promise<DeleteOutcome[]> {
    return Promise.all(
      input.items.map((item) =>
        this.batcher.submit({
          call,
          bucketId: input.bucketId,
          bucketRevision: input.bucketRevision,
          key: item.key,
          target: targetOf(item.versionId),
          markerId: newId(),
          conditions: item.conditions,
        }),
      ),
    );
  }

  private async send(items: readonly DeleteItem[], wait: boolean): Promise<(DeleteOutcome | 'busy')[]> {
    const statement = {
      name: 'delete_batch',
      text: DELETE_SQL,
      values: [
        plainArray(items, (item) => item.bucketId),
        plainArray(items, (item) => item.bucketRevision),
        textArray(items, (item) => item.key),
        textArray(items, (item) => item.target),
        bytesArray(items, (item) => item.markerId),
        textArray(items, (item) => conditionLists(item.conditions).ifMatch),
        plainArray(items, (item) => item.conditions.ifModifiedAtSeconds ?? null),
        plainArray(items, (item) => item.conditions.ifSizeBytes ?? null),
        plainArray(items, (item) => item.call.deadline.leftMs()),
        textArray(items, (item) => item.call.requestId),
        wait,
        this.options.freeDelayMs,
      ],
    };
    const rows = wait
      ? await this.database.timed('contested', items[0].call.deadline.leftMs(), statement)
      : await this.database.onLine('deletes', statement);
    const results: (DeleteOutcome | 'busy')[] = [];
    let owed = false;
    for (const row of rows) {
      const place = (row[0] as number) - 1;
      results[place] = outcomeFromRow(row, items[place].markerId);
      owed ||= row[6] as boolean;
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

function outcomeFromRow(row: Row, markerId: string): DeleteOutcome | 'busy' {
  const [, outcome, marked, markerIsNull, existed, removedMarker] = row;
  if (outcome === 'busy') return outcome;
  return {
    outcome: outcome as DeleteOutcome['outcome'],
    existed: existed as boolean,
    removedMarker: removedMarker as boolean,
    ...(marked === true ? { marker: { versionId: markerId, isNull: markerIsNull as boolean } } : {}),
  };
}
