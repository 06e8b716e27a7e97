import { HoldfastError, type AccessCheck, type BucketRecord, type ObjectVersion } from '@holdfast/contracts';
import {
  evaluateReadConditions,
  parseHttpDate,
  parseRange,
  responseOverrides,
  type ByteRange,
  type S3Operation,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { listingCheck, resourceOf, type AccessQuestion } from '../pipeline/operation.js';
import { RefusalWithHeaders } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import { quoted, stateHeaders } from './object-reply-headers.js';
import { findPart, type FoundPart } from './object-part.js';
import { partNumberArgument, versionArgument, wantsChecksums } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';

/** What GET and HEAD of an object read from the request. */
export interface ObjectReadInput {
  readonly versionId?: string;
  readonly rangeHeader?: string;
  readonly partNumber?: number;
  readonly overrides: Readonly<Record<string, string>>;
  readonly withChecksums: boolean;
}

/** A version that is an object. */
export interface FoundVersion {
  readonly bucket: BucketRecord;
  readonly version: ObjectVersion;
}

/** The object, and the bytes of it that are asked for. */
export interface FoundObject extends FoundVersion {
  readonly range?: ByteRange;
  /** Those bytes are this part. */
  readonly part?: FoundPart;
  readonly notModified: boolean;
}

/** Whether the caller may list decides if it may learn that a key does not exist; who may read tags learns their number. */
export function objectReadAccess(request: S3Request, row: S3Operation): AccessQuestion {
  const isVersion = request.target.query.has('versionId');
  const action = isVersion ? 's3:GetObjectVersion' : row.action;
  const resource = resourceOf(request);
  const required: AccessCheck[] = [{ action, resource }];
  const tagging = isVersion ? 's3:GetObjectVersionTagging' : 's3:GetObjectTagging';
  return {
    required,
    optional: [listingCheck(request), { action: tagging, resource }],
    tellsAbsence: !isVersion,
  };
}

export function decodeObjectRead(exchange: Exchange): ObjectReadInput {
  const { headers, target } = exchange.request;
  refuseUnservedFeatures(headers);
  const rangeHeader = headers.get('range');
  const partNumber = target.query.has('partNumber') ? partNumberArgument(target.query) : undefined;
  if (partNumber !== undefined && rangeHeader !== undefined) {
    throw new HoldfastError('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter.');
  }
  return {
    versionId: versionArgument(target.query),
    rangeHeader,
    partNumber,
    overrides: overridesOf(exchange),
    withChecksums: wantsChecksums(headers),
  };
}

/** A link that anybody can write must not say what the browser takes the object for. @throws HoldfastError InvalidRequest, InvalidArgument */
function overridesOf({ request, caller }: Exchange): Readonly<Record<string, string>> {
  const overrides = responseOverrides(request.target.query);
  if (caller.kind !== 'anonymous' || Object.keys(overrides).length === 0) return overrides;
  throw new HoldfastError('InvalidRequest', 'Request specific response headers cannot be used for anonymous requests.');
}

/** One metadata read answers bucket and version. Errors: NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion, 412, 416, 405. */
export async function findObject(input: ObjectReadInput, exchange: Exchange): Promise<FoundObject> {
  const { bucket, version } = await findVersion(input, exchange);
  switch (evaluateReadConditions(exchange.request.headers, version)) {
    case 'precondition-failed':
      throw new HoldfastError('PreconditionFailed');
    case 'not-modified':
      return { bucket, version, notModified: true };
    case 'proceed':
      break;
  }
  if (input.partNumber === undefined) {
    return { bucket, version, range: rangeOf(input, exchange, version), notModified: false };
  }
  const part = await findPart(exchange, version, input.partNumber);
  return { bucket, version, part, range: part.range, notModified: false };
}

/** Errors: NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker by its id). */
export async function findVersion(
  input: Pick<ObjectReadInput, 'versionId'>,
  exchange: Exchange,
): Promise<FoundVersion> {
  const { services, bucketName, key } = exchange;
  const found = await services.metadata.findObject(exchange.controlCall(), {
    bucketName,
    key,
    ...(input.versionId === undefined ? {} : { versionId: input.versionId }),
  });
  const { version } = found;
  const isAbsent = input.versionId === undefined && (version === undefined || version.isDeleteMarker);
  const bucket = isAbsent
    ? await services.buckets.checkAbsence(exchange, found.bucket)
    : await services.buckets.check(exchange, found.bucket, version);
  // An absent key is said to be no delete marker, in so many words.
  if (version === undefined) throw absence(input, exchange, ['x-amz-delete-marker', 'false']);
  if (version.isDeleteMarker) throw deleteMarkerFound(input, exchange, bucket, version);
  return { bucket, version };
}

/** `x-amz-tagging-count`, to those who may read the tags. */
export function tagCountHeader({ tags }: ObjectVersion, exchange: Exchange): string[] {
  if (tags === undefined || exchange.grant.asked[1] !== 'allow') return [];
  return ['x-amz-tagging-count', String(Object.keys(tags).length)];
}

/** What is not there, to those who may know. Errors: NoSuchKey, NoSuchVersion; AccessDenied for who may not list. */
export function notFound(input: Pick<ObjectReadInput, 'versionId'>, exchange: Exchange): HoldfastError {
  if (exchange.grant.asked[0] !== 'allow') return new HoldfastError('AccessDenied');
  if (input.versionId === undefined) return new HoldfastError('NoSuchKey', undefined, { Key: exchange.key });
  return new HoldfastError('NoSuchVersion', undefined, { Key: exchange.key, VersionId: input.versionId });
}

/** The headers would tell those who may not know whether there is a delete marker. */
function absence(
  input: Pick<ObjectReadInput, 'versionId'>,
  exchange: Exchange,
  headers: readonly string[],
): HoldfastError | RefusalWithHeaders {
  const refusal = notFound(input, exchange);
  return refusal.code === 'AccessDenied' ? refusal : new RefusalWithHeaders(refusal, headers);
}

function deleteMarkerFound(
  input: Pick<ObjectReadInput, 'versionId'>,
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
): HoldfastError | RefusalWithHeaders {
  const headers = ['x-amz-delete-marker', 'true', 'x-amz-version-id', version.isNull ? 'null' : version.versionId];
  if (input.versionId === undefined) return absence(input, exchange, headers);
  const refusal = new HoldfastError('MethodNotAllowed', undefined, { Method: exchange.request.method });
  return new RefusalWithHeaders(refusal, [...stateHeaders(bucket, version).slice(2, 4), ...headers, 'Allow', 'DELETE']);
}

/** If-Range: the range counts only while the object is still the one that the client knows. */
function rangeOf(input: ObjectReadInput, exchange: Exchange, version: ObjectVersion): ByteRange | undefined {
  const ifRange = exchange.request.headers.get('if-range');
  if (ifRange !== undefined && ifRange !== quoted(version.etag)) {
    const sinceMs = parseHttpDate(ifRange);
    if (sinceMs === undefined || version.lastModifiedMs >= sinceMs + 1000) return undefined;
  }
  try {
    return parseRange(input.rangeHeader, version.sizeBytes);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'InvalidRange') throw error;
    throw new RefusalWithHeaders(error, ['Content-Range', `bytes */${version.sizeBytes}`]);
  }
}
