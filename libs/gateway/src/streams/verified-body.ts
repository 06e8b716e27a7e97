import { KIB, OnePiece } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import { AwsChunkedDecoder, awsChunkedOptions, verifyChecksum } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';
import { digestsOf, type Digests, type DigestPlan } from './body-digest.js';
import type { BodyPlan } from './body-plan.js';
import type { BodySource } from './object-write.js';
import { bodyDigestFor } from './worker-body-digest.js';

/** Bodies up to this size are gathered and verified before the first byte goes on. */
const GATHER_BYTES_MAX = 64 * KIB;
const NO_TRAILERS: ReadonlyMap<string, string> = new Map();

/**
 * The body of one request, decoded, counted and held against everything that its sender said about it. `bytes()` ends
 * cleanly only when all of it holds; on a mismatch it throws after the last byte, so whoever writes the bytes abandons the
 * write and nothing is committed.
 */
export class VerifiedBody implements BodySource {
  private readonly digestPlan: DigestPlan;
  private digests: Digests | undefined;
  private refused: unknown;
  private countedBytes = 0;

  constructor(
    private readonly exchange: Exchange,
    private readonly plan: BodyPlan,
  ) {
    this.digestPlan = { sha256: plan.payload.kind === 'sha256', checksum: plan.checksum?.algorithm ?? plan.computed };
  }

  /** As announced. */
  get expectedBytes(): number {
    return this.plan.sizeBytes;
  }

  /** Why the body was refused, when it was: the consumer's own error is a consequence of this one. */
  get refusal(): unknown {
    return this.refused;
  }

  /** MD5 of the bytes. Known once they were all read and verified. */
  get md5Hex(): string {
    return this.verified().md5.toString('hex');
  }

  /** Of the bytes that were verified. */
  get sizeBytes(): number {
    return this.countedBytes;
  }

  /** The checksum that was verified or computed, as it is stored: lower-case algorithm -> base64. */
  get checksums(): Record<string, string> {
    const digest = this.verified().checksum;
    const algorithm = this.digestPlan.checksum;
    return digest === undefined || algorithm === undefined
      ? {}
      : { [algorithm.toLowerCase()]: digest.toString('base64') };
  }

  /** @throws HoldfastError IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, RequestTimeout … */
  bytes(): AsyncIterable<Buffer> {
    return this.plan.sizeBytes <= GATHER_BYTES_MAX ? new OnePiece(() => this.gathered()) : this.streamed();
  }

  private async gathered(): Promise<Buffer> {
    try {
      const asked = this.plan.payload.kind === 'chunked' ? undefined : this.exchange.body.whole?.();
      const here = asked instanceof Promise ? await asked : asked;
      const { source, trailers } = this.open();
      const whole = here ?? (await this.joined(source));
      this.refuseMoreThanSaid(whole.length);
      this.verify(whole.length, digestsOf(whole, this.digestPlan), trailers());
      return whole;
    } catch (error) {
      this.refused ??= error;
      throw error;
    }
  }

  /** All of a small body; nothing of one that is longer than was said. */
  private async joined(source: AsyncIterable<Buffer>): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let countedBytes = 0;
    for await (const piece of source) {
      countedBytes += piece.length;
      this.refuseMoreThanSaid(countedBytes);
      pieces.push(piece);
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, countedBytes);
  }

  private async *streamed(): AsyncGenerator<Buffer, void, undefined> {
    const { source, trailers } = this.open();
    const digest = bodyDigestFor(this.plan.sizeBytes, this.digestPlan);
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
      this.verify(countedBytes, digests, trailers());
    } catch (error) {
      this.refused ??= error;
      throw error;
    } finally {
      if (digests === undefined) digest.discard();
    }
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
    const { sizeBytes, sizeBytesMin } = this.plan;
    if (countedBytes <= sizeBytes) return;
    if (sizeBytesMin === undefined) throw new HoldfastError('InvalidRequest', 'The body is longer than announced.');
    throw new HoldfastError('EntityTooLarge', undefined, { MaxSizeAllowed: String(sizeBytes) });
  }

  private verify(countedBytes: number, digests: Digests, trailers: ReadonlyMap<string, string>): void {
    const { sizeBytes, sizeBytesMin, payload, contentMd5, checksum } = this.plan;
    if (sizeBytesMin === undefined && countedBytes < sizeBytes) throw new HoldfastError('IncompleteBody');
    if (sizeBytesMin !== undefined && countedBytes < sizeBytesMin) {
      throw new HoldfastError('EntityTooSmall', undefined, {
        ProposedSize: String(countedBytes),
        MinSizeAllowed: String(sizeBytesMin),
      });
    }
    this.countedBytes = countedBytes;
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
