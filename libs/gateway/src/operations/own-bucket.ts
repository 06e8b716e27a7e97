import { HoldfastError, type BucketConfigurationKind, type BucketRecord, type Metadata } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';

/**
 * Does something with the caller's bucket, known by a hint. When metadata says that this bucket is no more or has another
 * configuration by now, the record is read and judged again: the name may belong to a newer bucket. Errors: NoSuchBucket,
 * AccessDenied.
 */
export async function onOwnBucket<T extends { readonly outcome: string }>(
  exchange: Exchange,
  act: (bucket: BucketRecord) => Promise<T>,
): Promise<T> {
  const { buckets } = exchange.services;
  const answer = await act(await buckets.hinted(exchange));
  if (answer.outcome !== 'no-bucket' && answer.outcome !== 'bucket-changed') return answer;
  buckets.forget(exchange.bucketName);
  return act(await buckets.current(exchange));
}

/** What the caller's bucket carries of this kind, undefined for nothing. Errors: NoSuchBucket, AccessDenied. */
export async function bucketDocument(
  exchange: Exchange,
  kind: BucketConfigurationKind,
  check?: (exchange: Exchange, bucket: BucketRecord) => void,
): Promise<string | undefined> {
  const { metadata, buckets } = exchange.services;
  const bucket = await buckets.current(exchange);
  check?.(exchange, bucket);
  const { bucketId, configurations } = bucket;
  if (!configurations.includes(kind)) return undefined;
  return (await metadata.bucketConfiguration(exchange.controlCall(), { bucketId, kind })).document;
}

type BucketChange = Awaited<ReturnType<Metadata['setVersioning']>>;

/**
 * Changes the configuration of the bucket as it is now. Errors: NoSuchBucket, AccessDenied, OperationAborted when others keep
 * changing it, ServiceUnavailable.
 */
export async function changeBucket(
  exchange: Exchange,
  change: (bucket: BucketRecord) => Promise<BucketChange>,
): Promise<void> {
  const { buckets } = exchange.services;
  let answer = await change(await buckets.current(exchange));
  if (answer.outcome === 'bucket-changed') answer = await change(await buckets.current(exchange));
  buckets.forget(exchange.bucketName);
  switch (answer.outcome) {
    case 'changed':
      return;
    case 'no-bucket':
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: exchange.bucketName });
    case 'bucket-changed':
      throw new HoldfastError('OperationAborted');
    case 'late':
      throw new HoldfastError('ServiceUnavailable');
  }
}

/** For `changeBucket`: sets the document of a kind, or takes it away when there is none. */
export function setBucketDocument(
  exchange: Exchange,
  { bucketId, revision }: BucketRecord,
  kind: BucketConfigurationKind,
  document?: string,
): Promise<BucketChange> {
  return exchange.services.metadata.putBucketConfiguration(exchange.controlCall(), {
    bucketId,
    bucketRevision: revision,
    kind,
    ...(document === undefined ? {} : { document }),
  });
}
