import type { S3Operation } from './operation-row.js';

// One row a line: a table is read by its columns.
// prettier-ignore
/** Operations on the account and on buckets, and those that list or delete many objects. */
export const BUCKET_OPERATIONS = [
  { name: 'ListBuckets', level: 'service', method: 'GET', action: 's3:ListAllMyBuckets', body: 'none', status: 'served' },
  { name: 'ListDirectoryBuckets', level: 'service', method: 'GET', query: { 'x-id': 'ListDirectoryBuckets' }, action: 's3express:ListAllMyDirectoryBuckets', body: 'none', status: 'planned' },
  { name: 'CreateBucket', level: 'bucket', method: 'PUT', action: 's3:CreateBucket', body: 'xml', status: 'served' },
  { name: 'HeadBucket', level: 'bucket', method: 'HEAD', action: 's3:ListBucket', body: 'none', status: 'served' },
  { name: 'DeleteBucket', level: 'bucket', method: 'DELETE', action: 's3:DeleteBucket', body: 'none', status: 'served' },
  { name: 'GetBucketLocation', level: 'bucket', method: 'GET', query: { location: true }, action: 's3:GetBucketLocation', body: 'none', status: 'served' },
  { name: 'ListObjects', level: 'bucket', method: 'GET', action: 's3:ListBucket', body: 'none', status: 'served' },
  { name: 'ListObjectsV2', level: 'bucket', method: 'GET', query: { 'list-type': '2' }, action: 's3:ListBucket', body: 'none', status: 'served' },
  { name: 'ListObjectVersions', level: 'bucket', method: 'GET', query: { versions: true }, action: 's3:ListBucketVersions', body: 'none', status: 'served' },
  { name: 'ListMultipartUploads', level: 'bucket', method: 'GET', query: { uploads: true }, action: 's3:ListBucketMultipartUploads', body: 'none', status: 'served' },
  { name: 'DeleteObjects', level: 'bucket', method: 'POST', query: { delete: true }, action: 's3:DeleteObject', body: 'xml', event: 'ObjectRemoved:Delete', status: 'served' },
  { name: 'PostObject', level: 'bucket', method: 'POST', action: 's3:PutObject', body: 'form', event: 'ObjectCreated:Post', status: 'served' },
  { name: 'OptionsBucket', level: 'bucket', method: 'OPTIONS', takes: ['versionId', 'partNumber'], action: 'none', body: 'none', status: 'served' },
  { name: 'CreateSession', level: 'bucket', method: 'GET', query: { session: true }, action: 's3express:CreateSession', body: 'none', status: 'planned' },
  // Its path has no bucket: the host names the route. Path style sees a bucket of this name, which none can have.
  { name: 'WriteGetObjectResponse', level: 'bucket', method: 'POST', headers: ['x-amz-request-route', 'x-amz-request-token'], action: 's3-object-lambda:WriteGetObjectResponse', body: 'stream', status: 'planned' },
] as const satisfies readonly S3Operation[];
