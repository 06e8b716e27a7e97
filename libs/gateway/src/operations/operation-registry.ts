import { assert } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import type { S3Operation, ServedOperationName } from '@holdfast/s3-protocol';
import type { Operation } from '../pipeline/operation.js';
import { abortMultipartUpload } from './abort-multipart-upload.operation.js';
import { deleteBucketCors, getBucketCors, putBucketCors } from './bucket-cors.operation.js';
import {
  deleteBucketPolicy,
  getBucketPolicy,
  getBucketPolicyStatus,
  putBucketPolicy,
} from './bucket-policy.operation.js';
import { deleteBucketTagging, getBucketTagging, putBucketTagging } from './bucket-tagging.operation.js';
import { getBucketVersioning, putBucketVersioning } from './bucket-versioning.operation.js';
import { completeMultipartUpload } from './complete-multipart-upload.operation.js';
import { copyObject } from './copy-object.operation.js';
import { createBucket } from './create-bucket.operation.js';
import { createMultipartUpload } from './create-multipart-upload.operation.js';
import { deleteBucket } from './delete-bucket.operation.js';
import { deleteObject } from './delete-object.operation.js';
import { deleteObjects } from './delete-objects.operation.js';
import { getObjectAttributes } from './get-object-attributes.operation.js';
import { getObject, headObject } from './get-object.operation.js';
import { getBucketLocation, headBucket } from './head-bucket.operation.js';
import { listBuckets } from './list-buckets.operation.js';
import { listMultipartUploads } from './list-multipart-uploads.operation.js';
import { listObjectVersions } from './list-object-versions.operation.js';
import { listObjects, listObjectsV2 } from './list-objects.operation.js';
import { listParts } from './list-parts.operation.js';
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './object-tagging.operation.js';
import { postObject } from './post-object.operation.js';
import {
  deleteBucketOwnershipControls,
  getBucketOwnershipControls,
  putBucketOwnershipControls,
} from './ownership-controls.operation.js';
import { optionsBucket, optionsObject } from './preflight.operation.js';
import {
  deletePublicAccessBlock,
  getPublicAccessBlock,
  putPublicAccessBlock,
} from './public-access-block.operation.js';
import { putObject } from './put-object.operation.js';
import { uploadPartCopy } from './upload-part-copy.operation.js';
import { uploadPart } from './upload-part.operation.js';

/** One handler for every served row of the operation table: a missing or a foreign one does not compile. */
export const OPERATIONS: Readonly<Record<ServedOperationName, Operation>> = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CopyObject: copyObject,
  CreateBucket: createBucket,
  CreateMultipartUpload: createMultipartUpload,
  DeleteBucket: deleteBucket,
  DeleteBucketCors: deleteBucketCors,
  DeleteBucketOwnershipControls: deleteBucketOwnershipControls,
  DeleteBucketPolicy: deleteBucketPolicy,
  DeleteBucketTagging: deleteBucketTagging,
  DeleteObject: deleteObject,
  DeleteObjectTagging: deleteObjectTagging,
  DeleteObjects: deleteObjects,
  DeletePublicAccessBlock: deletePublicAccessBlock,
  GetBucketCors: getBucketCors,
  GetBucketLocation: getBucketLocation,
  GetBucketOwnershipControls: getBucketOwnershipControls,
  GetBucketPolicy: getBucketPolicy,
  GetBucketPolicyStatus: getBucketPolicyStatus,
  GetBucketTagging: getBucketTagging,
  GetBucketVersioning: getBucketVersioning,
  GetObject: getObject,
  GetObjectAttributes: getObjectAttributes,
  GetObjectTagging: getObjectTagging,
  GetPublicAccessBlock: getPublicAccessBlock,
  HeadBucket: headBucket,
  HeadObject: headObject,
  ListBuckets: listBuckets,
  ListMultipartUploads: listMultipartUploads,
  ListObjectVersions: listObjectVersions,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListParts: listParts,
  OptionsBucket: optionsBucket,
  OptionsObject: optionsObject,
  PostObject: postObject,
  PutBucketCors: putBucketCors,
  PutBucketOwnershipControls: putBucketOwnershipControls,
  PutBucketPolicy: putBucketPolicy,
  PutBucketTagging: putBucketTagging,
  PutBucketVersioning: putBucketVersioning,
  PutObject: putObject,
  PutObjectTagging: putObjectTagging,
  PutPublicAccessBlock: putPublicAccessBlock,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
};

const BY_NAME: ReadonlyMap<string, Operation> = new Map(Object.entries(OPERATIONS));

/** @throws HoldfastError NotImplemented by the operation's name */
export function operationOf(row: S3Operation): Operation {
  if (row.status === 'planned') throw new HoldfastError('NotImplemented', `${row.name} is not implemented.`);
  const operation = BY_NAME.get(row.name);
  assert(operation !== undefined && operation.name === row.name, 'a served row has its handler', { name: row.name });
  return operation;
}
