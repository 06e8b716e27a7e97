import { HoldfastError, newId, type BucketRecord, type PartInfo, type WriteConditions } from '@holdfast/contracts';
import {
  COMPLETE_BODY_MAX_BYTES,
  decodeCompleteMultipartUpload,
  encodeCompleteMultipartUpload,
  requestedChecksum,
  type CompletePart,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { uploadIdArgument } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { findOwnUpload, noSuchUpload } from './upload-access.js';
import { writeConditionsOf } from './write-conditions.js';

interface CompleteInput {
  readonly uploadId: string;
  readonly conditions: WriteConditions;
  readonly plan: BodyPlan;
}

interface CompleteOutput {
  readonly etag: string;
  readonly versionId?: string;
}

const PARTS_PAGE = 1000;

export const completeMultipartUpload = defineOperation<CompleteInput, CompleteOutput>({
  name: 'CompleteMultipartUpload',
  decode(exchange) {
    const { headers, sent, target } = exchange.request;
    refuseUnservedFeatures(headers);
    // Here the header is about the object, not about the document that is sent.
    if (requestedChecksum(sent) !== undefined) {
      throw new HoldfastError('NotImplemented', 'Checksums of a whole multipart object are not implemented.');
    }
    const uploadId = uploadIdArgument(target.query);
    return { uploadId, conditions: writeConditionsOf(headers), plan: documentPlan(exchange, COMPLETE_BODY_MAX_BYTES) };
  },
  async handle({ uploadId, conditions, plan }, exchange) {
    const parts = decodeCompleteMultipartUpload(await readDocument(exchange, plan));
    for (let index = 1; index < parts.length; index += 1) {
      if (parts[index].partNumber <= parts[index - 1].partNumber) throw new HoldfastError('InvalidPartOrder');
    }
    const { buckets } = exchange.services;
    const bucket = await buckets.current(exchange);
    const upload = await findOwnUpload(exchange, bucket, uploadId);
    // Without an open upload this may be a repeated Complete, whose result metadata still knows.
    if (upload !== undefined) await verifyPartChecksums(parts, bucket, uploadId, exchange);
    const versionId = newId(exchange.services.clock.nowMs());
    const answer = await complete(bucket, { uploadId, versionId, parts, conditions }, exchange);
    if (answer.outcome !== 'bucket-changed') return answeredOf(answer, uploadId, exchange);
    const fresh = await buckets.current(exchange);
    return answeredOf(await complete(fresh, { uploadId, versionId, parts, conditions }, exchange), uploadId, exchange);
  },
  encode({ etag, versionId }, exchange) {
    const { request, bucketName, key } = exchange;
    const location = `http://${request.headers.get('host') ?? ''}${request.target.rawPath}`;
    const document = encodeCompleteMultipartUpload({ location, bucket: bucketName, key, etag });
    return xmlReply(document, 200, versionId === undefined ? [] : ['x-amz-version-id', versionId]);
  },
});

interface Completion {
  readonly uploadId: string;
  readonly versionId: string;
  readonly parts: readonly CompletePart[];
  readonly conditions: WriteConditions;
}

function complete(bucket: BucketRecord, { parts, ...completion }: Completion, exchange: Exchange) {
  return exchange.services.metadata.completeUpload(exchange.controlCall(), {
    ...completion,
    bucketId: bucket.bucketId,
    bucketRevision: bucket.revision,
    key: exchange.key,
    parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag: etag.slice(0, 128) })),
  });
}

function answeredOf(
  answer: Awaited<ReturnType<typeof complete>>,
  uploadId: string,
  exchange: Exchange,
): CompleteOutput {
  switch (answer.outcome) {
    case 'completed':
      if (answer.etag === undefined) throw new HoldfastError('InternalError');
      return { etag: answer.etag, versionId: answer.isNull === true ? undefined : answer.versionId };
    case 'no-upload':
      return noSuchUpload(uploadId);
    case 'invalid-part':
      throw new HoldfastError('InvalidPart');
    case 'invalid-part-order':
      throw new HoldfastError('InvalidPartOrder');
    case 'part-too-small':
      throw new HoldfastError('EntityTooSmall');
    case 'precondition-failed':
      throw new HoldfastError('PreconditionFailed');
    case 'no-such-key':
      throw new HoldfastError('NoSuchKey', undefined, { Key: exchange.key });
    case 'no-bucket':
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    case 'bucket-changed':
    case 'late':
      throw new HoldfastError('ServiceUnavailable');
  }
}

/** Checksums that the client repeats for its parts must be those that were verified when the parts came. */
async function verifyPartChecksums(
  parts: readonly CompletePart[],
  bucket: BucketRecord,
  uploadId: string,
  exchange: Exchange,
): Promise<void> {
  const claimed = parts.filter((part) => Object.keys(part.checksums).length > 0);
  if (claimed.length === 0) return;
  const stored = new Map<number, PartInfo>();
  const { metadata } = exchange.services;
  const reference = { bucketId: bucket.bucketId, key: exchange.key, uploadId };
  let afterPart = claimed[0].partNumber - 1;
  for (let more = true; more;) {
    const page = await metadata.listParts(exchange.controlCall(), { ...reference, afterPart, limit: PARTS_PAGE });
    for (const part of page.parts) stored.set(part.partNumber, part);
    afterPart = page.parts.at(-1)?.partNumber ?? afterPart;
    more = page.truncated && page.parts.length > 0;
  }
  for (const { partNumber, checksums } of claimed) {
    const held = stored.get(partNumber)?.checksums ?? {};
    for (const [algorithm, value] of Object.entries(checksums)) {
      if (held[algorithm.toLowerCase()] !== value)
        throw new HoldfastError('InvalidPart', undefined, { PartNumber: String(partNumber) });
    }
  }
}
