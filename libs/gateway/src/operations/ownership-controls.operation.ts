import { HoldfastError } from '@holdfast/contracts';
import { decodeOwnershipControls, encodeOwnershipControls, PUBLIC_ACCESS_BODY_MAX_BYTES } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { bucketDocument, changeBucket, setBucketDocument } from './own-bucket.js';

/** Kept as the document that is answered. Without ACLs every bucket acts as BucketOwnerEnforced, whatever is set. */
export const getBucketOwnershipControls = defineOperation<void, string>({
  name: 'GetBucketOwnershipControls',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'ownership-controls');
    if (document !== undefined) return document;
    throw new HoldfastError('OwnershipControlsNotFoundError', undefined, { BucketName: exchange.bucketName });
  },
  encode: (document) => xmlReply(document),
});

export const putBucketOwnershipControls = defineOperation<BodyPlan, void>({
  name: 'PutBucketOwnershipControls',
  decode: (exchange) => documentPlan(exchange, PUBLIC_ACCESS_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const document = encodeOwnershipControls(decodeOwnershipControls(await readDocument(exchange, plan)));
    await changeBucket(exchange, (bucket) => setBucketDocument(exchange, bucket, 'ownership-controls', document));
  },
  encode: () => emptyReply(200),
});

export const deleteBucketOwnershipControls = defineOperation<void, void>({
  name: 'DeleteBucketOwnershipControls',
  decode: () => undefined,
  handle: (_input, exchange) =>
    changeBucket(exchange, (bucket) => setBucketDocument(exchange, bucket, 'ownership-controls')),
  encode: () => emptyReply(204),
});
