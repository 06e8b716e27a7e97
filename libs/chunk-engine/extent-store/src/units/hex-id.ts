/** Ids of 16 bytes, written as 32 lower-case hexadecimal digits. Loops of their own: calls into the runtime cost more. */
const DIGITS = '0123456789abcdef';
const NO_DIGIT = 255;
const VALUES = new Uint8Array(128).fill(NO_DIGIT);
for (let value = 0; value < DIGITS.length; value += 1) VALUES[DIGITS.charCodeAt(value)] = value;

export const ID_BYTES = 16;

export function isHexId(text: string): boolean {
  if (text.length !== 2 * ID_BYTES) return false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= VALUES.length || VALUES[code] === NO_DIGIT) return false;
  }
  return true;
}

/** Writes the bytes of an id, which was checked, to `target`. */
export function putHexId(target: Buffer, at: number, text: string): void {
  for (let index = 0; index < ID_BYTES; index += 1)
    target[at + index] = (VALUES[text.charCodeAt(2 * index)] << 4) | VALUES[text.charCodeAt(2 * index + 1)];
}
