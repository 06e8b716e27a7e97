import { createHash, createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  Identity,
  type AccessCheck,
  type AccessKey,
  type Account,
  type Caller,
  type Decision,
  type IdentityMethods,
  type Proof,
  type User,
} from '@holdfast/contracts';

type In<M extends keyof IdentityMethods> = Parameters<IdentityMethods[M]>[1];
type Out<M extends keyof IdentityMethods> = ReturnType<IdentityMethods[M]>;

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: string | string[];
}
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
};

/**
 * `Identity` without a database: real signatures, policies of exact texts and `*`, tokens that mean something to this
 * object alone. The first account is the store's own.
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
    this.users.push({ accountId, userName, arn: arnOf(accountId, userName), createdAtMs: this.clock.nowMs() });
    const document = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    this.policies.set(`${accountId}/${userName}/given`, document);
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

  override async authorize(_call: unknown, { proof, checks }: In<'authorize'>): Out<'authorize'> {
    const { caller, signingKey } = this.verify(proof);
    const decisions = checks.map((check) => this.judge(caller, check));
    return signingKey === undefined ? { caller, decisions } : { caller, decisions, signingKey };
  }

  override async decide(_call: unknown, { caller, checks }: In<'decide'>): Out<'decide'> {
    return { decisions: checks.map((check) => this.judge(caller, check)) };
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

  override async createAccount(_call: unknown, { name }: In<'createAccount'>): Out<'createAccount'> {
    if (this.accounts.some((account) => account.name === name)) throw new HoldfastError('InvalidArgument');
    return this.addAccount(name).account;
  }

  override async listAccounts(): Out<'listAccounts'> {
    return { accounts: [...this.accounts] };
  }

  override async createUser(_call: unknown, { accountId, userName, password }: In<'createUser'>): Out<'createUser'> {
    if (this.users.some((user) => user.arn === arnOf(accountId, userName))) throw new HoldfastError('InvalidArgument');
    const user = { accountId, userName, arn: arnOf(accountId, userName), createdAtMs: this.clock.nowMs() };
    this.users.push(user);
    if (password !== undefined) this.passwords.set(user.arn, password);
    return user;
  }

  override async listUsers(_call: unknown, { accountId }: In<'listUsers'>): Out<'listUsers'> {
    return { users: this.users.filter((user) => user.accountId === accountId) };
  }

  override async deleteUser(_call: unknown, { accountId, userName }: In<'deleteUser'>): Out<'deleteUser'> {
    const index = this.users.findIndex((user) => user.arn === arnOf(accountId, userName));
    if (index >= 0) this.users.splice(index, 1);
    return { deleted: index >= 0 };
  }

  override async createAccessKey(
    _call: unknown,
    { accountId, userName }: In<'createAccessKey'>,
  ): Out<'createAccessKey'> {
    const { accessKeyId, secretAccessKey } = this.addKey(accountId, userName);
    return { accessKey: plainKey(this.activeKey(accessKeyId)), secretAccessKey };
  }

  override async listAccessKeys(_call: unknown, { accountId, userName }: In<'listAccessKeys'>): Out<'listAccessKeys'> {
    const held = [...this.keys.values()].filter((key) => key.accountId === accountId && key.userName === userName);
    return { accessKeys: held.map(plainKey) };
  }

  override async setAccessKeyStatus(
    _call: unknown,
    { accessKeyId, status }: In<'setAccessKeyStatus'>,
  ): Out<'setAccessKeyStatus'> {
    const key = this.keys.get(accessKeyId);
    if (key !== undefined) this.keys.set(accessKeyId, { ...key, status });
    return { found: key !== undefined };
  }

  override async deleteAccessKey(_call: unknown, { accessKeyId }: In<'deleteAccessKey'>): Out<'deleteAccessKey'> {
    return { deleted: this.keys.delete(accessKeyId) };
  }

  override async putUserPolicy(_call: unknown, input: In<'putUserPolicy'>): Out<'putUserPolicy'> {
    try {
      JSON.parse(input.document);
    } catch (cause) {
      throw new HoldfastError('InvalidArgument', 'The policy is no JSON.', {}, { cause });
    }
    this.policies.set(`${input.accountId}/${input.userName}/${input.policyName}`, input.document);
  }

  override async listUserPolicies(
    _call: unknown,
    { accountId, userName }: In<'listUserPolicies'>,
  ): Out<'listUserPolicies'> {
    const prefix = `${accountId}/${userName}/`;
    const held = [...this.policies].filter(([name]) => name.startsWith(prefix));
    return { policies: held.map(([name, document]) => ({ policyName: name.slice(prefix.length), document })) };
  }

  override async deleteUserPolicy(_call: unknown, input: In<'deleteUserPolicy'>): Out<'deleteUserPolicy'> {
    return { deleted: this.policies.delete(`${input.accountId}/${input.userName}/${input.policyName}`) };
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
    const { canonicalId, name: displayName } = account;
    const kind = userName === '' ? 'root' : 'user';
    return { kind, accountId, canonicalId, displayName, userName, arn: arnOf(accountId, userName) };
  }

  private judge(caller: Caller, { action, resource }: AccessCheck): Decision {
    if (caller.kind === 'anonymous') return 'no-allow';
    const decision = caller.kind === 'root' ? 'allow' : this.judgeByPolicies(caller, action, resource);
    if (decision !== 'allow' || action.startsWith('s3:')) return decision;
    const isFirstAccount = caller.accountId === this.accounts[0]?.accountId;
    if (!action.startsWith('iam:')) return isFirstAccount ? 'allow' : 'no-allow';
    const ofOwnAccount = resource.split(':')[4] === caller.accountId;
    return ofOwnAccount || (isFirstAccount && caller.kind === 'root') ? 'allow' : 'no-allow';
  }

  private judgeByPolicies({ accountId, userName }: Caller, action: string, resource: string): Decision {
    let decision: Decision = 'no-allow';
    const prefix = `${accountId}/${userName}/`;
    for (const [name, document] of this.policies) {
      if (!name.startsWith(prefix)) continue;
      const statements = (JSON.parse(document) as { Statement: Statement | Statement[] }).Statement;
      for (const { Effect, Action, Resource } of [statements].flat()) {
        if (!matchesAny(Action, action) || !matchesAny(Resource, resource)) continue;
        if (Effect === 'Deny') return 'explicit-deny';
        decision = 'allow';
      }
    }
    return decision;
  }
}

function plainKey({ accessKeyId, accountId, userName, status, createdAtMs }: HeldKey): AccessKey {
  return { accessKeyId, accountId, userName, status, createdAtMs };
}

function arnOf(accountId: string, userName: string): string {
  return `arn:aws:iam::${accountId}:${userName === '' ? 'root' : `user/${userName}`}`;
}

function matchesAny(patterns: string | string[], text: string): boolean {
  return [patterns].flat().some((pattern) => {
    const escaped = pattern.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${escaped.join('.*')}$`, 's').test(text);
  });
}
