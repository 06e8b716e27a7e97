import { HoldfastError } from '@holdfast/contracts';

/** Reads lines and runs of bytes from a stream of buffers, holding one buffer at a time. */
export class ByteCursor {
  private readonly iterator: AsyncIterator<Buffer>;
  private held: Buffer = Buffer.alloc(0);
  private at = 0;
  private ended = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.iterator = source[Symbol.asyncIterator]();
  }

  /** False at the end of the stream. */
  private async fill(): Promise<boolean> {
    while (this.at === this.held.length && !this.ended) {
      const next = await this.iterator.next();
      if (next.done === true) this.ended = true;
      else {
        this.held = next.value;
        this.at = 0;
      }
    }
    return !this.ended;
  }

  /** Between one and `maxBytes` bytes, without a copy. Errors: IncompleteBody at the end of the stream. */
  async take(maxBytes: number): Promise<Buffer> {
    if (this.at === this.held.length && !(await this.fill())) throw new HoldfastError('IncompleteBody');
    const end = Math.min(this.at + maxBytes, this.held.length);
    const bytes = this.held.subarray(this.at, end);
    this.at = end;
    return bytes;
  }

  /**
   * The characters before the next LF (which is consumed), CR included, as a byte string.
   * Errors: IncompleteBody at the end of the stream, InvalidRequest for a longer line.
   */
  async line(maxBytes: number): Promise<string> {
    let text = '';
    for (;;) {
      if (this.at === this.held.length && !(await this.fill())) throw new HoldfastError('IncompleteBody');
      const newline = this.held.indexOf(0x0a, this.at);
      const end = newline < 0 ? this.held.length : newline;
      if (text.length + (end - this.at) > maxBytes) {
        throw new HoldfastError('InvalidRequest', 'A line of the chunk framing is too long.');
      }
      text += this.held.toString('latin1', this.at, end);
      this.at = newline < 0 ? end : newline + 1;
      if (newline >= 0) return text;
    }
  }

  /** True when no byte is left. */
  async atEnd(): Promise<boolean> {
    return this.at === this.held.length && !(await this.fill());
  }

  /** Lets the source go when the reading ends early. */
  async close(): Promise<void> {
    if (!this.ended) await this.iterator.return?.();
  }
}
