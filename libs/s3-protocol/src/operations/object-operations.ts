import type { S3Operation } from './operation-row.js';

// One row a line: a table is read by its columns.
// prettier-ignore
/** Operations on one object or on the parts of one. */
export const OBJECT_OPERATIONS = [
  { name: 'PutObject', level: 'object', method: 'PUT', action: 's3:PutObject', body: 'stream', event: 'ObjectCreated:Put', status: 'served' },
  { name: 'CopyObject', level: 'object', method: 'PUT', headers: ['x-amz-copy-source'], action: 's3:PutObject', body: 'none', event: 'ObjectCreated:Copy', status: 'served' },
  { name: 'GetObject', level: 'object', method: 'GET', takes: ['versionId', 'partNumber'], action: 's3:GetObject', body: 'none', status: 'served' },
  { name: 'HeadObject', level: 'object', method: 'HEAD', takes: ['versionId', 'partNumber'], action: 's3:GetObject', body: 'none', status: 'served' },
  { name: 'DeleteObject', level: 'object', method: 'DELETE', takes: ['versionId'], action: 's3:DeleteObject', body: 'none', event: 'ObjectRemoved:Delete', status: 'served' },
  { name: 'CreateMultipartUpload', level: 'object', method: 'POST', query: { uploads: true }, action: 's3:PutObject', body: 'none', status: 'served' },
  { name: 'UploadPart', level: 'object', method: 'PUT', query: { uploadId: true, partNumber: true }, action: 's3:PutObject', body: 'stream', status: 'served' },
  { name: 'UploadPartCopy', level: 'object', method: 'PUT', query: { uploadId: true, partNumber: true }, headers: ['x-amz-copy-source'], action: 's3:PutObject', body: 'none', status: 'served' },
  { name: 'CompleteMultipartUpload', level: 'object', method: 'POST', query: { uploadId: true }, action: 's3:PutObject', body: 'xml', event: 'ObjectCreated:CompleteMultipartUpload', status: 'served' },
  { name: 'AbortMultipartUpload', level: 'object', method: 'DELETE', query: { uploadId: true }, action: 's3:AbortMultipartUpload', body: 'none', status: 'served' },
  { name: 'ListParts', level: 'object', method: 'GET', query: { uploadId: true }, action: 's3:ListMultipartUploadParts', body: 'none', status: 'served' },
  { name: 'GetObjectAcl', level: 'object', method: 'GET', query: { acl: true }, takes: ['versionId'], action: 's3:GetObjectAcl', body: 'none', status: 'planned' },
  { name: 'PutObjectAcl', level: 'object', method: 'PUT', query: { acl: true }, takes: ['versionId'], action: 's3:PutObjectAcl', body: 'xml', event: 'ObjectAcl:Put', status: 'planned' },
  { name: 'GetObjectTagging', level: 'object', method: 'GET', query: { tagging: true }, takes: ['versionId'], action: 's3:GetObjectTagging', body: 'none', status: 'served' },
  { name: 'PutObjectTagging', level: 'object', method: 'PUT', query: { tagging: true }, takes: ['versionId'], action: 's3:PutObjectTagging', body: 'xml', event: 'ObjectTagging:Put', status: 'served' },
  { name: 'DeleteObjectTagging', level: 'object', method: 'DELETE', query: { tagging: true }, takes: ['versionId'], action: 's3:DeleteObjectTagging', body: 'none', event: 'ObjectTagging:Delete', status: 'served' },
  { name: 'GetObjectAttributes', level: 'object', method: 'GET', query: { attributes: true }, takes: ['versionId'], action: 's3:GetObjectAttributes', body: 'none', status: 'served' },
  { name: 'GetObjectLegalHold', level: 'object', method: 'GET', query: { 'legal-hold': true }, takes: ['versionId'], action: 's3:GetObjectLegalHold', body: 'none', status: 'planned' },
  { name: 'PutObjectLegalHold', level: 'object', method: 'PUT', query: { 'legal-hold': true }, takes: ['versionId'], action: 's3:PutObjectLegalHold', body: 'xml', status: 'planned' },
  { name: 'GetObjectRetention', level: 'object', method: 'GET', query: { retention: true }, takes: ['versionId'], action: 's3:GetObjectRetention', body: 'none', status: 'planned' },
  { name: 'PutObjectRetention', level: 'object', method: 'PUT', query: { retention: true }, takes: ['versionId'], action: 's3:PutObjectRetention', body: 'xml', status: 'planned' },
  { name: 'GetObjectTorrent', level: 'object', method: 'GET', query: { torrent: true }, action: 's3:GetObjectTorrent', body: 'none', status: 'planned' },
  { name: 'RestoreObject', level: 'object', method: 'POST', query: { restore: true }, takes: ['versionId'], action: 's3:RestoreObject', body: 'xml', event: 'ObjectRestore:Post', status: 'planned' },
  { name: 'SelectObjectContent', level: 'object', method: 'POST', query: { select: true, 'select-type': '2' }, action: 's3:GetObject', body: 'xml', status: 'planned' },
  { name: 'RenameObject', level: 'object', method: 'PUT', query: { renameObject: true }, action: 's3express:CreateSession', body: 'none', status: 'planned' },
  { name: 'UpdateObjectEncryption', level: 'object', method: 'PUT', query: { encryption: true }, takes: ['versionId'], action: 's3:UpdateObjectEncryption', body: 'xml', status: 'planned' },
  { name: 'GetObjectAnnotation', level: 'object', method: 'GET', query: { annotation: true, annotationName: true }, takes: ['versionId'], action: 's3:GetObjectAnnotation', body: 'none', status: 'planned' },
  { name: 'ListObjectAnnotations', level: 'object', method: 'GET', query: { annotation: true }, takes: ['versionId'], action: 's3:ListObjectAnnotations', body: 'none', status: 'planned' },
  { name: 'PutObjectAnnotation', level: 'object', method: 'PUT', query: { annotation: true }, takes: ['versionId'], action: 's3:PutObjectAnnotation', body: 'stream', status: 'planned' },
  { name: 'DeleteObjectAnnotation', level: 'object', method: 'DELETE', query: { annotation: true }, takes: ['versionId'], action: 's3:DeleteObjectAnnotation', body: 'none', status: 'planned' },
  { name: 'OptionsObject', level: 'object', method: 'OPTIONS', takes: ['versionId', 'partNumber'], action: 'none', body: 'none', status: 'served' },
] as const satisfies readonly S3Operation[];
