/** Whether URLs presigned with Signature Version 2 are accepted. As a header or in a form it never is. */
export type SignatureV2 = 'presigned' | 'off';

/** Signature Version 2 in the query: `AWSAccessKeyId`, `Expires`, `Signature`. */
export interface QueryV2Credential {
  readonly kind: 'query-v2';
  readonly accessKeyId: string;
  /** Base64 of 20 bytes. */
  readonly signature: string;
  /** Seconds since the epoch, the digits as sent: they are a line of the string to sign. */
  readonly expires: string;
  readonly expiresAtMs: number;
  /** UNSIGNED-PAYLOAD, or the 64 hex digits of a signed x-amz-content-sha256. */
  readonly payloadHash: string;
}
