import { HoldfastError, newId, type BucketRecord, type ChecksumType, type WriteConditions } from '@holdfast/contracts';
import {
  checksumTypeOf,
  claimedObjectChecksum,
  COMPLETE_BODY_MAX_BYTES,
  decodeCompleteMultipartUpload,
  encodeCompleteMultipartUpload,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { planDocumentAboutObject, type BodyPlan } from '../streams/body-plan.js';
import { readDocument } from '../streams/document-body.js';
import {
  checkCompletion,
  etagOfParts,
  verifyClaimed,
  type CheckedCompletion,
  type ObjectClaims,
} from './completion-checks.js';
import { sizeHeader, uploadIdArgument } from './request-arguments.js';
import { namedChecksums } from './stored-checksums.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { noSuchUpload } from './upload-access.js';
import { matchChecks, writeConditionsOf } from './write-conditions.js';

interface CompleteInput {
  readonly uploadId: string;
  readonly conditions: WriteConditions;
  readonly claims: ObjectClaims;
  readonly sizeBytes?: number;
  readonly plan: BodyPlan;
}

interface CompleteOutput {
  readonly etag: string;
  readonly versionId?: string;
  readonly checksums: Readonly<Record<string, string>>;
  readonly checksumType?: ChecksumType;
}

export const completeMultipartUpload = defineOperation<CompleteInput, CompleteOutput>({
  name: 'CompleteMultipartUpload',
  access: (request, row) => ({
    required: [{ action: row.action, resource: resourceOf(request) }, ...matchChecks(request)],
  }),
  decode({ request, grant }) {
    const { headers, sent, target } = request;
    refuseUnservedFeatures(headers);
    return {
      uploadId: uploadIdArgument(target.query),
      conditions: writeConditionsOf(headers),
      claims: { checksum: claimedObjectChecksum(headers), type: checksumTypeOf(headers) },
      sizeBytes: sizeHeader(headers, 'x-amz-mp-object-size'),
      plan: planDocumentAboutObject(sent, grant.payload, COMPLETE_BODY_MAX_BYTES),
    };
  },
  async handle({ uploadId, conditions, claims, sizeBytes, plan }, exchange) {
    const parts = decodeCompleteMultipartUpload(await readDocument(exchange, plan));
    for (let index = 1; index < parts.length; index += 1) {
      if (parts[index].partNumber <= parts[index - 1].partNumber) throw new HoldfastError('InvalidPartOrder');
    }
    const { buckets, clock } = exchange.services;
    const bucket = await buckets.current(exchange);
    const checked = await checkCompletion(exchange, bucket, uploadId, parts, claims);
    const completion: Completion = { uploadId, versionId: newId(clock.nowMs()), checked, conditions, sizeBytes };
    let answer = await complete(bucket, completion, exchange);
    if (answer.outcome === 'bucket-changed') {
      answer = await complete(await buckets.current(exchange), completion, exchange);
    }
    const output = answeredOf(answer, uploadId, exchange);
    // A repeated Complete is told what the first one made; naming other parts it would take the answer for theirs.
    if (output.etag !== etagOfParts(parts)) throw new HoldfastError('InvalidPart');
    verifyClaimed(claims, output);
    return output;
  },
  encode({ etag, versionId, checksums, checksumType }, exchange) {
    const { request, bucketName, key } = exchange;
    const location = `http://${request.headers.get('host') ?? ''}${request.target.rawPath}`;
    const document = encodeCompleteMultipartUpload({
      location,
      bucket: bucketName,
      key,
      etag,
      checksums: namedChecksums(checksums),
      ...(checksumType === undefined ? {} : { checksumType }),
    });
    return xmlReply(document, 200, versionId === undefined ? [] : ['x-amz-version-id', versionId]);
  },
});

interface Completion {
  readonly uploadId: string;
  readonly versionId: string;
  readonly checked: CheckedCompletion;
  readonly conditions: WriteConditions;
  readonly sizeBytes?: number;
}

function complete(bucket: BucketRecord, { checked, sizeBytes, ...completion }: Completion, exchange: Exchange) {
  return exchange.services.metadata.completeUpload(exchange.controlCall(), {
    ...completion,
    ...checked,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    bucketId: bucket.bucketId,
    bucketRevision: bucket.revision,
    key: exchange.key,
  });
}

function answeredOf(
  answer: Awaited<ReturnType<typeof complete>>,
  uploadId: string,
  exchange: Exchange,
): CompleteOutput {
  switch (answer.outcome) {
    case 'completed': {
      const { etag, versionId, isNull, checksums = {}, checksumType } = answer;
      if (etag === undefined) throw new HoldfastError('InternalError');
      return { etag, versionId: isNull === true ? undefined : versionId, checksums, checksumType };
    }
    case 'no-upload':
      return noSuchUpload(uploadId);
    case 'invalid-part':
      throw new HoldfastError('InvalidPart');
    case 'invalid-part-order':
      throw new HoldfastError('InvalidPartOrder');
    case 'part-too-small':
      throw new HoldfastError('EntityTooSmall');
    case 'size-mismatch':
      throw new HoldfastError(
        'InvalidRequest',
        "The provided 'x-amz-mp-object-size' header does not match what was computed.",
      );
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
