/**
 * multipart/form-data as browsers write it (RFC 7578), read strictly and once from front to back. What would surprise:
 * - nothing may stand before the first boundary but a line break, and behind a boundary only its line end or the closing
 *   dashes: a body that two parsers could cut in two ways is refused;
 * - a file is never held: its bytes are handed on as they come, all but the few that could begin a boundary.
 */
import { HoldfastError } from '@holdfast/contracts';
import { parsePartHead, type PartHead } from './part-head.js';

const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const DASHES = Buffer.from('--');
const PADDING_MAX_BYTES = 64;
/** Of what comes behind the file, which nobody reads. */
const TAIL_MAX_BYTES = 64 * 1024;

function malformedForm(): HoldfastError {
  return new HoldfastError('MalformedPOSTRequest');
}

export class MultipartReader {
  private readonly source: AsyncIterator<Buffer>;
  private readonly delimiter: Buffer;
  /** The delimiter of the first part has no line end in front of it: this one stands for it. */
  private held: Buffer = CRLF;
  private readBytes = 0;
  private ended = false;

  /** @param fieldsMaxBytes of everything in front of the file's content, boundaries and heads included */
  constructor(
    source: AsyncIterable<Buffer>,
    boundary: string,
    private readonly fieldsMaxBytes: number,
  ) {
    this.source = source[Symbol.asyncIterator]();
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Bytes taken from the source that were not handed on yet, or were read over. */
  get consumedBytes(): number {
    return this.readBytes - this.held.length;
  }

  /** Goes to the first part. @throws HoldfastError MalformedPOSTRequest, and what the source throws */
  async begin(): Promise<void> {
    await this.hold(CRLF.length + this.delimiter.length);
    if (this.held.subarray(0, 4).equals(HEAD_END)) this.held = this.held.subarray(CRLF.length);
    if (this.held.indexOf(this.delimiter) !== 0) throw malformedForm();
    this.held = this.held.subarray(this.delimiter.length);
  }

  /**
   * The head of the part behind the boundary that was just read; undefined behind the last one.
   * @throws HoldfastError MalformedPOSTRequest, MaxPostPreDataLengthExceeded, and what the source throws
   */
  async nextHead(): Promise<PartHead | undefined> {
    if (await this.atLastBoundary()) return undefined;
    // With the line end of the boundary in front, a part without any header is an empty head.
    const head = await this.until(HEAD_END);
    return parsePartHead(head.subarray(head.length === 0 ? 0 : CRLF.length));
  }

  /**
   * The content of the part, as a whole.
   * @throws HoldfastError MalformedPOSTRequest, MaxPostPreDataLengthExceeded, and what the source throws
   */
  value(): Promise<Buffer> {
    return this.until(this.delimiter);
  }

  /**
   * The content of the part as it comes; ends cleanly only when the part and the body did. What follows the part is read over.
   * @throws HoldfastError MalformedPOSTRequest, and what the source throws
   */
  async *content(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const at = this.held.indexOf(this.delimiter);
      const free = at >= 0 ? at : this.held.length - this.delimiter.length + 1;
      if (free > 0) {
        yield this.held.subarray(0, free);
        this.held = this.held.subarray(free);
      }
      if (at >= 0) break;
      if (!(await this.more())) throw malformedForm();
    }
    this.held = this.held.subarray(this.delimiter.length);
    await this.atLastBoundary();
    await this.readOver();
  }

  /** Behind a boundary: true for the closing dashes; else its line end follows, which is left where it is. */
  private async atLastBoundary(): Promise<boolean> {
    await this.hold(2);
    if (this.held.subarray(0, 2).equals(DASHES)) return true;
    for (let padding = 0; padding < PADDING_MAX_BYTES; padding += 1) {
      await this.hold(2);
      if (this.held.subarray(0, 2).equals(CRLF)) return false;
      if (this.held[0] !== 0x20 && this.held[0] !== 0x09) break;
      this.held = this.held.subarray(1);
    }
    throw malformedForm();
  }

  private async readOver(): Promise<void> {
    let tailBytes = 0;
    do {
      tailBytes += this.held.length;
      if (tailBytes > TAIL_MAX_BYTES) throw malformedForm();
      this.held = this.held.subarray(this.held.length);
    } while (await this.more());
  }

  /** What stands in front of `end`, which is taken away too. */
  private async until(end: Buffer): Promise<Buffer> {
    let from = 0;
    for (;;) {
      const at = this.held.indexOf(end, from);
      const seenBytes = this.readBytes - this.held.length + Math.max(at, 0);
      if (seenBytes > this.fieldsMaxBytes || (at < 0 && this.readBytes > this.fieldsMaxBytes + end.length)) {
        throw new HoldfastError('MaxPostPreDataLengthExceeded', undefined, {
          MaxPostPreDataLengthBytes: String(this.fieldsMaxBytes),
        });
      }
      if (at >= 0) {
        const found = this.held.subarray(0, at);
        this.held = this.held.subarray(at + end.length);
        return found;
      }
      // What was searched is not searched again, but for the last bytes, which may begin the end.
      from = Math.max(0, this.held.length - end.length + 1);
      if (!(await this.more())) throw malformedForm();
    }
  }

  private async hold(bytes: number): Promise<void> {
    while (this.held.length < bytes) if (!(await this.more())) throw malformedForm();
  }

  /** False at the end of the body. */
  private async more(): Promise<boolean> {
    if (this.ended) return false;
    const step = await this.source.next();
    if (step.done === true) {
      this.ended = true;
      return false;
    }
    this.readBytes += step.value.length;
    this.held = this.held.length === 0 ? step.value : Buffer.concat([this.held, step.value]);
    return true;
  }
}
