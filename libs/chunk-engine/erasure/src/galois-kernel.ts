/**
 * The hot loop of the erasure code: target = sum of coefficient * source over GF(2^8), for byte columns.
 *
 * Works in slices that stay in the first-level cache. Aligned buffers are read as 32-bit words where they lie; others
 * go through an aligned scratch slice. A coefficient other than 0 and 1 has a table of the products of all 16-bit
 * words (128 KiB, made on first use): two look-ups multiply four bytes.
 */
import { assert } from '@holdfast/stdx';
import { multiply } from './galois-field.js';

/** Adds `coefficients[j] * sources[j]` over all j into a target; the seam where another kernel can take over. */
export interface GaloisKernel {
  /** Overwrites all of `target`; sources may be shorter than it and are read as if zeros followed. */
  combine(coefficients: Uint8Array, sources: readonly Uint8Array[], target: Uint8Array): void;
}

const SLICE_BYTES = 16 * 1024;
const tables: (Uint16Array | undefined)[] = [];

function productsOf(coefficient: number): Uint16Array {
  const known = tables[coefficient];
  if (known !== undefined) return known;
  const table = new Uint16Array(65_536);
  const bytes = Uint16Array.from({ length: 256 }, (_, value) => multiply(coefficient, value));
  for (let word = 0; word < 65_536; word += 1) table[word] = bytes[word & 255] | (bytes[word >>> 8] << 8);
  tables[coefficient] = table;
  return table;
}

function xorWords(source: Int32Array, target: Int32Array, count: number): void {
  for (let index = 0; index < count; index += 1) target[index] ^= source[index];
}

function xorTwo(one: Int32Array, two: Int32Array, target: Int32Array, count: number): void {
  for (let index = 0; index < count; index += 1) target[index] ^= one[index] ^ two[index];
}

function multiplyWords(table: Uint16Array, source: Int32Array, target: Int32Array, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const word = source[index];
    target[index] ^= table[word & 0xffff] | (table[word >>> 16] << 16);
  }
}

/** A source or target as words: in place where it is aligned, through `scratch` where it is not. */
class WordSlices {
  private readonly aligned: Int32Array | undefined;
  private readonly scratchWords = new Int32Array(SLICE_BYTES / 4);
  private readonly scratchBytes = new Uint8Array(this.scratchWords.buffer);
  constructor(private readonly bytes: Uint8Array) {
    if (bytes.byteOffset % 4 === 0) this.aligned = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  }
  /** The words of [from, to), zeros after the end of the bytes. */
  load(from: number, to: number): Int32Array {
    const end = Math.min(to, this.bytes.length);
    if (this.aligned !== undefined && (end & 3) === 0) return this.aligned.subarray(from >> 2, end >> 2);
    const sizeBytes = end - from;
    this.scratchBytes.set(this.bytes.subarray(from, end));
    this.scratchBytes.fill(0, sizeBytes, (sizeBytes + 3) & ~3);
    return this.scratchWords.subarray(0, (sizeBytes + 3) >> 2);
  }
  /** Puts changed words back where `load` had to copy them. */
  store(words: Int32Array, from: number, to: number): void {
    if (words.buffer === this.scratchBytes.buffer) this.bytes.set(this.scratchBytes.subarray(0, to - from), from);
  }
}

function combine(coefficients: Uint8Array, sources: readonly Uint8Array[], target: Uint8Array): void {
  assert(coefficients.length === sources.length, 'One coefficient per source');
  for (const source of sources) assert(source.length <= target.length, 'A source is not longer than the target');
  const inputs = sources.map((source) => new WordSlices(source));
  const output = new WordSlices(target);
  for (let from = 0; from < target.length; from += SLICE_BYTES) {
    const to = Math.min(target.length, from + SLICE_BYTES);
    const words = output.load(from, to);
    words.fill(0);
    let waiting: Int32Array | undefined;
    for (let index = 0; index < sources.length; index += 1) {
      const coefficient = coefficients[index];
      if (coefficient === 0 || sources[index].length <= from) continue;
      const input = inputs[index].load(from, to);
      if (coefficient !== 1) multiplyWords(productsOf(coefficient), input, words, input.length);
      else if (waiting === undefined) waiting = input;
      else {
        const both = Math.min(waiting.length, input.length);
        xorTwo(waiting, input, words, both);
        xorRest(waiting, words, both);
        xorRest(input, words, both);
        waiting = undefined;
      }
    }
    if (waiting !== undefined) xorWords(waiting, words, waiting.length);
    output.store(words, from, to);
  }
}

function xorRest(source: Int32Array, target: Int32Array, done: number): void {
  for (let index = done; index < source.length; index += 1) target[index] ^= source[index];
}

export const scalarKernel: GaloisKernel = { combine };
