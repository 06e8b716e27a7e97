/**
 * Presigning clients of version 2 move the headers that they signed into the query, where they mean the same. The string to
 * sign and the operation both read them here, so that nothing is obeyed that was not signed.
 */
import { HoldfastError } from '@holdfast/contracts';
import { headerValueOf, isHeaderName, trimBlanks } from '../headers/header-value.js';
import { S3_OPERATIONS } from '../operations/operation-table.js';
import type { SignedRequest } from '../sigv4/credential.js';

/** The operation was chosen by the headers that came: one of these in the query would be signed and yet not obeyed. */
const CHOOSING_HEADERS: ReadonlySet<string> = new Set(S3_OPERATIONS.flatMap((row) => row.headers ?? []));

/**
 * Lower-case name and value (a byte string, trimmed) of each parameter that stands for a header which did not come itself.
 * @throws HoldfastError InvalidArgument (given twice, no header name, a line break: what would make the string to sign
 *   ambiguous), InvalidRequest (Content-MD5, which describes a body and has to come with it), NotImplemented (x-amz-copy-source)
 */
export function movedHeadersV2(request: SignedRequest): ReadonlyMap<string, string> {
  const moved = new Map<string, string>();
  for (const { name, value } of request.query.pairs) {
    const lowerName = name.toLowerCase();
    const isAmz = lowerName.startsWith('x-amz-');
    if (!isAmz && lowerName !== 'content-type' && lowerName !== 'content-md5') continue;
    if (moved.has(lowerName)) throw invalidParameter(lowerName, 'is given more than once');
    if (!isHeaderName(lowerName) || /[\r\n\0]/.test(value)) throw invalidParameter(lowerName, 'is no header');
    moved.set(lowerName, headerValueOf(trimBlanks(value)));
  }
  for (const name of [...moved.keys()]) {
    if (request.headers.has(name)) moved.delete(name);
    else refuseLoneParameter(name);
  }
  return moved;
}

function refuseLoneParameter(lowerName: string): void {
  if (lowerName === 'content-md5') {
    throw new HoldfastError('InvalidRequest', 'A signed Content-MD5 must be sent as a header, with the body.');
  }
  if (CHOOSING_HEADERS.has(lowerName)) {
    throw new HoldfastError('NotImplemented', `With Signature Version 2, ${lowerName} must be sent as a header.`);
  }
}

function invalidParameter(lowerName: string, reason: string): HoldfastError {
  const shown = lowerName.replace(/[^\x20-\x7e]/g, '?').slice(0, 128);
  return new HoldfastError('InvalidArgument', `The parameter ${shown} ${reason}.`, { ArgumentName: shown });
}
