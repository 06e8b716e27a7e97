import { describe, expect, it } from '@jest/globals';
import { SimdKernel, groupMemory, kernelFor } from './galois-kernel.js';
import { isPageAligned } from '@holdfast/stdx';
import { combineByDefinition } from './testing/galois-oracle.js';

/** Reproducible bytes and choices. */
class Dice {
  constructor(private state: number) {}
  next(below: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * below);
  }
  bytes(sizeBytes: number): Buffer {
    return Buffer.from(Uint8Array.from({ length: sizeBytes }, () => this.next(256)));
  }
}

const SIZES = [0, 1, 31, 32, 33, 4095, 4096, 16_383, 16_384, 16_385, 33_001];

function check(kernel: SimdKernel, rows: Uint8Array[], sources: Uint8Array[], targets: Uint8Array[]): void {
  const sizeBytes = targets[0]?.length ?? 0;
  const expected = combineByDefinition(rows, sources, sizeBytes);
  kernel.combine(rows, sources, targets);
  targets.forEach((target, index) => {
    if (Buffer.compare(target, expected[index]) !== 0) throw new Error(`target ${index} of ${sizeBytes} bytes differs`);
  });
}

describe('the kernel of the erasure code', () => {
  it('is equal to the definition for all coefficients', () => {
    const kernel = new SimdKernel();
    const every = Buffer.from(Uint8Array.from({ length: 256 }, (_, value) => value));
    for (let coefficient = 0; coefficient < 256; coefficient += 1) {
      check(kernel, [Uint8Array.of(coefficient)], [every], [Buffer.alloc(256, 0xee)]);
    }
  });

  it('is equal to the definition for any shape, with sources that end early', () => {
    const dice = new Dice(7);
    const kernel = new SimdKernel();
    for (let round = 0; round < 150; round += 1) {
      const k = 1 + dice.next(round < 20 ? 31 : 9);
      const sizeBytes = SIZES[dice.next(SIZES.length)];
      const rowCount = 1 + dice.next(6);
      const ones = dice.next(2) === 0;
      const rows = Array.from({ length: rowCount }, (_, r) =>
        Uint8Array.from({ length: k }, (_unused, j) => (ones && (r === 0 || j === 0) ? 1 : dice.next(256))),
      );
      const sources = Array.from({ length: k }, () =>
        dice.bytes(dice.next(3) > 0 ? sizeBytes : dice.next(sizeBytes + 1)),
      );
      check(
        kernel,
        rows,
        sources,
        rows.map(() => Buffer.alloc(sizeBytes, 0xee)),
      );
    }
  });

  it('works in place on buffers of its own memory, wherever they begin, and writes nothing beside them', () => {
    const dice = new Dice(11);
    const kernel = new SimdKernel(512 * 1024);
    for (let round = 0; round < 60; round += 1) {
      kernel.resident.fill(0x55);
      const sizeBytes = SIZES[dice.next(SIZES.length)];
      let at = dice.next(64);
      const place = (): Uint8Array => {
        const unit = kernel.resident.subarray(at, at + sizeBytes);
        at += sizeBytes + 1 + dice.next(33);
        return unit;
      };
      const sources = Array.from({ length: 4 }, () => {
        const unit = dice.next(8) === 0 ? Buffer.alloc(sizeBytes) : place();
        unit.set(dice.bytes(sizeBytes));
        return unit;
      });
      const rows = [Uint8Array.of(1, 1, 1, 1), Uint8Array.from(dice.bytes(4)).fill(1, 0, 1)];
      const targets = rows.map(place);
      const before = Buffer.from(kernel.resident);
      check(kernel, rows, sources, targets);
      const after = Buffer.from(kernel.resident);
      for (const target of targets) {
        const from = target.byteOffset - kernel.resident.byteOffset;
        before.fill(0, from, from + sizeBytes);
        after.fill(0, from, from + sizeBytes);
      }
      expect(after.equals(before)).toBe(true);
    }
  });

  it('memory for groups begins at a page, and is worked on by the kernel it belongs to', () => {
    const one = groupMemory(100_000);
    const other = groupMemory(100_000);
    expect([one.length, one.every((byte) => byte === 0)]).toEqual([100_000, true]);
    expect(isPageAligned(one.subarray(4096, 8192))).toBe(true);
    expect(isPageAligned(one.subarray(1, 4097))).toBe(false);
    expect(isPageAligned(Buffer.alloc(4096))).toBe(false);
    const kernel = kernelFor([one.subarray(4096, 8192)]);
    expect(kernel.resident.buffer).toBe(one.buffer);
    expect(kernelFor([other])).not.toBe(kernel);
    expect(kernelFor([Buffer.alloc(1)])).toBe(kernelFor([]));
    const source = new Dice(3).bytes(5000);
    source.copy(one, 0);
    check(kernel, [Uint8Array.of(7)], [one.subarray(0, 5000)], [one.subarray(8192, 13_192)]);
  });

  it('refuses rows, sources and targets that do not fit each other', () => {
    const kernel = new SimdKernel();
    const unit = Buffer.alloc(8);
    expect(() => kernel.combine([Uint8Array.of(1)], [unit, unit], [unit])).toThrow('One coefficient per source');
    expect(() => kernel.combine([Uint8Array.of(1)], [unit], [])).toThrow('One row per target');
    expect(() => kernel.combine([Uint8Array.of(1)], [Buffer.alloc(9)], [unit])).toThrow('not longer');
    expect(() => kernel.combine([], [], [])).toThrow('some sources');
    const two = [Uint8Array.of(1), Uint8Array.of(1)];
    expect(() => kernel.combine(two, [unit], [unit, Buffer.alloc(9)])).toThrow('one length');
  });
});
