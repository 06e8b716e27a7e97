import { IdentityAdministration, type CallContext, type IdentityAdministrationMethods } from '@holdfast/contracts';
import {
  checkAccountName,
  checkDescription,
  checkDisplayName,
  checkEmail,
  checkGroupName,
  checkPassword,
  checkPath,
  checkPolicyName,
  checkUserName,
  isAccessKeyId,
  isAccountId,
  isName,
  newAccessKeyId,
  newSecretAccessKey,
  unknownAccount,
  unknownGroup,
  unknownKey,
  unknownPolicy,
  unknownUser,
} from './domain/entity-names.js';
import type { PasswordHasher } from './domain/password-hash.js';
import { checkIdentityPolicy, checkManagedPolicy } from './domain/policy-limits.js';
import type { SealingKey } from './domain/sealing.js';
import { accessKeyContext, type PrincipalDirectory } from './principal-directory.js';
import { AccountStore } from './sql/account-store.js';
import type { KeyOwner, PolicyHolder } from './sql/entity-rows.js';
import { GroupStore } from './sql/group-store.js';
import type { IdentityDatabase } from './sql/identity-database.js';
import { InlinePolicyStore } from './sql/inline-policy-store.js';
import { PolicyStore } from './sql/policy-store.js';
import { UserStore } from './sql/user-store.js';
import type { TokenKeyRing } from './tokens/token-key-ring.js';

type M = IdentityAdministrationMethods;
type In<K extends keyof M> = Parameters<M[K]>[1];
type Out<K extends keyof M> = ReturnType<M[K]>;

export interface AdministrationParts {
  readonly database: IdentityDatabase;
  readonly directory: PrincipalDirectory;
  readonly sealing: SealingKey;
  readonly passwords: PasswordHasher;
  readonly keys: TokenKeyRing;
}

/** Changes accounts and what belongs to them. Each change is in force in this process when it resolves. */
export class IdentityAdministrationService extends IdentityAdministration {
  private readonly accounts: AccountStore;
  private readonly users: UserStore;
  private readonly groups: GroupStore;
  private readonly policies: PolicyStore;
  private readonly inline: InlinePolicyStore;

  constructor(private readonly parts: AdministrationParts) {
    super();
    const { database } = parts;
    this.accounts = new AccountStore(database);
    this.users = new UserStore(database);
    this.groups = new GroupStore(database);
    this.policies = new PolicyStore(database);
    this.inline = new InlinePolicyStore(database);
  }

  override async createAccount(_call: CallContext, account: In<'createAccount'>): Out<'createAccount'> {
    const { name, email, displayName = name } = account;
    checkAccountName(name);
    checkEmail(email);
    checkDisplayName(displayName);
    return this.change(() => this.accounts.create({ name, email, displayName }));
  }

  override async getAccount(_call: CallContext, { accountId }: In<'getAccount'>): Out<'getAccount'> {
    checkAccountId(accountId);
    return this.accounts.find(accountId);
  }

  override async listAccounts(_call: CallContext, page: In<'listAccounts'>): Out<'listAccounts'> {
    return this.accounts.list(page);
  }

  override async deleteAccount(_call: CallContext, { accountId }: In<'deleteAccount'>): Out<'deleteAccount'> {
    checkAccountId(accountId);
    await this.change(() => this.accounts.delete(accountId));
  }

  override async createUser(
    _call: CallContext,
    { password, path = '/', ...user }: In<'createUser'>,
  ): Out<'createUser'> {
    checkAccountId(user.accountId);
    checkUserName(user.userName);
    checkPath(path);
    if (password !== undefined) checkPassword(password);
    const passwordHash = password === undefined ? undefined : await this.parts.passwords.hash(password);
    return this.change(() => this.users.create(user, path, passwordHash));
  }

  override async getUser(_call: CallContext, user: In<'getUser'>): Out<'getUser'> {
    checkUser(user);
    return this.users.find(user);
  }

  override async listUsers(_call: CallContext, { accountId, pathPrefix, ...page }: In<'listUsers'>): Out<'listUsers'> {
    checkAccountId(accountId);
    return this.users.list(accountId, page, pathPrefix);
  }

  override async deleteUser(_call: CallContext, user: In<'deleteUser'>): Out<'deleteUser'> {
    checkUser(user);
    await this.change(() => this.users.delete(user));
  }

  override async setUserBoundary(
    _call: CallContext,
    { policyName, ...user }: In<'setUserBoundary'>,
  ): Out<'setUserBoundary'> {
    checkUser(user);
    if (policyName !== undefined) checkPolicy(user.accountId, policyName);
    await this.change(() => this.users.setBoundary(user, policyName));
  }

  override async createAccessKey(_call: CallContext, owner: In<'createAccessKey'>): Out<'createAccessKey'> {
    checkOwner(owner);
    const accessKeyId = newAccessKeyId();
    const secretAccessKey = newSecretAccessKey();
    const sealed = this.parts.sealing.seal(Buffer.from(secretAccessKey), accessKeyContext(accessKeyId));
    const accessKey = await this.change(() => this.users.createKey(owner, accessKeyId, sealed));
    return { accessKey, secretAccessKey };
  }

  override async listAccessKeys(
    _call: CallContext,
    { after, limit, ...owner }: In<'listAccessKeys'>,
  ): Out<'listAccessKeys'> {
    checkOwner(owner);
    return this.users.listKeys(owner, { after, limit });
  }

  override async setAccessKeyStatus(
    _call: CallContext,
    { accessKeyId, status, ...owner }: In<'setAccessKeyStatus'>,
  ): Out<'setAccessKeyStatus'> {
    checkKey(owner, accessKeyId);
    await this.change(() => this.users.setKeyStatus(owner, accessKeyId, status));
  }

  override async deleteAccessKey(
    _call: CallContext,
    { accessKeyId, ...owner }: In<'deleteAccessKey'>,
  ): Out<'deleteAccessKey'> {
    checkKey(owner, accessKeyId);
    await this.change(() => this.users.deleteKey(owner, accessKeyId));
  }

  override async createGroup(_call: CallContext, group: In<'createGroup'>): Out<'createGroup'> {
    checkAccountId(group.accountId);
    checkGroupName(group.groupName);
    return this.change(() => this.groups.create(group));
  }

  override async getGroup(_call: CallContext, group: In<'getGroup'>): Out<'getGroup'> {
    checkGroup(group);
    return this.groups.find(group);
  }

  override async listGroups(_call: CallContext, { accountId, ...page }: In<'listGroups'>): Out<'listGroups'> {
    checkAccountId(accountId);
    return this.groups.list(accountId, page);
  }

  override async deleteGroup(_call: CallContext, group: In<'deleteGroup'>): Out<'deleteGroup'> {
    checkGroup(group);
    await this.change(() => this.groups.delete(group));
  }

  override async addGroupMember(_call: CallContext, member: In<'addGroupMember'>): Out<'addGroupMember'> {
    checkGroup(member);
    checkUser(member);
    await this.change(() => this.groups.addMember(member));
  }

  override async removeGroupMember(_call: CallContext, member: In<'removeGroupMember'>): Out<'removeGroupMember'> {
    checkGroup(member);
    checkUser(member);
    await this.change(() => this.groups.removeMember(member));
  }

  override async listGroupMembers(
    _call: CallContext,
    { after, limit, ...group }: In<'listGroupMembers'>,
  ): Out<'listGroupMembers'> {
    checkGroup(group);
    return this.groups.listMembers(group, { after, limit });
  }

  override async listGroupsOfUser(
    _call: CallContext,
    { after, limit, ...user }: In<'listGroupsOfUser'>,
  ): Out<'listGroupsOfUser'> {
    checkUser(user);
    return this.users.listGroups(user, { after, limit });
  }

  override async putInlinePolicy(
    _call: CallContext,
    { policyName, document, ...holder }: In<'putInlinePolicy'>,
  ): Out<'putInlinePolicy'> {
    checkHolder(holder);
    checkPolicyName(policyName);
    checkIdentityPolicy(document);
    await this.change(() => this.inline.put(holder, policyName, document));
  }

  override async getInlinePolicy(
    _call: CallContext,
    { policyName, ...holder }: In<'getInlinePolicy'>,
  ): Out<'getInlinePolicy'> {
    checkHolder(holder);
    checkPolicy(holder.accountId, policyName);
    return this.inline.find(holder, policyName);
  }

  override async listInlinePolicies(
    _call: CallContext,
    { after, limit, ...holder }: In<'listInlinePolicies'>,
  ): Out<'listInlinePolicies'> {
    checkHolder(holder);
    return this.inline.list(holder, { after, limit });
  }

  override async deleteInlinePolicy(
    _call: CallContext,
    { policyName, ...holder }: In<'deleteInlinePolicy'>,
  ): Out<'deleteInlinePolicy'> {
    checkHolder(holder);
    checkPolicy(holder.accountId, policyName);
    await this.change(() => this.inline.delete(holder, policyName));
  }

  override async createPolicy(
    _call: CallContext,
    { description, document, ...policy }: In<'createPolicy'>,
  ): Out<'createPolicy'> {
    checkAccountId(policy.accountId);
    checkPolicyName(policy.policyName);
    checkDescription(description);
    checkManagedPolicy(document);
    return this.change(() => this.policies.create(policy, description, document));
  }

  override async getPolicy(_call: CallContext, policy: In<'getPolicy'>): Out<'getPolicy'> {
    checkPolicy(policy.accountId, policy.policyName);
    return this.policies.find(policy);
  }

  override async listPolicies(_call: CallContext, { accountId, ...page }: In<'listPolicies'>): Out<'listPolicies'> {
    checkAccountId(accountId);
    return this.policies.list(accountId, page);
  }

  override async deletePolicy(_call: CallContext, policy: In<'deletePolicy'>): Out<'deletePolicy'> {
    checkPolicy(policy.accountId, policy.policyName);
    await this.change(() => this.policies.delete(policy));
  }

  override async createPolicyVersion(
    _call: CallContext,
    { document, setAsDefault, ...policy }: In<'createPolicyVersion'>,
  ): Out<'createPolicyVersion'> {
    checkPolicy(policy.accountId, policy.policyName);
    checkManagedPolicy(document);
    return this.change(() => this.policies.createVersion(policy, document, setAsDefault));
  }

  override async getPolicyVersion(
    _call: CallContext,
    { version, ...policy }: In<'getPolicyVersion'>,
  ): Out<'getPolicyVersion'> {
    checkPolicy(policy.accountId, policy.policyName);
    checkVersion(version);
    return this.policies.findVersion(policy, version);
  }

  override async listPolicyVersions(_call: CallContext, policy: In<'listPolicyVersions'>): Out<'listPolicyVersions'> {
    checkPolicy(policy.accountId, policy.policyName);
    return { versions: await this.policies.listVersions(policy) };
  }

  override async setDefaultPolicyVersion(
    _call: CallContext,
    { version, ...policy }: In<'setDefaultPolicyVersion'>,
  ): Out<'setDefaultPolicyVersion'> {
    checkPolicy(policy.accountId, policy.policyName);
    checkVersion(version);
    await this.change(() => this.policies.setDefaultVersion(policy, version));
  }

  override async deletePolicyVersion(
    _call: CallContext,
    { version, ...policy }: In<'deletePolicyVersion'>,
  ): Out<'deletePolicyVersion'> {
    checkPolicy(policy.accountId, policy.policyName);
    checkVersion(version);
    await this.change(() => this.policies.deleteVersion(policy, version));
  }

  override async attachPolicy(_call: CallContext, { policyName, ...holder }: In<'attachPolicy'>): Out<'attachPolicy'> {
    checkHolder(holder);
    checkPolicy(holder.accountId, policyName);
    await this.change(() => this.policies.attach(holder, policyName));
  }

  override async detachPolicy(_call: CallContext, { policyName, ...holder }: In<'detachPolicy'>): Out<'detachPolicy'> {
    checkHolder(holder);
    checkPolicy(holder.accountId, policyName);
    await this.change(() => this.policies.detach(holder, policyName));
  }

  override async listAttachedPolicies(
    _call: CallContext,
    { after, limit, ...holder }: In<'listAttachedPolicies'>,
  ): Out<'listAttachedPolicies'> {
    checkHolder(holder);
    return this.policies.listAttached(holder, { after, limit });
  }

  override async rotateTokenKey(_call: CallContext, { endOthers }: In<'rotateTokenKey'>): Out<'rotateTokenKey'> {
    return { keyId: await this.parts.keys.rotate(endOthers) };
  }

  /** Forgets what is remembered also when the change failed: a lost answer may hide a change that was made. */
  private async change<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } finally {
      this.parts.directory.invalidate();
    }
  }
}

/** A name that none can have is one that nobody has: it never reaches the database. */
function checkAccountId(accountId: string): void {
  if (!isAccountId(accountId)) throw unknownAccount();
}

function checkUser({ accountId, userName }: KeyOwner): void {
  checkAccountId(accountId);
  if (!isName(userName)) throw unknownUser();
}

/** A user, or with an empty name the root of the account. */
function checkOwner(owner: KeyOwner): void {
  if (owner.userName === '') checkAccountId(owner.accountId);
  else checkUser(owner);
}

function checkKey(owner: KeyOwner, accessKeyId: string): void {
  checkOwner(owner);
  if (!isAccessKeyId(accessKeyId)) throw unknownKey();
}

function checkGroup({ accountId, groupName }: { accountId: string; groupName: string }): void {
  checkAccountId(accountId);
  if (!isName(groupName)) throw unknownGroup();
}

function checkHolder({ accountId, holder, holderName }: PolicyHolder): void {
  if (holder === 'user') checkUser({ accountId, userName: holderName });
  else checkGroup({ accountId, groupName: holderName });
}

function checkPolicy(accountId: string, policyName: string): void {
  checkAccountId(accountId);
  if (!isName(policyName)) throw unknownPolicy();
}

/** What Postgres holds as an integer. */
function checkVersion(version: number): void {
  if (version > 0x7fff_ffff) throw unknownPolicy('the policy has no such version');
}
