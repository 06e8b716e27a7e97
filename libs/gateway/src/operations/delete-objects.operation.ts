import { ERRORS, HoldfastError, LIMITS, type ErrorName, type WriteConditions } from '@holdfast/contracts';
import {
  decodeDelete,
  DELETE_BODY_MAX_BYTES,
  encodeDeleteResult,
  type DeleteEntry,
  type DeleteResult,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { bucketResourceOf, defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { onOwnBucket } from './own-bucket.js';
import { isVersionName } from './request-arguments.js';

type Outcome = { readonly markerVersionId?: string } | { readonly error: ErrorName };

export const deleteObjects = defineOperation<BodyPlan, DeleteResult>({
  name: 'DeleteObjects',
  // Which keys are meant stands in the body: they are judged one by one once it is read. The caller is known before.
  access: () => ({ required: [] }),
  decode: (exchange) => documentPlan(exchange, DELETE_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const { quiet, objects } = decodeDelete(await readDocument(exchange, plan));
    const outcomes = await judge(objects, exchange);
    await deleteAllowed(objects, outcomes, exchange);
    return resultOf(objects, outcomes, quiet);
  },
  encode: (result) => xmlReply(encodeDeleteResult(result)),
});

/** One slot per key: an error, or undefined where it may be deleted. */
async function judge(objects: readonly DeleteEntry[], exchange: Exchange): Promise<(Outcome | undefined)[]> {
  const bucket = bucketResourceOf(exchange.request);
  const checks = objects.map(({ key, versionId }) => ({
    action: versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion',
    resource: `${bucket}/${key}`.slice(0, 4096),
  }));
  const { caller, services } = exchange;
  const { decisions } = await services.identity.decide(exchange.controlCall(), { caller, checks });
  return objects.map((entry, index) => {
    if (decisions[index] !== 'allow') return { error: 'AccessDenied' };
    if (Buffer.byteLength(entry.key) > LIMITS.keyBytesMax) return { error: 'KeyTooLongError' };
    if (entry.key.includes('\0')) return { error: 'InvalidURI' };
    if (entry.versionId !== undefined && !isVersionName(entry.versionId)) return { error: 'InvalidArgument' };
    if (entry.lastModifiedTime !== undefined || entry.sizeBytes !== undefined) return { error: 'NotImplemented' };
    return undefined;
  });
}

/** Fills the open slots. */
async function deleteAllowed(
  objects: readonly DeleteEntry[],
  outcomes: (Outcome | undefined)[],
  exchange: Exchange,
): Promise<void> {
  const open = outcomes.flatMap((outcome, index) => (outcome === undefined ? [index] : []));
  const items = open.map((index) => itemOf(objects[index]));
  const answer = await onOwnBucket(exchange, async ({ bucketId, revision }) => {
    if (items.length === 0) return { outcome: 'none', outcomes: [] };
    const request = { bucketId, bucketRevision: revision, items };
    const answered = await exchange.services.metadata.deleteObjects(exchange.controlCall(), request);
    const gone = answered.outcomes.some(({ outcome }) => outcome === 'no-bucket');
    return { outcome: gone ? 'no-bucket' : 'judged', outcomes: answered.outcomes };
  });
  if (answer.outcome === 'no-bucket')
    throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
  answer.outcomes.forEach(({ outcome, markerVersionId }, position) => {
    const index = open[position];
    if (outcome === 'deleted') outcomes[index] = markerVersionId === undefined ? {} : { markerVersionId };
    else outcomes[index] = { error: outcome === 'precondition-failed' ? 'PreconditionFailed' : 'ServiceUnavailable' };
  });
}

function itemOf({ key, versionId, etag }: DeleteEntry): {
  key: string;
  versionId?: string;
  conditions: WriteConditions;
} {
  const conditions = etag === undefined ? {} : { ifMatch: [etag.slice(0, 256)] };
  return { key, conditions, ...(versionId === undefined ? {} : { versionId }) };
}

function resultOf(
  objects: readonly DeleteEntry[],
  outcomes: readonly (Outcome | undefined)[],
  quiet: boolean,
): DeleteResult {
  const deleted: DeleteResult['deleted'][number][] = [];
  const errors: DeleteResult['errors'][number][] = [];
  objects.forEach(({ key, versionId }, index) => {
    const outcome = outcomes[index] ?? { error: 'InternalError' as const };
    const named = versionId === undefined ? { key } : { key, versionId };
    if ('error' in outcome) {
      errors.push({ ...named, code: outcome.error, message: ERRORS[outcome.error].message });
    } else if (!quiet) {
      const { markerVersionId } = outcome;
      deleted.push(
        markerVersionId === undefined
          ? named
          : { ...named, deleteMarker: true, deleteMarkerVersionId: markerVersionId },
      );
    }
  });
  return { deleted, errors };
}
