import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { uploadIdArgument } from './request-arguments.js';
import { noSuchUpload, requireOwnUpload } from './upload-access.js';

export const abortMultipartUpload = defineOperation<string, void>({
  name: 'AbortMultipartUpload',
  decode: ({ request }) => uploadIdArgument(request.target.query),
  async handle(uploadId, exchange) {
    const { metadata, buckets } = exchange.services;
    const bucket = await buckets.current(exchange);
    await requireOwnUpload(exchange, bucket, uploadId);
    const reference = { bucketId: bucket.bucketId, key: exchange.key, uploadId };
    const { outcome } = await metadata.abortUpload(exchange.controlCall(), reference);
    if (outcome === 'no-upload') noSuchUpload(uploadId);
  },
  encode: () => emptyReply(204),
});
