// What each served operation asks for, in the words of AWS's documentation: written by hand, so that the table of the
// product is held against it and not against itself. An operation that is served and not here fails the proof.

/** Names in every request; NAME stands for the bucket of the cell. */
const upload = '0123456789abcdef0123456789abcdef';
const xml = (text) => ({ body: text });
const onBucket = (...actions) => actions.map((action) => ({ action, on: 'bucket' }));
const onObject = (...actions) => actions.map((action) => ({ action, on: 'object' }));
const onSource = (action) => ({ action, on: 'source' });

const tagging = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
const complete =
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>';
const part = (name, value) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const policyFor = (bucket) =>
  JSON.stringify({
    Statement: { Effect: 'Deny', Principal: { AWS: 'nobody' }, Action: 's3:*', Resource: `arn:aws:s3:::${bucket}/*` },
  });

/**
 * `needs`: each must be allowed. `changes`: a cell gets a bucket of its own. `eachKey`: refusals stand in the answer, one a key.
 * `ownerFree`: there is no bucket yet, or none in particular, whose owner or policy could say anything.
 */
export const operations = {
  ListBuckets: [{ method: 'GET', path: '/', needs: [{ action: 's3:ListAllMyBuckets', on: 'all' }], ownerFree: true }],
  CreateBucket: [
    { method: 'PUT', path: '/new-NAME', needs: [{ action: 's3:CreateBucket', on: 'new' }], ownerFree: true },
  ],
  HeadBucket: [{ method: 'HEAD', path: '/NAME', needs: onBucket('s3:ListBucket') }],
  DeleteBucket: [{ method: 'DELETE', path: '/NAME', needs: onBucket('s3:DeleteBucket'), changes: true }],
  GetBucketLocation: [{ method: 'GET', path: '/NAME?location', needs: onBucket('s3:GetBucketLocation') }],
  ListObjects: [{ method: 'GET', path: '/NAME?prefix=k', needs: onBucket('s3:ListBucket') }],
  ListObjectsV2: [{ method: 'GET', path: '/NAME?list-type=2', needs: onBucket('s3:ListBucket') }],
  ListObjectVersions: [{ method: 'GET', path: '/NAME?versions', needs: onBucket('s3:ListBucketVersions') }],
  ListMultipartUploads: [{ method: 'GET', path: '/NAME?uploads', needs: onBucket('s3:ListBucketMultipartUploads') }],
  GetBucketVersioning: [{ method: 'GET', path: '/NAME?versioning', needs: onBucket('s3:GetBucketVersioning') }],
  PutBucketVersioning: [
    {
      method: 'PUT',
      path: '/NAME?versioning',
      needs: onBucket('s3:PutBucketVersioning'),
      changes: true,
      ...xml('<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'),
    },
  ],
  GetBucketTagging: [{ method: 'GET', path: '/NAME?tagging', needs: onBucket('s3:GetBucketTagging') }],
  PutBucketTagging: [
    { method: 'PUT', path: '/NAME?tagging', needs: onBucket('s3:PutBucketTagging'), changes: true, ...xml(tagging) },
  ],
  DeleteBucketTagging: [
    { method: 'DELETE', path: '/NAME?tagging', needs: onBucket('s3:PutBucketTagging'), changes: true },
  ],
  GetBucketCors: [{ method: 'GET', path: '/NAME?cors', needs: onBucket('s3:GetBucketCORS') }],
  PutBucketCors: [
    {
      method: 'PUT',
      path: '/NAME?cors',
      needs: onBucket('s3:PutBucketCORS'),
      changes: true,
      ...xml(
        '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>',
      ),
    },
  ],
  DeleteBucketCors: [{ method: 'DELETE', path: '/NAME?cors', needs: onBucket('s3:PutBucketCORS'), changes: true }],
  GetBucketPolicy: [{ method: 'GET', path: '/NAME?policy', needs: onBucket('s3:GetBucketPolicy'), rootKeeps: true }],
  PutBucketPolicy: [
    {
      method: 'PUT',
      path: '/NAME?policy',
      needs: onBucket('s3:PutBucketPolicy'),
      changes: true,
      rootKeeps: true,
      bodyFor: policyFor,
    },
  ],
  DeleteBucketPolicy: [
    {
      method: 'DELETE',
      path: '/NAME?policy',
      needs: onBucket('s3:DeleteBucketPolicy'),
      changes: true,
      rootKeeps: true,
    },
  ],
  GetBucketPolicyStatus: [{ method: 'GET', path: '/NAME?policyStatus', needs: onBucket('s3:GetBucketPolicyStatus') }],
  GetPublicAccessBlock: [
    { method: 'GET', path: '/NAME?publicAccessBlock', needs: onBucket('s3:GetBucketPublicAccessBlock') },
  ],
  PutPublicAccessBlock: [
    {
      method: 'PUT',
      path: '/NAME?publicAccessBlock',
      needs: onBucket('s3:PutBucketPublicAccessBlock'),
      changes: true,
      ...xml('<PublicAccessBlockConfiguration/>'),
    },
  ],
  DeletePublicAccessBlock: [
    {
      method: 'DELETE',
      path: '/NAME?publicAccessBlock',
      needs: onBucket('s3:PutBucketPublicAccessBlock'),
      changes: true,
    },
  ],
  GetBucketOwnershipControls: [
    { method: 'GET', path: '/NAME?ownershipControls', needs: onBucket('s3:GetBucketOwnershipControls') },
  ],
  PutBucketOwnershipControls: [
    {
      method: 'PUT',
      path: '/NAME?ownershipControls',
      needs: onBucket('s3:PutBucketOwnershipControls'),
      changes: true,
      ...xml(
        '<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>',
      ),
    },
  ],
  DeleteBucketOwnershipControls: [
    {
      method: 'DELETE',
      path: '/NAME?ownershipControls',
      needs: onBucket('s3:PutBucketOwnershipControls'),
      changes: true,
    },
  ],
  DeleteObjects: [
    {
      method: 'POST',
      path: '/NAME?delete',
      needs: onObject('s3:DeleteObject'),
      changes: true,
      eachKey: true,
      ...xml('<Delete><Object><Key>key</Key></Object></Delete>'),
    },
  ],
  // A preflight asks for no permission.
  OptionsBucket: [{ method: 'OPTIONS', path: '/NAME', needs: [] }],
  OptionsObject: [{ method: 'OPTIONS', path: '/NAME/key', needs: [] }],
  PostObject: [
    {
      method: 'POST',
      path: '/NAME',
      needs: onObject('s3:PutObject'),
      changes: true,
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: `${part('key', 'key')}${part('file', 'new body')}--x--\r\n`,
    },
  ],
  PutObject: [{ method: 'PUT', path: '/NAME/key', needs: onObject('s3:PutObject'), changes: true, body: 'new body' }],
  CopyObject: [
    {
      method: 'PUT',
      path: '/NAME/key',
      needs: [...onObject('s3:PutObject'), onSource('s3:GetObject')],
      changes: true,
      headers: { 'x-amz-copy-source': 'NAME/source' },
    },
  ],
  GetObject: [
    { method: 'GET', path: '/NAME/key', needs: onObject('s3:GetObject') },
    { method: 'GET', path: '/NAME/key?versionId=null', needs: onObject('s3:GetObjectVersion') },
  ],
  HeadObject: [{ method: 'HEAD', path: '/NAME/key', needs: onObject('s3:GetObject') }],
  DeleteObject: [
    { method: 'DELETE', path: '/NAME/key', needs: onObject('s3:DeleteObject'), changes: true },
    { method: 'DELETE', path: '/NAME/key?versionId=null', needs: onObject('s3:DeleteObjectVersion'), changes: true },
  ],
  GetObjectTagging: [
    { method: 'GET', path: '/NAME/key?tagging', needs: onObject('s3:GetObjectTagging') },
    { method: 'GET', path: '/NAME/key?tagging&versionId=null', needs: onObject('s3:GetObjectVersionTagging') },
  ],
  PutObjectTagging: [
    {
      method: 'PUT',
      path: '/NAME/key?tagging',
      needs: onObject('s3:PutObjectTagging'),
      changes: true,
      ...xml(tagging),
    },
  ],
  DeleteObjectTagging: [
    { method: 'DELETE', path: '/NAME/key?tagging', needs: onObject('s3:DeleteObjectTagging'), changes: true },
  ],
  GetObjectAttributes: [
    {
      method: 'GET',
      path: '/NAME/key?attributes',
      needs: onObject('s3:GetObject', 's3:GetObjectAttributes'),
      headers: { 'x-amz-object-attributes': 'ETag' },
    },
  ],
  CreateMultipartUpload: [
    { method: 'POST', path: '/NAME/key?uploads', needs: onObject('s3:PutObject'), changes: true, body: '' },
  ],
  UploadPart: [
    {
      method: 'PUT',
      path: `/NAME/key?partNumber=1&uploadId=${upload}`,
      needs: onObject('s3:PutObject'),
      changes: true,
      body: 'part',
    },
  ],
  UploadPartCopy: [
    {
      method: 'PUT',
      path: `/NAME/key?partNumber=1&uploadId=${upload}`,
      needs: [...onObject('s3:PutObject'), onSource('s3:GetObject')],
      changes: true,
      headers: { 'x-amz-copy-source': 'NAME/source' },
    },
  ],
  CompleteMultipartUpload: [
    {
      method: 'POST',
      path: `/NAME/key?uploadId=${upload}`,
      needs: onObject('s3:PutObject'),
      changes: true,
      ...xml(complete),
    },
  ],
  AbortMultipartUpload: [
    {
      method: 'DELETE',
      path: `/NAME/key?uploadId=${upload}`,
      needs: onObject('s3:AbortMultipartUpload'),
      changes: true,
    },
  ],
  ListParts: [{ method: 'GET', path: `/NAME/key?uploadId=${upload}`, needs: onObject('s3:ListMultipartUploadParts') }],
};

export function arnOf({ on }, bucket) {
  const prefix = 'arn:aws:s3:::';
  switch (on) {
    case 'all':
      return `${prefix}*`;
    case 'new':
      return `${prefix}new-${bucket}`;
    case 'bucket':
      return prefix + bucket;
    case 'object':
      return `${prefix}${bucket}/key`;
    case 'source':
      return `${prefix}${bucket}/source`;
    default:
      throw new Error(`no resource is called ${on}`);
  }
}
