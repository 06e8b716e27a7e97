import { createHash, hash, type Hash } from 'node:crypto';
import { createChecksum, type Checksum, type ChecksumAlgorithm } from '@holdfast/s3-protocol';

/** Which digests of a body are wanted beside its MD5, which every object has as its ETag. */
export interface DigestPlan {
  readonly sha256: boolean;
  readonly checksum?: ChecksumAlgorithm;
}

export interface Digests {
  readonly md5: Buffer;
  readonly sha256Hex?: string;
  readonly checksum?: Buffer;
}

/** Digests of one body, fed in order: on the thread of the request, or in one of its own (worker-body-digest.ts). */
export interface BodyDigest {
  /** The bytes must not change until `finish` has answered. */
  update(bytes: Buffer): void | Promise<void>;
  finish(): Digests | Promise<Digests>;
  /** The body came to nothing; called instead of `finish`. */
  discard(): void;
}

/** Hashes on the thread of the request. */
export class InlineBodyDigest implements BodyDigest {
  private readonly md5: Hash = createHash('md5');
  private readonly sha256: Hash | undefined;
  private readonly checksum: Checksum | undefined;

  constructor(plan: DigestPlan) {
    this.sha256 = plan.sha256 ? createHash('sha256') : undefined;
    this.checksum = plan.checksum === undefined ? undefined : createChecksum(plan.checksum);
  }

  update(bytes: Buffer): void {
    this.md5.update(bytes);
    this.sha256?.update(bytes);
    this.checksum?.update(bytes);
  }

  discard(): void {
    // Nothing is held but memory.
  }

  finish(): Digests {
    return { md5: this.md5.digest(), sha256Hex: this.sha256?.digest('hex'), checksum: this.checksum?.digest() };
  }
}

/** Digests of a body that is in memory as a whole: one call each, without the objects of a stream. */
export function digestsOf(bytes: Buffer, plan: DigestPlan): Digests {
  const checksum = plan.checksum === undefined ? undefined : createChecksum(plan.checksum);
  checksum?.update(bytes);
  return {
    // The runtime makes a buffer of its own for a digest in bytes, which takes longer than the way by text.
    md5: Buffer.from(hash('md5', bytes, 'hex'), 'hex'),
    sha256Hex: plan.sha256 ? hash('sha256', bytes, 'hex') : undefined,
    checksum: checksum?.digest(),
  };
}
