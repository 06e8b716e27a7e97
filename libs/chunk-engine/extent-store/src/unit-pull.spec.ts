import { describe, expect, it } from '@jest/globals';
import { BLOCK_BYTES, KIB, WholeBuffer, isPageAligned, pageMemory } from '@holdfast/stdx';
import { pullBlocks, pullExactly } from './unit-pull.js';

const patterned = (sizeBytes: number): Buffer => Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => at * 7));

function pullOf(bytes: Buffer, stepBytes: number) {
  return async function* () {
    for (let at = 0; at < bytes.length; at += stepBytes) yield bytes.subarray(at, at + stepBytes);
  };
}

/** What the blocks must hold: the bytes, and zeros up to the next block. */
function padded(bytes: Buffer): Buffer {
  const blocks = Buffer.alloc(Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES);
  bytes.copy(blocks);
  return blocks;
}

describe('the blocks of a unit that is pulled', () => {
  const sizes = [20_000, 128 * KIB - 1, 128 * KIB, 128 * KIB + 1, 300_000, 512 * KIB];

  it.each(sizes)('are its bytes and then zeros: %i bytes', async (sizeBytes) => {
    const bytes = patterned(sizeBytes);
    for (const stepBytes of [sizeBytes, 64 * KIB, 10_001]) {
      // What the memory held before must not come out behind the end.
      const before = await pullBlocks(pullOf(Buffer.alloc(sizeBytes + 4000, 0xff), 65_536), sizeBytes + 4000);
      before.release();
      const { buffers, release } = await pullBlocks(pullOf(bytes, stepBytes), sizeBytes);
      expect(Buffer.concat(buffers).equals(padded(bytes))).toBe(true);
      if (sizeBytes >= 128 * KIB) expect(buffers.every(isPageAligned)).toBe(true);
      release();
    }
  });

  it('stay where they are in memory that begins at a page, but for the last one', async () => {
    const memory = Buffer.from(pageMemory(512 * KIB).buffer, 4096, 300_000);
    patterned(300_000).copy(memory);
    const { buffers, release } = await pullBlocks(pullOf(memory, 300_000), 300_000);
    expect(Buffer.concat(buffers).equals(padded(memory))).toBe(true);
    expect(buffers.map((buffer) => buffer.buffer === memory.buffer)).toEqual([true, false]);
    expect(buffers.every(isPageAligned)).toBe(true);
    release();
    const whole = memory.subarray(0, 256 * KIB);
    const inPlace = await pullBlocks(pullOf(whole, whole.length), whole.length);
    expect(inPlace.buffers).toEqual([whole]);
    expect(inPlace.buffers[0].buffer).toBe(memory.buffer);
  });

  it('are refused when more or fewer bytes come', async () => {
    const bytes = patterned(300_000);
    for (const sizeBytes of [299_999, 300_001])
      for (const pull of [pullOf(bytes, 65_536), () => new WholeBuffer(bytes)])
        await expect(pullBlocks(pull, sizeBytes)).rejects.toMatchObject({ code: 'ShortTransfer' });
  });
});

describe('one buffer that is pulled', () => {
  it('is taken as it is', async () => {
    const bytes = patterned(4096);
    const [taken, ...more] = await pullExactly(() => new WholeBuffer(bytes), 4096);
    expect(taken).toBe(bytes);
    expect(more).toEqual([]);
  });

  it('gives its bytes once to who pulls it by pieces', async () => {
    const pieces: Buffer[] = [];
    for await (const piece of new WholeBuffer(patterned(10))) pieces.push(piece);
    expect(pieces).toEqual([patterned(10)]);
  });

  it.each([4095, 4097])('is refused where %i bytes are wanted of its 4,096', async (sizeBytes) => {
    const pull = () => new WholeBuffer(patterned(4096));
    await expect(pullExactly(pull, sizeBytes)).rejects.toMatchObject({ code: 'ShortTransfer' });
  });
});
