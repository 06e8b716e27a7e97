import {
  HoldfastError,
  newId,
  type BucketRecord,
  type CommitAnswer,
  type ObjectAttributes,
  type WriteConditions,
} from '@holdfast/contracts';
import { evaluateWriteConditions, type TagSet } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import type { StoredBody } from '../streams/object-write.js';

/** What becomes an object together with its bytes. */
export interface ObjectToCommit {
  readonly attributes: Omit<ObjectAttributes, 'checksums'>;
  readonly conditions: WriteConditions;
  readonly tags?: TagSet;
}

export type Committed = Extract<CommitAnswer, { outcome: 'committed' }>;

/** With a precondition the object is looked up too: that may save an upload. The commit judges again, and decides. */
export function bucketToWrite(conditions: WriteConditions, exchange: Exchange): Promise<BucketRecord> {
  const isFree = conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined;
  return isFree ? exchange.services.buckets.hinted(exchange) : bucketThatProceeds(conditions, exchange);
}

async function bucketThatProceeds(conditions: WriteConditions, exchange: Exchange): Promise<BucketRecord> {
  const { metadata, buckets } = exchange.services;
  const { bucketName, key } = exchange;
  const found = await metadata.findObject(exchange.controlCall(), { bucketName, key });
  const bucket = await buckets.check(exchange, found.bucket);
  const current = found.version?.isDeleteMarker === true ? undefined : found.version;
  const verdict = evaluateWriteConditions(conditions, current);
  if (verdict !== 'proceed') throw refusalOf(verdict, exchange);
  return bucket;
}

/** Makes stored bytes the object of the request. Errors: NoSuchBucket, PreconditionFailed, NoSuchKey, ServiceUnavailable. */
export async function commitObject(
  object: ObjectToCommit,
  stored: StoredBody,
  first: BucketRecord,
  exchange: Exchange,
): Promise<Committed> {
  const { metadata, clock, buckets } = exchange.services;
  const versionId = newId(clock.nowMs());
  const attempt = (bucket: BucketRecord): Promise<CommitAnswer> =>
    metadata.commitObject(exchange.controlCall(), {
      bucketId: bucket.bucketId,
      bucketRevision: bucket.revision,
      key: exchange.key,
      versionId,
      etag: stored.md5Hex,
      attributes: { ...object.attributes, checksums: stored.checksums },
      ...(object.tags === undefined ? {} : { tags: object.tags }),
      conditions: object.conditions,
      written: stored.written,
      attemptAgeMs: Math.ceil(clock.monotonicMs() - stored.beganMs),
    });
  let answer = await attempt(first);
  if (answer.outcome === 'bucket-changed' || answer.outcome === 'no-bucket') {
    // Judged by an older record: the owner is checked against the newer one before the same bytes are offered again.
    buckets.forget(exchange.bucketName);
    const fresh = await buckets.current(exchange);
    // The bytes belong to the bucket that they were written for; one that has taken over its name gets none of them.
    if (fresh.bucketId !== first.bucketId) throw new HoldfastError('ServiceUnavailable', 'The bucket was replaced.');
    answer = await attempt(fresh);
  }
  if (answer.outcome !== 'committed') throw refusalOf(answer.outcome, exchange);
  return answer as Committed;
}

type WriteRefusal = Exclude<CommitAnswer['outcome'], 'committed'>;

/** The S3 error of a write that was not done. */
export function refusalOf(outcome: WriteRefusal, exchange: Exchange): HoldfastError {
  switch (outcome) {
    case 'no-bucket':
      return new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    case 'precondition-failed':
      return new HoldfastError('PreconditionFailed');
    case 'no-such-key':
      return new HoldfastError('NoSuchKey', undefined, { Key: exchange.key });
    case 'late':
      return new HoldfastError('ServiceUnavailable', 'The upload took too long to be committed. Try again.');
    case 'margin-lost':
    case 'bucket-changed':
      return new HoldfastError('ServiceUnavailable');
  }
}
