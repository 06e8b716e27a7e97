import { HoldfastError, type Account, type Caller } from '@holdfast/contracts';
import { compilePolicy, type CompiledPolicy } from '@holdfast/iam-policy';
import { assert, type Clock } from '@holdfast/stdx';
import { BoundedMap } from './domain/bounded-map.js';
import { isAccessKeyId, isAccountId, isName, rootArn, sessionArn, userArn } from './domain/entity-names.js';
import { FreshCache } from './domain/fresh-cache.js';
import type { Principal } from './domain/principal.js';
import type { SealingKey } from './domain/sealing.js';
import type { SessionClaims } from './domain/token-claims.js';
import type { IdentityStore, PrincipalRow } from './sql/identity-store.js';

export interface KeyHolder {
  readonly accessKeyId: string;
  /** Opened; lies in memory as long as the cache entry. */
  readonly secret: string;
  readonly principal: Principal;
}

export interface DirectoryOptions {
  readonly store: IdentityStore;
  readonly sealing: SealingKey;
  readonly clock: Clock;
  /** How old a record may be that a request is judged by. */
  readonly lifetimeMs: number;
  readonly firstAccount: Account;
  readonly rootCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const ENTRIES_MAX = 10_000;
const COMPILED_MAX = 1_000;

export const accessKeyContext = (accessKeyId: string): string => `access-key:${accessKeyId}`;

/** Who holds a key, and what a user may: from memory while fresh, else from the database. Writers call `invalidate`. */
export class PrincipalDirectory {
  /** The root of the first account, by the environment's credentials; in memory alone, so it needs no database. */
  readonly root: KeyHolder;
  private readonly keys: FreshCache<KeyHolder>;
  private readonly users: FreshCache<Principal>;
  private readonly accounts: FreshCache<Account>;
  /** Documents of groups and managed policies speak for many: each is made ready once. */
  private readonly compiled = new BoundedMap<string, CompiledPolicy>(COMPILED_MAX);

  constructor(private readonly options: DirectoryOptions) {
    const { clock, lifetimeMs, firstAccount, rootCredentials } = options;
    const caller = rootCaller(firstAccount.accountId, firstAccount.canonicalId, firstAccount.displayName);
    this.root = {
      accessKeyId: rootCredentials.accessKeyId,
      secret: rootCredentials.secretAccessKey,
      principal: { caller, userId: '', ofFirstAccount: true, policies: [] },
    };
    this.keys = new FreshCache(clock, lifetimeMs, ENTRIES_MAX, (id) => this.loadKey(id));
    this.users = new FreshCache(clock, lifetimeMs, ENTRIES_MAX, (path) => this.loadUser(path));
    this.accounts = new FreshCache(
      clock,
      lifetimeMs,
      ENTRIES_MAX,
      async (id) => (await options.store.findAccounts([id]))[0],
    );
  }

  /** The holder of an active key without waiting, when known; undefined says only that `findKey` has to be asked. */
  peekKey(accessKeyId: string): KeyHolder | undefined {
    return accessKeyId === this.root.accessKeyId ? this.root : this.keys.peek(accessKeyId);
  }

  /** Undefined for a key that is unknown or not active. Errors: ServiceUnavailable. */
  async findKey(accessKeyId: string): Promise<KeyHolder | undefined> {
    if (accessKeyId === this.root.accessKeyId) return this.root;
    return isAccessKeyId(accessKeyId) ? this.keys.get(accessKeyId) : undefined;
  }

  async findUser(accountId: string, userName: string): Promise<Principal | undefined> {
    if (!isAccountId(accountId) || !isName(userName)) return undefined;
    const path = `${accountId}/${userName}`;
    return this.users.peek(path) ?? this.users.get(path);
  }

  async findAccount(accountId: string): Promise<Account | undefined> {
    return isAccountId(accountId) ? this.accounts.get(accountId) : undefined;
  }

  /** The principal behind a caller that `authorize` has named; undefined when the user is gone. */
  async principalOf(caller: Caller): Promise<Principal | undefined> {
    const { session, ...holder } = caller;
    const principal = await this.holderOf(holder);
    // The names could be those of a later user: the user's id could not.
    if (principal?.userId !== caller.userId) return undefined;
    return session === undefined ? principal : this.capped(principal, session);
  }

  /** The same principal in a session: it may what it may and the session's policy allows as well. */
  inSession(principal: Principal, { name, policy }: SessionClaims): Principal {
    const arn = sessionArn(principal.caller.accountId, name);
    return this.capped(principal, policy === undefined ? { arn } : { arn, policy });
  }

  private capped(principal: Principal, session: NonNullable<Caller['session']>): Principal {
    const caller = { ...principal.caller, session };
    if (session.policy === undefined) return { ...principal, caller };
    return { ...principal, caller, sessionPolicy: this.compile(session.arn, session.policy, session.arn) };
  }

  private async holderOf(caller: Caller): Promise<Principal | undefined> {
    if (caller.kind === 'user') return this.findUser(caller.accountId, caller.userName);
    const ofFirstAccount = caller.kind === 'root' && caller.accountId === this.options.firstAccount.accountId;
    return { caller, userId: '', ofFirstAccount, policies: [] };
  }

  invalidate(): void {
    this.keys.clear();
    this.users.clear();
    this.accounts.clear();
  }

  private async loadKey(accessKeyId: string): Promise<KeyHolder | undefined> {
    const row = await this.options.store.findActiveKey(accessKeyId);
    if (row === undefined) return undefined;
    const secret = this.options.sealing.open(row.sealed_secret, accessKeyContext(accessKeyId)).toString();
    return { accessKeyId, secret, principal: this.principalFromRow(row) };
  }

  private async loadUser(path: string): Promise<Principal | undefined> {
    const [accountId, userName] = path.split('/');
    const row = await this.options.store.findUser(accountId, userName);
    return row === undefined ? undefined : this.principalFromRow(row);
  }

  /** Who a stored user or root is, with all that judges what they may do. */
  principalFromRow(row: PrincipalRow): Principal {
    const {
      account_id: accountId,
      canonical_id: canonicalId,
      display_name: displayName,
      is_first: ofFirstAccount,
    } = row;
    if (row.user_id === null) {
      return { caller: rootCaller(accountId, canonicalId, displayName), userId: '', ofFirstAccount, policies: [] };
    }
    const { user_id: userId, user_name: userName } = row;
    assert(typeof userName === 'string', 'a stored user has a name', { userId });
    const arn = userArn(accountId, userName);
    const caller: Caller = { kind: 'user', accountId, canonicalId, displayName, userName, arn, userId };
    const policies = row.policies.map(({ source, document }) => this.compile(source, document, arn));
    const principal = { caller, userId, ofFirstAccount, policies };
    if (row.boundary === null) return principal;
    return { ...principal, boundary: this.compile(row.boundary.source, row.boundary.document, arn) };
  }

  /** A policy that is not understood (written by a newer version) may deny: then its principal may do nothing. */
  private compile(source: string, document: string, arn: string): CompiledPolicy {
    const known = `${source}\n${document}`;
    const compiled = this.compiled.get(known) ?? compileKnown(source, document, arn);
    this.compiled.set(known, compiled);
    return compiled;
  }
}

function rootCaller(accountId: string, canonicalId: string, displayName: string): Caller {
  return { kind: 'root', accountId, canonicalId, displayName, userName: '', arn: rootArn(accountId), userId: '' };
}

function compileKnown(source: string, document: string, arn: string): CompiledPolicy {
  try {
    return compilePolicy(source, document);
  } catch (error) {
    throw new HoldfastError('InternalError', `The policy ${source} of ${arn} is not understood.`, {}, { cause: error });
  }
}
