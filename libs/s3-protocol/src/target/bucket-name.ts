import { HoldfastError } from '@holdfast/contracts';

const ALLOWED = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const LOOKS_LIKE_IPV4 = /^\d+\.\d+\.\d+\.\d+$/;
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];
/** Paths of health checks that other stores taught their users. */
const RESERVED_NAMES = new Set(['minio']);

/**
 * The rules for names of general purpose buckets: 3 to 63 of a-z 0-9 . - with a letter or digit at both ends.
 * @throws HoldfastError InvalidBucketName
 */
export function validateBucketName(name: string): void {
  const valid =
    ALLOWED.test(name) &&
    !name.includes('..') &&
    !LOOKS_LIKE_IPV4.test(name) &&
    !RESERVED_NAMES.has(name) &&
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix));
  if (!valid) throw new HoldfastError('InvalidBucketName', undefined, { BucketName: name.slice(0, 256) });
}
