import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { createChecksum, type ChecksumAlgorithm } from './checksum.js';
import { combineCrcs } from './crc-combine.js';
import {
  checksumTypeOf,
  claimedObjectChecksum,
  objectChecksumValue,
  uploadChecksumOf,
  verifyObjectChecksum,
  type ClaimedChecksum,
} from './upload-checksum.js';

const CRCS = ['CRC32', 'CRC32C', 'CRC64NVME'] as const;
const headersOf = (headers: Record<string, string>): HeaderList => HeaderList.from(headers);
const digestOf = (algorithm: ChecksumAlgorithm, bytes: Buffer): Buffer => {
  const checksum = createChecksum(algorithm);
  checksum.update(bytes);
  return checksum.digest();
};
/** Small, fast, the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the CRC of a whole from its parts', () => {
  it.each(CRCS)('%s: any bytes cut anywhere, empty parts too, give the CRC of all of them', (algorithm) => {
    const next = random(7);
    for (let round = 0; round < 200; round += 1) {
      const whole = Buffer.from(Array.from({ length: Math.floor(next() * 3000) }, () => Math.floor(next() * 256)));
      const cuts = Array.from({ length: Math.floor(next() * 6) }, () => Math.floor(next() * (whole.length + 1)));
      const places = [0, ...cuts.sort((a, b) => a - b), whole.length];
      const parts = places.slice(1).map((end, index) => whole.subarray(places[index], end));
      const combined = combineCrcs(
        algorithm,
        parts.map((part) => ({ digest: digestOf(algorithm, part), sizeBytes: part.length })),
      );
      expect(combined.toString('hex')).toBe(digestOf(algorithm, whole).toString('hex'));
    }
  });

  it.each(CRCS)('%s: beyond 4 GiB four parts at once give what two of twice the size give', (algorithm) => {
    let part = { digest: digestOf(algorithm, Buffer.from('abcde')), sizeBytes: 5 };
    while (part.sizeBytes < 2 ** 40) {
      const double = { digest: combineCrcs(algorithm, [part, part]), sizeBytes: part.sizeBytes * 2 };
      const four = combineCrcs(algorithm, [part, part, part, part]);
      expect(combineCrcs(algorithm, [double, double])).toEqual(four);
      part = double;
    }
  });

  it('10,000 parts of different sizes combine in well under a second', () => {
    const parts = Array.from({ length: 10_000 }, (_, index) => ({
      digest: digestOf('CRC64NVME', Buffer.from(`part ${index}`)),
      sizeBytes: 5 * 2 ** 30 - index,
    }));
    const beganMs = performance.now();
    combineCrcs('CRC64NVME', parts);
    expect(performance.now() - beganMs).toBeLessThan(1000);
  });
});

describe('the checksum of a multipart object', () => {
  it('full-object for CRCs alone, composite for all but CRC-64/NVME; the default is the one that S3 takes', () => {
    const ask = (algorithm?: string, type?: string) =>
      uploadChecksumOf(
        headersOf({
          ...(algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm }),
          ...(type === undefined ? {} : { 'x-amz-checksum-type': type }),
        }),
      );
    expect(ask()).toBeUndefined();
    for (const algorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'])
      expect(ask(algorithm.toLowerCase())).toEqual({ algorithm, type: 'COMPOSITE' });
    expect(ask('CRC64NVME')).toEqual({ algorithm: 'CRC64NVME', type: 'FULL_OBJECT' });
    for (const algorithm of CRCS) expect(ask(algorithm, 'full_object')).toEqual({ algorithm, type: 'FULL_OBJECT' });
    for (const [algorithm, type] of [
      ['SHA1', 'FULL_OBJECT'],
      ['SHA256', 'FULL_OBJECT'],
      ['CRC64NVME', 'COMPOSITE'],
      ['CRC32', 'WHOLE'],
      ['CRC16', undefined],
      [undefined, 'FULL_OBJECT'],
    ])
      expect(() => ask(algorithm, type)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    expect(checksumTypeOf(headersOf({}))).toBeUndefined();
  });

  it('a composite is the checksum of the raw part checksums, with their number behind it', () => {
    const bodies = ['one', 'two', 'three'].map((text) => Buffer.from(text));
    const digests = bodies.map((body) => digestOf('SHA256', body));
    const parts = digests.map((digest, index) => ({
      value: digest.toString('base64'),
      sizeBytes: bodies[index].length,
    }));
    const checksum = { algorithm: 'SHA256', type: 'COMPOSITE' } as const;
    const value = objectChecksumValue(checksum, parts);
    expect(value).toBe(`${digestOf('SHA256', Buffer.concat(digests)).toString('base64')}-3`);
    const claimOf = (name: string, text: string): ClaimedChecksum => {
      const claimed = claimedObjectChecksum(headersOf({ [`x-amz-checksum-${name}`]: text }));
      if (claimed === undefined) throw new Error('nothing was claimed');
      return claimed;
    };
    const claim = (text: string): ClaimedChecksum => claimOf('sha256', text);
    expect(() => verifyObjectChecksum(claim(value), checksum, value)).not.toThrow();
    expect(() => verifyObjectChecksum(claim(value.slice(0, -2)), checksum, value)).not.toThrow();
    const badDigest = expect.objectContaining({ code: 'BadDigest' });
    expect(() => verifyObjectChecksum(claim(`${value.slice(0, -1)}2`), checksum, value)).toThrow(badDigest);
    expect(() => verifyObjectChecksum(claim(parts[0].value), checksum, value)).toThrow(badDigest);
    for (const broken of ['bad', '', `${value}-1`, `${value}x`]) expect(() => claim(broken)).toThrow(badDigest);
    const other = claimOf('crc32', 'AAAAAA==');
    expect(() => verifyObjectChecksum(other, checksum, value)).toThrow(
      expect.objectContaining({ code: 'InvalidRequest' }),
    );
    const two = headersOf({ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' });
    expect(() => claimedObjectChecksum(two)).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    expect(claimedObjectChecksum(headersOf({ 'x-amz-checksum-type': 'COMPOSITE' }))).toBeUndefined();
  });
});
