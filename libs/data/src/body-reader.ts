import { OnePiece } from '@holdfast/stdx';
import type { BodyPace } from './body-pace.js';

/**
 * A body pulled piece by piece. A piece stays as it is until the body is done with: it may be kept, and is never changed.
 */
export class BodyReader {
  private readonly pieces: AsyncIterator<Buffer>;
  private rest: Buffer | undefined;
  private ended = false;

  constructor(private readonly body: AsyncIterable<Buffer>) {
    this.pieces = body[Symbol.asyncIterator]();
  }

  /** The body when it ends within `sizeBytesMax`, without a copy where it is one piece; undefined when there is more. */
  wholeUpTo(sizeBytesMax: number): Promise<Buffer | undefined> {
    return this.body instanceof OnePiece ? this.pieceUpTo(this.body, sizeBytesMax) : this.gatheredUpTo(sizeBytesMax);
  }

  private async gatheredUpTo(sizeBytesMax: number): Promise<Buffer | undefined> {
    const first = await this.pull();
    if (first === undefined) return Buffer.alloc(0);
    const second = first.length > sizeBytesMax ? undefined : await this.pull();
    if (this.ended && first.length <= sizeBytesMax) return first;
    const kept = [first];
    let sizeBytes = first.length;
    for (let next = second; next !== undefined; next = sizeBytes > sizeBytesMax ? undefined : await this.pull()) {
      kept.push(next);
      sizeBytes += next.length;
    }
    const together = kept.length === 1 ? first : Buffer.concat(kept, sizeBytes);
    if (this.ended && sizeBytes <= sizeBytesMax) return together;
    this.rest = together;
    return undefined;
  }

  private async pieceUpTo(body: OnePiece, sizeBytesMax: number): Promise<Buffer | undefined> {
    this.ended = true;
    const whole = await body.whole();
    if (whole.length <= sizeBytesMax) return whole;
    this.rest = whole;
    return undefined;
  }

  /** True when there is at least one more byte. */
  async more(): Promise<boolean> {
    this.rest ??= await this.pull();
    return this.rest !== undefined;
  }

  /** Fills `target` from its start; resolves to the bytes filled, fewer only at the end of the body. Errors: RequestTimeout. */
  async fill(target: Buffer, pace: BodyPace): Promise<number> {
    const filling = pace.begin();
    try {
      let filledBytes = 0;
      while (filledBytes < target.length) {
        const piece = this.rest ?? (await Promise.race([this.pull(), filling.tooSlow]));
        if (piece === undefined) break;
        const takenBytes = piece.copy(target, filledBytes);
        this.rest = takenBytes < piece.length ? piece.subarray(takenBytes) : undefined;
        filledBytes += takenBytes;
        filling.receivedBytes = filledBytes;
      }
      return filledBytes;
    } finally {
      pace.end(filling);
    }
  }

  /** Tells the source that nothing more is wanted, when it was not read to its end. */
  leave(): void {
    if (this.ended) return;
    this.ended = true;
    const left = this.pieces.return?.();
    if (left !== undefined) Promise.resolve(left).catch(() => undefined);
  }

  /** The next piece that has bytes; undefined at the end. */
  private async pull(): Promise<Buffer | undefined> {
    if (this.ended) return undefined;
    try {
      for (;;) {
        const step = await this.pieces.next();
        if (step.done === true) {
          this.ended = true;
          return undefined;
        }
        if (step.value.length > 0) return step.value;
      }
    } catch (error) {
      this.ended = true;
      throw error;
    }
  }
}
