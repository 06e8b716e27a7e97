import { HoldfastError, type BucketRecord, type CallContext, type Metadata } from '@holdfast/contracts';
import { compilePolicy, isPublicPolicy, type CompiledPolicy } from '@holdfast/iam-policy';
import { decodeBucketPolicy } from './bucket-policy-document.js';
import { decodeStoredAccessBlock } from './public-access-block.js';

/** The policy of a bucket, ready to judge. */
export interface BucketPolicy {
  readonly compiled: CompiledPolicy;
  /** The account's root gave up the right to change it. */
  readonly removesSelf: boolean;
  /** Public, in a bucket that lets nobody in from outside by a public policy. */
  readonly isRestricted: boolean;
}

interface Held {
  /** Of the bucket, not younger than the documents. */
  readonly revision: bigint;
  readonly policy: Promise<BucketPolicy | undefined>;
}

const POLICIES_MAX = 2_000;

/**
 * Policies of buckets, read and compiled once per revision of a bucket. Every read of a bucket brings its revision, so what
 * is held is as old as that read.
 */
export class BucketPolicies {
  private readonly held = new Map<bigint, Held>();

  constructor(private readonly metadata: Metadata) {}

  /** Undefined when the policy was deleted since the record was read. Errors: ServiceUnavailable, InternalError. */
  of(call: CallContext, bucket: BucketRecord): Promise<BucketPolicy | undefined> {
    const known = this.held.get(bucket.bucketId);
    if (known !== undefined && known.revision >= bucket.revision) return known.policy;
    const policy = this.load(call, bucket);
    const held = { revision: bucket.revision, policy };
    if (this.held.size >= POLICIES_MAX) this.held.clear();
    this.held.set(bucket.bucketId, held);
    policy.catch(() => {
      if (this.held.get(bucket.bucketId) === held) this.held.delete(bucket.bucketId);
    });
    return policy;
  }

  private async load(
    call: CallContext,
    { bucketId, name, configurations }: BucketRecord,
  ): Promise<BucketPolicy | undefined> {
    const ask = (kind: 'policy' | 'public-access-block'): ReturnType<Metadata['bucketConfiguration']> =>
      this.metadata.bucketConfiguration(call, { bucketId, kind });
    const blocks = configurations.includes('public-access-block');
    const [{ document }, block] = await Promise.all([ask('policy'), blocks ? ask('public-access-block') : undefined]);
    if (document === undefined) return undefined;
    const { text, removesSelf } = decodeBucketPolicy(document);
    const isClosed = block?.document !== undefined && decodeStoredAccessBlock(block.document).RestrictPublicBuckets;
    try {
      return {
        compiled: compilePolicy(`bucket policy of ${name}`, text, 'resource'),
        removesSelf,
        isRestricted: isClosed && isPublicPolicy(text),
      };
    } catch (cause) {
      // Written by a newer version, it may deny: then nobody gets in.
      throw new HoldfastError('InternalError', `The stored policy of bucket ${name} is not understood.`, {}, { cause });
    }
  }
}
