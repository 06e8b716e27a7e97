import { HoldfastError } from '@holdfast/contracts';
import { CORS_BODY_MAX_BYTES, decodeCorsConfiguration, encodeCorsConfiguration } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';
import type { BodyPlan } from '../streams/body-plan.js';
import { documentPlan, readDocument } from '../streams/document-body.js';
import { bucketDocument, changeBucket } from './own-bucket.js';

/** Kept as the document that is answered. */
export const getBucketCors = defineOperation<void, string>({
  name: 'GetBucketCors',
  decode: () => undefined,
  async handle(_input, exchange) {
    const document = await bucketDocument(exchange, 'cors');
    if (document !== undefined) return document;
    throw new HoldfastError('NoSuchCORSConfiguration', undefined, { BucketName: exchange.bucketName });
  },
  encode: (document) => xmlReply(document),
});

export const putBucketCors = defineOperation<BodyPlan, void>({
  name: 'PutBucketCors',
  decode: (exchange) => documentPlan(exchange, CORS_BODY_MAX_BYTES),
  async handle(plan, exchange) {
    const rules = decodeCorsConfiguration(await readDocument(exchange, plan));
    await setCors(exchange, { document: encodeCorsConfiguration(rules) });
  },
  encode: () => emptyReply(200),
});

export const deleteBucketCors = defineOperation<void, void>({
  name: 'DeleteBucketCors',
  decode: () => undefined,
  handle: (_input, exchange) => setCors(exchange, {}),
  encode: () => emptyReply(204),
});

async function setCors(exchange: Exchange, document: { readonly document?: string }): Promise<void> {
  const { metadata, cors } = exchange.services;
  await changeBucket(exchange, ({ bucketId, revision }) =>
    metadata.putBucketConfiguration(exchange.controlCall(), {
      bucketId,
      bucketRevision: revision,
      kind: 'cors',
      ...document,
    }),
  );
  cors.forget(exchange.bucketName);
}
