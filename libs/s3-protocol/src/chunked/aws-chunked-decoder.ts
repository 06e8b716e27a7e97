/**
 * The framing of `aws-chunked` bodies (x-amz-content-sha256: STREAMING-…):
 *
 *   body    = *chunk last [trailers] CRLF
 *   chunk   = hex-size [";chunk-signature=" 64hex] CRLF bytes CRLF
 *   last    = "0" [";chunk-signature=" 64hex] CRLF
 *   trailers= *(name ":" value CRLF) ["x-amz-trailer-signature:" 64hex CRLF]
 *
 * A signed chunk is held until its signature holds, so its size is bounded; an unsigned one streams through.
 * Trailer lines of one common client end in LF alone with an empty line before the signature: both are read.
 */
import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';
import { assert, MIB } from '@holdfast/stdx';
import { scopeText, signatureMatches, signatureOf, type ChunkSigning } from '../sigv4/signature.js';
import { ByteCursor } from './byte-cursor.js';

export interface AwsChunkedOptions {
  /** x-amz-decoded-content-length */
  readonly decodedLengthBytes: number;
  /** Lower-case names that x-amz-trailer announces; empty when the mode has no trailer. */
  readonly trailerNames: readonly string[];
  /** The mode ends in `-TRAILER`. */
  readonly trailer: boolean;
  /** Present exactly when chunks are signed. */
  readonly signing?: ChunkSigning;
}

export const SIGNED_CHUNK_MAX_BYTES = 16 * MIB;
const CHUNK_LINE_MAX_BYTES = 256;
const TRAILER_LINE_MAX_BYTES = 4096;
const TRAILERS_MAX = 16;
const EMPTY_SHA256 = createHash('sha256').digest('hex');
const SIGNED_CHUNK_LINE = /^([0-9A-Fa-f]{1,12});chunk-signature=([0-9a-f]{64})\r$/;
const UNSIGNED_CHUNK_LINE = /^([0-9A-Fa-f]{1,12})\r$/;
const TRAILER_LINE = /^([A-Za-z0-9-]+):[ \t]*([\x21-\x7e]*(?: [\x21-\x7e]+)*)[ \t]*\r?$/;

/**
 * Yields the bytes of the object. Iterate once.
 * Errors while iterating: IncompleteBody (too few or too many bytes, no last chunk), InvalidRequest (framing, trailers),
 * SignatureDoesNotMatch (a chunk or the trailers).
 */
export class AwsChunkedDecoder implements AsyncIterable<Buffer> {
  private readonly received = new Map<string, string>();
  private readonly cursor: ByteCursor;
  private leftBytes: number;
  private readonly signingKey: KeyObject | undefined;
  private previousSignature: string;
  private begun = false;

  constructor(
    source: AsyncIterable<Buffer>,
    private readonly options: AwsChunkedOptions,
  ) {
    this.cursor = new ByteCursor(source);
    this.leftBytes = options.decodedLengthBytes;
    this.signingKey = options.signing && createSecretKey(options.signing.signingKey);
    this.previousSignature = options.signing?.seedSignature ?? '';
  }

  /** Lower-case names -> values; complete after the iteration ended. */
  get trailers(): ReadonlyMap<string, string> {
    return this.received;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    assert(!this.begun, 'a chunked body is read once');
    this.begun = true;
    try {
      for (;;) {
        const { sizeBytes, signature } = await this.chunkLine();
        if (sizeBytes === 0) {
          this.verifyChunk(EMPTY_SHA256, signature);
          break;
        }
        if (signature === undefined) yield* this.unsignedChunk(sizeBytes);
        else yield* await this.signedChunk(sizeBytes, signature);
        await this.endOfLine();
      }
      if (this.leftBytes !== 0) throw new HoldfastError('IncompleteBody');
      await this.readTail();
    } finally {
      await this.cursor.close();
    }
  }

  private async chunkLine(): Promise<{ sizeBytes: number; signature?: string }> {
    const line = await this.cursor.line(CHUNK_LINE_MAX_BYTES);
    const match = (this.options.signing === undefined ? UNSIGNED_CHUNK_LINE : SIGNED_CHUNK_LINE).exec(line);
    if (match === null) throw malformed('A chunk header is malformed.');
    const sizeBytes = parseInt(match[1], 16);
    if (sizeBytes > this.leftBytes) {
      throw new HoldfastError('IncompleteBody', 'The body is longer than x-amz-decoded-content-length.');
    }
    if (this.options.signing !== undefined && sizeBytes > SIGNED_CHUNK_MAX_BYTES) {
      throw malformed(`A signed chunk is at most ${SIGNED_CHUNK_MAX_BYTES} bytes.`);
    }
    this.leftBytes -= sizeBytes;
    return { sizeBytes, signature: match[2] };
  }

  private async *unsignedChunk(sizeBytes: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = sizeBytes; left > 0;) {
      const bytes = await this.cursor.take(left);
      left -= bytes.length;
      yield bytes;
    }
  }

  /** The slices of the chunk, all of them verified. */
  private async signedChunk(sizeBytes: number, signature: string): Promise<readonly Buffer[]> {
    const slices: Buffer[] = [];
    const hash = createHash('sha256');
    for (let left = sizeBytes; left > 0;) {
      const bytes = await this.cursor.take(left);
      left -= bytes.length;
      hash.update(bytes);
      slices.push(bytes);
    }
    this.verifyChunk(hash.digest('hex'), signature);
    return slices;
  }

  private verifyChunk(sha256Hex: string, signature: string | undefined): void {
    if (this.options.signing === undefined) return;
    this.verifyNext('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${sha256Hex}`, signature ?? '');
  }

  /** Each signature covers the one before it, so no chunk can be dropped, repeated or moved. */
  private verifyNext(kind: string, covered: string, signature: string): void {
    const { signing } = this.options;
    assert(signing !== undefined && this.signingKey !== undefined, 'only signed bodies have signatures to verify');
    const text = `${kind}\n${signing.timestamp}\n${scopeText(signing.scope)}\n${this.previousSignature}\n${covered}`;
    if (!signatureMatches(signatureOf(text, this.signingKey), signature)) {
      throw new HoldfastError('SignatureDoesNotMatch');
    }
    this.previousSignature = signature;
  }

  private async endOfLine(): Promise<void> {
    if ((await this.cursor.line(CHUNK_LINE_MAX_BYTES)) !== '\r')
      throw malformed('A chunk does not end where its size says.');
  }

  /** All after the last chunk's line. */
  private async readTail(): Promise<void> {
    if (this.options.trailer) await this.readTrailers();
    else await this.endOfLine();
    while (!(await this.cursor.atEnd())) {
      if ((await this.cursor.line(1)) !== '\r') throw malformed('Bytes follow the end of the body.');
    }
  }

  private async readTrailers(): Promise<void> {
    const signed = this.options.signing !== undefined;
    let covered = '';
    let signature: string | undefined;
    for (let lines = 0; ; lines++) {
      if (lines > TRAILERS_MAX) throw malformed('There are too many trailers.');
      const line = await this.cursor.line(TRAILER_LINE_MAX_BYTES);
      if (line === '\r' || line === '') {
        // One client puts an empty line between the trailers and their signature.
        if (signed && signature === undefined && lines > 0 && !(await this.cursor.atEnd())) continue;
        break;
      }
      const match = TRAILER_LINE.exec(line);
      if (match === null || signature !== undefined) throw malformed('A trailer is malformed.');
      const name = match[1].toLowerCase();
      if (signed && name === 'x-amz-trailer-signature') {
        signature = match[2];
        continue;
      }
      if (!this.options.trailerNames.includes(name)) throw malformed('A trailer was not announced by x-amz-trailer.');
      if (this.received.has(name)) throw malformed('A trailer is repeated.');
      this.received.set(name, match[2]);
      covered += `${name}:${match[2]}\n`;
    }
    if (signed) {
      if (signature === undefined) throw new HoldfastError('SignatureDoesNotMatch');
      this.verifyNext('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(covered).digest('hex'), signature);
    }
    if (this.received.size !== this.options.trailerNames.length)
      throw malformed('An announced trailer did not arrive.');
  }
}

function malformed(message: string): HoldfastError {
  return new HoldfastError('InvalidRequest', message);
}
