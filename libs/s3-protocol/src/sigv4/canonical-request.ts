/**
 * The text that a client signed, rebuilt from what arrived. All of it is a byte string (one character, one byte):
 * path and query are ASCII after encoding, header values are the bytes of the wire.
 */
import { uriEncode } from '../target/percent-coding.js';
import type { QueryParameters } from '../target/query-parameters.js';
import { trimBlanks } from '../headers/header-value.js';
import type { HeaderList } from '../headers/header-list.js';
import type { SignedRequest, SigV4Credential } from './credential.js';

const PLAIN_PATH = /^[A-Za-z0-9_.~/-]*$/;
const ESCAPE_OR_RESERVED = /%([0-9A-Fa-f]{2})|[^A-Za-z0-9_.~/-]/g;
const UNRESERVED_BYTE = /[A-Za-z0-9_.~-]/;

/**
 * The raw path with every segment encoded exactly once, slashes and dots as they came. An escaped slash stays escaped:
 * it is a character of a segment to the signer.
 */
export function canonicalPath(rawPath: string): string {
  if (PLAIN_PATH.test(rawPath)) return rawPath;
  return rawPath.replace(ESCAPE_OR_RESERVED, (token: string, hex: string | undefined) => {
    if (hex === undefined) return `%${token.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    const character = String.fromCharCode(parseInt(hex, 16));
    return UNRESERVED_BYTE.test(character) ? character : token.toUpperCase();
  });
}

/** Sorted by encoded name, then by encoded value; the signature itself is left out. */
export function canonicalQuery(query: QueryParameters): string {
  if (query.pairs.length === 0) return '';
  const encoded: { name: string; value: string }[] = [];
  for (const pair of query.pairs) {
    if (pair.name.toLowerCase() === 'x-amz-signature') continue;
    encoded.push({ name: uriEncode(pair.name), value: uriEncode(pair.value) });
  }
  if (encoded.length > 1) encoded.sort((a, b) => compare(a.name, b.name) || compare(a.value, b.value));
  let text = '';
  for (const { name, value } of encoded) text += text === '' ? `${name}=${value}` : `&${name}=${value}`;
  return text;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function canonicalHeaderValue(headers: HeaderList, name: string): string {
  const values = headers.getAll(name);
  if (values.length === 1) return trimmed(values[0]);
  return values.map(trimmed).join(',');
}

function trimmed(value: string): string {
  const plain = value.includes('  ') || value.includes('\t') ? value.replace(/[ \t]+/g, ' ') : value;
  return trimBlanks(plain);
}

/** What the client signed, if the request arrived as it was sent. */
export function canonicalRequest(request: SignedRequest, credential: SigV4Credential): string {
  let headerLines = '';
  for (const name of credential.signedHeaders)
    headerLines += `${name}:${canonicalHeaderValue(request.headers, name)}\n`;
  return (
    `${request.method}\n${canonicalPath(request.rawPath)}\n${canonicalQuery(request.query)}\n${headerLines}\n` +
    `${credential.signedHeaders.join(';')}\n${credential.payloadHash}`
  );
}
