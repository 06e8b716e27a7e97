/**
 * The CRC of two runs of bytes from the CRC of each: appending n bytes multiplies what came before by x^(8n) modulo the
 * polynomial. Polynomials and values are reflected: the highest bit stands for x^0. A product costs one step a bit; powers of x
 * with an exponent of 2^i are kept, so a part of any size costs as many products as its size has bits set.
 */
import { assert } from '@holdfast/stdx';
import type { ChecksumAlgorithm } from './checksum.js';

/** 64 bits as two signed halves: BigInt costs two orders of magnitude. A CRC of 32 bits uses `high` alone. */
interface Polynomial {
  readonly high: number;
  readonly low: number;
}

interface CrcField {
  readonly sizeBytes: 4 | 8;
  readonly polynomial: Polynomial;
  /** At i: x^(2^i). */
  readonly powers: Polynomial[];
}

const ONE: Polynomial = { high: 1 << 31, low: 0 };
const X: Polynomial = { high: 1 << 30, low: 0 };

const FIELDS: Readonly<Partial<Record<ChecksumAlgorithm, CrcField>>> = {
  CRC32: { sizeBytes: 4, polynomial: { high: 0xedb88320, low: 0 }, powers: [X] },
  CRC32C: { sizeBytes: 4, polynomial: { high: 0x82f63b78, low: 0 }, powers: [X] },
  CRC64NVME: { sizeBytes: 8, polynomial: { high: 0x9a6c9329, low: 0xac4bc9b5 }, powers: [X] },
};

/** `a` times `b`, modulo the field's polynomial. */
function product({ sizeBytes, polynomial }: CrcField, a: Polynomial, b: Polynomial): Polynomial {
  const is64 = sizeBytes === 8;
  let { high, low } = b;
  let sumHigh = 0;
  let sumLow = 0;
  for (let bit = 0; bit < sizeBytes * 8; bit += 1) {
    const half = bit < 32 ? a.high : a.low;
    if ((half & (1 << (31 - (bit & 31)))) !== 0) {
      sumHigh ^= high;
      sumLow ^= low;
    }
    // Times x: one place to the right, and what falls off is reduced.
    const carry = (is64 ? low : high) & 1;
    if (is64) low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry !== 0) {
      high ^= polynomial.high;
      low ^= polynomial.low;
    }
  }
  return { high: sumHigh, low: sumLow };
}

/** x^(8 * sizeBytes). */
function shiftBy(field: CrcField, sizeBytes: number): Polynomial {
  let shift = ONE;
  // Three squarings make bits of bytes. The exponent may be longer than 32 bits, so it is halved, not shifted.
  for (let index = 3, left = sizeBytes; left > 0; index += 1, left = Math.floor(left / 2)) {
    while (field.powers.length <= index) {
      const last = field.powers[field.powers.length - 1];
      field.powers.push(product(field, last, last));
    }
    if (left % 2 === 1) shift = product(field, field.powers[index], shift);
  }
  return shift;
}

export interface CrcOfPart {
  /** Big-endian digest of the part's bytes. */
  readonly digest: Buffer;
  readonly sizeBytes: number;
}

/** True for the algorithms whose value of a whole follows from the values of its parts. */
export function isCombinable(algorithm: ChecksumAlgorithm): boolean {
  return FIELDS[algorithm] !== undefined;
}

/** The digest of all parts in their order, without a byte of them. At least one part. */
export function combineCrcs(algorithm: ChecksumAlgorithm, parts: readonly CrcOfPart[]): Buffer {
  const field = FIELDS[algorithm];
  assert(field !== undefined && parts.length > 0, 'only CRCs of parts combine', { algorithm, parts: parts.length });
  const valueOf = ({ digest }: CrcOfPart): Polynomial => {
    assert(digest.length === field.sizeBytes, 'a digest has its length', { algorithm, sizeBytes: digest.length });
    return { high: digest.readInt32BE(0), low: field.sizeBytes === 8 ? digest.readInt32BE(4) : 0 };
  };
  let whole = valueOf(parts[0]);
  let shift = ONE;
  let shiftBytes = 0;
  for (const part of parts.slice(1)) {
    if (part.sizeBytes !== shiftBytes) {
      shift = shiftBy(field, part.sizeBytes);
      shiftBytes = part.sizeBytes;
    }
    const shifted = product(field, shift, whole);
    const added = valueOf(part);
    whole = { high: shifted.high ^ added.high, low: shifted.low ^ added.low };
  }
  const digest = Buffer.allocUnsafe(field.sizeBytes);
  digest.writeInt32BE(whole.high | 0, 0);
  if (field.sizeBytes === 8) digest.writeInt32BE(whole.low | 0, 4);
  return digest;
}
