import { createHash, createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  Identity,
  type AccessCheck,
  type AccessKey,
  type Account,
  type Caller,
  type ConditionKeys,
  type IdentityMethods,
  type Proof,
  type User,
} from '@holdfast/contracts';
import { compilePolicy, judgePrincipal, type CompiledPolicy, type Verdict } from '@holdfast/iam-policy';

type In<M extends keyof IdentityMethods> = Parameters<IdentityMethods[M]>[1];
type Out<M extends keyof IdentityMethods> = ReturnType<IdentityMethods[M]>;

/** As in a policy document. */
type Statement = Readonly<Record<string, unknown>>;
interface HeldKey extends AccessKey {
  readonly secretAccessKey: string;
}
interface HeldToken {
  readonly caller: Caller;
  readonly untilMs: number;
}

const TOKEN_SECONDS = 3600;
const ANONYMOUS: Caller = {
  kind: 'anonymous',
  accountId: '',
  canonicalId: '',
  displayName: '',
  userName: '',
  arn: '',
  userId: '',
};

/**
 * `Identity` without a database: real signatures, real policies, tokens that mean something to this object alone. The
 * first account is the store's own.
 */
export class InMemoryIdentity extends Identity {
  private readonly accounts: Account[] = [];
  private readonly users: User[] = [];
  private readonly passwords = new Map<string, string>();
  private readonly keys = new Map<string, HeldKey>();
  private readonly policies = new Map<string, string>();
  private readonly tokens = new Map<string, HeldToken>();
  private readonly signingKeys = new Map<string, { bytes: Buffer; key: KeyObject }>();

  constructor(private readonly clock: Clock = systemClock) {
    super();
  }

  /** An account with a key for its root. */
  addAccount(name: string): { account: Account; accessKeyId: string; secretAccessKey: string } {
    const account: Account = {
      accountId: String(100_000_000_000 + this.accounts.length),
      name,
      canonicalId: createHash('sha256').update(name).digest('hex'),
      displayName: name,
      email: `${name}@example.org`,
      createdAtMs: this.clock.nowMs(),
    };
    this.accounts.push(account);
    return { account, ...this.addKey(account.accountId, '') };
  }

  /** A user with a key and one policy. */
  addUser(
    accountId: string,
    userName: string,
    ...statements: Statement[]
  ): { accessKeyId: string; secretAccessKey: string } {
    const arn = arnOf(accountId, userName);
    this.users.push({ accountId, userName, userId: userName, path: '/', arn, createdAtMs: this.clock.nowMs() });
    const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    if (statements.length > 0) this.policies.set(`${accountId}/${userName}/given`, document);
    return this.addKey(accountId, userName);
  }

  /** A token that was issued for the key and ends after `seconds`. */
  tokenOf(accessKeyId: string, seconds = TOKEN_SECONDS): string {
    const token = `token-${randomBytes(12).toString('hex')}`;
    this.tokens.set(token, {
      caller: this.callerOf(this.activeKey(accessKeyId)),
      untilMs: this.clock.nowMs() + seconds * 1000,
    });
    return token;
  }

  revokeKey(accessKeyId: string): void {
    const key = this.activeKey(accessKeyId);
    this.keys.set(accessKeyId, { ...key, status: 'inactive' });
  }

  /** Takes away what `addUser` gave. */
  takePolicy(accountId: string, userName: string): void {
    this.policies.delete(`${accountId}/${userName}/given`);
  }

  override async authorize(_call: unknown, { proof, checks, context }: In<'authorize'>): Out<'authorize'> {
    const { caller, signingKey } = this.verify(proof);
    const judged = answerOf(checks.map((check) => this.judge(caller, check, context)));
    return { caller, ...judged, ...(signingKey === undefined ? {} : { signingKey }) };
  }

  override async decide(_call: unknown, { caller, checks, context }: In<'decide'>): Out<'decide'> {
    return answerOf(checks.map((check) => this.judge(caller, check, context)));
  }

  override async issueToken(_call: unknown, credentials: In<'issueToken'>): Out<'issueToken'> {
    if (credentials.kind === 'access-key') {
      const key = this.keys.get(credentials.accessKeyId);
      if (key?.secretAccessKey !== credentials.secretAccessKey) throw new HoldfastError('InvalidCredentials');
      return { accessToken: this.tokenOf(key.accessKeyId), expiresInSeconds: TOKEN_SECONDS };
    }
    const account = this.accounts.find(({ name, accountId }) => [name, accountId].includes(credentials.account));
    const user = this.users.find((one) => one.accountId === account?.accountId && one.userName === credentials.user);
    if (user === undefined || this.passwords.get(user.arn) !== credentials.password)
      throw new HoldfastError('InvalidCredentials');
    const { accessKeyId } = this.addKey(user.accountId, user.userName);
    return { accessToken: this.tokenOf(accessKeyId), expiresInSeconds: TOKEN_SECONDS };
  }

  override async jwks(): Out<'jwks'> {
    return { json: '{"keys":[]}' };
  }

  override async describeAccounts(_call: unknown, { accountIds }: In<'describeAccounts'>): Out<'describeAccounts'> {
    return { accounts: this.accounts.filter(({ accountId }) => accountIds.includes(accountId)) };
  }

  private addKey(accountId: string, userName: string): { accessKeyId: string; secretAccessKey: string } {
    const accessKeyId = `HF${randomBytes(9).toString('hex').toUpperCase()}`;
    const secretAccessKey = randomBytes(30).toString('base64');
    const createdAtMs = this.clock.nowMs();
    this.keys.set(accessKeyId, { accessKeyId, secretAccessKey, accountId, userName, status: 'active', createdAtMs });
    return { accessKeyId, secretAccessKey };
  }

  private activeKey(accessKeyId: string): HeldKey {
    const key = this.keys.get(accessKeyId);
    if (key?.status !== 'active') throw new HoldfastError('InvalidAccessKeyId');
    return key;
  }

  private verify(proof: Proof): { caller: Caller; signingKey?: Buffer } {
    if (proof.kind === 'anonymous') return { caller: ANONYMOUS };
    if (proof.kind === 'bearer') {
      const held = this.tokens.get(proof.token);
      if (held === undefined) throw new HoldfastError('InvalidToken');
      if (held.untilMs <= this.clock.nowMs()) throw new HoldfastError('ExpiredToken');
      return { caller: held.caller };
    }
    // Temporary keys are not made here: no session token is one of ours.
    if (proof.kind === 'signature-v4' && proof.sessionToken !== undefined) throw new HoldfastError('InvalidToken');
    const key = this.activeKey(proof.accessKeyId);
    if (proof.kind === 'signature-v2') {
      const expected = createHmac('sha1', key.secretAccessKey).update(proof.stringToSign, 'latin1').digest('base64');
      if (expected !== proof.signature) throw new HoldfastError('SignatureDoesNotMatch');
      return { caller: this.callerOf(key) };
    }
    const signingKey = this.signingKey(key.secretAccessKey, proof.date, proof.region, proof.service);
    const expected = createHmac('sha256', signingKey.key).update(proof.stringToSign).digest('hex');
    if (expected !== proof.signature) throw new HoldfastError('SignatureDoesNotMatch');
    const caller = this.callerOf(key);
    return proof.wantsSigningKey ? { caller, signingKey: signingKey.bytes } : { caller };
  }

  private signingKey(secret: string, ...scope: string[]): { bytes: Buffer; key: KeyObject } {
    const name = [secret, ...scope].join('\n');
    const held = this.signingKeys.get(name);
    if (held !== undefined) return held;
    let bytes: Buffer = Buffer.from(`AWS4${secret}`);
    for (const part of [...scope, 'aws4_request']) bytes = createHmac('sha256', bytes).update(part).digest();
    const made = { bytes, key: createSecretKey(bytes) };
    this.signingKeys.set(name, made);
    return made;
  }

  private callerOf({ accountId, userName }: AccessKey): Caller {
    const account = this.accounts.find((one) => one.accountId === accountId);
    if (account === undefined) throw new HoldfastError('InvalidAccessKeyId');
    const { canonicalId, displayName } = account;
    const kind = userName === '' ? 'root' : 'user';
    return { kind, accountId, canonicalId, displayName, userName, arn: arnOf(accountId, userName), userId: userName };
  }

  private judge(caller: Caller, check: AccessCheck, context: ConditionKeys = {}): Verdict {
    const verdict = judgePrincipal({ caller, policies: this.policiesOf(caller) }, check, context);
    const { action, resource } = check;
    if (verdict.decision !== 'allow' || action.startsWith('s3:')) return verdict;
    const isFirstAccount = caller.accountId === this.accounts[0]?.accountId;
    const ofOwnAccount = resource.split(':')[4] === caller.accountId;
    const within = ofOwnAccount || (isFirstAccount && (caller.kind === 'root' || !action.startsWith('iam:')));
    return within ? verdict : { decision: 'no-allow', reason: { layer: 'none' } };
  }

  private policiesOf({ accountId, userName }: Caller): CompiledPolicy[] {
    const prefix = `${accountId}/${userName}/`;
    return [...this.policies]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, document]) => compilePolicy(path.slice(prefix.length), document));
  }
}

function answerOf(verdicts: readonly Verdict[]): { decisions: Verdict['decision'][]; reasons: Verdict['reason'][] } {
  return { decisions: verdicts.map(({ decision }) => decision), reasons: verdicts.map(({ reason }) => reason) };
}

function arnOf(accountId: string, userName: string): string {
  return `arn:aws:iam::${accountId}:${userName === '' ? 'root' : `user/${userName}`}`;
}
