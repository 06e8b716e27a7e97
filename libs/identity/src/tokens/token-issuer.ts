import { HoldfastError, type IdentityMethods, type SessionRequest } from '@holdfast/contracts';
import { checkSessionName, isAccountId, isName } from '../domain/entity-names.js';
import type { FailureLimiter } from '../domain/failure-limiter.js';
import type { PasswordHasher } from '../domain/password-hash.js';
import { checkSessionPolicy } from '../domain/policy-limits.js';
import type { SealingKey } from '../domain/sealing.js';
import { secretsEqual } from '../domain/signature.js';
import { encodeClaims, type ClaimsPayload } from '../domain/token-claims.js';
import type { PrincipalDirectory } from '../principal-directory.js';
import { rootFingerprint } from '../proof-verifier.js';
import type { SessionTokens } from '../sessions/session-token.js';
import type { IdentityStore } from '../sql/identity-store.js';
import type { TokenCodec } from './token-codec.js';

export type Credentials = Parameters<IdentityMethods['issueToken']>[1];
type TokenAnswer = Awaited<ReturnType<IdentityMethods['issueToken']>>;
type AccessKeyCredentials = Extract<Credentials, { kind: 'access-key' }>;
type PasswordCredentials = Extract<Credentials, { kind: 'password' }>;

export interface TokenIssuerParts {
  readonly directory: PrincipalDirectory;
  readonly store: IdentityStore;
  readonly sealing: SealingKey;
  readonly tokens: TokenCodec;
  readonly passwords: PasswordHasher;
  readonly limiter: FailureLimiter;
  readonly sessions: SessionTokens;
}

/** A secret of nobody, compared with when there is no key. */
const NO_SECRET = 'no such key has this secret';

/**
 * Gives tokens for credentials. Every reason of a refusal looks the same and costs the same: unknown name, wrong secret,
 * inactive key, no password. Errors: InvalidCredentials, SlowDown, ServiceUnavailable; InvalidArgument for a session that is none.
 * The keys of a session are no credentials here: a session cannot make another, so it cannot make a wider one.
 */
export class TokenIssuer {
  constructor(private readonly parts: TokenIssuerParts) {}

  async issue(credentials: Credentials): Promise<TokenAnswer> {
    const { session } = credentials;
    if (session !== undefined) checkSession(session);
    const byKey = credentials.kind === 'access-key';
    const claims = byKey ? await this.checkAccessKey(credentials) : await this.checkPassword(credentials);
    if (session === undefined) return this.parts.tokens.sign(claims);
    const { name, policy, durationSeconds } = session;
    const limited = { ...claims, session: policy === undefined ? { name } : { name, policy } };
    const signed = await this.parts.tokens.sign(limited, durationSeconds);
    return { ...signed, temporaryKey: this.parts.sessions.issue(limited, durationSeconds) };
  }

  private async checkAccessKey({ accessKeyId, secretAccessKey }: AccessKeyCredentials): Promise<ClaimsPayload> {
    const { directory, sealing, limiter } = this.parts;
    const triedName = `access-key ${accessKeyId}`;
    limiter.refuseWhenExceeded(triedName);
    const holder = await directory.findKey(accessKeyId);
    // Asked again: others may have failed while the database answered. From here to the count nothing waits.
    limiter.refuseWhenExceeded(triedName);
    const equal = secretsEqual(secretAccessKey, holder?.secret ?? NO_SECRET);
    if (holder === undefined || !equal) return this.refuse(triedName);
    limiter.recordSuccess(triedName);
    const { caller, userId } = holder.principal;
    if (holder !== directory.root) return encodeClaims(caller, userId, { kind: 'access-key', accessKeyId });
    return encodeClaims(caller, userId, { kind: 'root', fingerprint: rootFingerprint(sealing, holder) });
  }

  private async checkPassword({ account, user, password }: PasswordCredentials): Promise<ClaimsPayload> {
    const { store, passwords, limiter } = this.parts;
    const triedName = `user ${account}/${user}`;
    limiter.refuseWhenExceeded(triedName);
    const wellFormed = (isName(account) || isAccountId(account)) && isName(user);
    const row = wellFormed ? await store.findUser(account, user) : undefined;
    const equal = await passwords.verify(password, row?.password_hash ?? undefined, () =>
      limiter.refuseWhenExceeded(triedName),
    );
    if (row === undefined || !equal) return this.refuse(triedName);
    limiter.recordSuccess(triedName);
    const { caller, userId } = this.parts.directory.principalFromRow(row);
    return encodeClaims(caller, userId, { kind: 'password' });
  }

  private refuse(triedName: string): never {
    this.parts.limiter.recordFailure(triedName);
    throw new HoldfastError('InvalidCredentials');
  }
}

function checkSession({ name, policy }: SessionRequest): void {
  checkSessionName(name);
  if (policy !== undefined) checkSessionPolicy(policy);
}
