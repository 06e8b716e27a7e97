import type { ChecksumAlgorithm } from '../checksums/checksum.js';
import {
  checksumElements,
  isoTime,
  nameEncoder,
  optional,
  owner,
  type ChecksumValues,
  type XmlOwner,
} from './result-encoders.js';
import { xmlDocument, xmlElement } from './xml-writer.js';

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly initiator: XmlOwner;
  readonly owner: XmlOwner;
  readonly storageClass: string;
  readonly initiatedAtMs: number;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly checksumType?: string;
}

export interface ListMultipartUploads {
  readonly bucket: string;
  readonly keyMarker: string;
  readonly uploadIdMarker: string;
  readonly nextKeyMarker?: string;
  readonly nextUploadIdMarker?: string;
  readonly prefix: string;
  /** Absent or '': not echoed. */
  readonly delimiter?: string;
  readonly maxUploads: number;
  readonly urlEncoded: boolean;
  readonly isTruncated: boolean;
  readonly uploads: readonly ListedUpload[];
  readonly commonPrefixes: readonly string[];
}

export interface CopyResult {
  /** Without quotes. */
  readonly etag: string;
  readonly lastModifiedMs: number;
  readonly checksums: ChecksumValues;
  readonly checksumType?: string;
}

/** Only what was asked for is there. */
export interface ObjectAttributesResult {
  /** Without quotes. */
  readonly etag?: string;
  readonly checksum?: { readonly values: ChecksumValues; readonly type: string };
  readonly parts?: {
    readonly totalPartsCount: number;
    readonly partNumberMarker: number;
    readonly nextPartNumberMarker?: number;
    readonly maxParts: number;
    readonly isTruncated: boolean;
    readonly parts: readonly {
      readonly partNumber: number;
      readonly sizeBytes: number;
      readonly checksums: ChecksumValues;
    }[];
  };
  readonly storageClass?: string;
  readonly sizeBytes?: number;
}

export function encodeListMultipartUploads(result: ListMultipartUploads): string {
  const encode = nameEncoder(result.urlEncoded);
  const encoded = (name: string, value: string | undefined) =>
    optional(name, value === undefined ? undefined : encode(value));
  return xmlDocument('ListMultipartUploadsResult', [
    xmlElement('Bucket', result.bucket),
    encoded('KeyMarker', result.keyMarker),
    xmlElement('UploadIdMarker', result.uploadIdMarker),
    encoded('NextKeyMarker', result.nextKeyMarker),
    optional('NextUploadIdMarker', result.nextUploadIdMarker),
    encoded('Prefix', result.prefix),
    result.delimiter ? xmlElement('Delimiter', encode(result.delimiter)) : undefined,
    xmlElement('MaxUploads', result.maxUploads),
    result.urlEncoded ? xmlElement('EncodingType', 'url') : undefined,
    xmlElement('IsTruncated', result.isTruncated),
    ...result.uploads.map((upload) =>
      xmlElement('Upload', [
        xmlElement('Key', encode(upload.key)),
        xmlElement('UploadId', upload.uploadId),
        owner('Initiator', upload.initiator),
        owner('Owner', upload.owner),
        xmlElement('StorageClass', upload.storageClass),
        xmlElement('Initiated', isoTime(upload.initiatedAtMs)),
        optional('ChecksumAlgorithm', upload.checksumAlgorithm),
        optional('ChecksumType', upload.checksumType),
      ]),
    ),
    ...result.commonPrefixes.map((prefix) => xmlElement('CommonPrefixes', [xmlElement('Prefix', encode(prefix))])),
  ]);
}

/** The answer to a copy of an object or of a part. */
export function encodeCopyResult(
  name: 'CopyObjectResult' | 'CopyPartResult',
  { etag, lastModifiedMs, checksums, checksumType }: CopyResult,
): string {
  return xmlDocument(name, [
    xmlElement('LastModified', isoTime(lastModifiedMs)),
    xmlElement('ETag', `"${etag}"`),
    ...checksumElements(checksums),
    optional('ChecksumType', checksumType),
  ]);
}

/** The ETag stands without quotes here, as S3 sends it. */
export function encodeObjectAttributes({
  etag,
  checksum,
  parts,
  storageClass,
  sizeBytes,
}: ObjectAttributesResult): string {
  return xmlDocument('GetObjectAttributesResponse', [
    optional('ETag', etag),
    checksum === undefined
      ? undefined
      : xmlElement('Checksum', [...checksumElements(checksum.values), xmlElement('ChecksumType', checksum.type)]),
    parts === undefined
      ? undefined
      : xmlElement('ObjectParts', [
          xmlElement('PartsCount', parts.totalPartsCount),
          xmlElement('PartNumberMarker', parts.partNumberMarker),
          optional('NextPartNumberMarker', parts.nextPartNumberMarker),
          xmlElement('MaxParts', parts.maxParts),
          xmlElement('IsTruncated', parts.isTruncated),
          ...parts.parts.map((part) =>
            xmlElement('Part', [
              xmlElement('PartNumber', part.partNumber),
              xmlElement('Size', part.sizeBytes),
              ...checksumElements(part.checksums),
            ]),
          ),
        ]),
    optional('StorageClass', storageClass),
    optional('ObjectSize', sizeBytes),
  ]);
}
