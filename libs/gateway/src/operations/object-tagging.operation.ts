import { HoldfastError, NULL_VERSION, type BucketRecord, type Metadata, type ObjectVersion } from '@holdfast/contracts';
import {
  decodeTagging,
  encodeTagging,
  OBJECT_TAGS_MAX,
  TAGGING_BODY_MAX_BYTES,
  type TagSet,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, listingCheck, resourceOf, type AccessQuestion } from '../pipeline/operation.js';
import { emptyReply, RefusalWithHeaders, xmlReply } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { notFound } from './object-lookup.js';
import { shownVersionId } from './object-reply-headers.js';
import { onOwnBucket } from './own-bucket.js';
import { versionArgument } from './request-arguments.js';

type SetTagsAnswer = Awaited<ReturnType<Metadata['setObjectTags']>>;
type FoundVersion = NonNullable<SetTagsAnswer['version']>;

interface VersionInput {
  readonly versionId?: string;
}
interface PutTaggingInput extends VersionInput {
  readonly plan: BodyPlan;
}

export const getObjectTagging = defineOperation<
  VersionInput,
  { readonly bucket: BucketRecord; readonly version: ObjectVersion }
>({
  name: 'GetObjectTagging',
  access: accessTo('s3:GetObjectTagging', 's3:GetObjectVersionTagging'),
  decode: decodeVersion,
  async handle(input, exchange) {
    const { metadata, buckets } = exchange.services;
    const { bucketName, key } = exchange;
    const found = await metadata.findObject(exchange.controlCall(), { bucketName, key, ...input });
    const bucket = await buckets.check(exchange, found.bucket, found.version);
    const { version } = found;
    if (version === undefined) throw notFound(input, exchange);
    if (version.isDeleteMarker) throw deleteMarkerFound(input, exchange, version);
    return { bucket, version };
  },
  encode({ bucket, version }) {
    return xmlReply(encodeTagging(version.tags ?? {}), 200, versionHeader(shownVersionId(bucket, version)));
  },
});

export const putObjectTagging = defineOperation<PutTaggingInput, string | undefined>({
  name: 'PutObjectTagging',
  access: accessTo('s3:PutObjectTagging', 's3:PutObjectVersionTagging'),
  decode: (exchange) => ({ ...decodeVersion(exchange), plan: documentPlan(exchange, TAGGING_BODY_MAX_BYTES) }),
  async handle({ plan, ...input }, exchange) {
    return setTags(input, decodeTagging(await readDocument(exchange, plan), OBJECT_TAGS_MAX), exchange);
  },
  encode: (shown) => emptyReply(200, versionHeader(shown)),
});

export const deleteObjectTagging = defineOperation<VersionInput, string | undefined>({
  name: 'DeleteObjectTagging',
  access: accessTo('s3:DeleteObjectTagging', 's3:DeleteObjectVersionTagging'),
  decode: decodeVersion,
  handle: (input, exchange) => setTags(input, {}, exchange),
  encode: (shown) => emptyReply(204, versionHeader(shown)),
});

/** Whether the caller may list decides if it may learn that a key does not exist. */
function accessTo(action: string, versionAction: string) {
  return (request: S3Request): AccessQuestion => ({
    required: [
      { action: request.target.query.has('versionId') ? versionAction : action, resource: resourceOf(request) },
    ],
    optional: [listingCheck(request)],
  });
}

function decodeVersion({ request }: Exchange): VersionInput {
  const versionId = versionArgument(request.target.query);
  return versionId === undefined ? {} : { versionId };
}

/** Answers the version id as it is shown. */
async function setTags(input: VersionInput, tags: TagSet, exchange: Exchange): Promise<string | undefined> {
  const { metadata } = exchange.services;
  const { outcome, version, bucket } = await onOwnBucket(exchange, async (own) => {
    const request = { bucketId: own.bucketId, bucketRevision: own.revision, key: exchange.key, tags, ...input };
    return { ...(await metadata.setObjectTags(exchange.controlCall(), request)), bucket: own };
  });
  switch (outcome) {
    case 'set':
      return version === undefined ? undefined : shownVersionId(bucket, version);
    case 'no-bucket':
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    case 'no-such-key':
    case 'no-such-version':
      throw notFound(input, exchange);
    case 'delete-marker':
      throw version === undefined ? notFound(input, exchange) : deleteMarkerFound(input, exchange, version);
    case 'bucket-changed':
      throw new HoldfastError('OperationAborted');
    case 'late':
      throw new HoldfastError('ServiceUnavailable');
  }
}

/** A delete marker has no tags, whether it is named or current; as the current version it is there for those who may list. */
function deleteMarkerFound(
  input: VersionInput,
  exchange: Exchange,
  { isNull, versionId }: FoundVersion,
): HoldfastError | RefusalWithHeaders {
  if (input.versionId === undefined && exchange.grant.asked[0] !== 'allow') return notFound(input, exchange);
  const refusal = new HoldfastError('MethodNotAllowed', undefined, {
    Method: exchange.request.method,
    ResourceType: 'DeleteMarker',
  });
  const shown = isNull ? NULL_VERSION : versionId;
  return new RefusalWithHeaders(refusal, ['x-amz-delete-marker', 'true', ...versionHeader(shown), 'Allow', 'DELETE']);
}

function versionHeader(shown: string | undefined): string[] {
  return shown === undefined ? [] : ['x-amz-version-id', shown];
}
