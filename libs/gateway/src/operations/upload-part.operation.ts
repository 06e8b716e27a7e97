import { LIMITS } from '@holdfast/contracts';
import { checksumTypeMismatch, type UploadChecksum } from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { emptyReply } from '../pipeline/reply.js';
import { planBody, type BodyPlan } from '../streams/body-plan.js';
import { storeBody, type StoredBody } from '../streams/object-write.js';
import { checksumHeaders, quoted } from './object-reply-headers.js';
import { commitPart } from './part-commit.js';
import { partNumberArgument, uploadIdArgument } from './request-arguments.js';
import { uploadChecksumFrom } from './stored-checksums.js';
import { refuseUnservedFeatures } from './unserved-features.js';
import { requireOwnUpload } from './upload-access.js';

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
    return {
      uploadId: uploadIdArgument(query),
      partNumber: partNumberArgument(query),
      plan: planBody(request.sent, grant.payload, LIMITS.partBytesMax),
    };
  },
  async handle({ uploadId, partNumber, plan }, exchange) {
    const bucket = await exchange.services.buckets.hinted(exchange);
    const upload = await requireOwnUpload(exchange, bucket, uploadId);
    const checked = checkedPlan(plan, uploadChecksumFrom(upload.checksum));
    const stored = await storeBody(exchange, bucket, upload.attributes.storageClass, checked);
    await commitPart(exchange, bucket, { uploadId, partNumber, stored });
    return stored;
  },
  encode: ({ md5Hex, checksums }) => emptyReply(200, ['ETag', quoted(md5Hex), ...checksumHeaders(checksums)]),
});

/**
 * A part is checked by its upload's algorithm, so that the whole can be told from the parts; without one by whatever the client
 * sends. Errors: InvalidRequest.
 */
function checkedPlan(plan: BodyPlan, checksum: UploadChecksum | undefined): BodyPlan {
  if (checksum === undefined) return plan;
  if (plan.checksum === undefined) return { ...plan, computed: checksum.algorithm };
  if (plan.checksum.algorithm === checksum.algorithm) return plan;
  throw checksumTypeMismatch(checksum.algorithm, plan.checksum.algorithm);
}
