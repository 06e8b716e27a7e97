import { KIB, MIB } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm } from '../checksums/checksum.js';
import { childrenOf, fieldsOf, malformedXml, readXml, textOf, type ReadElement, type XmlLimits } from './xml-reader.js';

export const DELETE_KEYS_MAX = 1000;
export const PARTS_MAX = 10_000;
/** The largest bodies worth receiving; see `readXml` for what happens beyond. */
export const DELETE_BODY_MAX_BYTES = 2 * MIB;
export const COMPLETE_BODY_MAX_BYTES = 4 * MIB;
export const BUCKET_CONFIGURATION_MAX_BYTES = 64 * KIB;

export interface DeleteEntry {
  readonly key: string;
  readonly versionId?: string;
  /** The three conditions of a conditional delete, as sent; the ETag without quotes. */
  readonly etag?: string;
  readonly lastModifiedTime?: string;
  readonly sizeBytes?: number;
}

export interface DeleteRequest {
  readonly quiet: boolean;
  readonly objects: readonly DeleteEntry[];
}

export interface CompletePart {
  /** 1 to 10,000. The order is the client's: the caller answers InvalidPartOrder. */
  readonly partNumber: number;
  /** Without quotes. */
  readonly etag: string;
  /** Base64 as sent. */
  readonly checksums: Readonly<Partial<Record<ChecksumAlgorithm, string>>>;
}

export interface CreateBucketConfiguration {
  readonly locationConstraint?: string;
}

/** Twice the elements of the largest valid document (a tag opens and a tag closes each), and room for comments. */
const marksOf = (elementsMax: number): number => 2 * elementsMax + 100;
const DELETE_LIMITS: XmlLimits = {
  sizeMaxBytes: DELETE_BODY_MAX_BYTES,
  depthMax: 3,
  marksMax: marksOf(2 + DELETE_KEYS_MAX * 6),
};
const COMPLETE_LIMITS: XmlLimits = {
  sizeMaxBytes: COMPLETE_BODY_MAX_BYTES,
  depthMax: 3,
  marksMax: marksOf(1 + PARTS_MAX * 8),
};
const BUCKET_LIMITS: XmlLimits = { sizeMaxBytes: BUCKET_CONFIGURATION_MAX_BYTES, depthMax: 5, marksMax: marksOf(200) };

const OBJECT_FIELDS = new Set(['Key', 'VersionId', 'ETag', 'LastModifiedTime', 'Size']);
const PART_FIELDS = new Set(['PartNumber', 'ETag', ...CHECKSUM_ALGORITHMS.map((algorithm) => `Checksum${algorithm}`)]);
const BUCKET_FIELDS = new Set(['LocationConstraint', 'Location', 'Bucket', 'Tags']);

/** @throws HoldfastError MalformedXML: also for no key, and for more than 1000 */
export function decodeDelete(body: Buffer): DeleteRequest {
  const root = readXml(body, 'Delete', DELETE_LIMITS);
  const objects: DeleteEntry[] = [];
  let quiet: boolean | undefined;
  for (const child of childrenOf(root)) {
    if (child.name === 'Quiet' && quiet === undefined) quiet = booleanOf(child);
    else if (child.name === 'Object' && objects.length < DELETE_KEYS_MAX) objects.push(deleteEntry(child));
    else throw malformedXml();
  }
  if (objects.length === 0) throw malformedXml();
  return { quiet: quiet ?? false, objects };
}

function deleteEntry(element: ReadElement): DeleteEntry {
  const fields = fieldsOf(element, OBJECT_FIELDS);
  const key = textOf(fields.get('Key'));
  if (key === undefined || key === '') throw malformedXml();
  const versionId = textOf(fields.get('VersionId'));
  const etag = textOf(fields.get('ETag'));
  const lastModifiedTime = textOf(fields.get('LastModifiedTime'));
  const size = textOf(fields.get('Size'));
  return {
    key,
    ...(versionId === undefined ? {} : { versionId }),
    ...(etag === undefined ? {} : { etag: unquoted(etag) }),
    ...(lastModifiedTime === undefined ? {} : { lastModifiedTime }),
    ...(size === undefined ? {} : { sizeBytes: wholeNumber(size, 15) }),
  };
}

/** @throws HoldfastError MalformedXML: also for no part, more than 10,000, and part numbers out of range */
export function decodeCompleteMultipartUpload(body: Buffer): readonly CompletePart[] {
  const root = readXml(body, 'CompleteMultipartUpload', COMPLETE_LIMITS);
  const elements = childrenOf(root);
  if (elements.length === 0 || elements.length > PARTS_MAX) throw malformedXml();
  return elements.map(completePart);
}

function completePart(element: ReadElement): CompletePart {
  if (element.name !== 'Part') throw malformedXml();
  const fields = fieldsOf(element, PART_FIELDS);
  const etag = textOf(fields.get('ETag'));
  const partNumber = wholeNumber(textOf(fields.get('PartNumber')) ?? '', 5);
  if (etag === undefined || partNumber < 1 || partNumber > PARTS_MAX) throw malformedXml();
  const checksums: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = textOf(fields.get(`Checksum${algorithm}`));
    if (value !== undefined) checksums[algorithm] = value.trim();
  }
  return { partNumber, etag: unquoted(etag), checksums };
}

/**
 * An empty body is no constraint.
 * @throws HoldfastError MalformedXML, NotImplemented (tags)
 */
export function decodeCreateBucketConfiguration(body: Buffer): CreateBucketConfiguration {
  if (body.length === 0) return {};
  const root = readXml(body, 'CreateBucketConfiguration', BUCKET_LIMITS);
  const fields = fieldsOf(root, BUCKET_FIELDS);
  // A bucket without the tags that were asked for would not be the one that was asked for.
  if ((fields.get('Tags')?.children.length ?? 0) > 0) {
    throw new HoldfastError(
      'NotImplemented',
      'Tags at the creation of a bucket are not implemented: PutBucketTagging.',
    );
  }
  const locationConstraint = textOf(fields.get('LocationConstraint'))?.trim();
  return locationConstraint === undefined ? {} : { locationConstraint };
}

function booleanOf(element: ReadElement): boolean {
  const text = textOf(element)?.trim().toLowerCase();
  if (text !== 'true' && text !== 'false') throw malformedXml();
  return text === 'true';
}

function wholeNumber(text: string, digitsMax: number): number {
  const digits = text.trim();
  if (!/^\d+$/.test(digits) || digits.length > digitsMax) throw malformedXml();
  return Number(digits);
}

function unquoted(etag: string): string {
  const text = etag.trim();
  return text.length > 1 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}
