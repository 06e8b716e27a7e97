import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { createChecksum } from './checksum.js';
import { checksumAlgorithmOf, parseChecksumValue, requestedChecksum, verifyChecksum } from './requested-checksum.js';

const code = (name: string) => expect.objectContaining({ code: name });
const request = (record: Record<string, string | string[]>) => requestedChecksum(HeaderList.from(record));
const CRC32_OF_CHECK = 'y/Q5Jg==';

function digestOf(text: string): Buffer {
  const checksum = createChecksum('CRC32');
  checksum.update(Buffer.from(text));
  return checksum.digest();
}

describe('requestedChecksum', () => {
  it('finds the value in a header', () => {
    expect(request({ 'x-amz-checksum-crc32': CRC32_OF_CHECK, 'x-amz-sdk-checksum-algorithm': 'CRC32' })).toEqual({
      algorithm: 'CRC32',
      source: 'header',
      expected: Buffer.from('cbf43926', 'hex'),
    });
  });

  it('finds the announcement of a trailer', () => {
    expect(request({ 'x-amz-trailer': 'X-Amz-Checksum-CRC64NVME' })).toEqual({
      algorithm: 'CRC64NVME',
      source: 'trailer',
    });
  });

  it('without either there is none', () => {
    expect(request({})).toBeUndefined();
    const md5 = '1B2M2Y8AsgTpgAmY7PhCfg==';
    expect(request({ 'x-amz-sdk-checksum-algorithm': 'CRC32', 'content-md5': md5 })).toBeUndefined();
    expect(request({ 'x-amz-checksum-algorithm': 'SHA256', 'x-amz-checksum-type': 'COMPOSITE' })).toBeUndefined();
  });

  it.each([
    [{ 'x-amz-checksum-crc32': CRC32_OF_CHECK, 'x-amz-checksum-crc32c': 'AAAAAA==' }],
    [{ 'x-amz-checksum-crc32': [CRC32_OF_CHECK, CRC32_OF_CHECK] }],
    [{ 'x-amz-checksum-crc32': CRC32_OF_CHECK, 'x-amz-trailer': 'x-amz-checksum-crc32' }],
    [{ 'x-amz-checksum-md9': CRC32_OF_CHECK }],
    [{ 'x-amz-trailer': 'x-amz-meta-a' }],
    [{ 'x-amz-checksum-crc32': CRC32_OF_CHECK, 'x-amz-sdk-checksum-algorithm': 'SHA1' }],
    [{ 'x-amz-sdk-checksum-algorithm': 'MD5' }],
    [{ 'x-amz-sdk-checksum-algorithm': 'SHA256' }],
    [{ 'x-amz-sdk-checksum-algorithm': 'CRC32', 'x-amz-checksum-mode': 'ENABLED' }],
  ])('refuses %j', (record) => {
    expect(() => request(record as Record<string, string>)).toThrow(code('InvalidRequest'));
  });

  it.each(['', 'bad', 'AAAA', 'AAAAAA', 'AAAAAA==AA', 'AAAAA_==', 'AAAAAAAA'])(
    'seed-1.1: %j is no CRC32: BadDigest',
    (value) => {
      expect(() => parseChecksumValue('CRC32', value)).toThrow(code('BadDigest'));
      expect(() => request({ 'x-amz-checksum-crc32': value })).toThrow(code('BadDigest'));
    },
  );

  it('reads the algorithm of an upload in any case', () => {
    const headers = HeaderList.from({ 'x-amz-checksum-algorithm': 'crc32c' });
    expect(checksumAlgorithmOf(headers, 'x-amz-checksum-algorithm')).toBe('CRC32C');
    expect(checksumAlgorithmOf(headers, 'x-amz-sdk-checksum-algorithm')).toBeUndefined();
  });
});

describe('verifyChecksum', () => {
  const none = new Map<string, string>();

  it('accepts the right value and refuses another, from the header', () => {
    const requested = request({ 'x-amz-checksum-crc32': CRC32_OF_CHECK });
    if (requested === undefined) throw new Error('no checksum');
    expect(() => verifyChecksum(requested, digestOf('123456789'), none)).not.toThrow();
    expect(() => verifyChecksum(requested, digestOf('123456780'), none)).toThrow(code('BadDigest'));
  });

  it('accepts the right value and refuses another, from the trailer', () => {
    const requested = { algorithm: 'CRC32', source: 'trailer' } as const;
    const trailers = new Map([['x-amz-checksum-crc32', CRC32_OF_CHECK]]);
    expect(() => verifyChecksum(requested, digestOf('123456789'), trailers)).not.toThrow();
    expect(() => verifyChecksum(requested, digestOf('x'), trailers)).toThrow(code('BadDigest'));
    expect(() => verifyChecksum(requested, digestOf('123456789'), none)).toThrow(code('InvalidRequest'));
    const broken = new Map([['x-amz-checksum-crc32', '?']]);
    expect(() => verifyChecksum(requested, digestOf('123456789'), broken)).toThrow(code('BadDigest'));
  });
});
