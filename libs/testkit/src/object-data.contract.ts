import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  backgroundCall,
  decodeChunkList,
  LIMITS,
  newId,
  type ObjectData,
  type ReadRange,
  type RedundancyProfile,
  type WriteTarget,
} from '@holdfast/contracts';

/** What the contract of `ObjectData` is held against. */
export interface ObjectDataUnderTest {
  readonly objects: ObjectData;
  readonly homeSetId: number;
  readonly profile: RedundancyProfile;
  close(): Promise<void>;
}

const call = () => backgroundCall(30_000);
const CHUNK = LIMITS.chunkBytesMax;

/** A body in pieces that do not fit chunks or units. */
export async function* bodyOf(bytes: Buffer, pieceBytes = 61_001): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of bytes) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Cases that every adapter of `ObjectData` passes. */
export function objectDataContract(name: string, start: () => Promise<ObjectDataUnderTest>): void {
  // A busy machine flushes slowly; no case is about time.
  jest.setTimeout(60_000);
  describe(`ObjectData contract: ${name}`, () => {
    let under: ObjectDataUnderTest;
    const target = (over: Partial<WriteTarget> = {}): WriteTarget => {
      const { homeSetId, profile } = under;
      return { bucketId: 5n, homeSetId, profile, writeId: newId(), ...over };
    };
    const put = async (bytes: Buffer, over: Partial<WriteTarget> = {}) => {
      const written = await under.objects.write(call(), target(over), bodyOf(bytes));
      return { written, chunks: decodeChunkList(written.chunks) };
    };
    const get = (range: ReadRange) => collect(under.objects.read(call(), range));

    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => {
      await under.close();
    });

    it('seed-0.12: cuts a body into ceil(size / 8 MiB) chunks, none for 0 bytes', async () => {
      for (const sizeBytes of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 12_345]) {
        const writeId = newId();
        const { written, chunks } = await put(randomBytes(sizeBytes), { writeId, expectedBytes: sizeBytes });
        expect(written).toMatchObject({ writeId, sizeBytes, degraded: false });
        expect(chunks.length).toBe(Math.ceil(sizeBytes / CHUNK));
        expect(chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0)).toBe(sizeBytes);
      }
    });

    it('seed-3.16: gives the bytes back in order for 0, 1 and many chunks', async () => {
      const small = LIMITS.smallChunkBytesMax;
      const sizes = [0, 1, 4096, small - 1, small, small + 1, 65_537, 1_000_000, CHUNK - 1, CHUNK, CHUNK + 1];
      for (const sizeBytes of [...sizes, 3 * CHUNK + 7]) {
        const bytes = randomBytes(sizeBytes);
        const { chunks } = await put(bytes, sizeBytes % 2 === 0 ? { expectedBytes: sizeBytes } : {});
        const found = await get({ chunks, firstByte: 0, lastByte: sizeBytes - 1 });
        expect(found.equals(bytes)).toBe(true);
      }
    });

    it('seed-3.16: gives any range, within a chunk and across chunks', async () => {
      const bytes = randomBytes(2 * CHUNK + 100_001);
      const { chunks } = await put(bytes, { expectedBytes: bytes.length });
      const last = bytes.length - 1;
      const ranges = [
        [0, 0],
        [1, 4095],
        [4095, 4097],
        [CHUNK - 1, CHUNK],
        [CHUNK / 2 - 3, CHUNK + CHUNK / 2 + 3],
        [2 * CHUNK, last],
        [last, last],
        [1_000_000, 9_000_000],
      ];
      for (const [firstByte, lastByte] of ranges) {
        const found = await get({ chunks, firstByte, lastByte });
        expect(found.equals(bytes.subarray(firstByte, lastByte + 1))).toBe(true);
      }
    });

    it('takes an announced size for a hint only', async () => {
      const bytes = randomBytes(100_000);
      for (const expectedBytes of [10, 99_999, 100_001, 20_000_000]) {
        const { written, chunks } = await put(bytes, { expectedBytes });
        expect(written.sizeBytes).toBe(bytes.length);
        expect((await get({ chunks, firstByte: 0, lastByte: bytes.length - 1 })).equals(bytes)).toBe(true);
      }
    });

    it('abandons a write whose body breaks off', async () => {
      for (const sizeBytes of [100, 100_000, CHUNK + 5]) {
        const broken = async function* (): AsyncIterable<Buffer> {
          yield* bodyOf(randomBytes(sizeBytes));
          throw new Error('the client has gone');
        };
        const write = under.objects.write(call(), target({ expectedBytes: sizeBytes + 10 }), broken());
        await expect(write).rejects.toThrow('the client has gone');
      }
    });

    it('ends with an error, never with fewer bytes, when a chunk cannot be read', async () => {
      const bytes = randomBytes(CHUNK + 10);
      const { chunks } = await put(bytes);
      const lost = { ...chunks[1], primary: { ...chunks[1].primary, chunkId: newId() } };
      const read = get({ chunks: [chunks[0], lost], firstByte: 0, lastByte: bytes.length - 1 });
      await expect(read).rejects.toMatchObject({ status: 503 });
      const alone = get({ chunks: [lost], firstByte: 0, lastByte: 9 });
      await expect(alone).rejects.toMatchObject({ code: 'DataUnreadable' });
    });

    it('lets a reader leave at any time', async () => {
      const bytes = randomBytes(2 * CHUNK);
      const { chunks } = await put(bytes, { expectedBytes: bytes.length });
      for (let round = 0; round < 20; round += 1) {
        let gotBytes = 0;
        for await (const piece of under.objects.read(call(), { chunks, firstByte: 0, lastByte: bytes.length - 1 })) {
          gotBytes += piece.length;
          if (gotBytes > round * 100_000) break;
        }
      }
      expect((await get({ chunks, firstByte: 0, lastByte: bytes.length - 1 })).equals(bytes)).toBe(true);
    });
  });
}
