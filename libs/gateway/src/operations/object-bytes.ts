import { assert } from '@holdfast/stdx';
import { decodeChunkList, type BucketRecord, type ChunkEntry, type ObjectVersion } from '@holdfast/contracts';
import type { ByteRange } from '@holdfast/s3-protocol';
import type { Exchange } from '../pipeline/exchange.js';

/** Chunk lists of so many parts are held at once: a part of 5 GiB has 640 chunks. */
const PARTS_AT_ONCE = 16;

/** The bytes `first`..`last` of a version in order, whether it was written at once or in parts. */
export async function* objectBytes(
  exchange: Exchange,
  bucket: BucketRecord,
  version: ObjectVersion,
  { first, last }: ByteRange,
): AsyncGenerator<Buffer, void, undefined> {
  const { data } = exchange.services;
  if (version.partSizes === undefined) {
    assert(version.chunks !== undefined, 'a version has chunks or parts', { versionId: version.versionId });
    const chunks = decodeChunkList(version.chunks);
    yield* data.read(exchange.transferCall(), { chunks, firstByte: first, lastByte: last });
    return;
  }
  const span = partsOfRange(version.partSizes, { first, last });
  let offset = span.firstPartOffset;
  for (let firstPart = span.firstPart; firstPart <= span.lastPart; firstPart += PARTS_AT_ONCE) {
    const lastPart = Math.min(span.lastPart, firstPart + PARTS_AT_ONCE - 1);
    const { chunks, sizeBytes } = await chunksOfParts(exchange, bucket, version, firstPart, lastPart);
    const firstByte = Math.max(first - offset, 0);
    const lastByte = Math.min(last - offset, sizeBytes - 1);
    if (firstByte <= lastByte) yield* data.read(exchange.transferCall(), { chunks, firstByte, lastByte });
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
  assert(parts.length === lastPart - firstPart + 1, 'every part of a version is there', {
    versionId: version.versionId,
    firstPart,
    lastPart,
    found: parts.length,
  });
  const chunks: ChunkEntry[] = [];
  let sizeBytes = 0;
  for (const part of parts) {
    sizeBytes += part.sizeBytes;
    for (const chunk of decodeChunkList(part.chunks)) chunks.push(chunk);
  }
  return { chunks, sizeBytes };
}
