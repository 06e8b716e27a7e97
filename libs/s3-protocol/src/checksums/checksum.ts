import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '@holdfast/stdx';
import { crc32c } from './crc32c.js';
import { Crc64Nvme } from './crc64nvme.js';

export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';

export const CHECKSUM_ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

/** Header, trailer and answer carry the value, in base64, under the same name. */
export const CHECKSUM_HEADERS: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: 'x-amz-checksum-crc32',
  CRC32C: 'x-amz-checksum-crc32c',
  CRC64NVME: 'x-amz-checksum-crc64nvme',
  SHA1: 'x-amz-checksum-sha1',
  SHA256: 'x-amz-checksum-sha256',
};

export const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** Incremental: bytes in the order of the object. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  update(bytes: Uint8Array): void;
  /** Big-endian bytes. May be called once; the object takes no more bytes afterwards. */
  digest(): Buffer;
}

class Crc32Checksum implements Checksum {
  private value = 0;
  private done = false;
  constructor(
    readonly algorithm: ChecksumAlgorithm,
    private readonly step: (bytes: Uint8Array, previous: number) => number,
  ) {}
  update(bytes: Uint8Array): void {
    assert(!this.done, 'a checksum takes no bytes after its digest');
    this.value = this.step(bytes, this.value);
  }
  digest(): Buffer {
    assert(!this.done, 'a checksum has one digest');
    this.done = true;
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(this.value, 0);
    return bytes;
  }
}

class Crc64Checksum implements Checksum {
  readonly algorithm = 'CRC64NVME';
  private readonly crc = new Crc64Nvme();
  private done = false;
  update(bytes: Uint8Array): void {
    assert(!this.done, 'a checksum takes no bytes after its digest');
    this.crc.update(bytes);
  }
  digest(): Buffer {
    assert(!this.done, 'a checksum has one digest');
    this.done = true;
    return this.crc.digest();
  }
}

class HashChecksum implements Checksum {
  private readonly hash;
  constructor(
    readonly algorithm: ChecksumAlgorithm,
    hashName: 'sha1' | 'sha256',
  ) {
    this.hash = createHash(hashName);
  }
  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }
  digest(): Buffer {
    return this.hash.digest();
  }
}

export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32Checksum(algorithm, crc32);
    case 'CRC32C':
      return new Crc32Checksum(algorithm, crc32c);
    case 'CRC64NVME':
      return new Crc64Checksum();
    case 'SHA1':
      return new HashChecksum(algorithm, 'sha1');
    case 'SHA256':
      return new HashChecksum(algorithm, 'sha256');
  }
}
