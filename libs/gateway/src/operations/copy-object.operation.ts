import { HoldfastError, type ObjectAttributes } from '@holdfast/contracts';
import {
  CHECKSUM_ALGORITHMS,
  checksumAlgorithmOf,
  encodeCopyResult,
  extractObjectHeaders,
  type ChecksumAlgorithm,
  type CopySource,
  type HeaderList,
  type S3Operation,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { defineOperation, type AccessQuestion } from '../pipeline/operation.js';
import { xmlReply } from '../pipeline/reply.js';
import type { S3Request } from '../pipeline/request.js';
import { storeCopy } from '../streams/copied-body.js';
import type { StoredBody } from '../streams/object-write.js';
import {
  bytesToCopy,
  copyAccess,
  decodeCopySource,
  findSource,
  sourceVersionHeader,
  tagCopyChecks,
  type FoundSource,
} from './copy-source.js';
import { definedOnly } from './object-attributes.js';
import { bucketToWrite, commitObject, type Committed, type ObjectToCommit } from './object-commit.js';
import { invalidArgument } from './request-arguments.js';
import { taggingChecks, tagsOf } from './request-tags.js';
import { namedChecksums } from './stored-checksums.js';
import { refuseUnservedFeatures, storageClassOf } from './unserved-features.js';
import { matchChecks, writeConditionsOf } from './write-conditions.js';

interface CopyInput {
  readonly source: CopySource;
  /** Of the request; with the directive COPY headers and metadata are the source's. */
  readonly object: ObjectToCommit;
  readonly replacesMetadata: boolean;
  readonly replacesTags: boolean;
  readonly algorithm?: ChecksumAlgorithm;
}

interface CopyOutput {
  readonly found: FoundSource;
  readonly stored: StoredBody;
  readonly committed: Committed;
}

/** Places of the optional answers: after what `copyAccess` asks for. */
const TAG_CHECKS_FROM = 1;

/** Tags that come with the request are a permission of their own; tags that come with the source may turn out to be none. */
function access(request: S3Request, row: S3Operation): AccessQuestion {
  const { required, optional = [] } = copyAccess(request, row.action);
  const replaces = replacesTags(request.headers);
  return {
    required: [...required, ...(replaces ? taggingChecks(request) : []), ...matchChecks(request)],
    optional: [...optional, ...(replaces ? [] : tagCopyChecks(request))],
  };
}

/** New chunks and a record of its own: nothing of a copy depends on its source. */
export const copyObject = defineOperation<CopyInput, CopyOutput>({
  name: 'CopyObject',
  access,
  decode({ request }) {
    const { headers } = request;
    refuseUnservedFeatures(headers);
    const { standard, user } = extractObjectHeaders(headers);
    const replaces = replacesTags(headers);
    return {
      source: decodeCopySource(request),
      object: {
        attributes: { headers: definedOnly(standard), userMetadata: user, storageClass: storageClassOf(headers) },
        conditions: writeConditionsOf(headers),
        ...(replaces ? tagsOf(headers) : {}),
      },
      replacesMetadata: replacesBy(headers, 'x-amz-metadata-directive', 'Unknown metadata directive.'),
      replacesTags: replaces,
      algorithm: checksumAlgorithmOf(headers, 'x-amz-checksum-algorithm'),
    };
  },
  async handle(input, exchange) {
    const bucket = await bucketToWrite(input.object.conditions, exchange);
    const found = await findSource(exchange, input.source);
    refuseCopyWithoutChange(input, found, exchange);
    if (!input.replacesTags) requireTagCopying(found, exchange);
    const bytes = { ...found, ...bytesToCopy(found) };
    const { storageClass } = input.object.attributes;
    const stored = await storeCopy(exchange, { bucket, storageClass }, bytes, algorithmOf(input, found));
    const committed = await commitObject(objectOf(input, found), stored, bucket, exchange);
    return { found, stored, committed };
  },
  encode({ found, stored, committed }) {
    const checksums = namedChecksums(stored.checksums);
    const checksumType = Object.keys(checksums).length === 0 ? {} : { checksumType: 'FULL_OBJECT' };
    const { lastModifiedMs, isNull, versionId } = committed;
    const document = encodeCopyResult('CopyObjectResult', {
      etag: stored.md5Hex,
      lastModifiedMs,
      checksums,
      ...checksumType,
    });
    const version = isNull ? [] : ['x-amz-version-id', versionId];
    return xmlReply(document, 200, [...version, ...sourceVersionHeader(found)]);
  },
});

function replacesTags(headers: HeaderList): boolean {
  return replacesBy(headers, 'x-amz-tagging-directive', 'Unknown tagging directive.');
}

/** @throws HoldfastError InvalidArgument */
function replacesBy(headers: HeaderList, name: string, message: string): boolean {
  const directive = headers.get(name) ?? 'COPY';
  if (directive !== 'COPY' && directive !== 'REPLACE') return invalidArgument(name, directive, message);
  return directive === 'REPLACE';
}

/** An older version may be laid over the newer ones of its own key; the current one must become something else. */
function refuseCopyWithoutChange(input: CopyInput, { version }: FoundSource, exchange: Exchange): void {
  const { source, object, replacesMetadata, algorithm } = input;
  const isItself = source.bucket === exchange.bucketName && source.key === exchange.key;
  if (!isItself || source.versionId !== undefined || replacesMetadata || input.replacesTags) return;
  const { storageClass, checksums } = version.attributes;
  const changesChecksum = algorithm !== undefined && checksums[algorithm.toLowerCase()] === undefined;
  if (object.attributes.storageClass !== storageClass || changesChecksum) return;
  throw new HoldfastError(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's " +
      'metadata, storage class, website redirect location or encryption attributes.',
  );
}

function requireTagCopying({ version }: FoundSource, exchange: Exchange): void {
  if (Object.keys(version.tags ?? {}).length === 0) return;
  const decisions = exchange.grant.asked.slice(TAG_CHECKS_FROM);
  if (!decisions.every((decision) => decision === 'allow')) throw new HoldfastError('AccessDenied');
}

/** A copy keeps the algorithm of its source, though its value is that of the whole object, whatever it was there. */
function algorithmOf({ algorithm }: CopyInput, { version }: FoundSource): ChecksumAlgorithm | undefined {
  return algorithm ?? CHECKSUM_ALGORITHMS.find((name) => name.toLowerCase() in version.attributes.checksums);
}

function objectOf(
  { object, replacesMetadata, replacesTags: ownTags }: CopyInput,
  { version }: FoundSource,
): ObjectToCommit {
  const { headers, userMetadata } = replacesMetadata ? object.attributes : version.attributes;
  const attributes: Omit<ObjectAttributes, 'checksums'> = {
    headers,
    userMetadata,
    storageClass: object.attributes.storageClass,
  };
  const tags = ownTags ? object.tags : version.tags;
  return { ...object, attributes, ...(tags === undefined ? {} : { tags }) };
}
