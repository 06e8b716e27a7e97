import { decodeChunkList, encodeChunkList, HoldfastError, type ChunkEntry } from '@holdfast/contracts';

/** An empty object has an empty list, or one of its format byte alone. */
export function unpackChunks(packed: Buffer): ChunkEntry[] {
  return packed.length === 0 ? [] : decodeChunkList(packed);
}

export function hasSecondary(chunks: readonly ChunkEntry[]): boolean {
  return chunks.every((chunk) => chunk.secondary !== undefined);
}

/**
 * The record's list with the layouts of a copy as its secondary ones. `copies` has one entry per chunk, in order, whose primary
 * layout is the copy's. Errors: InvalidArgument when the copy is not one of these chunks.
 */
export function mergeCopies(chunks: readonly ChunkEntry[], copies: readonly ChunkEntry[]): Buffer {
  if (copies.length !== chunks.length) throw mismatch('another number of chunks');
  return encodeChunkList(
    chunks.map((chunk, i) => {
      const copy = copies[i];
      if (copy.sizeBytes !== chunk.sizeBytes) throw mismatch('another chunk size');
      if (copy.primary.setId === chunk.primary.setId) throw mismatch('the set of the primary copy');
      return { sizeBytes: chunk.sizeBytes, primary: chunk.primary, secondary: copy.primary };
    }),
  );
}

function mismatch(what: string): HoldfastError {
  return new HoldfastError('InvalidArgument', `The copy does not fit its record: it names ${what}.`);
}
