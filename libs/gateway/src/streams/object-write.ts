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

/** Bytes that know, once they were all read, what they were. */
export interface BodySource {
  /** As announced: sizes buffers. */
  readonly expectedBytes: number;
  /** Of the bytes that were read. */
  readonly sizeBytes: number;
  /** Ends cleanly only when the bytes are what they were said to be. */
  bytes(): AsyncIterable<Buffer>;
  /** Why they were refused, when they were: the consumer's own error is a consequence of this one. */
  readonly refusal: unknown;
  readonly md5Hex: string;
  /** Lower-case algorithm to base64. */
  readonly checksums: Record<string, string>;
}

/** Hands the verified body of the request to the data service: see `storeBytes`. */
export function storeBody(
  exchange: Exchange,
  bucket: BucketRecord,
  storageClass: string,
  plan: BodyPlan,
): Promise<StoredBody> {
  return storeBytes(exchange, bucket, storageClass, new VerifiedBody(exchange, plan));
}

/**
 * Hands bytes to the data service. When this resolves, every byte is durable and is what it was said to be; nothing is visible
 * yet. When it rejects, nothing will ever be: what was written is for the collector.
 */
export async function storeBytes(
  exchange: Exchange,
  bucket: BucketRecord,
  storageClass: string,
  body: BodySource,
): Promise<StoredBody> {
  const { data, clock } = exchange.services;
  const profile = storageClass === 'REDUCED_REDUNDANCY' ? { ...bucket.profile, secondary: false } : bucket.profile;
  const beganMs = clock.monotonicMs();
  const target = {
    bucketId: bucket.bucketId,
    homeSetId: bucket.homeSetId,
    profile,
    writeId: newId(clock.nowMs()),
    expectedBytes: body.expectedBytes,
  };
  try {
    const written = await data.write(exchange.transferCall(), target, body.bytes());
    // An adapter that ends well although the body threw would commit what was disowned.
    if (body.refusal !== undefined) throw body.refusal;
    assert(written.sizeBytes === body.sizeBytes, 'what was written is what was verified', {
      requestId: exchange.request.requestId,
      written: written.sizeBytes,
      verified: body.sizeBytes,
    });
    return { written, md5Hex: body.md5Hex, checksums: body.checksums, beganMs };
  } catch (error) {
    throw body.refusal ?? error;
  }
}
