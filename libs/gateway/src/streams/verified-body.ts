import { KIB, MIB } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import { AwsChunkedDecoder, awsChunkedOptions, verifyChecksum } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { digestsOf, InlineBodyDigest, type BodyDigest, type Digests, type DigestPlan } from './body-digest.js';
import type { BodyPlan } from './body-plan.js';
import { WorkerBodyDigest } from './worker-body-digest.js';

/** Bodies up to this size are gathered and verified before the first byte goes on. */
const GATHER_BYTES_MAX = 64 * KIB;
/** From this size on a body is hashed in a thread of its own. */
const WORKER_BYTES_MIN = MIB;
const NO_TRAILERS: ReadonlyMap<string, string> = new Map();

/**
 * The body of one request, decoded, counted and held against everything that its sender said about it. `bytes()` ends
 * cleanly only when all of it holds; on a mismatch it throws after the last byte, so whoever writes the bytes abandons the
 * write and nothing is committed.
 */
export class VerifiedBody {
  private readonly digestPlan: DigestPlan;
  private digests: Digests | undefined;
  private refused: unknown;

  constructor(
    private readonly exchange: Exchange,
    private readonly plan: BodyPlan,
  ) {
    this.digestPlan = { sha256: plan.payload.kind === 'sha256', checksum: plan.checksum?.algorithm };
  }

  /** Why the body was refused, when it was: the consumer's own error is a consequence of this one. */
  get refusal(): unknown {
    return this.refused;
  }

  /** MD5 of the bytes. Known once they were all read and verified. */
  get md5Hex(): string {
    return this.verified().md5.toString('hex');
  }

  /** The checksum that the client asked to have verified, as it is stored: lower-case algorithm -> base64. */
  get checksums(): Record<string, string> {
    const digest = this.verified().checksum;
    const algorithm = this.plan.checksum?.algorithm;
    return digest === undefined || algorithm === undefined
      ? {}
      : { [algorithm.toLowerCase()]: digest.toString('base64') };
  }

  /** @throws HoldfastError IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, RequestTimeout … */
  async *bytes(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (this.plan.sizeBytes <= GATHER_BYTES_MAX) yield* this.gathered();
      else yield* this.streamed();
    } catch (error) {
      this.refused ??= error;
      throw error;
    }
  }

  private async *gathered(): AsyncGenerator<Buffer, void, undefined> {
    const { source, trailers } = this.open();
    const pieces: Buffer[] = [];
    let countedBytes = 0;
    for await (const piece of source) {
      countedBytes += piece.length;
      this.refuseMoreThanSaid(countedBytes);
      pieces.push(piece);
    }
    const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, countedBytes);
    this.verify(countedBytes, digestsOf(whole, this.digestPlan), trailers());
    if (whole.length > 0) yield whole;
  }

  private async *streamed(): AsyncGenerator<Buffer, void, undefined> {
    const { source, trailers } = this.open();
    const inWorker = this.plan.sizeBytes >= WORKER_BYTES_MIN;
    const digest: BodyDigest = inWorker ? new WorkerBodyDigest(this.digestPlan) : new InlineBodyDigest(this.digestPlan);
    let digests: Digests | undefined;
    let countedBytes = 0;
    try {
      for await (const piece of source) {
        countedBytes += piece.length;
        this.refuseMoreThanSaid(countedBytes);
        const room = digest.update(piece);
        if (room !== undefined) await room;
        yield piece;
      }
      digests = await digest.finish();
    } finally {
      if (digests === undefined) digest.discard();
    }
    this.verify(countedBytes, digests, trailers());
  }

  private open(): { source: AsyncIterable<Buffer>; trailers: () => ReadonlyMap<string, string> } {
    const raw = this.exchange.body.chunks();
    const { payload } = this.plan;
    if (payload.kind !== 'chunked') return { source: raw, trailers: () => NO_TRAILERS };
    const { request, grant } = this.exchange;
    const decoder = new AwsChunkedDecoder(raw, awsChunkedOptions(payload, request.sent, grant.chunkSigning));
    return { source: decoder, trailers: () => decoder.trailers };
  }

  private refuseMoreThanSaid(countedBytes: number): void {
    if (countedBytes > this.plan.sizeBytes)
      throw new HoldfastError('InvalidRequest', 'The body is longer than announced.');
  }

  private verify(countedBytes: number, digests: Digests, trailers: ReadonlyMap<string, string>): void {
    const { sizeBytes, payload, contentMd5, checksum } = this.plan;
    if (countedBytes < sizeBytes) throw new HoldfastError('IncompleteBody');
    if (contentMd5 !== undefined && !contentMd5.equals(digests.md5)) {
      throw new HoldfastError('BadDigest', 'The Content-MD5 you specified did not match what we received.');
    }
    if (payload.kind === 'sha256' && payload.sha256Hex !== digests.sha256Hex) {
      throw new HoldfastError('XAmzContentSHA256Mismatch', undefined, {
        ClientComputedContentSHA256: payload.sha256Hex,
        S3ComputedContentSHA256: digests.sha256Hex ?? '',
      });
    }
    if (checksum !== undefined && digests.checksum !== undefined) verifyChecksum(checksum, digests.checksum, trailers);
    this.digests = digests;
  }

  private verified(): Digests {
    if (this.digests === undefined) throw new HoldfastError('InternalError', 'the body was not read to its end');
    return this.digests;
  }
}
