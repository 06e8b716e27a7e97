import { HoldfastError } from '@holdfast/contracts';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';

export const deleteBucket = defineOperation<void, void>({
  name: 'DeleteBucket',
  decode: () => undefined,
  async handle(_input, exchange) {
    const { buckets, metadata } = exchange.services;
    const { bucketId } = await buckets.current(exchange);
    const { outcome } = await metadata.deleteBucket(exchange.controlCall(), { bucketId });
    buckets.forget(exchange.bucketName);
    const details = { BucketName: exchange.bucketName };
    if (outcome === 'no-bucket') throw new HoldfastError('NoSuchBucket', undefined, details);
    if (outcome === 'not-empty') throw new HoldfastError('BucketNotEmpty', undefined, details);
  },
  encode: () => emptyReply(204),
});
