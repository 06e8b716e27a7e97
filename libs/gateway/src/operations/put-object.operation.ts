import { LIMITS } from '@holdfast/contracts';
import { extractObjectHeaders } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { planBody, type BodyPlan } from '../streams/body-plan.js';
import { storeBody, type StoredBody } from '../streams/object-write.js';
import { definedOnly } from './object-attributes.js';
import { bucketToWrite, commitObject, type ObjectToCommit } from './object-commit.js';
import { objectChecksumHeaders, quoted } from './object-reply-headers.js';
import { taggingChecks, tagsOf } from './request-tags.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';
import { matchChecks, writeConditionsOf } from './write-conditions.js';

const ASK_DATA_STEP = 5;
const ASK_METADATA_STEP = 8;

export interface PutObjectInput extends ObjectToCommit {
  readonly plan: BodyPlan;
}

export interface PutObjectOutput {
  readonly stored: StoredBody;
  readonly versionId: string;
  readonly isNull: boolean;
}

/** The seed's order: bytes are durable first, then the record that makes them an object. */
export const putObject = defineOperation<PutObjectInput, PutObjectOutput>({
  name: 'PutObject',

  access: (request, row) => ({
    required: [
      { action: row.action, resource: resourceOf(request) },
      ...taggingChecks(request),
      ...matchChecks(request),
    ],
  }),

  decode({ request, grant }) {
    refuseUnservedFeatures(request.headers);
    const { standard, user } = extractObjectHeaders(request.headers);
    return {
      plan: planBody(request.sent, grant.payload, LIMITS.putObjectBytesMax),
      attributes: { headers: definedOnly(standard), userMetadata: user, storageClass: storageClassOf(request.headers) },
      conditions: writeConditionsOf(request.headers),
      ...tagsOf(request.headers),
    };
  },

  handle: storeObject,
  encode: (output) => emptyReply(200, storedHeaders(output)),
});

/** Body first, then its record. Errors: those of the services, and the S3 error of a write that was not done. */
export async function storeObject(input: PutObjectInput, exchange: Exchange): Promise<PutObjectOutput> {
  const bucket = await bucketToWrite(input.conditions, exchange);
  exchange.step(ASK_DATA_STEP);
  const stored = await storeBody(exchange, bucket, input.attributes.storageClass, input.plan);
  exchange.step(ASK_METADATA_STEP);
  const answer = await commitObject(input, stored, bucket, exchange);
  return { stored, versionId: answer.versionId, isNull: answer.isNull };
}

/** What the answer to an upload says of the object. */
export function storedHeaders({ stored, versionId, isNull }: PutObjectOutput): string[] {
  const headers = ['ETag', quoted(stored.md5Hex), ...objectChecksumHeaders(stored.checksums)];
  if (!isNull) headers.push('x-amz-version-id', versionId);
  return headers;
}
