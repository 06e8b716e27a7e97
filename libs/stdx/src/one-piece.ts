const END: IteratorResult<Buffer, undefined> = { done: true, value: undefined };

/**
 * Bytes that are made as a whole, for whoever pulls a stream: one piece, or none when there are no bytes. Iterated once, or
 * asked once for the whole. Around one buffer a generator would cost more than most of what is done with a small one.
 */
export class OnePiece implements AsyncIterable<Buffer>, AsyncIterator<Buffer, undefined> {
  private begun = false;

  /** @param make called at the first pull */
  constructor(private readonly make: () => Promise<Buffer>) {}

  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return this;
  }

  /** All of the bytes, for who knows that they are one piece; instead of pulling. */
  whole(): Promise<Buffer> {
    this.begun = true;
    return this.make();
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.begun) return END;
    const value = await this.whole();
    return value.length === 0 ? END : { done: false, value };
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.begun = true;
    return END;
  }
}
