import type { Clock } from '@holdfast/stdx';
import { HoldfastError, type BucketRecord, type Metadata } from '@holdfast/contracts';
import type { Exchange } from './exchange.js';

const HINT_MS = 2000;
const HINTS_MAX = 10_000;

/**
 * allowResource: the bucket's owner must be the caller's account. There are no bucket policies yet, so nobody else gets in,
 * on any operation. A remembered record is a hint that saves a query: it may choose where bytes go, because the commit
 * judges the record again under its lock; it never refuses anybody.
 */
export class OwnedBuckets {
  private readonly hints = new Map<string, { readonly bucket: BucketRecord; readonly untilMs: number }>();

  constructor(
    private readonly metadata: Metadata,
    private readonly clock: Clock,
  ) {}

  /** The bucket of the request as it is now. @throws HoldfastError NoSuchBucket, AccessDenied */
  async current(exchange: Exchange): Promise<BucketRecord> {
    const { bucket } = await this.metadata.findBucket(exchange.controlCall(), { name: exchange.bucketName });
    return this.check(exchange, bucket);
  }

  /** The bucket of the request as it was at most two seconds ago. @throws HoldfastError NoSuchBucket, AccessDenied */
  async hinted(exchange: Exchange): Promise<BucketRecord> {
    const hint = this.hints.get(exchange.bucketName);
    if (hint !== undefined && hint.untilMs > this.clock.monotonicMs() && owns(exchange, hint.bucket))
      return hint.bucket;
    return this.current(exchange);
  }

  /** Judges the record that came with another answer. @throws HoldfastError NoSuchBucket, AccessDenied */
  check(exchange: Exchange, bucket: BucketRecord | undefined): BucketRecord {
    const name = exchange.bucketName;
    if (bucket === undefined) {
      this.hints.delete(name);
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: name });
    }
    if (!owns(exchange, bucket)) {
      this.hints.delete(name);
      throw new HoldfastError('AccessDenied');
    }
    this.remember(name, bucket);
    return bucket;
  }

  forget(name: string): void {
    this.hints.delete(name);
  }

  private remember(name: string, bucket: BucketRecord): void {
    const untilMs = this.clock.monotonicMs() + HINT_MS;
    const held = this.hints.get(name);
    if (held?.bucket.revision === bucket.revision && held.untilMs - this.clock.monotonicMs() > HINT_MS / 2) return;
    if (this.hints.size >= HINTS_MAX) this.hints.clear();
    this.hints.set(name, { bucket, untilMs });
  }
}

function owns(exchange: Exchange, bucket: BucketRecord): boolean {
  const expected = exchange.request.headers.get('x-amz-expected-bucket-owner');
  if (expected !== undefined && expected !== bucket.accountId) return false;
  return bucket.accountId !== '' && bucket.accountId === exchange.caller.accountId;
}
