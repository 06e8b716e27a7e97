import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from '../checksums/checksum.js';
import { uriEncode } from '../target/percent-coding.js';
import { xmlDocument, xmlElement, type XmlContent, type XmlNode } from './xml-writer.js';

/** Base64 values by algorithm. */
export type ChecksumValues = Readonly<Partial<Record<ChecksumAlgorithm, string>>>;

export interface XmlOwner {
  readonly id: string;
  readonly displayName: string;
}

export interface ListAllMyBuckets {
  readonly owner: XmlOwner;
  readonly buckets: readonly { readonly name: string; readonly createdAtMs: number; readonly region?: string }[];
  readonly prefix?: string;
  readonly continuationToken?: string;
}

export interface ListedObject {
  readonly key: string;
  readonly lastModifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass: string;
  readonly owner?: XmlOwner;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
}

interface ListBucketPage {
  readonly bucket: string;
  readonly prefix: string;
  /** Absent or '': not echoed. */
  readonly delimiter?: string;
  readonly maxKeys: number;
  /** encoding-type=url: keys, prefixes, delimiter and markers are percent-encoded. */
  readonly urlEncoded: boolean;
  readonly isTruncated: boolean;
  readonly objects: readonly ListedObject[];
  readonly commonPrefixes: readonly string[];
}

export interface ListBucketV1 extends ListBucketPage {
  readonly marker: string;
  /** S3 sends it with a delimiter only. */
  readonly nextMarker?: string;
}

export interface ListBucketV2 extends ListBucketPage {
  readonly continuationToken?: string;
  readonly nextContinuationToken?: string;
  readonly startAfter?: string;
}

export interface InitiatedMultipartUpload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export interface CompletedMultipartUpload {
  readonly location: string;
  readonly bucket: string;
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  readonly checksums?: ChecksumValues;
  readonly checksumType?: string;
}

export interface ListedPart {
  readonly partNumber: number;
  readonly lastModifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly checksums?: ChecksumValues;
}

export interface ListParts {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  readonly owner: XmlOwner;
  readonly initiator: XmlOwner;
  readonly storageClass: string;
  readonly partNumberMarker: number;
  readonly nextPartNumberMarker?: number;
  readonly maxParts: number;
  readonly isTruncated: boolean;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: string;
  readonly parts: readonly ListedPart[];
}

export interface DeleteResult {
  readonly deleted: readonly {
    readonly key: string;
    readonly versionId?: string;
    readonly deleteMarker?: boolean;
    readonly deleteMarkerVersionId?: string;
  }[];
  readonly errors: readonly {
    readonly key: string;
    readonly versionId?: string;
    readonly code: string;
    readonly message: string;
  }[];
}

export function optional(name: string, content: XmlContent | undefined): XmlNode | undefined {
  return content === undefined ? undefined : xmlElement(name, content);
}

/** Milliseconds since the epoch as S3 writes times in XML. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

export function owner(name: string, value: XmlOwner): XmlNode {
  return xmlElement(name, [xmlElement('ID', value.id), xmlElement('DisplayName', value.displayName)]);
}

export function checksumElements(values: ChecksumValues | undefined): readonly (XmlNode | undefined)[] {
  if (values === undefined) return [];
  return CHECKSUM_ALGORITHMS.map((algorithm) => optional(`Checksum${algorithm}`, values[algorithm]));
}

/** As encoding-type=url writes names: slashes stay readable. */
export function nameEncoder(urlEncoded: boolean): (name: string) => string {
  return urlEncoded ? (name) => uriEncode(name).replaceAll('%2F', '/') : (name) => name;
}

export function encodeListAllMyBuckets(result: ListAllMyBuckets): string {
  const buckets = result.buckets.map((bucket) =>
    xmlElement('Bucket', [
      xmlElement('Name', bucket.name),
      xmlElement('CreationDate', isoTime(bucket.createdAtMs)),
      optional('BucketRegion', bucket.region),
    ]),
  );
  return xmlDocument('ListAllMyBucketsResult', [
    owner('Owner', result.owner),
    xmlElement('Buckets', buckets),
    optional('ContinuationToken', result.continuationToken),
    optional('Prefix', result.prefix),
  ]);
}

/** us-east-1 and '' are written as the empty constraint. */
export function encodeLocationConstraint(region: string): string {
  return xmlDocument('LocationConstraint', region === 'us-east-1' ? '' : region);
}

function listedObject(object: ListedObject, encode: (name: string) => string): XmlNode {
  return xmlElement('Contents', [
    xmlElement('Key', encode(object.key)),
    xmlElement('LastModified', isoTime(object.lastModifiedMs)),
    xmlElement('ETag', `"${object.etag}"`),
    optional('ChecksumAlgorithm', object.checksumAlgorithm),
    xmlElement('Size', object.sizeBytes),
    object.owner === undefined ? undefined : owner('Owner', object.owner),
    xmlElement('StorageClass', object.storageClass),
  ]);
}

function encodePage(
  page: ListBucketPage,
  encode: (name: string) => string,
  position: readonly (XmlNode | undefined)[],
): string {
  return xmlDocument('ListBucketResult', [
    xmlElement('Name', page.bucket),
    xmlElement('Prefix', encode(page.prefix)),
    ...position,
    xmlElement('MaxKeys', page.maxKeys),
    page.delimiter ? xmlElement('Delimiter', encode(page.delimiter)) : undefined,
    page.urlEncoded ? xmlElement('EncodingType', 'url') : undefined,
    xmlElement('IsTruncated', page.isTruncated),
    ...page.objects.map((object) => listedObject(object, encode)),
    ...page.commonPrefixes.map((prefix) => xmlElement('CommonPrefixes', [xmlElement('Prefix', encode(prefix))])),
  ]);
}

export function encodeListBucketV1(result: ListBucketV1): string {
  const encode = nameEncoder(result.urlEncoded);
  return encodePage(result, encode, [
    xmlElement('Marker', encode(result.marker)),
    optional('NextMarker', result.nextMarker === undefined ? undefined : encode(result.nextMarker)),
  ]);
}

/** Tokens are opaque and never encoded. */
export function encodeListBucketV2(result: ListBucketV2): string {
  const encode = nameEncoder(result.urlEncoded);
  return encodePage(result, encode, [
    optional('ContinuationToken', result.continuationToken),
    optional('NextContinuationToken', result.nextContinuationToken),
    optional('StartAfter', result.startAfter === undefined ? undefined : encode(result.startAfter)),
    xmlElement('KeyCount', result.objects.length + result.commonPrefixes.length),
  ]);
}

export function encodeInitiateMultipartUpload(result: InitiatedMultipartUpload): string {
  return xmlDocument('InitiateMultipartUploadResult', [
    xmlElement('Bucket', result.bucket),
    xmlElement('Key', result.key),
    xmlElement('UploadId', result.uploadId),
  ]);
}

export function encodeCompleteMultipartUpload(result: CompletedMultipartUpload): string {
  return xmlDocument('CompleteMultipartUploadResult', [
    xmlElement('Location', result.location),
    xmlElement('Bucket', result.bucket),
    xmlElement('Key', result.key),
    xmlElement('ETag', `"${result.etag}"`),
    ...checksumElements(result.checksums),
    optional('ChecksumType', result.checksumType),
  ]);
}

/** The answer to a form upload that asked for 201: without a namespace, as S3 writes it. */
export function encodePostResponse(result: CompletedMultipartUpload): string {
  return xmlDocument(
    'PostResponse',
    [
      xmlElement('Location', result.location),
      xmlElement('Bucket', result.bucket),
      xmlElement('Key', result.key),
      xmlElement('ETag', `"${result.etag}"`),
    ],
    '',
  );
}

export function encodeListParts(result: ListParts): string {
  return xmlDocument('ListPartsResult', [
    xmlElement('Bucket', result.bucket),
    xmlElement('Key', result.key),
    xmlElement('UploadId', result.uploadId),
    owner('Initiator', result.initiator),
    owner('Owner', result.owner),
    xmlElement('StorageClass', result.storageClass),
    xmlElement('PartNumberMarker', result.partNumberMarker),
    optional('NextPartNumberMarker', result.nextPartNumberMarker),
    xmlElement('MaxParts', result.maxParts),
    xmlElement('IsTruncated', result.isTruncated),
    optional('ChecksumAlgorithm', result.checksumAlgorithm),
    optional('ChecksumType', result.checksumType),
    ...result.parts.map((part) =>
      xmlElement('Part', [
        xmlElement('PartNumber', part.partNumber),
        xmlElement('LastModified', isoTime(part.lastModifiedMs)),
        xmlElement('ETag', `"${part.etag}"`),
        xmlElement('Size', part.sizeBytes),
        ...checksumElements(part.checksums),
      ]),
    ),
  ]);
}

/** For a quiet request the caller passes no `deleted`. */
export function encodeDeleteResult(result: DeleteResult): string {
  return xmlDocument('DeleteResult', [
    ...result.deleted.map((entry) =>
      xmlElement('Deleted', [
        xmlElement('Key', entry.key),
        optional('VersionId', entry.versionId),
        optional('DeleteMarker', entry.deleteMarker),
        optional('DeleteMarkerVersionId', entry.deleteMarkerVersionId),
      ]),
    ),
    ...result.errors.map((entry) =>
      xmlElement('Error', [
        xmlElement('Key', entry.key),
        optional('VersionId', entry.versionId),
        xmlElement('Code', entry.code),
        xmlElement('Message', entry.message),
      ]),
    ),
  ]);
}
