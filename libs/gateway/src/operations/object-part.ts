import { HoldfastError, type ObjectVersion } from '@holdfast/contracts';
import type { ByteRange } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';

/** One part of an object, as `partNumber` names it. */
export interface FoundPart {
  /** Absent for an empty part: no byte can be named. */
  readonly range?: ByteRange;
  /** Of a multipart object. */
  readonly partsCount?: number;
  /** Of the part's bytes: lower-case algorithm to base64. */
  readonly checksums: Readonly<Record<string, string>>;
}

/** Parts keep the numbers that they were uploaded under; an object that was put whole is its own first part. Errors: InvalidPart. */
export async function findPart(exchange: Exchange, version: ObjectVersion, partNumber: number): Promise<FoundPart> {
  const { partSizes, sizeBytes, attributes } = version;
  if (partSizes === undefined) {
    if (partNumber !== 1) throw new HoldfastError('InvalidPart', 'The requested part number is not satisfiable.');
    return { ...rangeAt(0, sizeBytes), checksums: attributes.checksums };
  }
  const { parts } = await exchange.services.metadata.listVersionParts(exchange.controlCall(), {
    bucketId: version.bucketId,
    versionId: version.versionId,
    afterPart: partNumber - 1,
    limit: 1,
  });
  const part = parts.at(0);
  if (part?.partNumber !== partNumber) {
    throw new HoldfastError('InvalidPart', 'The requested part number is not satisfiable.', {
      ActualPartCount: String(partSizes.length),
    });
  }
  const before = partSizes.slice(0, part.place).reduce((sum, partBytes) => sum + partBytes, 0);
  return { ...rangeAt(before, part.sizeBytes), partsCount: partSizes.length, checksums: part.checksums };
}

function rangeAt(first: number, sizeBytes: number): { range?: ByteRange } {
  return sizeBytes === 0 ? {} : { range: { first, last: first + sizeBytes - 1 } };
}
