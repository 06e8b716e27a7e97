import type { Clock } from '@holdfast/stdx';
import { HoldfastError, type CallContext, type Metadata } from '@holdfast/contracts';
import { decodeCorsConfiguration, type CorsRule } from '@holdfast/s3-protocol';

const FRESH_MS = 2000;
const REMEMBERED_MAX = 10_000;

interface Remembered {
  readonly bucketId: bigint;
  readonly revision: bigint;
  /** Absent: the bucket has no such configuration. */
  readonly rules?: readonly CorsRule[];
  readonly untilMs: number;
}

/**
 * The CORS rules of buckets, compiled once per revision of the bucket and at most two seconds old. They let nobody in:
 * they tell browsers what pages may see.
 */
export class BucketCors {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    private readonly metadata: Metadata,
    private readonly clock: Clock,
  ) {}

  /** Undefined: the bucket has no rules. @throws HoldfastError NoSuchBucket, and what metadata throws */
  async rulesOf(call: CallContext, bucketName: string): Promise<readonly CorsRule[] | undefined> {
    const held = this.remembered.get(bucketName);
    if (held !== undefined && held.untilMs > this.clock.monotonicMs()) return held.rules;
    const { bucket } = await this.metadata.findBucket(call, { name: bucketName });
    if (bucket === undefined) {
      this.forget(bucketName);
      throw new HoldfastError('NoSuchBucket', undefined, { BucketName: bucketName });
    }
    const { bucketId, revision, configurations } = bucket;
    if (held?.bucketId === bucketId && held.revision === revision) return this.remember(bucketName, held);
    if (!configurations.includes('cors')) return this.remember(bucketName, { bucketId, revision });
    const read = await this.metadata.bucketConfiguration(call, { bucketId, kind: 'cors' });
    const { document } = read;
    const rules = document === undefined ? {} : { rules: decodeCorsConfiguration(Buffer.from(document)) };
    return this.remember(bucketName, { bucketId, revision: read.revision, ...rules });
  }

  /** What is known without asking anybody. */
  rememberedRulesOf(bucketName: string): readonly CorsRule[] | undefined {
    return this.remembered.get(bucketName)?.rules;
  }

  forget(bucketName: string): void {
    this.remembered.delete(bucketName);
  }

  private remember(bucketName: string, known: Omit<Remembered, 'untilMs'>): readonly CorsRule[] | undefined {
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(bucketName, { ...known, untilMs: this.clock.monotonicMs() + FRESH_MS });
    return known.rules;
  }
}
