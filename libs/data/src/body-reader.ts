import { OnePiece } from '@holdfast/stdx';
import type { BodyPace, Progress } from './body-pace.js';

const NO_PROGRESS: Progress = { ms: 0, bytes: 0 };

/**
 * A body pulled piece by piece. A piece stays as it is until the body is done with: it may be kept, and is never changed.
 */
export class BodyReader {
  private readonly pieces: AsyncIterator<Buffer>;
  /** Bytes that were given back, and those of the source behind them. */
  private givenBack: Buffer | undefined;
  private rest: Buffer | undefined;
  private ended = false;
  /** The next piece, asked for while a buffer was filled that was then needed by others. */
  private pulling: Promise<Buffer | undefined> | undefined;
  private cutShort: Progress | undefined;

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

  /** True when there is at least one more byte; after `giveBack` it waits for one that was not there yet. */
  async more(): Promise<boolean> {
    const { pulling } = this;
    this.pulling = undefined;
    this.rest ??= await (pulling ?? this.pull());
    return this.rest !== undefined || this.givenBack !== undefined;
  }

  /** Nothing is left of the body. */
  get isAtEnd(): boolean {
    return this.ended && this.rest === undefined && this.givenBack === undefined;
  }

  /** What the body has brought, and in how long, when the last fill ended because others needed the buffer. */
  get interrupted(): Progress | undefined {
    return this.cutShort;
  }

  /**
   * Fills `target` from its start; resolves to the bytes filled, fewer only at the end of the body and when others need the
   * buffer. Errors: RequestTimeout.
   */
  async fill(target: Buffer, pace: BodyPace): Promise<number> {
    const filling = pace.begin(target.length, this.cutShort ?? NO_PROGRESS);
    let isNeeded = false;
    try {
      let filledBytes = 0;
      while (filledBytes < target.length) {
        const piece = this.givenBack ?? this.rest ?? (await this.pullUnless(filling.interruption));
        isNeeded = piece === 'needed';
        if (piece === undefined || piece === 'needed') break;
        const takenBytes = piece.copy(target, filledBytes);
        const left = takenBytes < piece.length ? piece.subarray(takenBytes) : undefined;
        if (this.givenBack === undefined) this.rest = left;
        else this.givenBack = left;
        filledBytes += takenBytes;
        filling.receivedBytes = filledBytes;
      }
      return filledBytes;
    } finally {
      const progress = pace.end(filling);
      this.cutShort = isNeeded ? progress : undefined;
    }
  }

  /** A piece that comes after the interruption is kept. */
  private async pullUnless(interruption: Promise<'needed'>): Promise<Buffer | 'needed' | undefined> {
    const pulling = this.pulling ?? this.pull();
    const first = await Promise.race([pulling, interruption]);
    this.pulling = first === 'needed' ? pulling : undefined;
    return first;
  }

  /** Takes back what the last fill, which was interrupted, has filled; it comes first again. */
  giveBack(bytes: Buffer): void {
    this.givenBack = Buffer.from(bytes);
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
