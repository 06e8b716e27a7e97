import type { BucketRecord } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';

/**
 * Does something with the caller's bucket, known by a hint. When metadata says that this bucket is no more, the record is
 * read again: the name may belong to a newer bucket. Errors: NoSuchBucket, AccessDenied.
 */
export async function onOwnBucket<T extends { readonly outcome: string }>(
  exchange: Exchange,
  act: (bucket: BucketRecord) => Promise<T>,
): Promise<T> {
  const { buckets } = exchange.services;
  const answer = await act(await buckets.hinted(exchange));
  if (answer.outcome !== 'no-bucket') return answer;
  buckets.forget(exchange.bucketName);
  return act(await buckets.current(exchange));
}
