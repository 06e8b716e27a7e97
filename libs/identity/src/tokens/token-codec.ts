import { randomUUID } from 'node:crypto';
import { HoldfastError } from '@holdfast/contracts';
import type { Clock } from '@holdfast/stdx';
import jwt from 'jsonwebtoken';
import { FreshCache } from '../domain/fresh-cache.js';
import { decodeClaims, type ClaimsPayload, type TokenClaims } from '../domain/token-claims.js';
import { TOKEN_ALGORITHM, type TokenKeyRing } from './token-key-ring.js';

export interface TokenSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly lifetimeSeconds: number;
  /** How long a verified signature is remembered, and with it the keys. */
  readonly rememberMs: number;
}

/** The policy of a session is part of its token. */
const TOKEN_LENGTH_MAX = 8192;
/** A header with anything else (jku, jwk, x5u, x5c, crit …) is refused: keys come from our ring alone. */
const HEADER_FIELDS = ['alg', 'typ', 'kid'];

interface Verified {
  readonly claims: TokenClaims;
  readonly keyId: string;
}

/** Signs and verifies access tokens: JWT, ES256, keys of the ring alone. */
export class TokenCodec {
  /** Tokens whose signatures were right, so that a token in use is verified once a second and not at every request. */
  private readonly verified: FreshCache<Verified>;

  constructor(
    private readonly keys: TokenKeyRing,
    private readonly clock: Clock,
    private readonly settings: TokenSettings,
  ) {
    this.verified = new FreshCache(clock, settings.rememberMs, 1_000, (token) => this.verifyOnce(token));
  }

  /** For `lifetimeSeconds`, or as long as the settings say. */
  async sign(
    claims: ClaimsPayload,
    lifetimeSeconds = this.settings.lifetimeSeconds,
  ): Promise<{ accessToken: string; expiresInSeconds: number }> {
    const key = await this.keys.signingKey();
    if (key === undefined) throw new HoldfastError('ServiceUnavailable', 'There is no key to sign tokens with.');
    const { issuer, audience } = this.settings;
    const iat = Math.floor(this.clock.nowMs() / 1000);
    const payload = { ...claims, iss: issuer, aud: audience, iat, exp: iat + lifetimeSeconds, jti: randomUUID() };
    const accessToken = jwt.sign(payload, key.privateKey, { algorithm: TOKEN_ALGORITHM, keyid: key.keyId });
    return { accessToken, expiresInSeconds: lifetimeSeconds };
  }

  /** The claims of a token that we have signed and that has not expired. Errors: InvalidToken, ExpiredToken. */
  async verify(token: string): Promise<TokenClaims> {
    if (token.length > TOKEN_LENGTH_MAX) throw new HoldfastError('InvalidToken');
    const verified = this.verified.peek(token) ?? (await this.verified.get(token));
    // A key may have been ended since.
    if (verified === undefined || (await this.keys.findKey(verified.keyId)) === undefined) {
      throw new HoldfastError('InvalidToken');
    }
    const { claims } = verified;
    if (claims.expiresAtSeconds * 1000 <= this.clock.nowMs()) throw new HoldfastError('ExpiredToken');
    return claims;
  }

  private async verifyOnce(token: string): Promise<Verified> {
    if (!hasOneSpelling(token)) throw new HoldfastError('InvalidToken');
    const key = await this.keys.findKey(keyIdOf(token));
    if (key === undefined) throw new HoldfastError('InvalidToken');
    const { issuer, audience } = this.settings;
    const clockTimestamp = Math.floor(this.clock.nowMs() / 1000);
    let payload: string | jwt.JwtPayload;
    try {
      payload = jwt.verify(token, key.publicKey, { algorithms: [TOKEN_ALGORITHM], issuer, audience, clockTimestamp });
    } catch (error) {
      throw new HoldfastError(error instanceof jwt.TokenExpiredError ? 'ExpiredToken' : 'InvalidToken');
    }
    const claims = typeof payload === 'string' ? undefined : decodeClaims(payload);
    if (claims === undefined) throw new HoldfastError('InvalidToken');
    return { claims, keyId: key.keyId };
  }
}

/**
 * The last character of a signature in base64url holds bits that decoders ignore, so another character there would be the
 * same signature: a token is accepted in the one spelling in which it was issued.
 */
function hasOneSpelling(token: string): boolean {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  return Buffer.from(signature, 'base64url').toString('base64url') === signature;
}

function keyIdOf(token: string): string {
  const refuse = (): never => {
    throw new HoldfastError('InvalidToken');
  };
  let header: object | undefined;
  try {
    header = jwt.decode(token, { complete: true })?.header;
  } catch {
    refuse();
  }
  const { alg, kid } = (header ?? refuse()) as Record<string, unknown>;
  if (Object.keys(header ?? {}).some((name) => !HEADER_FIELDS.includes(name))) refuse();
  return alg === TOKEN_ALGORITHM && typeof kid === 'string' ? kid : refuse();
}
