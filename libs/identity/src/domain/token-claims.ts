import type { Caller } from '@holdfast/contracts';

/** What a token was issued for. It stays valid only while that stands. */
export type TokenCredential =
  | { readonly kind: 'access-key'; readonly accessKeyId: string }
  | { readonly kind: 'password' }
  /** Root by the environment's credentials, with their fingerprint: other credentials end the token. */
  | { readonly kind: 'root'; readonly fingerprint: string };

export interface TokenClaims {
  readonly accountId: string;
  /** Empty for the root of an account. */
  readonly userName: string;
  readonly userId: string;
  readonly credential: TokenCredential;
  /** Seconds since the Unix epoch. */
  readonly expiresAtSeconds: number;
}

/** The claims of ours in a token's payload, beside iss, aud, iat, exp and jti. */
export interface ClaimsPayload {
  readonly sub: string;
  readonly account: string;
  readonly user: string;
  readonly user_id: string;
  /** `access-key:ID`, `password` or `root:FINGERPRINT` */
  readonly credential: string;
}

export function encodeClaims(caller: Caller, userId: string, credential: TokenCredential): ClaimsPayload {
  return {
    sub: caller.arn,
    account: caller.accountId,
    user: caller.userName,
    user_id: userId,
    credential: encodeCredential(credential),
  };
}

/** Undefined for a payload that is not one of ours: no expiry, a missing or odd claim. */
export function decodeClaims(payload: Readonly<Record<string, unknown>>): TokenClaims | undefined {
  const { account, user, user_id: userId, credential: encoded, exp, iat } = payload;
  if (typeof account !== 'string' || typeof user !== 'string' || typeof userId !== 'string') return undefined;
  if (typeof exp !== 'number' || !Number.isFinite(exp) || typeof iat !== 'number') return undefined;
  const credential = typeof encoded === 'string' ? decodeCredential(encoded) : undefined;
  if (credential === undefined) return undefined;
  return { accountId: account, userName: user, userId, credential, expiresAtSeconds: exp };
}

function encodeCredential(credential: TokenCredential): string {
  if (credential.kind === 'password') return 'password';
  return credential.kind === 'root' ? `root:${credential.fingerprint}` : `access-key:${credential.accessKeyId}`;
}

function decodeCredential(encoded: string): TokenCredential | undefined {
  if (encoded === 'password') return { kind: 'password' };
  const colon = encoded.indexOf(':');
  const value = encoded.slice(colon + 1);
  if (colon === -1 || value === '') return undefined;
  const kind = encoded.slice(0, colon);
  if (kind === 'root') return { kind, fingerprint: value };
  return kind === 'access-key' ? { kind, accessKeyId: value } : undefined;
}
