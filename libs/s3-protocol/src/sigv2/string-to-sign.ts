import { HoldfastError } from '@holdfast/contracts';
import { trimBlanks } from '../headers/header-value.js';
import type { SignedRequest } from '../sigv4/credential.js';
import { canonicalResourceV2 } from './canonical-resource.js';
import type { HeaderV2Credential, QueryV2Credential } from './credential.js';
import { movedHeadersV2 } from './moved-headers.js';

/** What the identity port takes. */
const STRING_TO_SIGN_MAX_BYTES = 16 * 1024;
const NOTHING_MOVED: ReadonlyMap<string, string> = new Map();

/**
 * What the client signed, if the request arrived as it was sent: method, Content-MD5, Content-Type, Expires or Date, every
 * `x-amz-*` header (so none can be added), path and signed parameters. A byte string: one character, one byte.
 * @throws HoldfastError RequestHeaderSectionTooLarge (over 16 KiB), and what `movedHeadersV2` and `canonicalResourceV2` throw
 */
export function stringToSignV2(request: SignedRequest, credential: QueryV2Credential | HeaderV2Credential): string {
  const moved = credential.kind === 'query-v2' ? movedHeadersV2(request) : NOTHING_MOVED;
  const lines = new Map<string, string>();
  for (const name of request.headers.names()) {
    if (name.startsWith('x-amz-')) lines.set(name, valueOf(request, name));
  }
  for (const [name, value] of moved) if (name.startsWith('x-amz-')) lines.set(name, value);
  const amzHeaders = [...lines.keys()].sort().map((name) => `${name}:${lines.get(name)}\n`);
  const text =
    `${request.method}\n${valueOf(request, 'content-md5')}\n` +
    `${moved.get('content-type') ?? valueOf(request, 'content-type')}\n` +
    `${credential.kind === 'query-v2' ? credential.expires : credential.date}\n` +
    amzHeaders.join('') +
    canonicalResourceV2(signedPath(request), request.query);
  if (text.length > STRING_TO_SIGN_MAX_BYTES) throw new HoldfastError('RequestHeaderSectionTooLarge');
  return text;
}

function signedPath({ rawPath, hostBucket }: SignedRequest): string {
  return hostBucket === undefined ? rawPath : `/${hostBucket}${rawPath}`;
}

function valueOf({ headers }: SignedRequest, lowerName: string): string {
  return headers.getAll(lowerName).map(trimBlanks).join(',');
}
