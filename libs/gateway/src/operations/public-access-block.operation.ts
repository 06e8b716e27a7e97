import { HoldfastError } from '@holdfast/contracts';
import {
  decodePublicAccessBlock,
  encodePublicAccessBlock,
  PUBLIC_ACCESS_BODY_MAX_BYTES,
  type PublicAccessBlock,
} from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { decodeStoredAccessBlock, encodeStoredAccessBlock } from '../pipeline/public-access-block.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { bucketDocument, changeBucket, setBucketDocument } from './own-bucket.js';

export const getPublicAccessBlock = defineOperation<void, PublicAccessBlock>({
  name: 'GetPublicAccessBlock',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'public-access-block');
    if (document !== undefined) return decodeStoredAccessBlock(document);
    throw new HoldfastError('NoSuchPublicAccessBlockConfiguration', undefined, { BucketName: exchange.bucketName });
  },
  encode: (block) => xmlReply(encodePublicAccessBlock(block)),
});

export const putPublicAccessBlock = defineOperation<BodyPlan, void>({
  name: 'PutPublicAccessBlock',
  decode: (exchange) => documentPlan(exchange, PUBLIC_ACCESS_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const block = encodeStoredAccessBlock(decodePublicAccessBlock(await readDocument(exchange, plan)));
    await changeBucket(exchange, (bucket) => setBucketDocument(exchange, bucket, 'public-access-block', block));
  },
  encode: () => emptyReply(200),
});

export const deletePublicAccessBlock = defineOperation<void, void>({
  name: 'DeletePublicAccessBlock',
  decode: () => undefined,
  handle: (_input, exchange) =>
    changeBucket(exchange, (bucket) => setBucketDocument(exchange, bucket, 'public-access-block')),
  encode: () => emptyReply(204),
});
