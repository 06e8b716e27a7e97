import { HoldfastError } from '@holdfast/contracts';
import {
  BUCKET_TAGS_MAX,
  decodeTagging,
  encodeTagging,
  TAGGING_BODY_MAX_BYTES,
  type TagSet,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { bucketDocument, changeBucket, setBucketDocument } from './own-bucket.js';

/** Kept as the document that is answered. */
export const getBucketTagging = defineOperation<void, string>({
  name: 'GetBucketTagging',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'tagging');
    if (document !== undefined) return document;
    throw new HoldfastError('NoSuchTagSet', undefined, { BucketName: exchange.bucketName });
  },
  encode: (document) => xmlReply(document),
});

export const putBucketTagging = defineOperation<BodyPlan, void>({
  name: 'PutBucketTagging',
  decode: (exchange) => documentPlan(exchange, TAGGING_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    await setTags(exchange, decodeTagging(await readDocument(exchange, plan), BUCKET_TAGS_MAX));
  },
  encode: () => emptyReply(204),
});

export const deleteBucketTagging = defineOperation<void, void>({
  name: 'DeleteBucketTagging',
  decode: () => undefined,
  handle: (_input, exchange) => setTags(exchange, {}),
  encode: () => emptyReply(204),
});

function setTags(exchange: Exchange, tags: TagSet): Promise<void> {
  const document = Object.keys(tags).length === 0 ? undefined : encodeTagging(tags);
  return changeBucket(exchange, (bucket) => setBucketDocument(exchange, bucket, 'tagging', document));
}
