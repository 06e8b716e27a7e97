import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import { CHECKSUM_ALGORITHMS, CHECKSUM_HEADERS, createChecksum, type ChecksumAlgorithm } from './checksum.js';
import { combineCrcs, isCombinable } from './crc-combine.js';
import { checksumAlgorithmOf, parseChecksumValue } from './requested-checksum.js';

/** Of the bytes of the whole object, or of the checksums of its parts. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

/** How a multipart object is checked. */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
}

/** A checksum that Complete names for the whole object. */
export interface ClaimedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly digest: Buffer;
  /** Of a composite that names its number of parts. */
  readonly partsCount?: number;
}

export interface PartChecksum {
  /** Base64. */
  readonly value: string;
  readonly sizeBytes: number;
}

const CRC64 = 'CRC64NVME';

/** x-amz-checksum-type. @throws HoldfastError InvalidRequest */
export function checksumTypeOf(headers: HeaderList): ChecksumType | undefined {
  const text = headers.get('x-amz-checksum-type');
  if (text === undefined) return undefined;
  const type = text.toUpperCase();
  if (type === 'FULL_OBJECT' || type === 'COMPOSITE') return type;
  throw new HoldfastError('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
}

/**
 * What CreateMultipartUpload asks for; undefined without an algorithm. SHA cannot be made of a whole from its parts, and
 * CRC-64/NVME is never made of checksums.
 * @throws HoldfastError InvalidRequest
 */
export function uploadChecksumOf(headers: HeaderList): UploadChecksum | undefined {
  const algorithm = checksumAlgorithmOf(headers, 'x-amz-checksum-algorithm');
  const type = checksumTypeOf(headers);
  if (algorithm === undefined) {
    if (type === undefined) return undefined;
    throw new HoldfastError(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    );
  }
  const isAllowed = type === undefined || (type === 'FULL_OBJECT' ? isCombinable(algorithm) : algorithm !== CRC64);
  if (!isAllowed) {
    throw new HoldfastError(
      'InvalidRequest',
      `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    );
  }
  return { algorithm, type: type ?? (algorithm === CRC64 ? 'FULL_OBJECT' : 'COMPOSITE') };
}

/**
 * The checksum of the whole object that a CompleteMultipartUpload names in a header, or undefined. Values of composites come
 * with and without the number of parts behind them.
 * @throws HoldfastError InvalidRequest (more than one), BadDigest (not a value of its algorithm)
 */
export function claimedObjectChecksum(headers: HeaderList): ClaimedChecksum | undefined {
  let claimed: ClaimedChecksum | undefined;
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    for (const value of headers.getAll(CHECKSUM_HEADERS[algorithm])) {
      if (claimed !== undefined) {
        throw new HoldfastError(
          'InvalidRequest',
          'Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.',
        );
      }
      const [, base64, count] = /^(.*?)(?:-(\d{1,5}))?$/s.exec(value) ?? [];
      const digest = parseChecksumValue(algorithm, base64);
      claimed = { algorithm, digest, ...(count === undefined ? {} : { partsCount: Number(count) }) };
    }
  }
  return claimed;
}

/** The value of the whole object as it is stored and shown: base64, of a composite with `-N` behind it. */
export function objectChecksumValue({ algorithm, type }: UploadChecksum, parts: readonly PartChecksum[]): string {
  const digests = parts.map(({ value, sizeBytes }) => ({ digest: Buffer.from(value, 'base64'), sizeBytes }));
  if (type === 'FULL_OBJECT') return combineCrcs(algorithm, digests).toString('base64');
  const composite = createChecksum(algorithm);
  for (const { digest } of digests) composite.update(digest);
  return `${composite.digest().toString('base64')}-${parts.length}`;
}

/** @throws HoldfastError BadDigest, InvalidRequest (of another algorithm than the upload's) */
export function verifyObjectChecksum(claimed: ClaimedChecksum, checksum: UploadChecksum, value: string): void {
  if (claimed.algorithm !== checksum.algorithm) throw checksumTypeMismatch(checksum.algorithm, claimed.algorithm);
  const [base64, count] = value.split('-');
  const isSame = claimed.digest.equals(Buffer.from(base64, 'base64'));
  const sameCount = claimed.partsCount === undefined || claimed.partsCount === Number(count);
  if (isSame && sameCount) return;
  throw new HoldfastError(
    'BadDigest',
    `The ${claimed.algorithm} you specified did not match the calculated checksum of the object.`,
  );
}

/** A part, or a whole, was checked by another algorithm than its upload was created with. */
export function checksumTypeMismatch(expected: ChecksumAlgorithm, actual: ChecksumAlgorithm): HoldfastError {
  return new HoldfastError(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, ` +
      `actual checksum Type: ${actual.toLowerCase()}`,
  );
}
