import type { Caller } from '@holdfast/contracts';

/** What a token was issued for. It stays valid only while that stands. */
export type TokenCredential =
  | { readonly kind: 'access-key'; readonly accessKeyId: string }
  | { readonly kind: 'password' }
  /** Root by the environment's credentials, with their fingerprint: other credentials end the token. */
  | { readonly kind: 'root'; readonly fingerprint: string };

/** What makes a session of a token: its holder may no more than this allows. */
export interface SessionClaims {
  readonly name: string;
  /** JSON text; without it the session may what its holder may. */
  readonly policy?: string;
}

export interface TokenClaims {
  readonly accountId: string;
  /** Empty for the root of an account. */
  readonly userName: string;
  readonly userId: string;
  readonly credential: TokenCredential;
  readonly session?: SessionClaims;
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
  readonly session?: SessionClaims;
}

export function encodeClaims(
  caller: Caller,
  userId: string,
  credential: TokenCredential,
  session?: SessionClaims,
): ClaimsPayload {
  return {
    sub: caller.arn,
    account: caller.accountId,
    user: caller.userName,
    user_id: userId,
    credential: encodeCredential(credential),
    ...(session === undefined ? {} : { session }),
  };
}

/** Undefined for a payload that is not one of ours: no expiry, a missing or odd claim. */
export function decodeClaims(payload: Readonly<Record<string, unknown>>): TokenClaims | undefined {
  const { account, user, user_id: userId, credential: encoded, session: given, exp, iat } = payload;
  if (typeof account !== 'string' || typeof user !== 'string' || typeof userId !== 'string') return undefined;
  if (typeof exp !== 'number' || !Number.isFinite(exp) || typeof iat !== 'number') return undefined;
  const credential = typeof encoded === 'string' ? decodeCredential(encoded) : undefined;
  if (credential === undefined) return undefined;
  const claims = { accountId: account, userName: user, userId, credential, expiresAtSeconds: exp };
  if (given === undefined) return claims;
  const session = decodeSession(given);
  return session && { ...claims, session };
}

/** Undefined for what is none: a session that is not understood must not become a token without one. */
function decodeSession(given: unknown): SessionClaims | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { name, policy } = given as Record<string, unknown>;
  if (typeof name !== 'string') return undefined;
  if (policy === undefined) return { name };
  return typeof policy === 'string' ? { name, policy } : undefined;
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
