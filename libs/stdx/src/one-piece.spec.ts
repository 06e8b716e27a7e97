import { expect, it } from '@jest/globals';
import { OnePiece } from './one-piece.js';

async function pieces(stream: AsyncIterable<Buffer>): Promise<string[]> {
  const texts: string[] = [];
  for await (const piece of stream) texts.push(piece.toString());
  return texts;
}

it('gives what is made once, at the first pull', async () => {
  let made = 0;
  const stream = new OnePiece(async () => Buffer.from(`made ${(made += 1)}`));
  expect(made).toBe(0);
  expect(await pieces(stream)).toEqual(['made 1']);
  expect(await pieces(stream)).toEqual([]);
});

it('gives no piece when there are no bytes, and none after it was left', async () => {
  expect(await pieces(new OnePiece(async () => Buffer.alloc(0)))).toEqual([]);
  const left = new OnePiece(async () => Buffer.from('x'));
  await left.return();
  expect(await pieces(left)).toEqual([]);
});

it('gives the whole to who asks for it, and then no piece', async () => {
  const asked = new OnePiece(async () => Buffer.from('x'));
  expect((await asked.whole()).toString()).toBe('x');
  expect(await pieces(asked)).toEqual([]);
});

it('hands an error on', async () => {
  const failed = new OnePiece(() => Promise.reject(new Error('not made')));
  await expect(pieces(failed)).rejects.toThrow('not made');
});
