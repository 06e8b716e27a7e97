/**
 * The erasure code by its definition, byte by byte, without a table: what the kernel is held against. Imports nothing, so
 * that the proof of `erasure-patterns` reads this very file.
 */

/** In GF(2^8) with the polynomial 0x11d: shift, add, reduce. */
export function multiplySlowly(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit += 1) if ((b >> bit) & 1) product ^= a << bit;
  for (let bit = 15; bit >= 8; bit -= 1) if ((product >> bit) & 1) product ^= 0x11d << (bit - 8);
  return product;
}

function invertSlowly(a: number): number {
  for (let candidate = 1; candidate < 256; candidate += 1) if (multiplySlowly(a, candidate) === 1) return candidate;
  throw new Error('zero has no inverse');
}

/** Of 256 products each: the definition, once. */
const products = Array.from({ length: 256 }, (_, a) =>
  Uint8Array.from({ length: 256 }, (_unused, b) => multiplySlowly(a, b)),
);

/**
 * The m parity units of k data units as FORMAT and formats.md describe them: rows 1 / (i + (m + j)), scaled so that the first
 * row and the first column are ones. Short data units are followed by zeros.
 */
export function parityByDefinition(data: readonly Uint8Array[], m: number, sizeBytes: number): Uint8Array[] {
  const k = data.length;
  const raw = (i: number, j: number): number => invertSlowly(i ^ (m + j));
  const scaled = (i: number, j: number): number => products[raw(i, j)][invertSlowly(raw(0, j))];
  return Array.from({ length: m }, (_, i) => {
    const row = data.map((_unit, j) => products[scaled(i, j)][invertSlowly(scaled(i, 0))]);
    const parity = new Uint8Array(sizeBytes);
    for (let j = 0; j < k; j += 1) {
      const product = products[row[j]];
      for (let at = 0; at < data[j].length; at += 1) parity[at] ^= product[data[j][at]];
    }
    return parity;
  });
}

/** Targets of a kernel by the definition. */
export function combineByDefinition(
  rows: readonly Uint8Array[],
  sources: readonly Uint8Array[],
  sizeBytes: number,
): Uint8Array[] {
  return rows.map((row) => {
    const target = new Uint8Array(sizeBytes);
    sources.forEach((source, j) => source.forEach((value, at) => (target[at] ^= products[row[j]][value])));
    return target;
  });
}
