import { HoldfastError } from '@holdfast/contracts';

/**
 * Decodes percent escapes once; the bytes must be UTF-8 without NUL (a Postgres text holds no U+0000).
 * @throws HoldfastError InvalidURI
 */
export function percentDecode(raw: string): string {
  if (!raw.includes('%')) return raw;
  let decoded: string;
  try {
    decoded = decodeURIComponent(raw);
  } catch (cause) {
    throw new HoldfastError('InvalidURI', undefined, {}, { cause });
  }
  if (decoded.includes('\0')) throw new HoldfastError('InvalidURI');
  return decoded;
}

/** As in a query: `+` is a space there. */
export function queryDecode(raw: string): string {
  return percentDecode(raw.includes('+') ? raw.replaceAll('+', ' ') : raw);
}

const UNRESERVED = /^[A-Za-z0-9_.~-]*$/;

/** Everything but A-Z a-z 0-9 - _ . ~ as upper-case percent escapes of its UTF-8 bytes: the encoding of AWS signatures. */
export function uriEncode(text: string): string {
  if (UNRESERVED.test(text)) return text;
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
