import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CHECKSUM_ALGORITHMS, CHECKSUM_BYTES, createChecksum, type ChecksumAlgorithm } from './checksum.js';

const digest = (algorithm: ChecksumAlgorithm, ...pieces: Uint8Array[]): string => {
  const checksum = createChecksum(algorithm);
  for (const piece of pieces) checksum.update(piece);
  return checksum.digest().toString('hex');
};

/** Bit by bit, from the definition. */
function crcByDefinition(bytes: Uint8Array, reflectedPolynomial: bigint, bits: bigint): string {
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ reflectedPolynomial : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(bits) / 4, '0');
}

describe('createChecksum', () => {
  const check = Buffer.from('123456789');

  it.each([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['SHA1', createHash('sha1').update(check).digest('hex')],
    ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
  ] as const)('%s of the check text is %s', (algorithm, expected) => {
    expect(digest(algorithm, check)).toBe(expected);
  });

  it.each([
    ['CRC32', '00000000'],
    ['CRC32C', '00000000'],
    ['CRC64NVME', '0000000000000000'],
  ] as const)('%s of nothing is %s', (algorithm, expected) => {
    expect(digest(algorithm)).toBe(expected);
  });

  it('the table-driven ones agree with the definition for any bytes, cut anywhere', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
        expect(digest('CRC32', ...pieces)).toBe(crcByDefinition(bytes, 0xedb88320n, 32n));
        expect(digest('CRC32C', ...pieces)).toBe(crcByDefinition(bytes, 0x82f63b78n, 32n));
        expect(digest('CRC64NVME', ...pieces)).toBe(crcByDefinition(bytes, 0x9a6c9329ac4bc9b5n, 64n));
      }),
      { numRuns: 100 },
    );
  });

  it.each(CHECKSUM_ALGORITHMS)('%s has its length, and one digest', (algorithm) => {
    const checksum = createChecksum(algorithm);
    expect(checksum.algorithm).toBe(algorithm);
    expect(checksum.digest()).toHaveLength(CHECKSUM_BYTES[algorithm]);
    expect(() => checksum.digest()).toThrow();
    expect(() => checksum.update(check)).toThrow();
  });
});
