import { encodeLocationConstraint } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply, xmlReply } from '../pipeline/reply.js';

export const headBucket = defineOperation<void, void>({
  name: 'HeadBucket',
  decode: () => undefined,
  async handle(_input, exchange) {
    await exchange.services.buckets.current(exchange);
  },
  encode: (_output, exchange) => emptyReply(200, ['x-amz-bucket-region', exchange.services.region]),
});

/** The location as the maker of the bucket named it. */
export const getBucketLocation = defineOperation<void, string>({
  name: 'GetBucketLocation',
  decode: () => undefined,
  async handle(_input, exchange) {
    const bucket = await exchange.services.buckets.current(exchange);
    return bucket.location ?? exchange.services.region;
  },
  encode: (location) => xmlReply(encodeLocationConstraint(location)),
});
