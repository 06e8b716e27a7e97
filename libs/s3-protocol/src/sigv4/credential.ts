import type { HeaderList } from '../headers/header-list.js';
import type { HeaderV2Credential, QueryV2Credential } from '../sigv2/credential.js';
import type { QueryParameters } from '../target/query-parameters.js';

/** The parts of a request that a signature covers, as they arrived. */
export interface SignedRequest {
  readonly method: string;
  /** Percent escapes as sent; see `RequestTarget.rawPath`. */
  readonly rawPath: string;
  /** The bucket that the Host names: Signature Version 2 signs it in front of the path. */
  readonly hostBucket?: string;
  readonly query: QueryParameters;
  readonly headers: HeaderList;
}

/** Ends in `aws4_request` on the wire. */
export interface CredentialScope {
  /** YYYYMMDD */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

export interface AnonymousCredential {
  readonly kind: 'anonymous';
}

export interface BearerCredential {
  readonly kind: 'bearer';
  readonly token: string;
}

interface V4Credential {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  /** Lower-case, sorted, without duplicates. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** YYYYMMDDTHHMMSSZ */
  readonly timestamp: string;
  readonly timestampMs: number;
  /** The last line of the canonical request: 64 hex digits, UNSIGNED-PAYLOAD or STREAMING-… */
  readonly payloadHash: string;
  readonly sessionToken?: string;
}

export interface HeaderV4Credential extends V4Credential {
  readonly kind: 'header-v4';
}

export interface QueryV4Credential extends V4Credential {
  readonly kind: 'query-v4';
  /** 1 to 604,800, counted from the timestamp. */
  readonly expiresSeconds: number;
}

export type SigV4Credential = HeaderV4Credential | QueryV4Credential;

/** Who a request says it is from, and by which kind of proof. Decided once; verifier and authoriser use the same value. */
export type RequestCredential =
  AnonymousCredential | BearerCredential | SigV4Credential | QueryV2Credential | HeaderV2Credential;
