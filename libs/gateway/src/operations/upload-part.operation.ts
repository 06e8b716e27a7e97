import { HoldfastError, LIMITS } from '@holdfast/contracts';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { planBody, type BodyPlan } from '../streams/body-plan.js';
import { storeBody, type StoredBody } from '../streams/object-write.js';
import { checksumHeaders, quoted } from './object-reply-headers.js';
import { invalidArgument, uploadIdArgument } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { noSuchUpload, requireOwnUpload } from './upload-access.js';

interface UploadPartInput {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly plan: BodyPlan;
}

export const uploadPart = defineOperation<UploadPartInput, StoredBody>({
  name: 'UploadPart',
  decode({ request, grant }) {
    const { query } = request.target;
    refuseUnservedFeatures(request.headers);
    const text = query.get('partNumber') ?? '';
    const partNumber = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (partNumber < 1 || partNumber > LIMITS.partsMax) {
      invalidArgument('partNumber', text, `Part number must be an integer between 1 and ${LIMITS.partsMax}, inclusive`);
    }
    return {
      uploadId: uploadIdArgument(query),
      partNumber,
      plan: planBody(request.sent, grant.payload, LIMITS.partBytesMax),
    };
  },
  async handle({ uploadId, partNumber, plan }, exchange) {
    const { metadata, buckets, clock } = exchange.services;
    const bucket = await buckets.hinted(exchange);
    const upload = await requireOwnUpload(exchange, bucket, uploadId);
    const stored = await storeBody(exchange, bucket, upload.attributes.storageClass, plan);
    const { outcome } = await metadata.commitPart(exchange.controlCall(), {
      bucketId: bucket.bucketId,
      key: exchange.key,
      uploadId,
      partNumber,
      etag: stored.md5Hex,
      checksums: stored.checksums,
      written: stored.written,
      attemptAgeMs: Math.ceil(clock.monotonicMs() - stored.beganMs),
    });
    if (outcome === 'no-upload') noSuchUpload(uploadId);
    if (outcome !== 'committed') throw new HoldfastError('ServiceUnavailable');
    return stored;
  },
  encode: ({ md5Hex, checksums }) => emptyReply(200, ['ETag', quoted(md5Hex), ...checksumHeaders(checksums)]),
});
