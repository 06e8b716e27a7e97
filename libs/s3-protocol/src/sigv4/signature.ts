import { createHmac, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { CredentialScope, HeaderV4Credential, SigV4Credential } from './credential.js';

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
export function stringToSign(canonical: string, credential: SigV4Credential): string {
  const digest = hash('sha256', Buffer.from(canonical, 'latin1'), 'hex');
  return `AWS4-HMAC-SHA256\n${credential.timestamp}\n${scopeText(credential.scope)}\n${digest}`;
}

/** Depends on the secret and the scope alone: whoever verifies often keeps it for the day. */
export function deriveSigningKey(secretAccessKey: string, scope: CredentialScope): Buffer {
  const dateKey = createHmac('sha256', `AWS4${secretAccessKey}`).update(scope.date).digest();
  const regionKey = createHmac('sha256', dateKey).update(scope.region).digest();
  const serviceKey = createHmac('sha256', regionKey).update(scope.service).digest();
  return createHmac('sha256', serviceKey).update('aws4_request').digest();
}

/** 64 lower-case hex digits. A `KeyObject` signs several times as fast as the bytes of the same key. */
export function signatureOf(text: string, signingKey: Buffer | KeyObject): string {
  return createHmac('sha256', signingKey).update(text).digest('hex');
}

/** In time that depends on the lengths alone. */
export function signatureMatches(expectedHex: string, givenHex: string): boolean {
  const expected = Buffer.from(expectedHex, 'latin1');
  const given = Buffer.from(givenHex, 'latin1');
  return expected.length === given.length && timingSafeEqual(expected, given);
}
