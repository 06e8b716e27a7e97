import { HoldfastError, newId, type ObjectAttributes } from '@holdfast/contracts';
import {
  encodeInitiateMultipartUpload,
  extractObjectHeaders,
  type TagSet,
  uploadChecksumOf,
  type UploadChecksum,
} from '@holdfast/s3-protocol';
import { defineOperation, resourceOf } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { onOwnBucket } from './own-bucket.js';
import { definedOnly } from './object-attributes.js';
import { taggingChecks, tagsOf } from './request-tags.js';
import { storedUploadChecksum } from './stored-checksums.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';

interface CreateUploadInput {
  readonly attributes: ObjectAttributes;
  readonly tags?: TagSet;
  readonly checksum?: UploadChecksum;
}

export const createMultipartUpload = defineOperation<CreateUploadInput, string>({
  name: 'CreateMultipartUpload',
  access: (request, row) => ({
    required: [{ action: row.action, resource: resourceOf(request) }, ...taggingChecks(request)],
  }),
  decode({ request: { headers } }) {
    refuseUnservedFeatures(headers);
    const { standard, user } = extractObjectHeaders(headers);
    return {
      attributes: {
        headers: definedOnly(standard),
        userMetadata: user,
        storageClass: storageClassOf(headers),
        checksums: {},
      },
      ...tagsOf(headers),
      checksum: uploadChecksumOf(headers),
    };
  },
  async handle({ attributes, tags, checksum }, exchange) {
    const { services, caller, key } = exchange;
    const uploadId = newId(services.clock.nowMs());
    const { outcome } = await onOwnBucket(exchange, ({ bucketId }) =>
      services.metadata.createUpload(exchange.controlCall(), {
        bucketId,
        key,
        uploadId,
        attributes,
        ...(checksum === undefined ? {} : { checksum: storedUploadChecksum(checksum) }),
        ...(tags === undefined ? {} : { tags }),
        accountId: caller.accountId,
        initiatorArn: caller.arn,
      }),
    );
    if (outcome === 'no-bucket')
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    return uploadId;
  },
  encode(uploadId, exchange, { checksum }) {
    const echoed =
      checksum === undefined
        ? []
        : ['x-amz-checksum-algorithm', checksum.algorithm, 'x-amz-checksum-type', checksum.type];
    const document = encodeInitiateMultipartUpload({ bucket: exchange.bucketName, key: exchange.key, uploadId });
    return xmlReply(document, 200, echoed);
  },
});
