import { HoldfastError, LIMITS, type AccessCheck, type BucketRecord, type ObjectVersion } from '@holdfast/contracts';
import {
  copyConditionsHold,
  parseCopySource,
  type ByteRange,
  type CopyRange,
  type CopySource,
  type HeaderList,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { resourceOf, type AccessQuestion } from '../pipeline/operation.js';
import type { S3Request } from '../pipeline/request.js';
import { shownVersionId } from './object-reply-headers.js';
import { invalidArgument, isVersionName, sizeHeader } from './request-arguments.js';

export interface FoundSource {
  readonly bucket: BucketRecord;
  readonly version: ObjectVersion;
}

/** What the header names. Errors: InvalidArgument, InvalidBucketName, KeyTooLongError. */
export function copySourceOf(headers: HeaderList): CopySource {
  const source = parseCopySource(headers);
  if (source === undefined) throw new HoldfastError('InvalidArgument', 'x-amz-copy-source is missing.');
  return source;
}

/** Places of the optional answers that `copyAccess` asks for first. */
const MAY_LIST_SOURCE = 0;

/**
 * To write the destination and to read the source, which is judged before a byte or a record of it is read. Whether the caller
 * may list the source's bucket decides if it may learn that there is none.
 */
export function copyAccess(request: S3Request, action: string): AccessQuestion {
  const { bucket, key, versionId } = copySourceOf(request.headers);
  const keys: Record<string, string[]> = { 's3:x-amz-copy-source': [`${bucket}/${key}`] };
  const directive = request.headers.get('x-amz-metadata-directive');
  if (directive !== undefined) keys['s3:x-amz-metadata-directive'] = [directive];
  const read = versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  return {
    required: [
      { action, resource: resourceOf(request), keys },
      { action: read, resource: sourceArn(bucket, key), ...versionKey(versionId) },
    ],
    optional: [{ action: 's3:ListBucket', resource: sourceArn(bucket), keys: { 's3:prefix': [key] } }],
  };
}

/** What copying the tags along takes, where there are any: to read them there and to write them here. */
export function tagCopyChecks(request: S3Request): AccessCheck[] {
  const { bucket, key, versionId } = copySourceOf(request.headers);
  const read = versionId === undefined ? 's3:GetObjectTagging' : 's3:GetObjectVersionTagging';
  return [
    { action: read, resource: sourceArn(bucket, key), ...versionKey(versionId) },
    { action: 's3:PutObjectTagging', resource: resourceOf(request) },
  ];
}

function versionKey(versionId: string | undefined): Pick<AccessCheck, 'keys'> {
  return versionId === undefined ? {} : { keys: { 's3:versionid': [versionId] } };
}

function sourceArn(bucket: string, key?: string): string {
  return `arn:aws:s3:::${bucket}${key === undefined ? '' : `/${key}`}`;
}

/** A copy takes its bytes from its source. Errors: InvalidRequest, InvalidArgument (a version id that is none). */
export function decodeCopySource({ headers, sent }: S3Request): CopySource {
  const source = copySourceOf(headers);
  if (source.versionId !== undefined && !isVersionName(source.versionId)) {
    invalidArgument('x-amz-copy-source', source.versionId, 'Invalid version id specified');
  }
  if ((sizeHeader(sent, 'content-length') ?? 0) > 0 || sent.has('transfer-encoding')) {
    throw new HoldfastError('InvalidRequest', 'A copy takes its bytes from its source and has no body.');
  }
  return source;
}

/**
 * The version to copy from, as it is now and as the conditions ask for. Errors: NoSuchBucket, AccessDenied, NoSuchKey,
 * NoSuchVersion, InvalidRequest (a delete marker by its id), PreconditionFailed.
 */
export async function findSource(exchange: Exchange, source: CopySource): Promise<FoundSource> {
  const { metadata, buckets } = exchange.services;
  const { bucket: bucketName, key, versionId } = source;
  const found = await metadata.findObject(exchange.controlCall(), {
    bucketName,
    key,
    ...(versionId === undefined ? {} : { versionId }),
  });
  const bucket = await buckets.checkSource(exchange, bucketName, found.bucket, found.version);
  const { version } = found;
  if (version === undefined || (version.isDeleteMarker && versionId === undefined)) throw noSource(exchange, source);
  if (version.isDeleteMarker) {
    throw new HoldfastError(
      'InvalidRequest',
      'The source of a copy request may not specifically refer to a delete marker by version id.',
    );
  }
  if (!copyConditionsHold(exchange.request.headers, version)) throw new HoldfastError('PreconditionFailed');
  return { bucket, version };
}

function noSource(exchange: Exchange, { key, versionId }: CopySource): HoldfastError {
  if (exchange.grant.asked[MAY_LIST_SOURCE] !== 'allow') return new HoldfastError('AccessDenied');
  if (versionId === undefined) return new HoldfastError('NoSuchKey', undefined, { Key: key });
  return new HoldfastError('NoSuchVersion', undefined, { Key: key, VersionId: versionId });
}

/** The bytes to copy; absent for none. Errors: InvalidRange, InvalidRequest (more than 5 GiB). */
export function bytesToCopy({ version }: FoundSource, asked?: CopyRange): { readonly range?: ByteRange } {
  const { sizeBytes } = version;
  if (asked !== undefined && asked.last >= sizeBytes) {
    throw new HoldfastError('InvalidRange', `Range specified is not valid for source object of size: ${sizeBytes}`, {
      ActualObjectSize: String(sizeBytes),
    });
  }
  const range = asked ?? { first: 0, last: sizeBytes - 1 };
  if (range.last - range.first >= LIMITS.putObjectBytesMax) {
    throw new HoldfastError(
      'InvalidRequest',
      `The specified copy source is larger than the maximum allowable size for a copy source: ${LIMITS.putObjectBytesMax}`,
    );
  }
  return range.last < range.first ? {} : { range };
}

/** Says which version was copied, where the source's bucket has versions. */
export function sourceVersionHeader({ bucket, version }: FoundSource): string[] {
  const shown = shownVersionId(bucket, version);
  return shown === undefined ? [] : ['x-amz-copy-source-version-id', shown];
}
