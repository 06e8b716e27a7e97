import { HoldfastError, type TemporaryKey } from '@holdfast/contracts';
import type { Clock } from '@holdfast/stdx';
import { BoundedMap } from '../domain/bounded-map.js';
import { newSecretAccessKey, newTemporaryKeyId } from '../domain/entity-names.js';
import type { SealingKey } from '../domain/sealing.js';
import { decodeClaims, type ClaimsPayload, type TokenClaims } from '../domain/token-claims.js';

/**
 * A session token carries all that its temporary keys are, sealed, in base64url: no instance keeps anything of it, and every
 * instance knows it. What it was issued for is asked for at each use.
 */
export interface OpenedSession {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly claims: TokenClaims;
}

interface Sealed {
  readonly id: string;
  readonly secret: string;
  readonly claims: ClaimsPayload & { readonly iat: number; readonly exp: number };
}

const CONTEXT = 'session-token';
const TOKEN_LENGTH_MAX = 16_384;

/** Makes temporary keys and opens their tokens. */
export class SessionTokens {
  /** Opened once a token, not once a request. */
  private readonly opened = new BoundedMap<string, OpenedSession>(1_000);

  constructor(
    private readonly sealing: SealingKey,
    private readonly clock: Clock,
  ) {}

  issue(payload: ClaimsPayload, lifetimeSeconds: number): TemporaryKey {
    const accessKeyId = newTemporaryKeyId();
    const secretAccessKey = newSecretAccessKey();
    const iat = Math.floor(this.clock.nowMs() / 1000);
    const exp = iat + lifetimeSeconds;
    const sealed: Sealed = { id: accessKeyId, secret: secretAccessKey, claims: { ...payload, iat, exp } };
    const sessionToken = this.sealing.seal(Buffer.from(JSON.stringify(sealed)), CONTEXT).toString('base64url');
    return { accessKeyId, secretAccessKey, sessionToken, expiresAtMs: exp * 1000 };
  }

  /** The session that `token` carries, for the keys it was issued with. Errors: InvalidToken, ExpiredToken. */
  open(token: string, accessKeyId: string): OpenedSession {
    const session = this.opened.get(token) ?? this.unseal(token);
    // A token of somebody else's keys, or beside keys that are not temporary.
    if (session.accessKeyId !== accessKeyId) throw new HoldfastError('InvalidToken');
    if (session.claims.expiresAtSeconds * 1000 <= this.clock.nowMs()) throw new HoldfastError('ExpiredToken');
    return session;
  }

  private unseal(token: string): OpenedSession {
    const refuse = (cause?: unknown): never => {
      throw new HoldfastError('InvalidToken', undefined, {}, { cause });
    };
    if (token.length > TOKEN_LENGTH_MAX) refuse();
    const sealed = Buffer.from(token, 'base64url');
    // Decoders ignore what is not base64url: a token is accepted in the one spelling in which it was issued.
    if (sealed.toString('base64url') !== token) refuse();
    let text = '';
    try {
      text = this.sealing.open(sealed, CONTEXT).toString();
    } catch (error) {
      refuse(error);
    }
    const { id, secret, claims: payload } = JSON.parse(text) as Sealed;
    const claims = decodeClaims({ ...payload });
    if (claims === undefined) return refuse();
    const session = { accessKeyId: id, secret, claims };
    this.opened.set(token, session);
    return session;
  }
}
