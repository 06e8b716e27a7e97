import { HoldfastError } from '@holdfast/contracts';
import type { QueryParameters } from '../target/query-parameters.js';
import type { HeaderList } from './header-list.js';
import { headerValueOf, refuseControlCharacters } from './header-value.js';

export type StandardHeaderName =
  'content-type' | 'cache-control' | 'content-disposition' | 'content-encoding' | 'content-language' | 'expires';

export const STANDARD_HEADER_NAMES: readonly StandardHeaderName[] = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];

/** Names (without the prefix) and values together. */
export const USER_METADATA_MAX_BYTES = 2048;
/** Values together: all of them come back with every GET, in a header section that clients bound as well. */
export const STANDARD_HEADERS_MAX_BYTES = 8192;
const USER_METADATA_PREFIX = 'x-amz-meta-';

/** What a PUT stores beside the bytes. `standard` has lower-case header names; `user` has names without `x-amz-meta-`. */
export interface ObjectHeaders {
  readonly standard: Readonly<Partial<Record<StandardHeaderName, string>>>;
  readonly user: Readonly<Record<string, string>>;
}

const RESPONSE_OVERRIDES = [
  'response-content-type',
  'response-content-language',
  'response-expires',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
] as const;

/** `aws-chunked` describes the transfer, not the object; what is left is stored, and nothing when nothing is left. */
function storedContentEncoding(value: string): string | undefined {
  if (!value.toLowerCase().includes('aws-chunked')) return value === '' ? undefined : value;
  const codings = value
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked');
  return codings.length === 0 ? undefined : codings.join(', ');
}

/**
 * The headers that a PUT, copy or create-upload stores. Values stay byte strings.
 * @throws HoldfastError MetadataTooLarge, RequestHeaderSectionTooLarge, InvalidArgument (control characters)
 */
export function extractObjectHeaders(headers: HeaderList): ObjectHeaders {
  const standard: Partial<Record<StandardHeaderName, string>> = {};
  let standardBytes = 0;
  for (const name of STANDARD_HEADER_NAMES) {
    const value = headers.joined(name);
    if (value === undefined) continue;
    refuseControlCharacters(name, value);
    standardBytes += value.length;
    if (standardBytes > STANDARD_HEADERS_MAX_BYTES) throw new HoldfastError('RequestHeaderSectionTooLarge');
    const stored = name === 'content-encoding' ? storedContentEncoding(value) : value;
    if (stored !== undefined) standard[name] = stored;
  }
  // Without a prototype, so that a header named `x-amz-meta-__proto__` is a name like any other.
  const user = Object.create(null) as Record<string, string>;
  let sizeBytes = 0;
  for (const name of headers.names()) {
    if (!name.startsWith(USER_METADATA_PREFIX)) continue;
    const value = headers.joined(name) ?? '';
    refuseControlCharacters(name, value);
    const shortName = name.slice(USER_METADATA_PREFIX.length);
    if (shortName === '') throw new HoldfastError('InvalidArgument', 'A metadata header has no name.');
    sizeBytes += shortName.length + value.length;
    if (sizeBytes > USER_METADATA_MAX_BYTES) {
      throw new HoldfastError('MetadataTooLarge', undefined, { MaxSizeAllowed: String(USER_METADATA_MAX_BYTES) });
    }
    user[shortName] = value;
  }
  return { standard, user };
}

/**
 * The 16 bytes of Content-MD5, or undefined without the header.
 * @throws HoldfastError InvalidDigest
 */
export function parseContentMd5(headers: HeaderList): Buffer | undefined {
  const values = headers.getAll('content-md5');
  if (values.length === 0) return undefined;
  const bytes =
    values.length === 1 && /^[A-Za-z0-9+/]{22}==$/.test(values[0]) ? Buffer.from(values[0], 'base64') : undefined;
  if (bytes?.length !== 16)
    throw new HoldfastError('InvalidDigest', undefined, { 'Content-MD5': values[0].slice(0, 64) });
  return bytes;
}

/**
 * The `response-*` parameters of a GET as header name -> value, a byte string.
 * S3 allows them on authenticated requests only; the caller knows who asks.
 * @throws HoldfastError InvalidArgument (control characters)
 */
export function responseOverrides(query: QueryParameters): Readonly<Record<string, string>> {
  const overrides: Record<string, string> = {};
  for (const parameter of RESPONSE_OVERRIDES) {
    const text = query.get(parameter);
    if (text === undefined) continue;
    const value = headerValueOf(text);
    refuseControlCharacters(parameter, value);
    overrides[parameter.slice('response-'.length)] = value;
  }
  return overrides;
}
