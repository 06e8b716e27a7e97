import {
  HoldfastError,
  LIMITS,
  newId,
  type BucketRecord,
  type CommitAnswer,
  type ObjectAttributes,
  type WriteConditions,
} from '@holdfast/contracts';
import { evaluateWriteConditions, extractObjectHeaders } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { planBody, type BodyPlan } from '../streams/body-plan.js';
import { storeBody, type StoredBody } from '../streams/object-write.js';
import { definedOnly } from './object-attributes.js';
import { objectChecksumHeaders, quoted } from './object-reply-headers.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';
import { writeConditionsOf } from './write-conditions.js';

const ASK_DATA_STEP = 5;
const ASK_METADATA_STEP = 8;

interface PutObjectInput {
  readonly plan: BodyPlan;
  readonly attributes: Omit<ObjectAttributes, 'checksums'>;
  readonly conditions: WriteConditions;
}

interface PutObjectOutput {
  readonly stored: StoredBody;
  readonly versionId: string;
  readonly isNull: boolean;
}

/** The seed's order: bytes are durable first, then the record that makes them an object. */
export const putObject = defineOperation<PutObjectInput, PutObjectOutput>({
  name: 'PutObject',

  decode({ request, grant }) {
    refuseUnservedFeatures(request.headers);
    const { standard, user } = extractObjectHeaders(request.headers);
    return {
      plan: planBody(request.sent, grant.payload, LIMITS.putObjectBytesMax),
      attributes: { headers: definedOnly(standard), userMetadata: user, storageClass: storageClassOf(request.headers) },
      conditions: writeConditionsOf(request.headers),
    };
  },

  async handle(input, exchange) {
    const bucket = await bucketToWrite(input.conditions, exchange);
    exchange.step(ASK_DATA_STEP);
    const stored = await storeBody(exchange, bucket, input.attributes.storageClass, input.plan);
    exchange.step(ASK_METADATA_STEP);
    const answer = await commit(input, stored, bucket, exchange);
    return { stored, versionId: answer.versionId, isNull: answer.isNull };
  },

  encode({ stored, versionId, isNull }) {
    const headers = ['ETag', quoted(stored.md5Hex), ...objectChecksumHeaders(stored.checksums)];
    if (!isNull) headers.push('x-amz-version-id', versionId);
    return emptyReply(200, headers);
  },
});

/** With a precondition the object is looked up too: that may save an upload. The commit judges again, and decides. */
async function bucketToWrite(conditions: WriteConditions, exchange: Exchange): Promise<BucketRecord> {
  const { metadata, buckets } = exchange.services;
  if (conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined) return buckets.hinted(exchange);
  const { bucketName, key } = exchange;
  const found = await metadata.findObject(exchange.controlCall(), { bucketName, key });
  const bucket = buckets.check(exchange, found.bucket);
  const current = found.version?.isDeleteMarker === true ? undefined : found.version;
  const verdict = evaluateWriteConditions(conditions, current);
  if (verdict !== 'proceed') throw refusalOf(verdict, exchange);
  return bucket;
}

type Committed = Extract<CommitAnswer, { outcome: 'committed' }>;

async function commit(
  input: PutObjectInput,
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
      attributes: { ...input.attributes, checksums: stored.checksums },
      conditions: input.conditions,
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
