import { assert } from '@holdfast/stdx';
import { newId, type BucketRecord, type WrittenPart } from '@holdfast/contracts';
import type { Exchange } from '../pipeline/exchange.js';
import type { BodyPlan } from './body-plan.js';
import { VerifiedBody } from './verified-body.js';

export interface StoredBody {
  readonly written: WrittenPart;
  /** Hex, without quotes. */
  readonly md5Hex: string;
  readonly checksums: Record<string, string>;
  /** On the monotonic clock, from before the first unit. */
  readonly beganMs: number;
}

/**
 * Hands the verified body to the data service. When this resolves, every byte is durable and is what the client said; nothing
 * is visible yet. When it rejects, nothing will ever be: what was written is for the collector.
 */
export async function storeBody(
  exchange: Exchange,
  bucket: BucketRecord,
  storageClass: string,
  plan: BodyPlan,
): Promise<StoredBody> {
  const { data, clock } = exchange.services;
  const body = new VerifiedBody(exchange, plan);
  const profile = storageClass === 'REDUCED_REDUNDANCY' ? { ...bucket.profile, secondary: false } : bucket.profile;
  const beganMs = clock.monotonicMs();
  const target = {
    bucketId: bucket.bucketId,
    homeSetId: bucket.homeSetId,
    profile,
    writeId: newId(clock.nowMs()),
    expectedBytes: plan.sizeBytes,
  };
  try {
    const written = await data.write(exchange.transferCall(), target, body.bytes());
    // An adapter that ends well although the body threw would commit what the client disowned.
    if (body.refusal !== undefined) throw body.refusal;
    assert(written.sizeBytes === plan.sizeBytes, 'what was written is what was verified', {
      requestId: exchange.request.requestId,
      written: written.sizeBytes,
      verified: plan.sizeBytes,
    });
    return { written, md5Hex: body.md5Hex, checksums: body.checksums, beganMs };
  } catch (error) {
    throw body.refusal ?? error;
  }
}
