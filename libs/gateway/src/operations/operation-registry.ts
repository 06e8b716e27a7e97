import { assert } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import type { S3Operation, ServedOperationName } from '@holdfast/s3-protocol';
import type { Operation } from '../pipeline/operation.js';
import { abortMultipartUpload } from './abort-multipart-upload.operation.js';
import { completeMultipartUpload } from './complete-multipart-upload.operation.js';
import { createBucket } from './create-bucket.operation.js';
import { createMultipartUpload } from './create-multipart-upload.operation.js';
import { deleteBucket } from './delete-bucket.operation.js';
import { deleteObject } from './delete-object.operation.js';
import { deleteObjects } from './delete-objects.operation.js';
import { getObject, headObject } from './get-object.operation.js';
import { getBucketLocation, headBucket } from './head-bucket.operation.js';
import { listBuckets } from './list-buckets.operation.js';
import { listObjects, listObjectsV2 } from './list-objects.operation.js';
import { listParts } from './list-parts.operation.js';
import { putObject } from './put-object.operation.js';
import { uploadPart } from './upload-part.operation.js';

/** One handler for every served row of the operation table: a missing or a foreign one does not compile. */
export const OPERATIONS: Readonly<Record<ServedOperationName, Operation>> = {
  AbortMultipartUpload: abortMultipartUpload,
  CompleteMultipartUpload: completeMultipartUpload,
  CreateBucket: createBucket,
  CreateMultipartUpload: createMultipartUpload,
  DeleteBucket: deleteBucket,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
  GetBucketLocation: getBucketLocation,
  GetObject: getObject,
  HeadBucket: headBucket,
  HeadObject: headObject,
  ListBuckets: listBuckets,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  ListParts: listParts,
  PutObject: putObject,
  UploadPart: uploadPart,
};

const BY_NAME: ReadonlyMap<string, Operation> = new Map(Object.entries(OPERATIONS));

/** @throws HoldfastError NotImplemented by the operation's name */
export function operationOf(row: S3Operation): Operation {
  if (row.status === 'planned') throw new HoldfastError('NotImplemented', `${row.name} is not implemented.`);
  const operation = BY_NAME.get(row.name);
  assert(operation !== undefined && operation.name === row.name, 'a served row has its handler', { name: row.name });
  return operation;
}
