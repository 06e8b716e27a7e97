// Bodies that can be made again from a few numbers: a slice of one pool of random bytes with the attempt's number in
// front, so that no two attempts have the same body and a wrong body can be taken apart.
import { createHash } from 'node:crypto';

const MIB = 1024 * 1024;
const poolBytes = 24 * MIB;
const stampBytes = 16;

/** mulberry32: a generator of numbers from 0 to 1 that begins the same with the same seed. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export class Bodies {
  #pool = Buffer.allocUnsafe(poolBytes);
  #number = 0;

  constructor(random) {
    const block = Buffer.allocUnsafe(65_536);
    for (let at = 0; at < block.length; at += 4) block.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
    for (let at = 0; at < poolBytes; at += block.length) {
      block.copy(this.#pool, at);
      this.#pool.writeUInt32LE(at, at);
    }
  }

  /** What a new body is made from. */
  recipe(sizeBytes, random) {
    this.#number += 1;
    return { number: this.#number, sizeBytes, from: Math.floor(random() * (poolBytes - sizeBytes)) };
  }

  make({ number, sizeBytes, from }) {
    const body = Buffer.from(this.#pool.subarray(from, from + sizeBytes));
    const stamp = Buffer.from(`attempt ${number}`.padEnd(stampBytes).slice(0, stampBytes));
    stamp.copy(body, 0, 0, Math.min(stampBytes, sizeBytes));
    return body;
  }

  /** Where a wrong body begins to differ from one that was sent, in words. */
  difference(found, recipe) {
    const sent = this.make(recipe);
    const shared = Math.min(found.length, sent.length);
    let at = 0;
    while (at < shared && found[at] === sent[at]) at += 1;
    if (at === shared && found.length === sent.length) return `equal to attempt ${recipe.number}`;
    return `${found.length} bytes; attempt ${recipe.number} has ${sent.length}; the first ${at} are equal`;
  }
}
