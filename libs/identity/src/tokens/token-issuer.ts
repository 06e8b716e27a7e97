import { HoldfastError, type IdentityMethods, type SessionRequest } from '@holdfast/contracts';
import { checkSessionName, isAccessKeyId, isAccountId, isName } from '../domain/entity-names.js';
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
  /** Apart: an unknown key costs next to nothing to try, and no number of them is to push out what passwords count. */
  readonly keyFailures: FailureLimiter;
  readonly passwordFailures: FailureLimiter;
  readonly sessions: SessionTokens;
}

/** A secret of nobody, compared with when there is no key. */
const NO_SECRET = 'no such key has this secret';

/**
 * Gives tokens for credentials. Every reason of a refusal looks the same and costs the same: unknown name, wrong secret,
 * inactive key, no password. What can be no name is refused at once and not counted. Errors: InvalidCredentials, SlowDown, ServiceUnavailable; InvalidArgument for a session that is none.
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
    const { directory, sealing, keyFailures } = this.parts;
    if (accessKeyId !== directory.root.accessKeyId && !isAccessKeyId(accessKeyId)) throw refusal();
    keyFailures.refuseWhenExceeded(accessKeyId);
    const holder = await directory.findKey(accessKeyId);
    // Asked again: others may have failed while the database answered. From here to the count nothing waits.
    keyFailures.refuseWhenExceeded(accessKeyId);
    const equal = secretsEqual(secretAccessKey, holder?.secret ?? NO_SECRET);
    if (holder === undefined || !equal) {
      keyFailures.recordFailure(accessKeyId);
      throw refusal();
    }
    keyFailures.recordSuccess(accessKeyId);
    const { caller, userId } = holder.principal;
    if (holder !== directory.root) return encodeClaims(caller, userId, { kind: 'access-key', accessKeyId });
    return encodeClaims(caller, userId, { kind: 'root', fingerprint: rootFingerprint(sealing, holder) });
  }

  private async checkPassword({ account, user, password }: PasswordCredentials): Promise<ClaimsPayload> {
    const { store, passwords, passwordFailures, directory } = this.parts;
    if (!(isName(account) || isAccountId(account)) || !isName(user)) throw refusal();
    // An account has two names, its users one count of failures.
    const accountId = isAccountId(account) ? account : await store.findAccountId(account);
    const triedName = `${accountId ?? account}/${user}`;
    passwordFailures.refuseWhenExceeded(triedName);
    const row = accountId === undefined ? undefined : await store.findUser(accountId, user);
    const equal = await passwords.verify(password, row?.password_hash ?? undefined, () =>
      passwordFailures.refuseWhenExceeded(triedName),
    );
    if (row === undefined || !equal) {
      passwordFailures.recordFailure(triedName);
      throw refusal();
    }
    passwordFailures.recordSuccess(triedName);
    const { caller, userId } = directory.principalFromRow(row);
    return encodeClaims(caller, userId, { kind: 'password' });
  }
}

const refusal = (): HoldfastError => new HoldfastError('InvalidCredentials');

function checkSession({ name, policy }: SessionRequest): void {
  checkSessionName(name);
  if (policy !== undefined) checkSessionPolicy(policy);
}
