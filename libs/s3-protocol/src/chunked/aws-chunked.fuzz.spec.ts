import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AwsChunkedDecoder, type AwsChunkedOptions } from './aws-chunked-decoder.js';

async function* cut(body: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const end of [...cuts].map((value) => value % (body.length + 1)).sort((a, b) => a - b)) {
    yield body.subarray(at, Math.max(at, end));
    at = Math.max(at, end);
  }
  yield body.subarray(at);
}

async function read(body: Buffer, cuts: readonly number[], options: AwsChunkedOptions): Promise<Buffer> {
  const yielded: Buffer[] = [];
  for await (const piece of new AwsChunkedDecoder(cut(body, cuts), options)) yielded.push(piece);
  return Buffer.concat(yielded);
}

const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 });
const cuts = fc.array(fc.nat(400), { maxLength: 12 });

function frame(chunks: readonly Uint8Array[]): Buffer {
  const parts = chunks.flatMap((bytes) => [
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...parts, Buffer.from('0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')]);
}

describe('AwsChunkedDecoder on any bytes', () => {
  it('gives back what was framed, wherever the network cuts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 6 }), cuts, async (chunks, at) => {
        const content = Buffer.concat(chunks);
        const options = { decodedLengthBytes: content.length, trailer: true, trailerNames: ['x-amz-checksum-crc32'] };
        expect((await read(frame(chunks), at, options)).equals(content)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('a damaged frame gives an error of the table, or the declared number of bytes', async () => {
    const damage = fc.array(fc.tuple(fc.nat(400), fc.constantFrom(0, 10, 13, 48, 53, 58, 59, 97, 255)), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(chunk, { maxLength: 4 }),
        cuts,
        damage,
        fc.nat(300),
        async (chunks, at, changes, keep) => {
          const framed = frame(chunks);
          for (const [position, byte] of changes) framed[position % framed.length] = byte;
          const decodedLengthBytes = Buffer.concat(chunks).length;
          const options = { decodedLengthBytes, trailer: true, trailerNames: ['x-amz-checksum-crc32'] };
          try {
            expect(await read(framed.subarray(0, framed.length - (keep % 3)), at, options)).toHaveLength(
              decodedLengthBytes,
            );
          } catch (error) {
            expect(['IncompleteBody', 'InvalidRequest']).toContain((error as { code?: string }).code);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
