import { HoldfastError } from '@holdfast/contracts';
import { evaluateReadConditions, type ObjectState } from '../conditions/conditions.js';
import { validateBucketName } from '../target/bucket-name.js';
import { percentDecode } from '../target/percent-coding.js';
import { KEY_MAX_BYTES } from '../target/request-target.js';
import { HeaderList } from './header-list.js';
import { textOfHeader } from './header-value.js';

/** What a copy reads. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  /** As named, unchecked. */
  readonly versionId?: string;
}

/** Both ends are included; not yet held against the size of the source. */
export interface CopyRange {
  readonly first: number;
  readonly last: number;
}

const VERSION_MARK = '?versionId=';
// Bounded digits: the longest object needs 13.
const EXACT_RANGE = /^bytes=(\d{1,20})-(\d{1,20})$/;
const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;

/**
 * `bucket/key`, with or without a slash in front, percent-encoded once or not at all, and after it `?versionId=ID`. Any other
 * question mark, and every plus sign, belongs to the key. Undefined without the header.
 * @throws HoldfastError InvalidArgument, InvalidBucketName, KeyTooLongError
 */
export function parseCopySource(headers: HeaderList): CopySource | undefined {
  const header = headers.get('x-amz-copy-source');
  if (header === undefined) return undefined;
  const marked = header.lastIndexOf(VERSION_MARK);
  const path = decoded(marked < 0 ? header : header.slice(0, marked));
  const start = path.startsWith('/') ? 1 : 0;
  const slash = path.indexOf('/', start);
  if (slash < 0 || slash === path.length - 1) throw refusal(header, 'Invalid copy source object key');
  const bucket = path.slice(start, slash);
  if (bucket.startsWith('arn:')) throw refusal(header, 'Copying from an access point is not implemented.');
  validateBucketName(bucket);
  const key = path.slice(slash + 1);
  if (Buffer.byteLength(key) > KEY_MAX_BYTES) {
    throw new HoldfastError('KeyTooLongError', undefined, {
      Size: String(Buffer.byteLength(key)),
      MaxSizeAllowed: String(KEY_MAX_BYTES),
    });
  }
  if (marked < 0) return { bucket, key };
  return { bucket, key, versionId: decoded(header.slice(marked + VERSION_MARK.length)) };
}

/** A header is bytes: UTF-8, escaped or not. A percent sign that escapes nothing stands for itself. */
function decoded(header: string): string {
  const text = textOfHeader(header);
  if (text === undefined) throw refusal(header, 'Invalid copy source encoding.');
  try {
    return percentDecode(text);
  } catch (cause) {
    // Escaped bytes that are no UTF-8, or a NUL, are no key in any reading.
    if (/%[0-9a-f]{2}/i.test(text)) throw refusal(header, 'Invalid copy source encoding.', cause);
    return text;
  }
}

function refusal(value: string, message: string, cause?: unknown): HoldfastError {
  const details = { ArgumentName: 'x-amz-copy-source', ArgumentValue: value.slice(0, 128) };
  return new HoldfastError('InvalidArgument', message, details, cause === undefined ? undefined : { cause });
}

/**
 * The bytes of the source that UploadPartCopy takes: exactly `bytes=first-last`. Undefined without the header.
 * @throws HoldfastError InvalidArgument
 */
export function parseCopyRange(headers: HeaderList): CopyRange | undefined {
  const header = headers.get('x-amz-copy-source-range');
  if (header === undefined) return undefined;
  const [, first, last] = EXACT_RANGE.exec(header) ?? [];
  if (first === undefined || Number(first) > Number(last)) {
    throw new HoldfastError(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based ' +
        'offsets of the first and last bytes to copy',
      { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header.slice(0, 128) },
    );
  }
  return { first: Number(first), last: Number(last) };
}

/** Whether the x-amz-copy-source-if-… headers let this state be copied. What a GET answers 304 is 412 here. */
export function copyConditionsHold(headers: HeaderList, state: ObjectState): boolean {
  const asked: Record<string, string> = {};
  for (const name of CONDITIONS) {
    const value = headers.joined(`x-amz-copy-source-${name}`);
    if (value !== undefined) asked[name] = value;
  }
  return evaluateReadConditions(HeaderList.from(asked), state) === 'proceed';
}
