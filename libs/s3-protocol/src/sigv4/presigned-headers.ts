import { HoldfastError } from '@holdfast/contracts';
import { CHECKSUM_HEADERS } from '../checksums/checksum.js';
import { HeaderList } from '../headers/header-list.js';
import { headerValueOf, isHeaderName, refuseControlCharacters } from '../headers/header-value.js';
import { movedHeadersV2 } from '../sigv2/moved-headers.js';
import type { RequestCredential, SignedRequest } from './credential.js';

/**
 * Parameters that are no moved headers: those of the signature itself, and checksums. S3 ignores a checksum in the query:
 * the JavaScript SDK puts that of an empty body there whenever it presigns an upload whose body it does not have.
 */
const NOT_MOVED = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-signedheaders',
  'x-amz-signature',
  'x-amz-sdk-checksum-algorithm',
  ...Object.values(CHECKSUM_HEADERS),
]);

/**
 * The headers that the operation is to obey. A presigning SDK moves `x-amz-*` headers (metadata, copy source, ACL)
 * into the signed query, where they mean the same; a parameter counts where no header of its name came. Version 2 moves
 * Content-Type as well.
 * Unsigned and header-signed requests have their headers alone.
 * @throws HoldfastError InvalidArgument (a parameter that could not have been a header)
 */
export function effectiveHeaders(request: SignedRequest, credential: RequestCredential): HeaderList {
  if (credential.kind !== 'query-v4' && credential.kind !== 'query-v2') return request.headers;
  const moved = credential.kind === 'query-v4' ? movedHeadersV4(request) : obeyedHeadersV2(request);
  if (moved.length === 0) return request.headers;
  const flat: string[] = [];
  for (const name of request.headers.names()) {
    for (const value of request.headers.getAll(name)) flat.push(name, value);
  }
  return new HeaderList([...flat, ...moved]);
}

function movedHeadersV4(request: SignedRequest): string[] {
  const moved: string[] = [];
  for (const { name, value } of request.query.pairs) {
    const lowerName = name.toLowerCase();
    if (!lowerName.startsWith('x-amz-') || NOT_MOVED.has(lowerName) || request.headers.has(lowerName)) continue;
    if (!isHeaderName(lowerName)) throw noHeader(lowerName);
    const bytes = headerValueOf(value);
    refuseControlCharacters(lowerName, bytes);
    moved.push(lowerName, bytes);
  }
  return moved;
}

function noHeader(lowerName: string): HoldfastError {
  const shown = lowerName.replace(/[^\x20-\x7e]/g, '?').slice(0, 128);
  return new HoldfastError('InvalidArgument', `The parameter ${shown} cannot stand for a header.`, {
    ArgumentName: shown,
  });
}

function obeyedHeadersV2(request: SignedRequest): string[] {
  return [...movedHeadersV2(request)].filter(([lowerName]) => !NOT_MOVED.has(lowerName)).flat();
}
