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

/** One buffer as the bytes that a unit store pulls: no generator, no copy. */
export class WholeBuffer implements AsyncIterable<Buffer> {
  constructor(readonly bytes: Buffer) {}
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return new WholeBufferIterator(this.bytes);
  }
}
