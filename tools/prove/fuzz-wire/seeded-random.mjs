// Every input is made from the proof's seed, the name of its target and its number alone, so that one can be made again.
import { seededRandom } from '../kill-one/bodies.mjs';

function hash(text) {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  return state >>> 0;
}

/** Draws for one input. */
export class Draw {
  #next;
  constructor(seed, target, input) {
    this.#next = seededRandom(hash(`${seed} ${target} ${input}`));
    for (let warm = 0; warm < 3; warm += 1) this.#next();
  }

  /** 0 to 1, without 1. */
  fraction() {
    return this.#next();
  }

  /** 0 to `count` - 1. */
  below(count) {
    return Math.floor(this.#next() * count);
  }

  /** `from` to `to`, both included. */
  between(from, to) {
    return from + this.below(to - from + 1);
  }

  chance(probability) {
    return this.#next() < probability;
  }

  of(choices) {
    return choices[this.below(choices.length)];
  }

  /** 0 to `most` results of `make`. */
  several(most, make) {
    return Array.from({ length: this.below(most + 1) }, make);
  }

  shuffled(list) {
    const left = [...list];
    const shuffled = [];
    while (left.length > 0) shuffled.push(...left.splice(this.below(left.length), 1));
    return shuffled;
  }
}
