/**
 * AssemblyScript: the loops of the erasure code over GF(2^8), 128 bits at a time.
 *
 * A product by a constant is two look-ups of 16 bytes, by the low and by the high half of each byte (a shuffle is such a
 * look-up), so a coefficient is a pair of tables of 16 bytes. Every function makes `rows` targets in one reading of k
 * sources. Layout of its arguments in memory, made by galois-kernel.ts:
 *   sources: k addresses, u32; targets: one address a row, u32; tables: for each source, for each row that has a table, 32
 *   bytes. `bytes` is a multiple of 32. Nothing needs to be aligned.
 */

// Masks of the shuffle are below 16 here, where the relaxed form and the other one agree.
@inline
function product(low: v128, high: v128, table: usize): v128 {
  return v128.xor(i8x16.relaxed_swizzle(v128.load(table), low), i8x16.relaxed_swizzle(v128.load(table, 16), high));
}

@inline
function lowHalves(value: v128): v128 {
  return v128.and(value, i8x16.splat(15));
}

@inline
function highHalves(value: v128): v128 {
  return v128.and(i16x8.shr_u(value, 4), i8x16.splat(15));
}

/**
 * `ones`: the first target is the plain sum of the sources, and the first source enters every target as it is (the shape of
 * the parity matrix); it has no tables then. `tabled` further rows have one table a source each; at most 3.
 */
@inline
function combine(ones: bool, tabled: u32, k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  let target = targets;
  const sum: usize = ones ? <usize>load<u32>(target) : 0;
  if (ones) target += 4;
  const first: usize = tabled > 0 ? <usize>load<u32>(target) : 0;
  const second: usize = tabled > 1 ? <usize>load<u32>(target, 4) : 0;
  const third: usize = tabled > 2 ? <usize>load<u32>(target, 8) : 0;
  const end = sources + (<usize>k << 2);
  for (let at: usize = 0; at < <usize>bytes; at += 32) {
    let s0 = i64x2.splat(0);
    let s1 = i64x2.splat(0);
    let next = sources;
    if (ones) {
      const here = <usize>load<u32>(next) + at;
      s0 = v128.load(here);
      s1 = v128.load(here, 16);
      next += 4;
    }
    let a0 = s0;
    let a1 = s1;
    let b0 = s0;
    let b1 = s1;
    let c0 = s0;
    let c1 = s1;
    let table = tables;
    for (; next < end; next += 4) {
      const here = <usize>load<u32>(next) + at;
      const x = v128.load(here);
      const y = v128.load(here, 16);
      if (ones) {
        s0 = v128.xor(s0, x);
        s1 = v128.xor(s1, y);
      }
      if (tabled == 0) continue;
      const xLow = lowHalves(x);
      const xHigh = highHalves(x);
      const yLow = lowHalves(y);
      const yHigh = highHalves(y);
      a0 = v128.xor(a0, product(xLow, xHigh, table));
      a1 = v128.xor(a1, product(yLow, yHigh, table));
      if (tabled > 1) {
        b0 = v128.xor(b0, product(xLow, xHigh, table + 32));
        b1 = v128.xor(b1, product(yLow, yHigh, table + 32));
      }
      if (tabled > 2) {
        c0 = v128.xor(c0, product(xLow, xHigh, table + 64));
        c1 = v128.xor(c1, product(yLow, yHigh, table + 64));
      }
      table += tabled << 5;
    }
    if (ones) {
      v128.store(sum + at, s0);
      v128.store(sum + at, s1, 16);
    }
    if (tabled > 0) {
      v128.store(first + at, a0);
      v128.store(first + at, a1, 16);
    }
    if (tabled > 1) {
      v128.store(second + at, b0);
      v128.store(second + at, b1, 16);
    }
    if (tabled > 2) {
      v128.store(third + at, c0);
      v128.store(third + at, c1, 16);
    }
  }
}

export function ones0(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(true, 0, k, sources, targets, tables, bytes);
}
export function ones1(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(true, 1, k, sources, targets, tables, bytes);
}
export function ones2(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(true, 2, k, sources, targets, tables, bytes);
}
export function ones3(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(true, 3, k, sources, targets, tables, bytes);
}
export function rows1(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(false, 1, k, sources, targets, tables, bytes);
}
export function rows2(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(false, 2, k, sources, targets, tables, bytes);
}
export function rows3(k: u32, sources: usize, targets: usize, tables: usize, bytes: u32): void {
  combine(false, 3, k, sources, targets, tables, bytes);
}
