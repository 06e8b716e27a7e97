import { HoldfastError } from '@holdfast/contracts';
import { percentDecode } from './percent-coding.js';
import { QueryParameters } from './query-parameters.js';

export const KEY_MAX_BYTES = 1024;

/** What the request line names. Nothing here is normalised: `..`, `//` and `.` are parts of a key like any other. */
export interface RequestTarget {
  readonly rawUrl: string;
  /** As sent, except that bytes above 0x7F stand percent-encoded. */
  readonly rawPath: string;
  /** Without the question mark. */
  readonly rawQuery: string;
  readonly bucket?: string;
  /** The same bucket, where the Host names it and the path is all key. */
  readonly hostBucket?: string;
  readonly key?: string;
  readonly query: QueryParameters;
}

/** Request lines are bytes; whoever sends UTF-8 unescaped means (and signs) its escaped form. */
function escapeHighBytes(rawUrl: string): string {
  if (/^[\x21\x22\x24-\x7e]*$/.test(rawUrl)) return rawUrl;
  if (/[^\x21\x22\x24-\x7e\x80-\xff]/.test(rawUrl)) throw new HoldfastError('InvalidURI');
  return rawUrl.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * Splits a request target into bucket (the first raw segment), key (all after the next slash, decoded once) and query. With
 * a bucket that the Host names, the whole path is the key.
 * The bucket's name is not validated here: see `validateBucketName`.
 * @throws HoldfastError InvalidURI, KeyTooLongError, InvalidBucketName (an empty name), InvalidRequest (not in origin form)
 */
export function parseRequestTarget(rawUrl: string, hostBucket?: string): RequestTarget {
  if (!rawUrl.startsWith('/')) {
    throw new HoldfastError(
      'InvalidRequest',
      'The request target must be a path; absolute and authority forms are refused.',
    );
  }
  const escaped = escapeHighBytes(rawUrl);
  const question = escaped.indexOf('?');
  const rawPath = question < 0 ? escaped : escaped.slice(0, question);
  const rawQuery = question < 0 ? '' : escaped.slice(question + 1);
  const target = { rawUrl, rawPath, rawQuery, query: QueryParameters.parse(rawQuery) };
  if (hostBucket !== undefined) return { ...target, ...namesOf(hostBucket, rawPath.slice(1)), hostBucket };
  if (rawPath === '/') return target;
  const slash = rawPath.indexOf('/', 1);
  const bucket = percentDecode(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash));
  return { ...target, ...namesOf(bucket, slash < 0 ? '' : rawPath.slice(slash + 1)) };
}

function namesOf(bucket: string, rawKey: string): { readonly bucket: string; readonly key?: string } {
  // An empty name would read as "no bucket" further on.
  if (bucket === '') throw new HoldfastError('InvalidBucketName', undefined, { BucketName: '' });
  if (rawKey === '') return { bucket };
  const key = percentDecode(rawKey);
  // One character is at most three bytes of UTF-8 (surrogate pairs are two characters and four bytes).
  if (key.length * 3 > KEY_MAX_BYTES) {
    const sizeBytes = Buffer.byteLength(key);
    if (sizeBytes > KEY_MAX_BYTES) {
      throw new HoldfastError('KeyTooLongError', undefined, {
        Size: String(sizeBytes),
        MaxSizeAllowed: String(KEY_MAX_BYTES),
      });
    }
  }
  return { bucket, key };
}
