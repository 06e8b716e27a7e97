import type { UploadChecksum as StoredUploadChecksum } from '@holdfast/contracts';
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  type ChecksumValues,
  type UploadChecksum,
} from '@holdfast/s3-protocol';

/** Records name algorithms in lower case, the wire in upper case. */
export function namedChecksums(stored: Readonly<Record<string, string>>): ChecksumValues {
  const named: Partial<Record<ChecksumAlgorithm, string>> = {};
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = stored[algorithm.toLowerCase()];
    if (value !== undefined) named[algorithm] = value;
  }
  return named;
}

export function storedUploadChecksum({ algorithm, type }: UploadChecksum): StoredUploadChecksum {
  return { algorithm: algorithm.toLowerCase(), type };
}

/** What an upload was created with; undefined when it named no algorithm. */
export function uploadChecksumFrom(stored: StoredUploadChecksum | undefined): UploadChecksum | undefined {
  const algorithm = CHECKSUM_ALGORITHMS.find((name) => name.toLowerCase() === stored?.algorithm);
  return stored === undefined || algorithm === undefined ? undefined : { algorithm, type: stored.type };
}
