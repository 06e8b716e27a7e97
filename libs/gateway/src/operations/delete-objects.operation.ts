import {
  ERRORS,
  HoldfastError,
  LIMITS,
  NULL_VERSION,
  type AccessCheck,
  type BucketRecord,
  type DeleteConditions,
  type DeleteOutcome,
  type ErrorName,
} from '@holdfast/contracts';
import {
  decodeDelete,
  DELETE_BODY_MAX_BYTES,
  encodeDeleteResult,
  type DeleteEntry,
  type DeleteResult,
} from '@holdfast/s3-protocol';
import type { JudgedCheck } from '../pipeline/access-judgement.js';
import type { Exchange } from '../pipeline/exchange.js';
import { bucketResourceOf, defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { onOwnBucket } from './own-bucket.js';
import { isVersionName } from './request-arguments.js';
import { secondsOf } from './write-conditions.js';

type Outcome = Pick<DeleteOutcome, 'marker' | 'removedMarker'> | { readonly error: ErrorName };

export const deleteObjects = defineOperation<BodyPlan, DeleteResult>({
  name: 'DeleteObjects',
  // Which keys are meant stands in the body: they are judged one by one once it is read. The caller is known before.
  access: () => ({ required: [] }),
  decode: (exchange) => documentPlan(exchange, DELETE_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const { quiet, objects } = decodeDelete(await readDocument(exchange, plan));
    const keys = await askIdentity(objects, exchange);
    await deleteAllowed(keys, exchange);
    return resultOf(
      objects,
      keys.map(({ outcome }) => outcome),
      quiet,
    );
  },
  encode: (result) => xmlReply(encodeDeleteResult(result)),
});

/** One key of the request on its way to its outcome; without one it may still be deleted. */
interface KeyToDelete {
  readonly entry: DeleteEntry;
  readonly judged: readonly JudgedCheck[];
  outcome?: Outcome;
}

/** What is denied is not offered to anybody: then neither the bucket nor the key is looked at. */
async function askIdentity(objects: readonly DeleteEntry[], exchange: Exchange): Promise<KeyToDelete[]> {
  const bucket = bucketResourceOf(exchange.request);
  const checks = objects.map((entry) => checksOf(entry, bucket));
  const judged = await exchange.services.buckets.byIdentity(exchange, checks.flat());
  let first = 0;
  return objects.map((entry, index) => {
    const own = judged.slice(first, (first += checks[index].length));
    if (own.some(({ verdict }) => verdict.decision === 'explicit-deny')) {
      return { entry, judged: own, outcome: { error: 'AccessDenied' } };
    }
    return { entry, judged: own };
  });
}

function checksOf({ key, versionId, etag }: DeleteEntry, bucket: string): AccessCheck[] {
  const resource = `${bucket}/${key}`.slice(0, 4096);
  const version = versionId === undefined ? {} : { keys: { 's3:versionid': [versionId.slice(0, 1024)] } };
  const deleting = {
    action: versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
    resource,
    ...version,
  };
  // Who asks whether an object has an ETag needs the permission to read it.
  return etag === undefined || etag === '*' ? [deleting] : [deleting, { action: 's3:GetObject', resource }];
}

/**
 * The bucket's side, and what is wrong with the entry itself. The record may be a remembered one, which refuses nobody: where
 * it would, it is read again. Answers the record that was judged by.
 */
async function judge(
  open: readonly KeyToDelete[],
  remembered: BucketRecord,
  exchange: Exchange,
): Promise<BucketRecord> {
  const { buckets } = exchange.services;
  const judged = open.flatMap((key) => key.judged);
  let bucket = remembered;
  let decisions = await buckets.decide(exchange, bucket, judged);
  if (decisions.some(({ decision }) => decision !== 'allow')) {
    bucket = await buckets.current(exchange);
    decisions = await buckets.decide(exchange, bucket, judged);
  }
  exchange.grant.access.later.push(...judged.map(({ check }, index) => ({ check, verdict: decisions[index] })));
  let first = 0;
  for (const key of open) {
    const own = decisions.slice(first, (first += key.judged.length));
    const error = own.every(({ decision }) => decision === 'allow') ? errorOf(key.entry) : 'AccessDenied';
    if (error !== undefined) key.outcome = { error };
  }
  return bucket;
}

function errorOf({ key, versionId, etag, lastModifiedTime }: DeleteEntry): ErrorName | undefined {
  if (Buffer.byteLength(key) > LIMITS.keyBytesMax) return 'KeyTooLongError';
  if (key.includes('\0')) return 'InvalidURI';
  if (versionId !== undefined && !isVersionName(versionId)) return 'InvalidArgument';
  if (etag === '') return 'InvalidArgument';
  if (lastModifiedTime !== undefined && secondsOf(lastModifiedTime) === undefined) return 'InvalidArgument';
  return undefined;
}

/** Gives each open key its outcome. */
async function deleteAllowed(keys: readonly KeyToDelete[], exchange: Exchange): Promise<void> {
  const isOpen = ({ outcome }: KeyToDelete): boolean => outcome === undefined;
  if (!keys.some(isOpen)) return;
  const { outcome } = await onOwnBucket(exchange, async (remembered) => {
    const { bucketId, revision } = await judge(keys.filter(isOpen), remembered, exchange);
    // What is done is done: only what was not judged is offered again.
    const open = keys.filter(isOpen);
    if (open.length === 0) return { outcome: 'done' };
    const request = { bucketId, bucketRevision: revision, items: open.map(({ entry }) => itemOf(entry)) };
    const answer = await exchange.services.metadata.deleteObjects(exchange.controlCall(), request);
    let state: 'done' | 'no-bucket' | 'bucket-changed' = 'done';
    answer.outcomes.forEach((judged, position) => {
      if (judged.outcome === 'no-bucket' || judged.outcome === 'bucket-changed') state = judged.outcome;
      else open[position].outcome = outcomeOf(judged);
    });
    return { outcome: state };
  });
  if (outcome === 'no-bucket') throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
}

function outcomeOf({ outcome, marker, removedMarker }: DeleteOutcome): Outcome {
  switch (outcome) {
    case 'deleted':
      return { removedMarker, ...(marker === undefined ? {} : { marker }) };
    case 'precondition-failed':
      return { error: 'PreconditionFailed' };
    default:
      return { error: 'ServiceUnavailable' };
  }
}

function itemOf({ key, versionId, etag, lastModifiedTime, sizeBytes }: DeleteEntry): {
  key: string;
  versionId?: string;
  conditions: DeleteConditions;
} {
  const ifModifiedAtSeconds = lastModifiedTime === undefined ? undefined : secondsOf(lastModifiedTime);
  return {
    key,
    conditions: {
      ...(etag === undefined ? {} : { ifMatch: [etag.slice(0, 256)] }),
      ...(ifModifiedAtSeconds === undefined ? {} : { ifModifiedAtSeconds }),
      ...(sizeBytes === undefined ? {} : { ifSizeBytes: sizeBytes }),
    },
    ...(versionId === undefined ? {} : { versionId }),
  };
}

function resultOf(
  objects: readonly DeleteEntry[],
  outcomes: readonly (Outcome | undefined)[],
  quiet: boolean,
): DeleteResult {
  const deleted: DeleteResult['deleted'][number][] = [];
  const errors: DeleteResult['errors'][number][] = [];
  objects.forEach(({ key, versionId }, index) => {
    // Not judged: the bucket's configuration kept changing.
    const outcome = outcomes[index] ?? { error: 'OperationAborted' as const };
    const named = versionId === undefined ? { key } : { key, versionId };
    if ('error' in outcome) {
      errors.push({ ...named, code: outcome.error, message: ERRORS[outcome.error].message });
    } else if (!quiet) {
      deleted.push({ ...named, ...markerOf(outcome, versionId) });
    }
  });
  return { deleted, errors };
}

/** What says that a marker was made, or that the version which is gone was one. */
function markerOf(
  { marker, removedMarker }: Pick<DeleteOutcome, 'marker' | 'removedMarker'>,
  versionId: string | undefined,
): Partial<DeleteResult['deleted'][number]> {
  if (marker !== undefined) {
    return { deleteMarker: true, deleteMarkerVersionId: marker.isNull ? NULL_VERSION : marker.versionId };
  }
  return removedMarker ? { deleteMarker: true, deleteMarkerVersionId: versionId } : {};
}
