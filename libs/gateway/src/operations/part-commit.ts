import { HoldfastError, type BucketRecord } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';
import type { StoredBody } from '../streams/object-write.js';
import { noSuchUpload } from './upload-access.js';

interface StoredPart {
  readonly uploadId: string;
  readonly partNumber: number;
  readonly stored: StoredBody;
}

/** Makes stored bytes a part of the open upload; answers when. Errors: NoSuchUpload (it ended meanwhile), ServiceUnavailable. */
export async function commitPart(
  exchange: Exchange,
  bucket: BucketRecord,
  { uploadId, partNumber, stored }: StoredPart,
): Promise<number> {
  const { metadata, clock } = exchange.services;
  const { outcome, lastModifiedMs } = await metadata.commitPart(exchange.controlCall(), {
    bucketId: bucket.bucketId,
    key: exchange.key,
    uploadId,
    partNumber,
    etag: stored.md5Hex,
    checksums: stored.checksums,
    written: stored.written,
    attemptAgeMs: Math.ceil(clock.monotonicMs() - stored.beganMs),
  });
  if (outcome === 'no-upload') noSuchUpload(uploadId);
  if (outcome !== 'committed') throw new HoldfastError('ServiceUnavailable');
  return lastModifiedMs;
}
