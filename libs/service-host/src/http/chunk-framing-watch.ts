/**
 * Finds chunk extensions (`5;name=value`) in requests. Node's parser reads over them in silence, while other parsers disagree on
 * where they end, so a request that has one can be understood in two ways. This one looks at the same bytes right after the
 * parser, and at nothing but the size lines of chunked bodies.
 */
import type { IncomingMessage } from 'node:http';

const HEAD_END = '\r\n\r\n';
const SIZE_LINE = /^[0-9A-Fa-f]{1,16}\r$/;
/** The name of a header and its colon: what no size line begins with that the parser takes. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/;
/** A size of 16 digits and the end of its line; in the trailer any line may be longer, but those are not kept. */
const SIZE_LINE_MAX_CHARACTERS = 17;

/** The size lines of one chunked body, as it comes. */
class ChunkSizes {
  private line = '';
  private skipBytes = 0;
  private inTrailer = false;
  private lineBytes = 0;
  done = false;

  /** Reads on in `packet` and answers where it stopped: behind the body, or at the end. Undefined: a line is more than a size. */
  read(packet: Buffer, from: number): number | undefined {
    let at = from;
    while (at < packet.length && !this.done) {
      if (this.skipBytes > 0) {
        const skipped = Math.min(this.skipBytes, packet.length - at);
        this.skipBytes -= skipped;
        at += skipped;
        continue;
      }
      const newline = packet.indexOf(0x0a, at);
      const end = newline < 0 ? packet.length : newline;
      this.lineBytes += end - at;
      if (!this.inTrailer && this.lineBytes > SIZE_LINE_MAX_CHARACTERS) return undefined;
      if (this.lineBytes <= SIZE_LINE_MAX_CHARACTERS) this.line += packet.toString('latin1', at, end);
      at = newline < 0 ? end : newline + 1;
      if (newline >= 0 && !this.endLine()) return undefined;
    }
    return at;
  }

  private endLine(): boolean {
    const { line, lineBytes } = this;
    this.line = '';
    this.lineBytes = 0;
    if (this.inTrailer) {
      if (lineBytes <= 1) this.done = true;
      return true;
    }
    if (!SIZE_LINE.test(line)) return false;
    const sizeBytes = parseInt(line, 16);
    if (sizeBytes === 0) this.inTrailer = true;
    // With the line end behind the bytes: the parser has already seen that it is there.
    else this.skipBytes = sizeBytes + 2;
    return true;
  }
}

/** One connection, from the head of its first chunked request on. */
export class ChunkFramingWatch {
  /** Requests whose heads ended since the last packet. */
  private begun: IncomingMessage[] = [];
  private youngest: IncomingMessage | undefined;
  private body: ChunkSizes | undefined;
  /** The last bytes of a head that has not ended. */
  private headTail = '';
  /** Bytes of a body with a length may stand in front of the next head: where that begins is not known. */
  private inPlainBody = false;

  /** @param onFault told at most once a request; the connection cannot be read further after it */
  constructor(private readonly onFault: (raw: IncomingMessage) => void) {}

  /** To be told of each request when the parser has its head. */
  begin(raw: IncomingMessage): void {
    this.begun.push(raw);
  }

  /**
   * To be called once, after the parser had the packet in which the head of the first chunked request ends.
   * @param packet undefined when it cannot be told where that head begins
   */
  readFirst(packet: Buffer | undefined): void {
    const begun = this.begun;
    this.begun = [];
    const raw = begun[begun.length - 1];
    this.youngest = raw;
    // As for all later ones: see `read`.
    if (packet === undefined || begun.length > 1) return this.fault();
    this.readBody(packet, endOfHead(packet, raw.method ?? ''));
  }

  /** To be called with every packet after the parser had it. */
  read(packet: Buffer): void {
    const begun = this.begun;
    let at = 0;
    if (this.body !== undefined) {
      const stopped = this.body.read(packet, 0);
      if (stopped === undefined) return this.fault();
      if (!this.body.done) return;
      this.body = undefined;
      at = stopped;
    }
    if (begun.length === 0) {
      if (!this.inPlainBody)
        this.headTail = (this.headTail + packet.toString('latin1', Math.max(at, packet.length - 3))).slice(-3);
      else if (this.youngest?.complete === true) this.inPlainBody = false;
      return;
    }
    this.begun = [];
    this.youngest = begun[begun.length - 1];
    const tail = this.headTail;
    this.headTail = '';
    if (!begun.some(isChunked)) {
      this.inPlainBody = !this.youngest.complete;
      return;
    }
    // Nobody sends a chunked body behind a request that is still under way, and where it begins could not be told.
    if (begun.length > 1 || this.inPlainBody) return this.fault();
    const headEnd = (tail + packet.toString('latin1', at)).indexOf(HEAD_END);
    this.readBody(packet, headEnd < 0 ? undefined : at + headEnd + HEAD_END.length - tail.length);
  }

  private readBody(packet: Buffer, from: number | undefined): void {
    this.body = new ChunkSizes();
    if (from === undefined || this.body.read(packet, from) === undefined) return this.fault();
    if (this.body.done) this.body = undefined;
  }

  private fault(): void {
    this.body = undefined;
    if (this.youngest !== undefined) this.onFault(this.youngest);
  }
}

/**
 * Where a head ends that began in this packet or before it, and of which only this packet is known. One that begins with a line
 * end may begin within the four bytes that end the head: what stands behind the line end tells.
 */
function endOfHead(packet: Buffer, method: string): number | undefined {
  const text = packet.toString('latin1');
  const at = text.startsWith('\r\n') ? 2 : text.startsWith('\n') ? 1 : 0;
  if (at > 0) {
    if (text.startsWith('\r\n', at)) return at + 2;
    const newline = text.indexOf('\n', at);
    const line = text.slice(at, newline < 0 ? undefined : newline);
    if (!HEADER_NAME.test(line) && !line.startsWith(`${method} `)) return at;
  }
  const end = text.indexOf(HEAD_END, at);
  return end < 0 ? undefined : end + HEAD_END.length;
}

export function isChunked(raw: IncomingMessage): boolean {
  return raw.headers['transfer-encoding'] !== undefined;
}
