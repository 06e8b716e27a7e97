/** GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d) and generator 2. */
const POLYNOMIAL = 0x11d;

const exponentials = new Uint8Array(510);
const logarithms = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power += 1) {
  exponentials[power] = value;
  exponentials[power + 255] = value;
  logarithms[value] = power;
  value <<= 1;
  if (value >= 256) value ^= POLYNOMIAL;
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : exponentials[logarithms[a] + logarithms[b]];
}

/** The inverse of a value that is not zero. */
export function invert(a: number): number {
  return exponentials[255 - logarithms[a]];
}
