import { createHash } from 'node:crypto';
import { HoldfastError, type BucketRecord, type ChecksumType, type PartInfo } from '@holdfast/contracts';
import {
  objectChecksumValue,
  verifyObjectChecksum,
  type ClaimedChecksum,
  type CompletePart,
  type PartChecksum,
  type UploadChecksum,
} from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { uploadChecksumFrom } from './stored-checksums.js';
import { findOwnUpload } from './upload-access.js';

/** What a Complete says about the whole object. */
export interface ObjectClaims {
  readonly checksum?: ClaimedChecksum;
  readonly type?: ChecksumType;
}

/** Parts and checksums as the commit takes them: it judges again whether the parts are the ones these were computed from. */
export interface CheckedCompletion {
  readonly parts: { partNumber: number; etag: string; checksum?: string }[];
  readonly checksums: Record<string, string>;
  readonly checksumType?: ChecksumType;
}

const PARTS_PAGE = 1000;
const ETAG_CHARACTERS_MAX = 128;

/**
 * Holds what the client says about its parts and their whole against what was verified when the parts came, and computes the
 * checksum of the whole without a byte of it. Without an open upload this may be a repeated Complete, whose result metadata still
 * knows: then there is nothing to compute. Errors: AccessDenied, InvalidPart, InvalidRequest, BadDigest.
 */
export async function checkCompletion(
  exchange: Exchange,
  bucket: BucketRecord,
  uploadId: string,
  parts: readonly CompletePart[],
  claims: ObjectClaims,
): Promise<CheckedCompletion> {
  const named = parts.map(({ partNumber, etag }) => ({ partNumber, etag: etag.slice(0, ETAG_CHARACTERS_MAX) }));
  const unchecked: CheckedCompletion = { parts: named, checksums: {} };
  const upload = await findOwnUpload(exchange, bucket, uploadId);
  if (upload === undefined) return unchecked;
  const checksum = uploadChecksumFrom(upload.checksum);
  if (claims.type !== undefined && claims.type !== checksum?.type) throw typeMismatch(claims.type, checksum);
  if (checksum === undefined && claims.checksum !== undefined) {
    throw new HoldfastError('InvalidRequest', 'The upload was created without a checksum algorithm.');
  }
  const claimsParts = parts.some((part) => Object.keys(part.checksums).length > 0);
  if (checksum === undefined && !claimsParts) return unchecked;
  const stored = await storedParts(exchange, bucket, uploadId);
  if (stored === undefined) return unchecked;
  verifyPartChecksums(parts, stored);
  if (checksum === undefined) return unchecked;
  const values = parts.map((part) => verifiedPart(part, stored.get(part.partNumber), checksum));
  const value = objectChecksumValue(checksum, values);
  if (claims.checksum !== undefined) verifyObjectChecksum(claims.checksum, checksum, value);
  return {
    parts: named.map((part, index) => ({ ...part, checksum: values[index].value })),
    checksums: { [checksum.algorithm.toLowerCase()]: value },
    checksumType: checksum.type,
  };
}

/** The result of this Complete, or of the one that it repeats, is what the client expects. Errors: BadDigest, InvalidRequest. */
export function verifyClaimed(
  { checksum, type }: ObjectClaims,
  made: { readonly checksums: Readonly<Record<string, string>>; readonly checksumType?: ChecksumType },
): void {
  const held = Object.keys(made.checksums).at(0);
  const stored =
    held === undefined || made.checksumType === undefined ? undefined : { algorithm: held, type: made.checksumType };
  const known = uploadChecksumFrom(stored);
  if (type !== undefined && type !== made.checksumType) throw typeMismatch(type, known);
  if (checksum === undefined) return;
  if (known === undefined || held === undefined) {
    throw new HoldfastError('InvalidRequest', 'The upload was created without a checksum algorithm.');
  }
  verifyObjectChecksum(checksum, known, made.checksums[held]);
}

/** The ETag of the object that these parts make. */
export function etagOfParts(parts: readonly CompletePart[]): string {
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(etag, 'hex');
  return `${md5.digest('hex')}-${parts.length}`;
}

/** Undefined when the upload ended meanwhile. */
async function storedParts(
  exchange: Exchange,
  bucket: BucketRecord,
  uploadId: string,
): Promise<ReadonlyMap<number, PartInfo> | undefined> {
  const reference = { bucketId: bucket.bucketId, key: exchange.key, uploadId };
  const stored = new Map<number, PartInfo>();
  let afterPart = 0;
  for (let more = true; more;) {
    const query = { ...reference, afterPart, limit: PARTS_PAGE };
    const page = await exchange.services.metadata.listParts(exchange.controlCall(), query);
    if (!page.found) return undefined;
    for (const part of page.parts) stored.set(part.partNumber, part);
    afterPart = page.parts.at(-1)?.partNumber ?? afterPart;
    more = page.truncated && page.parts.length > 0;
  }
  return stored;
}

/** Checksums that the client repeats for its parts must be those that were verified when the parts came. */
function verifyPartChecksums(parts: readonly CompletePart[], stored: ReadonlyMap<number, PartInfo>): void {
  for (const { partNumber, checksums } of parts) {
    const held = stored.get(partNumber)?.checksums ?? {};
    for (const [algorithm, value] of Object.entries(checksums)) {
      if (held[algorithm.toLowerCase()] !== value) throw invalidPart(partNumber);
    }
  }
}

function verifiedPart(
  part: CompletePart,
  stored: PartInfo | undefined,
  { algorithm, type }: UploadChecksum,
): PartChecksum {
  const value = stored?.checksums[algorithm.toLowerCase()];
  if (stored === undefined || value === undefined || stored.etag !== part.etag) throw invalidPart(part.partNumber);
  if (type === 'COMPOSITE' && part.checksums[algorithm] === undefined) {
    throw new HoldfastError(
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum ` +
        `for each part. It was missing for part ${part.partNumber} in the request.`,
    );
  }
  return { value, sizeBytes: stored.sizeBytes };
}

function invalidPart(partNumber: number): HoldfastError {
  return new HoldfastError('InvalidPart', undefined, { PartNumber: String(partNumber) });
}

function typeMismatch(claimed: ChecksumType, checksum: UploadChecksum | undefined): HoldfastError {
  const created = checksum === undefined ? 'without a checksum type' : `with the ${checksum.type} checksum type`;
  return new HoldfastError('InvalidRequest', `The upload was created ${created}, the request says ${claimed}.`);
}
