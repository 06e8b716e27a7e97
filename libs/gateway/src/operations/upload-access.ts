import { HoldfastError, type BucketRecord, type Metadata } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';

export type UploadFacts = NonNullable<Awaited<ReturnType<Metadata['findUpload']>>['upload']>;

/** The open upload, or undefined. Errors: AccessDenied for another principal's: its initiator and the account's root go on with it. */
export async function findOwnUpload(
  exchange: Exchange,
  bucket: BucketRecord,
  uploadId: string,
): Promise<UploadFacts | undefined> {
  const reference = { bucketId: bucket.bucketId, key: exchange.key, uploadId };
  const { upload } = await exchange.services.metadata.findUpload(exchange.controlCall(), reference);
  if (upload === undefined) return undefined;
  const { caller } = exchange;
  const isAccountRoot = caller.kind === 'root' && caller.accountId === bucket.accountId;
  if (upload.initiatorArn !== caller.arn && !isAccountRoot) throw new HoldfastError('AccessDenied');
  return upload;
}

/** Errors: NoSuchUpload, AccessDenied. */
export async function requireOwnUpload(
  exchange: Exchange,
  bucket: BucketRecord,
  uploadId: string,
): Promise<UploadFacts> {
  return (await findOwnUpload(exchange, bucket, uploadId)) ?? noSuchUpload(uploadId);
}

export function noSuchUpload(uploadId: string): never {
  throw new HoldfastError('NoSuchUpload', undefined, { UploadId: uploadId });
}
