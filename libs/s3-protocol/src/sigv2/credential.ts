/**
 * Where Signature Version 2 is accepted: in the query alone, everywhere (the Authorization header and upload forms too), or
 * nowhere.
 */
export type SignatureV2 = 'presigned' | 'all' | 'off';

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

/** Signature Version 2 in the header: `Authorization: AWS key:signature`. */
export interface HeaderV2Credential {
  readonly kind: 'header-v2';
  readonly accessKeyId: string;
  /** Base64 of 20 bytes. */
  readonly signature: string;
  /** The Date header as sent; empty beside x-amz-date, which is signed with the other `x-amz-*` headers. */
  readonly date: string;
  readonly timestampMs: number;
}
