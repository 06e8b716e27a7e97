const END: Promise<IteratorResult<Buffer, undefined>> = Promise.resolve({ done: true, value: undefined });

class WholeBufferIterator implements AsyncIterator<Buffer, undefined> {
  private given = false;
  constructor(private readonly bytes: Buffer) {}
  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.given) return END;
    this.given = true;
    return Promise.resolve({ done: false, value: this.bytes });
  }
}

/** One buffer, where bytes are pulled: no generator, no copy. Who knows it takes `bytes` and need not pull. */
export class WholeBuffer implements AsyncIterable<Buffer> {
  constructor(readonly bytes: Buffer) {}
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new WholeBufferIterator(this.bytes);
  }
}
