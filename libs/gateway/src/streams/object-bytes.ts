import { assert } from '@holdfast/stdx';
import {
  decodeChunkList,
  HoldfastError,
  NULL_VERSION,
  type BucketRecord,
  type ChunkEntry,
  type ObjectVersion,
  type ReadRange,
} from '@holdfast/contracts';
import type { ByteRange } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';

/** Chunk lists of so many parts are held at once: a part of 5 GiB has 640 chunks. */
const PARTS_AT_ONCE = 16;

/** The bytes `first`..`last` of a version in order, whether it was written at once or in parts. */
export function objectBytes(
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
  range: ByteRange,
): AsyncIterable<Buffer> {
  const { partSizes, chunks } = version;
  if (partSizes !== undefined || chunks === undefined) return bytesOfParts(exchange, bucket, version, range);
  const span = { chunks: decodeChunkList(chunks), firstByte: range.first, lastByte: range.last };
  // Without a generator around it: of a small object that would cost as much as its bytes.
  return exchange.services.data.read(exchange.transferCall(), span);
}

async function* bytesOfParts(
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
  range: ByteRange,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const span of chunkSpans(exchange, bucket, version, range)) {
    yield* exchange.services.data.read(exchange.transferCall(), span);
  }
}

/** Which chunks hold the range, a bounded number of parts at a time. */
export async function* chunkSpans(
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
  { first, last }: ByteRange,
): AsyncGenerator<ReadRange, void, undefined> {
  if (version.partSizes === undefined) {
    assert(version.chunks !== undefined, 'a version has chunks or parts', { versionId: version.versionId });
    yield { chunks: decodeChunkList(version.chunks), firstByte: first, lastByte: last };
    return;
  }
  const span = partsOfRange(version.partSizes, { first, last });
  let offset = span.firstPartOffset;
  for (let firstPart = span.firstPart; firstPart <= span.lastPart; firstPart += PARTS_AT_ONCE) {
    const lastPart = Math.min(span.lastPart, firstPart + PARTS_AT_ONCE - 1);
    const { chunks, sizeBytes } = await chunksOfParts(exchange, bucket, version, firstPart, lastPart);
    const firstByte = Math.max(first - offset, 0);
    const lastByte = Math.min(last - offset, sizeBytes - 1);
    if (firstByte <= lastByte) yield { chunks, firstByte, lastByte };
    offset += sizeBytes;
  }
}

export interface PartSpan {
  /** Indexes into partSizes. */
  readonly firstPart: number;
  readonly lastPart: number;
  /** Of the first byte of `firstPart` in the object. */
  readonly firstPartOffset: number;
}

/** The parts that a range touches. Pure. */
export function partsOfRange(partSizes: readonly number[], { first, last }: ByteRange): PartSpan {
  let offset = 0;
  let firstPart = 0;
  while (firstPart < partSizes.length - 1 && offset + partSizes[firstPart] <= first) {
    offset += partSizes[firstPart];
    firstPart += 1;
  }
  let end = offset + partSizes[firstPart];
  let lastPart = firstPart;
  while (lastPart < partSizes.length - 1 && end <= last) {
    lastPart += 1;
    end += partSizes[lastPart];
  }
  return { firstPart, lastPart, firstPartOffset: offset };
}

async function chunksOfParts(
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
  firstPart: number,
  lastPart: number,
): Promise<{ chunks: ChunkEntry[]; sizeBytes: number }> {
  const { parts } = await exchange.services.metadata.readParts(exchange.controlCall(), {
    bucketId: bucket.bucketId,
    versionId: version.versionId,
    firstPart,
    lastPart,
  });
  if (parts.length < lastPart - firstPart + 1) await explainMissingParts(exchange, bucket, version);
  const chunks: ChunkEntry[] = [];
  let sizeBytes = 0;
  for (const part of parts) {
    sizeBytes += part.sizeBytes;
    for (const chunk of decodeChunkList(part.chunks)) chunks.push(chunk);
  }
  return { chunks, sizeBytes };
}

/** Parts go with their version, and a version may go while it is read; parts missing from one that stands are a broken record. */
async function explainMissingParts(exchange: Exchange, bucket: BucketRecord, version: ObjectVersion): Promise<never> {
  const found = await exchange.services.metadata.findObject(exchange.controlCall(), {
    bucketName: bucket.name,
    key: version.key,
    versionId: version.isNull ? NULL_VERSION : version.versionId,
  });
  const { versionId } = version;
  assert(found.version?.versionId !== versionId, 'every part of a version is there', { versionId });
  throw new HoldfastError('ServiceUnavailable', 'The object was replaced while it was read. Try again.');
}
