import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import { CHECKSUM_ALGORITHMS, CHECKSUM_BYTES, CHECKSUM_HEADERS, type ChecksumAlgorithm } from './checksum.js';

/** The one checksum that a client sends with a body: its value is in a header, or will be in a trailer. */
export interface RequestedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly source: 'header' | 'trailer';
  /** Present when `source` is `header`. */
  readonly expected?: Buffer;
}

const ALGORITHM_OF_HEADER: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  CHECKSUM_ALGORITHMS.map((algorithm) => [CHECKSUM_HEADERS[algorithm], algorithm]),
);
/** Headers of the same prefix that carry no value. */
const CHECKSUM_OPTIONS = new Set(['x-amz-checksum-mode', 'x-amz-checksum-algorithm', 'x-amz-checksum-type']);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Bytes of a checksum in base64. BadDigest for what is none too, as ceph/s3-tests has it; AWS says InvalidRequest.
 * @throws HoldfastError BadDigest (not base64, or not the algorithm's length)
 */
export function parseChecksumValue(algorithm: ChecksumAlgorithm, base64: string): Buffer {
  const sizeBytes = CHECKSUM_BYTES[algorithm];
  const bytes =
    base64.length === Math.ceil(sizeBytes / 3) * 4 && BASE64.test(base64) ? Buffer.from(base64, 'base64') : undefined;
  if (bytes?.length !== sizeBytes) {
    throw new HoldfastError('BadDigest', `Value for ${CHECKSUM_HEADERS[algorithm]} is invalid.`);
  }
  return bytes;
}

/** The names that x-amz-trailer announces, lower-case. */
export function announcedTrailers(headers: HeaderList): readonly string[] {
  const names = (headers.joined('x-amz-trailer') ?? '').toLowerCase().split(',');
  return names.map((name) => name.trim()).filter((name) => name !== '');
}

/** An algorithm as clients spell it in x-amz-sdk-checksum-algorithm or x-amz-checksum-algorithm. */
export function checksumAlgorithmOf(headers: HeaderList, headerName: string): ChecksumAlgorithm | undefined {
  const text = headers.get(headerName);
  if (text === undefined) return undefined;
  const algorithm = CHECKSUM_ALGORITHMS.find((candidate) => candidate === text.toUpperCase());
  if (algorithm === undefined) {
    throw new HoldfastError('InvalidRequest', `Value for ${headerName} header is invalid.`);
  }
  return algorithm;
}

/**
 * The checksum that comes with the body, or undefined.
 * @throws HoldfastError InvalidRequest (more than one, an unknown one, none or another where x-amz-sdk-checksum-algorithm names one), BadDigest
 */
export function requestedChecksum(headers: HeaderList): RequestedChecksum | undefined {
  let found: RequestedChecksum | undefined;
  const add = (candidate: RequestedChecksum): void => {
    if (found !== undefined) {
      throw new HoldfastError(
        'InvalidRequest',
        'Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.',
      );
    }
    found = candidate;
  };
  for (const name of headers.names()) {
    if (!name.startsWith('x-amz-checksum-') || CHECKSUM_OPTIONS.has(name)) continue;
    const algorithm = ALGORITHM_OF_HEADER.get(name);
    if (algorithm === undefined)
      throw new HoldfastError('InvalidRequest', `The header ${name} names no known checksum.`);
    for (const value of headers.getAll(name)) {
      add({ algorithm, source: 'header', expected: parseChecksumValue(algorithm, value) });
    }
  }
  if (headers.has('x-amz-trailer')) {
    for (const name of announcedTrailers(headers)) {
      const algorithm = ALGORITHM_OF_HEADER.get(name);
      if (algorithm === undefined) {
        throw new HoldfastError('InvalidRequest', 'The value specified in the x-amz-trailer header is not supported.');
      }
      add({ algorithm, source: 'trailer' });
    }
  }
  const declared = checksumAlgorithmOf(headers, 'x-amz-sdk-checksum-algorithm');
  if (declared === undefined) return found;
  // Clients that send Content-MD5 declare an algorithm beside it.
  if (found === undefined && !headers.has('content-md5')) {
    throw new HoldfastError(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  if (found !== undefined && declared !== found.algorithm) {
    throw new HoldfastError('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
  return found;
}

/**
 * Compares the digest of the bytes received with what the client said.
 * @param trailers lower-case names -> values, complete
 * @throws HoldfastError BadDigest, InvalidRequest (the announced trailer is missing)
 */
export function verifyChecksum(
  requested: RequestedChecksum,
  digest: Buffer,
  trailers: ReadonlyMap<string, string>,
): void {
  let expected = requested.expected;
  if (expected === undefined) {
    const value = trailers.get(CHECKSUM_HEADERS[requested.algorithm]);
    if (value === undefined)
      throw new HoldfastError('InvalidRequest', 'The announced trailing checksum did not arrive.');
    expected = parseChecksumValue(requested.algorithm, value);
  }
  if (!expected.equals(digest)) {
    throw new HoldfastError(
      'BadDigest',
      `The ${requested.algorithm} you specified did not match the calculated checksum.`,
    );
  }
}
