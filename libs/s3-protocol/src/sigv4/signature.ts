import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';
import { canonicalPath, canonicalRequest } from './canonical-request.js';
import type { CredentialScope, HeaderV4Credential, SignedRequest, SigV4Credential } from './credential.js';

/** What signed chunks continue from: the key of the request's scope and the signature of its headers. */
export interface ChunkSigning {
  readonly signingKey: Buffer;
  readonly scope: CredentialScope;
  /** YYYYMMDDTHHMMSSZ */
  readonly timestamp: string;
  /** The signature of the request, already verified. */
  readonly seedSignature: string;
}

export function chunkSigning(credential: HeaderV4Credential, signingKey: Buffer): ChunkSigning {
  return { signingKey, scope: credential.scope, timestamp: credential.timestamp, seedSignature: credential.signature };
}

export function scopeText(scope: CredentialScope): string {
  return `${scope.date}/${scope.region}/${scope.service}/aws4_request`;
}

/** @param canonical a byte string, see `canonicalRequest` */
export function stringToSign(
  canonical: string,
  credential: SigV4Credential,
  encoding: 'latin1' | 'utf8' = 'latin1',
): string {
  const digest = createHash('sha256').update(canonical, encoding).digest('hex');
  return `AWS4-HMAC-SHA256\n${credential.timestamp}\n${scopeText(credential.scope)}\n${digest}`;
}

/** Depends on the secret and the scope alone: whoever verifies often keeps it for the day. */
export function deriveSigningKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  const dateKey = createHmac('sha256', `AWS4${secretAccessKey}`).update(scope.date).digest();
  const regionKey = createHmac('sha256', dateKey).update(scope.region).digest();
  const serviceKey = createHmac('sha256', regionKey).update(scope.service).digest();
  return createHmac('sha256', serviceKey).update('aws4_request').digest();
}

/** 64 lower-case hex digits. */
export function signatureOf(text: string, signingKey: Buffer): string {
  return createHmac('sha256', signingKey).update(text).digest('hex');
}

/** In time that depends on the lengths alone. */
export function signatureMatches(expectedHex: string, givenHex: string): boolean {
  const expected = Buffer.from(expectedHex, 'latin1');
  const given = Buffer.from(givenHex, 'latin1');
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/**
 * Canonicalises, signs and compares.
 *
 * Signers agree on plain requests and differ on two odd ones, so a mismatch is looked at again, in this order:
 * a path whose escapes are not the canonical ones is signed as sent by the AWS SDKs and re-encoded by others;
 * header bytes above 0x7F are hashed as sent by most and as UTF-8 of their code points by the JavaScript SDK.
 * Each reading covers the same path bytes, query and headers, so none of them lets a changed request through.
 * @throws HoldfastError SignatureDoesNotMatch
 */
export function verifySignature(request: SignedRequest, credential: SigV4Credential, signingKey: Buffer): void {
  const path = canonicalPath(request.rawPath);
  if (matches(canonicalRequest(request, credential, path), credential, signingKey)) return;
  if (
    path !== request.rawPath &&
    matches(canonicalRequest(request, credential, request.rawPath), credential, signingKey)
  ) {
    return;
  }
  throw new HoldfastError('SignatureDoesNotMatch');
}

const HAS_HIGH_BYTES = /[\x80-\xff]/;

function matches(canonical: string, credential: SigV4Credential, signingKey: Buffer): boolean {
  const sign = (encoding: 'latin1' | 'utf8'): string =>
    signatureOf(stringToSign(canonical, credential, encoding), signingKey);
  if (signatureMatches(sign('latin1'), credential.signature)) return true;
  return HAS_HIGH_BYTES.test(canonical) && signatureMatches(sign('utf8'), credential.signature);
}
