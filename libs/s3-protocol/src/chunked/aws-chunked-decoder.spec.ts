import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { deriveSigningKey, scopeText, signatureOf, type ChunkSigning } from '../sigv4/signature.js';
import { AwsChunkedDecoder, SIGNED_CHUNK_MAX_BYTES, type AwsChunkedOptions } from './aws-chunked-decoder.js';
import { awsChunkedOptions } from './aws-chunked-options.js';

const code = (name: string) => expect.objectContaining({ code: name });
const scope = { date: '20130524', region: 'us-east-1', service: 's3' };
const signing: ChunkSigning = {
  signingKey: deriveSigningKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', scope),
  scope,
  timestamp: '20130524T000000Z',
  seedSignature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
};
const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** An independent writer of signed bodies. */
class SignedBody {
  readonly parts: Buffer[] = [];
  private previous = signing.seedSignature;
  private sign(kind: string, covered: string): string {
    const text = `${kind}\n${signing.timestamp}\n${scopeText(scope)}\n${this.previous}\n${covered}`;
    this.previous = signatureOf(text, signing.signingKey);
    return this.previous;
  }
  chunk(content: string | Buffer): this {
    const bytes = Buffer.from(content as string);
    const signature = this.sign('AWS4-HMAC-SHA256-PAYLOAD', `${sha256('')}\n${sha256(bytes)}`);
    const line = `${bytes.length.toString(16)};chunk-signature=${signature}\r\n`;
    this.parts.push(
      bytes.length === 0 ? Buffer.from(line) : Buffer.concat([Buffer.from(line), bytes, Buffer.from('\r\n')]),
    );
    return this;
  }
  end(): this {
    this.parts.push(Buffer.from('\r\n'));
    return this;
  }
  trailer(name: string, value: string, style: 'sdk' | 'lf' = 'sdk'): this {
    const signature = this.sign('AWS4-HMAC-SHA256-TRAILER', sha256(`${name}:${value}\n`));
    const middle = style === 'sdk' ? '\r\n' : '\n\r\n';
    this.parts.push(Buffer.from(`${name}:${value}${middle}x-amz-trailer-signature:${signature}\r\n\r\n`));
    return this;
  }
}

async function* pieces(body: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

const plain = { decodedLengthBytes: 0, trailerNames: [], trailer: false } as const;

/** The decoded bytes, and those that were handed out before an error. */
async function decode(body: Buffer | string | readonly Buffer[], options: AwsChunkedOptions, pieceBytes = 7) {
  const bytes =
    typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.isBuffer(body) ? body : Buffer.concat(body);
  const decoder = new AwsChunkedDecoder(pieces(bytes, pieceBytes), options);
  const yielded: Buffer[] = [];
  let error: unknown;
  try {
    for await (const piece of decoder) yielded.push(piece);
  } catch (thrown) {
    error = thrown;
  }
  return { text: Buffer.concat(yielded).toString('latin1'), error, trailers: Object.fromEntries(decoder.trailers) };
}

const signedOptions = (decodedLengthBytes: number): AwsChunkedOptions => ({ ...plain, decodedLengthBytes, signing });
const signedTrailer = (decodedLengthBytes: number): AwsChunkedOptions => ({
  ...signedOptions(decodedLengthBytes),
  trailer: true,
  trailerNames: ['x-amz-checksum-crc32'],
});
const unsignedTrailer = (decodedLengthBytes: number, trailerNames = ['x-amz-checksum-crc32']): AwsChunkedOptions => ({
  decodedLengthBytes,
  trailer: true,
  trailerNames,
});

describe('signed chunks', () => {
  it('reads the published example', async () => {
    const body = [
      `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${'a'.repeat(65536)}\r\n`,
      `400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${'a'.repeat(1024)}\r\n`,
      '0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
    ].join('');
    const result = await decode(body, signedOptions(66560), 5000);
    expect(result.error).toBeUndefined();
    expect(result.text).toBe('a'.repeat(66560));
  });

  it.each([1, 3, 1000])('reads chunks that arrive in pieces of %d bytes', async (pieceBytes) => {
    const body = new SignedBody().chunk('hello ').chunk('world').chunk('').end();
    expect(await decode(body.parts, signedOptions(11), pieceBytes)).toEqual({
      text: 'hello world',
      error: undefined,
      trailers: {},
    });
  });

  it('reads an empty body', async () => {
    expect((await decode(new SignedBody().chunk('').end().parts, signedOptions(0))).error).toBeUndefined();
  });

  it('XA10: hands out nothing of a chunk whose signature does not hold', async () => {
    const body = new SignedBody().chunk('first').chunk('second').chunk('').end();
    body.parts[1] = Buffer.from(body.parts[1].toString('latin1').replace('second', 'sEcond'), 'latin1');
    const result = await decode(body.parts, signedOptions(11));
    expect(result.error).toEqual(code('SignatureDoesNotMatch'));
    expect(result.text).toBe('first');
  });

  it('XA10: chunks in another order do not verify', async () => {
    const [first, second, last, end] = new SignedBody().chunk('11111').chunk('22222').chunk('').end().parts;
    const result = await decode([second, first, last, end], signedOptions(10));
    expect(result).toMatchObject({ error: code('SignatureDoesNotMatch'), text: '' });
  });

  it('XA10: the last chunk is signed as well', async () => {
    const body = new SignedBody().chunk('first').parts;
    const forged = Buffer.from(`0;chunk-signature=${'0'.repeat(64)}\r\n\r\n`);
    expect((await decode([...body, forged], signedOptions(5))).error).toEqual(code('SignatureDoesNotMatch'));
  });

  it.each([
    ['no last chunk', (parts: Buffer[]) => parts.slice(0, 2), 11],
    ['a cut inside a chunk', (parts: Buffer[]) => [parts[0], parts[1].subarray(0, -5)], 11],
    ['a cut inside a line', (parts: Buffer[]) => [parts[0], parts[1].subarray(0, 20)], 11],
    ['no final line', (parts: Buffer[]) => parts.slice(0, 3), 11],
    ['nothing at all', () => [], 0],
    ['a longer declared length', (parts: Buffer[]) => parts, 12],
    ['a shorter declared length', (parts: Buffer[]) => parts, 10],
  ])('XA10: %s is IncompleteBody', async (_, change, decodedLengthBytes) => {
    const { parts } = new SignedBody().chunk('hello ').chunk('world').chunk('').end();
    expect((await decode(change(parts), signedOptions(decodedLengthBytes))).error).toEqual(code('IncompleteBody'));
  });

  it.each([
    'x;chunk-signature=a\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    `5;chunk-signature=${'a'.repeat(63)}\r\nhello\r\n`,
    `5;chunk-signature=${'a'.repeat(64)};x=y\r\nhello\r\n`,
    `5;chunk-signature=${'a'.repeat(64)}\nhello\r\n`,
    `-5;chunk-signature=${'a'.repeat(64)}\r\nhello\r\n`,
    `0x5;chunk-signature=${'a'.repeat(64)}\r\nhello\r\n`,
    'a'.repeat(10_000),
  ])('malformed framing is InvalidRequest: %.40j', async (body) => {
    expect((await decode(body, signedOptions(5))).error).toEqual(code('InvalidRequest'));
  });

  it('a chunk longer than its size is InvalidRequest', async () => {
    const body = new SignedBody().chunk('hello').parts[0].toString('latin1').replace('hello', 'hellooo');
    expect((await decode(body, signedOptions(9))).error).toEqual(code('InvalidRequest'));
  });

  it('bytes after the end are InvalidRequest', async () => {
    const body = new SignedBody().chunk('hello').chunk('').end();
    expect((await decode([...body.parts, Buffer.from('GET / HTTP/1.1\r\n')], signedOptions(5))).error).toEqual(
      code('InvalidRequest'),
    );
  });

  it('a signed chunk is bounded, because it is held', async () => {
    const line = `${(SIGNED_CHUNK_MAX_BYTES + 1).toString(16)};chunk-signature=${'a'.repeat(64)}\r\n`;
    expect((await decode(line, signedOptions(SIGNED_CHUNK_MAX_BYTES * 2))).error).toEqual(code('InvalidRequest'));
  });
});

describe('signed trailers', () => {
  it.each(['sdk', 'lf'] as const)('reads them as the %s writes them', async (style) => {
    const body = new SignedBody().chunk('hello').chunk('').trailer('x-amz-checksum-crc32', 'NhCmhg==', style);
    expect(await decode(body.parts, signedTrailer(5))).toEqual({
      text: 'hello',
      error: undefined,
      trailers: { 'x-amz-checksum-crc32': 'NhCmhg==' },
    });
  });

  it('XA9: changed, unsigned and missing trailers are refused', async () => {
    const { parts } = new SignedBody().chunk('hello').chunk('').trailer('x-amz-checksum-crc32', 'NhCmhg==');
    const [first, last, trailer] = parts;
    const text = trailer.toString('latin1');
    const end = async (tail: string) => (await decode([first, last, Buffer.from(tail)], signedTrailer(5))).error;
    expect(await end(text.replace('NhCmhg', 'AhCmhg'))).toEqual(code('SignatureDoesNotMatch'));
    expect(await end('x-amz-checksum-crc32:NhCmhg==\r\n\r\n')).toEqual(code('SignatureDoesNotMatch'));
    expect(await end('\r\n')).toEqual(code('SignatureDoesNotMatch'));
    expect(await end(text.slice(0, -2))).toEqual(code('IncompleteBody'));
    expect(await end('')).toEqual(code('IncompleteBody'));
    expect(await end(`${text.slice(0, -2)}x-amz-checksum-crc32:AAAAAA==\r\n\r\n`)).toEqual(code('InvalidRequest'));
  });

  it('an announced trailer must come, even signed', async () => {
    const nothing = new SignedBody().chunk('hello').chunk('');
    const other = new SignedBody().chunk('hello').chunk('').trailer('x-amz-checksum-sha1', 'NhCmhg==');
    expect((await decode(other.parts, signedTrailer(5))).error).toEqual(code('InvalidRequest'));
    expect((await decode(nothing.parts, signedTrailer(5))).error).toEqual(code('IncompleteBody'));
  });
});

describe('unsigned chunks with trailers', () => {
  it.each([
    ['5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n'],
    ['b\r\nhello world\r\n0\r\nX-Amz-Checksum-Crc32: DUoRhQ== \r\n\r\n'],
    ['B\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\n\r\n\r\n'],
  ])('reads %j', async (body) => {
    expect(await decode(body, unsignedTrailer(11))).toEqual({
      text: 'hello world',
      error: undefined,
      trailers: { 'x-amz-checksum-crc32': 'DUoRhQ==' },
    });
  });

  it('reads a body without trailers when none is announced', async () => {
    expect((await decode('5\r\nhello\r\n0\r\n\r\n', unsignedTrailer(5, []))).error).toBeUndefined();
  });

  it('hands out a large chunk as it arrives', async () => {
    const sizeBytes = SIGNED_CHUNK_MAX_BYTES + 1000;
    let sent = 0;
    let heldMax = 0;
    let seen = 0;
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from(`${sizeBytes.toString(16)}\r\n`);
      for (; sent < sizeBytes;) {
        const piece = Buffer.alloc(Math.min(65_536, sizeBytes - sent));
        sent += piece.length;
        yield piece;
      }
      yield Buffer.from('\r\n0\r\n\r\n');
    }
    for await (const piece of new AwsChunkedDecoder(source(), unsignedTrailer(sizeBytes, []))) {
      seen += piece.length;
      heldMax = Math.max(heldMax, sent - seen);
    }
    expect(seen).toBe(sizeBytes);
    expect(heldMax).toBeLessThanOrEqual(65_536);
  });

  it.each([
    ['5\r\nhello\r\n', 'IncompleteBody'],
    ['5\r\nhel', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\n', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n', 'IncompleteBody'],
    ['6\r\nhello!\r\n0\r\n\r\n', 'IncompleteBody'],
    ['4\r\nhell\r\n0\r\n\r\n', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\n\r\n', 'InvalidRequest'],
    ['5\r\nhello\r\n0\r\nx-amz-meta-a:b\r\n\r\n', 'InvalidRequest'],
    ['5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n', 'InvalidRequest'],
    ['5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:a\r\n\r\n', 'InvalidRequest'],
    ['5\r\nhello\r\n0\r\nx-amz-checksum-crc32:a\r\n\r\nmore', 'InvalidRequest'],
    ['5;x=y\r\nhello\r\n0\r\n\r\n', 'InvalidRequest'],
    ['5\nhello\r\n0\r\n\r\n', 'InvalidRequest'],
    ['5\r\nhelloX\r\n0\r\n\r\n', 'InvalidRequest'],
    ['\r\n', 'InvalidRequest'],
    [`5\r\nhello\r\n0\r\n${'x-a:b\r\n'.repeat(1000)}\r\n`, 'InvalidRequest'],
    [`5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${'a'.repeat(10_000)}\r\n\r\n`, 'InvalidRequest'],
  ])('%.60j is %s', async (body, name) => {
    expect((await decode(body, unsignedTrailer(5))).error).toEqual(code(name));
  });

  it('hands out no byte beyond the declared length', async () => {
    expect(await decode('3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n', unsignedTrailer(5, []))).toMatchObject({
      text: 'abc',
      error: code('IncompleteBody'),
    });
  });

  it('closes the source when the reader stops early', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from('1\r\na\r\n');
      } finally {
        closed = true;
      }
    }
    for await (const piece of new AwsChunkedDecoder(source(), unsignedTrailer(100, []))) if (piece.length > 0) break;
    expect(closed).toBe(true);
  });
});

describe('awsChunkedOptions', () => {
  const mode = { kind: 'chunked', signed: false, trailer: true } as const;
  const options = (record: Record<string, string | string[]>, trailer = true) =>
    awsChunkedOptions({ ...mode, trailer }, HeaderList.from(record), undefined);

  it('reads length and trailer names', () => {
    expect(options({ 'x-amz-decoded-content-length': '12', 'x-amz-trailer': 'X-Amz-Checksum-CRC32' })).toEqual({
      decodedLengthBytes: 12,
      trailerNames: ['x-amz-checksum-crc32'],
      trailer: true,
    });
  });

  it.each([['-1'], ['1e3'], [''], ['1234567890123456'], [['1', '1']]])('the length %j is InvalidArgument', (value) => {
    expect(() => options({ 'x-amz-decoded-content-length': value })).toThrow(code('InvalidArgument'));
  });

  it('refuses no length, repeated trailers, and trailers without their mode', () => {
    expect(() => options({})).toThrow(code('MissingContentLength'));
    const length = { 'x-amz-decoded-content-length': '1' };
    expect(() => options({ ...length, 'x-amz-trailer': 'a, a' })).toThrow(code('InvalidRequest'));
    expect(() => options({ ...length, 'x-amz-trailer': 'a' }, false)).toThrow(code('InvalidRequest'));
  });
});
