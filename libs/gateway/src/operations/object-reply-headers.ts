import { NULL_VERSION, type BucketRecord, type ChecksumType, type ObjectVersion } from '@holdfast/contracts';

const HEADER_SPELLING: Readonly<Record<string, string>> = {
  'content-type': 'Content-Type',
  'cache-control': 'Cache-Control',
  'content-disposition': 'Content-Disposition',
  'content-encoding': 'Content-Encoding',
  'content-language': 'Content-Language',
  expires: 'Expires',
};
const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';

export function quoted(etag: string): string {
  return `"${etag}"`;
}

/** What says which state of the object an answer is about: also on 304. */
export function stateHeaders(bucket: BucketRecord, version: ObjectVersion): string[] {
  const headers = ['ETag', quoted(version.etag), 'Last-Modified', new Date(version.lastModifiedMs).toUTCString()];
  const shown = shownVersionId(bucket, version);
  if (shown !== undefined) headers.push('x-amz-version-id', shown);
  return headers;
}

/** An unversioned bucket shows no version id. */
export function shownVersionId(
  bucket: BucketRecord,
  version: Pick<ObjectVersion, 'isNull' | 'versionId'>,
): string | undefined {
  if (!version.isNull) return version.versionId;
  return bucket.versioning === 'unversioned' ? undefined : NULL_VERSION;
}

/**
 * Headers of a GET or HEAD that found the object.
 * @param overrides lower-case header name -> value, of the `response-…` parameters
 */
export function objectHeaders(
  bucket: BucketRecord,
  version: ObjectVersion,
  overrides: Readonly<Record<string, string>>,
  withChecksums: boolean,
): string[] {
  const { attributes } = version;
  const headers = stateHeaders(bucket, version);
  headers.push('Accept-Ranges', 'bytes');
  headers.push('Content-Type', overrides['content-type'] ?? attributes.headers['content-type'] ?? DEFAULT_CONTENT_TYPE);
  for (const name in HEADER_SPELLING) {
    if (name === 'content-type') continue;
    const value = overrides[name] ?? attributes.headers[name];
    if (value !== undefined) headers.push(HEADER_SPELLING[name], value);
  }
  for (const name in attributes.userMetadata) headers.push(`x-amz-meta-${name}`, attributes.userMetadata[name]);
  if (attributes.storageClass !== 'STANDARD') headers.push('x-amz-storage-class', attributes.storageClass);
  if (version.replication !== 'none') headers.push('x-amz-replication-status', version.replication.toUpperCase());
  if (withChecksums) headers.push(...objectChecksumHeaders(attributes.checksums, attributes.checksumType));
  return headers;
}

/** `x-amz-checksum-…` of stored values: lower-case algorithm -> base64. */
export function checksumHeaders(checksums: Readonly<Record<string, string>>): string[] {
  const headers: string[] = [];
  for (const algorithm of Object.keys(checksums)) headers.push(`x-amz-checksum-${algorithm}`, checksums[algorithm]);
  return headers;
}

/** The same with what the values are of, which S3 says of objects in a header of its own. */
export function objectChecksumHeaders(
  checksums: Readonly<Record<string, string>>,
  type: ChecksumType = 'FULL_OBJECT',
): string[] {
  const headers = checksumHeaders(checksums);
  return headers.length === 0 ? headers : [...headers, 'x-amz-checksum-type', type];
}
