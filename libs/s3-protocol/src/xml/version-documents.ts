import { KIB } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import type { ChecksumAlgorithm } from '../checksums/checksum.js';
import { isoTime, nameEncoder, optional, owner, type XmlOwner } from './result-encoders.js';
import { fieldsOf, malformedXml, readXml, textOf, type XmlLimits } from './xml-reader.js';
import { xmlDocument, xmlElement, type XmlNode } from './xml-writer.js';

export const VERSIONING_BODY_MAX_BYTES = 8 * KIB;
const LIMITS: XmlLimits = { sizeMaxBytes: VERSIONING_BODY_MAX_BYTES, depthMax: 2, marksMax: 100 };
const FIELDS = new Set(['Status', 'MfaDelete']);

export type VersioningStatus = 'Enabled' | 'Suspended';

/**
 * What a PutBucketVersioning asks for.
 * @throws HoldfastError MalformedXML, IllegalVersioningConfigurationException (no Status), NotImplemented (MFA delete)
 */
export function decodeVersioning(body: Buffer): VersioningStatus {
  const fields = fieldsOf(readXml(body, 'VersioningConfiguration', LIMITS), FIELDS);
  const mfaDelete = textOf(fields.get('MfaDelete'))?.trim();
  if (mfaDelete !== undefined && mfaDelete !== 'Enabled' && mfaDelete !== 'Disabled') throw malformedXml();
  if (mfaDelete === 'Enabled') throw new HoldfastError('NotImplemented', 'MFA delete is not implemented.');
  const status = textOf(fields.get('Status'))?.trim();
  if (status === undefined) throw new HoldfastError('IllegalVersioningConfigurationException');
  if (status !== 'Enabled' && status !== 'Suspended') throw malformedXml();
  return status;
}

/** A bucket whose versioning was never set has no Status. */
export function encodeVersioning(status: VersioningStatus | undefined): string {
  return xmlDocument('VersioningConfiguration', [optional('Status', status)]);
}

export interface ListedVersionEntry {
  readonly key: string;
  /** As clients name it: an id or `null`. */
  readonly versionId: string;
  readonly isLatest: boolean;
  readonly isDeleteMarker: boolean;
  readonly lastModifiedMs: number;
  /** Without quotes; nothing of a delete marker, like size, class and algorithm. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly storageClass: string;
  readonly checksumAlgorithm?: ChecksumAlgorithm;
  readonly owner: XmlOwner;
}

export interface ListVersionsPage {
  readonly bucket: string;
  readonly prefix: string;
  /** '': not echoed. */
  readonly delimiter: string;
  readonly keyMarker: string;
  readonly versionIdMarker: string;
  readonly nextKeyMarker?: string;
  readonly nextVersionIdMarker?: string;
  readonly maxKeys: number;
  readonly urlEncoded: boolean;
  readonly isTruncated: boolean;
  /** Versions and delete markers in their order. */
  readonly versions: readonly ListedVersionEntry[];
  readonly commonPrefixes: readonly string[];
}

export function encodeListVersions(page: ListVersionsPage): string {
  const encode = nameEncoder(page.urlEncoded);
  return xmlDocument('ListVersionsResult', [
    xmlElement('Name', page.bucket),
    xmlElement('Prefix', encode(page.prefix)),
    xmlElement('KeyMarker', encode(page.keyMarker)),
    xmlElement('VersionIdMarker', page.versionIdMarker),
    optional('NextKeyMarker', page.nextKeyMarker === undefined ? undefined : encode(page.nextKeyMarker)),
    optional('NextVersionIdMarker', page.nextVersionIdMarker),
    xmlElement('MaxKeys', page.maxKeys),
    page.delimiter === '' ? undefined : xmlElement('Delimiter', encode(page.delimiter)),
    page.urlEncoded ? xmlElement('EncodingType', 'url') : undefined,
    xmlElement('IsTruncated', page.isTruncated),
    ...page.versions.map((version) => versionElement(version, encode)),
    ...page.commonPrefixes.map((prefix) => xmlElement('CommonPrefixes', [xmlElement('Prefix', encode(prefix))])),
  ]);
}

function versionElement(version: ListedVersionEntry, encode: (name: string) => string): XmlNode {
  const named = [
    xmlElement('Key', encode(version.key)),
    xmlElement('VersionId', version.versionId),
    xmlElement('IsLatest', version.isLatest),
    xmlElement('LastModified', isoTime(version.lastModifiedMs)),
  ];
  if (version.isDeleteMarker) return xmlElement('DeleteMarker', [...named, owner('Owner', version.owner)]);
  return xmlElement('Version', [
    ...named,
    xmlElement('ETag', `"${version.etag}"`),
    optional('ChecksumAlgorithm', version.checksumAlgorithm),
    xmlElement('Size', version.sizeBytes),
    xmlElement('StorageClass', version.storageClass),
    owner('Owner', version.owner),
  ]);
}
