import type { ReadRange } from '@holdfast/contracts';

/** One step of a read: bytes of one chunk. */
export interface ChunkPart {
  readonly index: number;
  readonly first: number;
  readonly last: number;
}

/** The bytes of a range in steps, each cut when it is about to be read. */
export class ReadSteps {
  readonly sizeBytes: number;
  /** Of the next byte: its chunk, and where it stands there. */
  private index = 0;
  private at: number;
  private leftBytes: number;

  constructor(private readonly range: ReadRange) {
    const { chunks, firstByte, lastByte } = range;
    this.sizeBytes = Math.max(0, lastByte - firstByte + 1);
    this.leftBytes = this.sizeBytes;
    this.at = firstByte;
    this.skipChunks();
    if (this.index >= chunks.length) this.leftBytes = 0;
  }

  get isAtEnd(): boolean {
    return this.leftBytes === 0;
  }

  /** The step that comes next: it ends with its chunk, or before at a multiple of `stepBytes`. */
  next(stepBytes: number): ChunkPart {
    const { sizeBytes } = this.range.chunks[this.index];
    const last = Math.min(sizeBytes, this.at + this.leftBytes) - 1;
    const stepLast = this.at - (this.at % stepBytes) + stepBytes - 1;
    return { index: this.index, first: this.at, last: Math.min(last, stepLast) };
  }

  /** Goes on behind a step that is being read. */
  pass({ first, last }: ChunkPart): void {
    this.leftBytes -= last - first + 1;
    this.at = last + 1;
    this.skipChunks();
    if (this.index >= this.range.chunks.length) this.leftBytes = 0;
  }

  private skipChunks(): void {
    const { chunks } = this.range;
    while (this.index < chunks.length && this.at >= chunks[this.index].sizeBytes) {
      this.at -= chunks[this.index].sizeBytes;
      this.index += 1;
    }
  }
}
