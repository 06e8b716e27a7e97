import { HoldfastError, type AccessCheck, type BucketRecord, type ObjectVersion } from '@holdfast/contracts';
import {
  evaluateReadConditions,
  parseRange,
  responseOverrides,
  type ByteRange,
  type S3Operation,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { bucketResourceOf, resourceOf, type AccessQuestion } from '../pipeline/operation.js';
import { RefusalWithHeaders } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import { quoted, stateHeaders } from './object-reply-headers.js';
import { versionArgument, wantsChecksums } from './request-arguments.js';
import { refuseUnservedFeatures } from './unserved-features.js';

/** What GET and HEAD of an object read from the request. */
export interface ObjectReadInput {
  readonly versionId?: string;
  readonly rangeHeader?: string;
  readonly overrides: Readonly<Record<string, string>>;
  readonly withChecksums: boolean;
}

/** The object, and the part of it that is asked for. */
export interface FoundObject {
  readonly bucket: BucketRecord;
  readonly version: ObjectVersion;
  readonly range?: ByteRange;
  readonly notModified: boolean;
}

/** Whether the caller may list decides if it may learn that a key does not exist. */
export function objectReadAccess(request: S3Request, row: S3Operation): AccessQuestion {
  const action = request.target.query.has('versionId') ? 's3:GetObjectVersion' : row.action;
  const required: AccessCheck[] = [{ action, resource: resourceOf(request) }];
  return { required, optional: [{ action: 's3:ListBucket', resource: bucketResourceOf(request) }] };
}

export function decodeObjectRead(exchange: Exchange): ObjectReadInput {
  const { headers, target } = exchange.request;
  refuseUnservedFeatures(headers);
  if (target.query.has('partNumber')) {
    throw new HoldfastError('NotImplemented', 'Reading an object by partNumber is not implemented.');
  }
  return {
    versionId: versionArgument(target.query),
    rangeHeader: headers.get('range'),
    overrides: responseOverrides(target.query),
    withChecksums: wantsChecksums(headers),
  };
}

/** One metadata read answers bucket and version. Errors: NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion, 412, 416, 405. */
export async function findObject(input: ObjectReadInput, exchange: Exchange): Promise<FoundObject> {
  const { services, bucketName, key } = exchange;
  const found = await services.metadata.findObject(exchange.controlCall(), {
    bucketName,
    key,
    ...(input.versionId === undefined ? {} : { versionId: input.versionId }),
  });
  const bucket = services.buckets.check(exchange, found.bucket);
  const { version } = found;
  if (version === undefined) throw notFound(input, exchange);
  if (version.isDeleteMarker) throw deleteMarkerFound(input, exchange, bucket, version);
  switch (evaluateReadConditions(exchange.request.headers, version)) {
    case 'precondition-failed':
      throw new HoldfastError('PreconditionFailed');
    case 'not-modified':
      return { bucket, version, notModified: true };
    case 'proceed':
      return { bucket, version, range: rangeOf(input, exchange, version), notModified: false };
  }
}

function notFound(input: ObjectReadInput, exchange: Exchange): HoldfastError {
  if (exchange.grant.asked[0] !== 'allow') return new HoldfastError('AccessDenied');
  if (input.versionId === undefined) return new HoldfastError('NoSuchKey', undefined, { Key: exchange.key });
  return new HoldfastError('NoSuchVersion', undefined, { Key: exchange.key, VersionId: input.versionId });
}

function deleteMarkerFound(
  input: ObjectReadInput,
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
): RefusalWithHeaders {
  const headers = ['x-amz-delete-marker', 'true', 'x-amz-version-id', version.isNull ? 'null' : version.versionId];
  if (input.versionId === undefined) return new RefusalWithHeaders(notFound(input, exchange), headers);
  const refusal = new HoldfastError('MethodNotAllowed', undefined, { Method: exchange.request.method });
  return new RefusalWithHeaders(refusal, [...stateHeaders(bucket, version).slice(2, 4), ...headers, 'Allow', 'DELETE']);
}

/** If-Range: the range counts only while the object is still the one that the client knows. */
function rangeOf(input: ObjectReadInput, exchange: Exchange, version: ObjectVersion): ByteRange | undefined {
  const ifRange = exchange.request.headers.get('if-range');
  if (ifRange !== undefined && ifRange !== quoted(version.etag)) {
    const sinceMs = Date.parse(ifRange);
    if (!(Math.floor(version.lastModifiedMs / 1000) * 1000 <= sinceMs)) return undefined;
  }
  try {
    return parseRange(input.rangeHeader, version.sizeBytes);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'InvalidRange') throw error;
    throw new RefusalWithHeaders(error, ['Content-Range', `bytes */${version.sizeBytes}`]);
  }
}
