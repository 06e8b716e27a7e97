import { Deadline, MIB } from '@holdfast/stdx';
import {
  HoldfastError,
  isHoldfastError,
  LIMITS,
  type BucketRecord,
  type ObjectVersion,
  type ReadRange,
} from '@holdfast/contracts';
import type { ByteRange, ChecksumAlgorithm } from '@holdfast/s3-protocol';
import { chunkSpans } from './object-bytes.js';
import type { Exchange } from '../pipeline/exchange.js';
import type { Digests } from './body-digest.js';
import { storeBytes, type BodySource, type StoredBody } from './object-write.js';
import { bodyDigestFor } from './worker-body-digest.js';

/** One is read while the one before is written. A chunk is a whole number of them. */
const WINDOW_BYTES = 2 * MIB;
const WINDOWS_HELD = 2;
/** What all copies of a process may hold together: more of them wait. */
export const COPY_MEMORY_BYTES = 32 * MIB;
/** Longest wait for a turn. */
const TURN_MS_MAX = 60_000;
/** Copies up to this size do not count. */
const UNCOUNTED_BYTES_MAX = 4 * LIMITS.smallChunkBytesMax;

/** Bytes of a version, on their way into another object. */
export interface CopiedBytes {
  readonly bucket: BucketRecord;
  readonly version: ObjectVersion;
  /** Absent: none, of an empty object. */
  readonly range?: ByteRange;
}

/**
 * Writes the bytes of one object as those of another; see `storeBytes`. The copy has its own memory before it takes any of the
 * writers', and while it waits for the writers' it holds none of the readers': copies cannot wait for each other in a circle, nor
 * keep the writers' memory waiting for their turn. Errors: those of `storeBytes` and of reading; SlowDown when too many copies
 * are under way; DataUnreadable when the bytes are not those that the source's record tells of.
 */
export async function storeCopy(
  exchange: Exchange,
  target: { readonly bucket: BucketRecord; readonly storageClass: string },
  source: CopiedBytes,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<StoredBody> {
  const { copyMemory, clock } = exchange.services;
  const body = new CopiedBody(exchange, source, algorithm);
  const isCounted = body.sizeBytes > UNCOUNTED_BYTES_MAX;
  const heldBytes = isCounted ? Math.min(body.sizeBytes, WINDOWS_HELD * WINDOW_BYTES) : 0;
  if (isCounted) await copyMemory.take(heldBytes, Deadline.in(TURN_MS_MAX, clock));
  try {
    return await storeBytes(exchange, target.bucket, target.storageClass, body);
  } catch (error) {
    // The body that was too slow is not the client's.
    if (isHoldfastError(error, 'RequestTimeout')) throw new HoldfastError('SlowDown', undefined, {}, { cause: error });
    throw error;
  } finally {
    await body.settled();
    if (isCounted) copyMemory.give(heldBytes);
  }
}

/**
 * The body of a copy, in windows, each read to its end before its first byte goes on. What the record of the source says about
 * these bytes is held against them.
 */
class CopiedBody implements BodySource {
  readonly sizeBytes: number;
  private digests: Digests | undefined;
  private refused: unknown;
  private ahead: Promise<unknown> | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly source: CopiedBytes,
    /** Computed for the copy. */
    private readonly algorithm: ChecksumAlgorithm | undefined,
  ) {
    const { range } = source;
    this.sizeBytes = range === undefined ? 0 : range.last - range.first + 1;
  }

  get expectedBytes(): number {
    return this.sizeBytes;
  }

  get refusal(): unknown {
    return this.refused;
  }

  get md5Hex(): string {
    return this.verified().md5.toString('hex');
  }

  get checksums(): Record<string, string> {
    const { checksum } = this.verified();
    return checksum === undefined || this.algorithm === undefined
      ? {}
      : { [this.algorithm.toLowerCase()]: checksum.toString('base64') };
  }

  /** Errors: those of reading, and DataUnreadable when the bytes are not those that the source's record tells of. */
  async *bytes(): AsyncGenerator<Buffer, void, undefined> {
    const digest = bodyDigestFor(this.sizeBytes, { sha256: false, checksum: this.algorithm });
    let digests: Digests | undefined;
    try {
      for await (const piece of this.windows()) {
        const room = digest.update(piece);
        if (room !== undefined) await room;
        yield piece;
      }
      digests = await digest.finish();
      this.digests = digests;
      this.verify();
    } catch (error) {
      this.refused ??= error;
      throw error;
    } finally {
      if (digests === undefined) digest.discard();
    }
  }

  private async *windows(): AsyncGenerator<Buffer, void, undefined> {
    const { range } = this.source;
    if (range === undefined) return;
    const ranges = windowsOf(this.exchange, this.source, range);
    for (let next = this.readWindow(ranges); ;) {
      const pieces = await next;
      if (pieces === undefined) return;
      next = this.readWindow(ranges);
      next.catch(() => undefined);
      this.ahead = next;
      for (const piece of pieces) yield piece;
    }
  }

  /** Resolves when nothing is being read any more, also after the writer gave up half-way. */
  async settled(): Promise<void> {
    await this.ahead?.catch(() => undefined);
  }

  private async readWindow(ranges: AsyncIterator<ReadRange>): Promise<readonly Buffer[] | undefined> {
    const step = await ranges.next();
    if (step.done === true) return undefined;
    const pieces: Buffer[] = [];
    for await (const piece of this.exchange.services.data.read(this.exchange.transferCall(), step.value)) {
      // Lent only until the next one comes.
      pieces.push(Buffer.from(piece));
    }
    return pieces;
  }

  private verify(): void {
    const { version } = this.source;
    const isWhole = this.sizeBytes === version.sizeBytes;
    if (!isWhole) return;
    const { checksums, checksumType = 'FULL_OBJECT' } = version.attributes;
    const wasPutWhole = version.partSizes === undefined;
    const isSame =
      (!wasPutWhole || version.etag === this.md5Hex) &&
      Object.entries(this.checksums).every(
        ([algorithm, value]) =>
          checksumType !== 'FULL_OBJECT' || checksums[algorithm] === undefined || checksums[algorithm] === value,
      );
    if (!isSame) throw new HoldfastError('DataUnreadable', 'The bytes of the source are not those of its record.');
  }

  private verified(): Digests {
    if (this.digests === undefined) throw new HoldfastError('InternalError', 'the source was not read to its end');
    return this.digests;
  }
}

/** The range in reads of at most one window, none of which touches two chunks. */
async function* windowsOf(
  exchange: Exchange,
  { bucket, version }: CopiedBytes,
  range: ByteRange,
): AsyncGenerator<ReadRange, void, undefined> {
  for await (const span of chunkSpans(exchange, bucket, version, range)) {
    let start = 0;
    for (const chunk of span.chunks) {
      const last = Math.min(chunk.sizeBytes - 1, span.lastByte - start);
      for (let first = Math.max(0, span.firstByte - start); first <= last;) {
        const lastByte = Math.min(last, first - (first % WINDOW_BYTES) + WINDOW_BYTES - 1);
        yield { chunks: [chunk], firstByte: first, lastByte };
        first = lastByte + 1;
      }
      start += chunk.sizeBytes;
    }
  }
}
