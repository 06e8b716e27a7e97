import { HoldfastError, newId, type ObjectAttributes } from '@holdfast/contracts';
import {
  checksumAlgorithmOf,
  encodeInitiateMultipartUpload,
  extractObjectHeaders,
  type ChecksumAlgorithm,
} from '@holdfast/s3-protocol';
import { defineOperation } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import { onOwnBucket } from './own-bucket.js';
import { definedOnly } from './object-attributes.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';

interface CreateUploadInput {
  readonly attributes: ObjectAttributes;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
}

export const createMultipartUpload = defineOperation<CreateUploadInput, string>({
  name: 'CreateMultipartUpload',
  decode({ request: { headers } }) {
    refuseUnservedFeatures(headers);
    if (headers.get('x-amz-checksum-type')?.toUpperCase() === 'FULL_OBJECT') {
      throw new HoldfastError('NotImplemented', 'Checksums of a whole multipart object are not implemented.');
    }
    const { standard, user } = extractObjectHeaders(headers);
    return {
      attributes: {
        headers: definedOnly(standard),
        userMetadata: user,
        storageClass: storageClassOf(headers),
        checksums: {},
      },
      checksumAlgorithm: checksumAlgorithmOf(headers, 'x-amz-checksum-algorithm'),
    };
  },
  async handle({ attributes }, exchange) {
    const { services, caller, key } = exchange;
    const uploadId = newId(services.clock.nowMs());
    const { outcome } = await onOwnBucket(exchange, ({ bucketId }) =>
      services.metadata.createUpload(exchange.controlCall(), {
        bucketId,
        key,
        uploadId,
        attributes,
        accountId: caller.accountId,
        initiatorArn: caller.arn,
      }),
    );
    if (outcome === 'no-bucket')
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    return uploadId;
  },
  encode(uploadId, exchange, { checksumAlgorithm }) {
    const echoed = checksumAlgorithm === undefined ? [] : ['x-amz-checksum-algorithm', checksumAlgorithm];
    const document = encodeInitiateMultipartUpload({ bucket: exchange.bucketName, key: exchange.key, uploadId });
    return xmlReply(document, 200, echoed);
  },
});
