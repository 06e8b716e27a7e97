import {
  encodeChunkList,
  HoldfastError,
  LIMITS,
  newId,
  ObjectData,
  type CallContext,
  type ChunkEntry,
  type ReadRange,
  type WriteTarget,
  type WrittenPart,
} from '@holdfast/contracts';

/** `ObjectData` that keeps chunks in a map. A body that throws leaves nothing behind that a record could name. */
export class InMemoryObjectData extends ObjectData {
  readonly chunks = new Map<string, Buffer>();

  constructor(private readonly chunkBytesMax: number = LIMITS.chunkBytesMax) {
    super();
  }

  override async write(_call: CallContext, target: WriteTarget, body: AsyncIterable<Buffer>): Promise<WrittenPart> {
    const entries: ChunkEntry[] = [];
    let pieces: Buffer[] = [];
    let heldBytes = 0;
    let sizeBytes = 0;
    const flush = (): void => {
      const all = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, heldBytes);
      for (let at = 0; at < all.length; at += this.chunkBytesMax)
        entries.push(this.keep(target, all.subarray(at, at + this.chunkBytesMax)));
      pieces = [];
      heldBytes = 0;
    };
    for await (const piece of body) {
      // Buffers of a socket are its own: a copy is what a device would hold.
      pieces.push(Buffer.from(piece));
      heldBytes += piece.length;
      sizeBytes += piece.length;
      if (heldBytes >= this.chunkBytesMax && heldBytes % this.chunkBytesMax === 0) flush();
    }
    if (heldBytes > 0) flush();
    return { writeId: target.writeId, sizeBytes, chunks: encodeChunkList(entries), epoch: 1n, degraded: false };
  }

  override async *read(_call: CallContext, { chunks, firstByte, lastByte }: ReadRange): AsyncIterable<Buffer> {
    let offset = 0;
    for (const { sizeBytes, primary } of chunks) {
      const first = Math.max(firstByte - offset, 0);
      const last = Math.min(lastByte - offset, sizeBytes - 1);
      offset += sizeBytes;
      if (first > last) continue;
      const bytes = this.chunks.get(primary.chunkId);
      if (bytes === undefined) throw new HoldfastError('DataUnreadable');
      yield bytes.subarray(first, last + 1);
    }
  }

  private keep({ homeSetId }: WriteTarget, bytes: Buffer): ChunkEntry {
    const chunkId = newId();
    this.chunks.set(chunkId, bytes);
    return { sizeBytes: bytes.length, primary: { chunkId, setId: homeSetId, k: 1, m: 0, slots: [0] } };
  }
}
