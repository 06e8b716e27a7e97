import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import type { RequestCredential } from './credential.js';

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** How the body arrives. `chunked`: it is framed, and `AwsChunkedDecoder` must read it. */
export type PayloadMode =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'sha256'; readonly sha256Hex: string }
  | { readonly kind: 'chunked'; readonly signed: boolean; readonly trailer: boolean };

const CHUNKED_MODES: ReadonlyMap<string, PayloadMode> = new Map([
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'chunked', signed: true, trailer: false }],
  ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { kind: 'chunked', signed: true, trailer: true }],
  ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'chunked', signed: false, trailer: true }],
]);
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** @throws HoldfastError InvalidArgument */
export function classifyPayload(payloadHash: string): PayloadMode {
  if (payloadHash === UNSIGNED_PAYLOAD) return { kind: 'unsigned' };
  if (SHA256_HEX.test(payloadHash)) return { kind: 'sha256', sha256Hex: payloadHash };
  const chunked = CHUNKED_MODES.get(payloadHash);
  if (chunked !== undefined) return chunked;
  throw new HoldfastError(
    'InvalidArgument',
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a supported STREAMING- value, or the SHA-256 of the body in hexadecimal digits.',
    { ArgumentName: 'x-amz-content-sha256' },
  );
}

/**
 * The hash that a presigned request signed as a header or parameter, UNSIGNED-PAYLOAD without one.
 * @throws HoldfastError InvalidArgument (unknown value), InvalidRequest (chunk-framed)
 */
export function presignedPayloadHash(given: string | undefined): string {
  const payloadHash = given ?? UNSIGNED_PAYLOAD;
  if (classifyPayload(payloadHash).kind === 'chunked') {
    throw new HoldfastError('InvalidRequest', 'A presigned request cannot have a chunk-framed body.');
  }
  return payloadHash;
}

/**
 * The mode of the body. Only x-amz-content-sha256 decides: `Content-Encoding: aws-chunked` alone frames nothing.
 * @throws HoldfastError InvalidArgument (unknown value), InvalidRequest (signed chunks without a header signature to start from)
 */
export function payloadMode(credential: RequestCredential, headers: HeaderList): PayloadMode {
  const payloadHash = 'payloadHash' in credential ? credential.payloadHash : headers.get('x-amz-content-sha256');
  if (payloadHash === undefined) return { kind: 'unsigned' };
  const mode = classifyPayload(payloadHash);
  if (mode.kind === 'chunked' && mode.signed && credential.kind !== 'header-v4') {
    throw new HoldfastError(
      'InvalidRequest',
      'Signed chunks need a request that is signed in its Authorization header.',
    );
  }
  return mode;
}
