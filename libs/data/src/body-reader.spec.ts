import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { KIB, ManualClock, OnePiece } from '@holdfast/stdx';
import { BodyPace } from './body-pace.js';
import { BodyReader } from './body-reader.js';

const pace = new BodyPace(() => 0);

async function* pieces(...sizes: number[]): AsyncIterable<Buffer> {
  for (const size of sizes) yield Buffer.alloc(size, size & 255);
}

describe('body reader', () => {
  it('gives a body of one piece back as it is, without a copy', async () => {
    const body = randomBytes(4096);
    const reader = new BodyReader(
      (async function* () {
        yield body;
      })(),
    );
    expect(await reader.wholeUpTo(4096)).toBe(body);
  });

  it.each([
    [[], 0],
    [[0, 0], 0],
    [[3, 0, 4], 7],
    [[10], 10],
    [[4, 6], 10],
    [[0, 10, 0], 10],
  ])('takes %j as a whole of %i bytes', async (sizes, total) => {
    expect((await new BodyReader(pieces(...sizes)).wholeUpTo(10))?.length).toBe(total);
  });

  it.each([[[11]], [[10, 1]], [[4, 4, 4, 4]], [[30, 5]]])(
    'goes on with %j after it turned out too large',
    async (sizes) => {
      const reader = new BodyReader(pieces(...sizes));
      expect(await reader.wholeUpTo(10)).toBeUndefined();
      const expected = Buffer.concat(sizes.map((size) => Buffer.alloc(size, size & 255)));
      const found: Buffer[] = [];
      while (await reader.more()) {
        const target = Buffer.alloc(7);
        found.push(target.subarray(0, await reader.fill(target, pace)));
      }
      expect(Buffer.concat(found).equals(expected)).toBe(true);
    },
  );

  it('takes what is made as one piece as it is, of any size, and hands its error on', async () => {
    const body = randomBytes(100);
    const made = (): OnePiece => new OnePiece(async () => body);
    const fits = new BodyReader(made());
    expect(await fits.wholeUpTo(100)).toBe(body);
    expect(await fits.more()).toBe(false);
    const large = new BodyReader(made());
    expect(await large.wholeUpTo(99)).toBeUndefined();
    const target = Buffer.alloc(120);
    expect(await large.fill(target, pace)).toBe(100);
    expect(target.subarray(0, 100).equals(body)).toBe(true);
    expect(await large.more()).toBe(false);
    expect(await new BodyReader(new OnePiece(async () => Buffer.alloc(0))).wholeUpTo(10)).toHaveLength(0);
    const failing = new BodyReader(new OnePiece(() => Promise.reject(new Error('not verified'))));
    await expect(failing.wholeUpTo(10)).rejects.toThrow('not verified');
    expect(await failing.more()).toBe(false);
  });

  it('tells the source when it leaves early, and not when the source has ended', async () => {
    let left = 0;
    const source = (ends: boolean): AsyncIterable<Buffer> => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => (ends ? { done: true, value: undefined } : { done: false, value: Buffer.alloc(1) }),
        return: async () => {
          left += 1;
          return { done: true, value: undefined };
        },
      }),
    });
    for (const ends of [false, true]) {
      const reader = new BodyReader(source(ends));
      await reader.more();
      reader.leave();
    }
    expect(left).toBe(1);
  });
});

describe('pace of bodies', () => {
  it('ends a slow body only while someone waits for its buffer', async () => {
    const clock = new ManualClock();
    let waiting = 0;
    const judge = new BodyPace(() => waiting, { bytesPerSecondMin: 64 * KIB, graceMs: 5000, clock });
    const hanging = (firstBytes: number): AsyncIterable<Buffer> =>
      (async function* () {
        yield Buffer.alloc(firstBytes);
        await new Promise(() => undefined);
      })();
    const slow = new BodyReader(hanging(10)).fill(Buffer.alloc(2 ** 20), judge);
    const fast = new BodyReader(hanging(2 ** 20)).fill(Buffer.alloc(2 ** 21), judge);
    const outcome: string[] = [];
    slow.catch((error: { code: string }) => outcome.push(error.code));
    fast.catch(() => outcome.push('the fast one'));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(6000);
    judge.judge();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outcome).toEqual([]);
    waiting = 1;
    judge.judge();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outcome).toEqual(['RequestTimeout']);
  });

  it('asks a body for its buffer when others wait and it would be long in filling it, and loses no byte', async () => {
    const clock = new ManualClock();
    let waiting = 0;
    const judge = new BodyPace(() => waiting, { clock });
    let give: (piece: Buffer) => void = () => undefined;
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const target = Buffer.alloc(1000);
    const reader = new BodyReader(
      (async function* () {
        yield Buffer.from('abc');
        yield await new Promise<Buffer>((resolve) => (give = resolve));
        yield Buffer.from('f');
      })(),
    );
    let isOver = false;
    const filling = reader.fill(target, judge).finally(() => (isOver = true));
    await settle();
    clock.advance(400);
    judge.judge();
    waiting = 1;
    judge.judge();
    await settle();
    expect(isOver).toBe(false);
    clock.advance(600);
    waiting = 0;
    judge.judge();
    await settle();
    expect(isOver).toBe(false);
    waiting = 1;
    judge.judge();
    expect(await filling).toBe(3);
    expect(reader.interrupted).toEqual({ ms: 1000, bytes: 3 });
    reader.giveBack(target.subarray(0, 3));
    const more = reader.more();
    give(Buffer.from('de'));
    expect(await more).toBe(true);
    waiting = 0;
    expect(await reader.fill(target, judge)).toBe(6);
    expect(target.toString('latin1', 0, 6)).toBe('abcdef');
    expect([reader.isAtEnd, reader.interrupted, await reader.more()]).toEqual([true, undefined, false]);
  });
});
