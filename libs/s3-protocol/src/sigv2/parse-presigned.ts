import { HoldfastError } from '@holdfast/contracts';
import type { SignedRequest } from '../sigv4/credential.js';
import { presignedPayloadHash } from '../sigv4/payload.js';
import type { QueryParameters } from '../target/query-parameters.js';
import { refuseUnsignedChoice } from './canonical-resource.js';
import type { QueryV2Credential } from './credential.js';
import { movedHeadersV2 } from './moved-headers.js';
import { ACCESS_KEY_MAX_CHARACTERS, BASE64_OF_SHA1 } from './signature-form.js';

const EPOCH_SECONDS = /^\d{1,12}$/;

/** `Expires` alone is a parameter like any other: only a key or a signature claims to prove something. */
export function hasPresignedV2(query: QueryParameters): boolean {
  return query.pairs.some(({ name }) => name === 'AWSAccessKeyId' || name === 'Signature');
}

/**
 * `Expires` may lie as far ahead as the signer likes: version 2 has no limit of a week.
 * @throws HoldfastError AccessDenied (incomplete, Expires is no number, a parameter that is not covered), InvalidToken
 *   (a session token: none is ever issued), InvalidAccessKeyId, SignatureDoesNotMatch (malformed), and what
 *   `movedHeadersV2` throws
 */
export function parsePresignedV2(request: SignedRequest): QueryV2Credential {
  const { query, headers } = request;
  const accessKeyId = onlyValue(query, 'AWSAccessKeyId');
  const expires = onlyValue(query, 'Expires');
  const signature = onlyValue(query, 'Signature');
  if (!EPOCH_SECONDS.test(expires)) {
    throw new HoldfastError('AccessDenied', 'Invalid date (should be seconds since epoch)');
  }
  const moved = movedHeadersV2(request);
  if (headers.has('x-amz-security-token') || moved.has('x-amz-security-token')) {
    throw new HoldfastError('InvalidToken');
  }
  refuseUnsignedChoice(query);
  if (accessKeyId.length > ACCESS_KEY_MAX_CHARACTERS) throw new HoldfastError('InvalidAccessKeyId');
  if (!BASE64_OF_SHA1.test(signature)) throw new HoldfastError('SignatureDoesNotMatch');
  const payloadHash = presignedPayloadHash(headers.get('x-amz-content-sha256') ?? moved.get('x-amz-content-sha256'));
  return { kind: 'query-v2', accessKeyId, signature, expires, expiresAtMs: Number(expires) * 1000, payloadHash };
}

function onlyValue(query: QueryParameters, name: string): string {
  const values = query.getAll(name);
  if (values.length === 1 && values[0] !== '') return values[0];
  throw new HoldfastError(
    'AccessDenied',
    'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters, once each.',
  );
}

/** @throws HoldfastError AccessDenied */
export function checkExpiryV2(credential: QueryV2Credential, nowMs: number): void {
  if (nowMs <= credential.expiresAtMs) return;
  throw new HoldfastError('AccessDenied', 'Request has expired', {
    Expires: new Date(credential.expiresAtMs).toISOString(),
    ServerTime: new Date(nowMs).toISOString(),
  });
}
