import type { AccessKey, Account, User } from '@holdfast/contracts';
import { parsePolicy } from '@holdfast/iam-policy';
import {
  checkAccountName,
  checkEmail,
  checkPassword,
  checkPolicyName,
  checkUserName,
  isAccessKeyId,
  isAccountId,
  isName,
  newAccessKeyId,
  newSecretAccessKey,
  unknownAccount,
  unknownUser,
} from './domain/entity-names.js';
import type { PasswordHasher } from './domain/password-hash.js';
import type { SealingKey } from './domain/sealing.js';
import { accessKeyContext, type PrincipalDirectory } from './principal-directory.js';
import type { IdentityStore, KeyOwner, PolicyText } from './sql/identity-store.js';

/** Changes accounts, users, keys and policies. Each change is in force in this process when it resolves. */
export class IdentityAdministration {
  constructor(
    private readonly store: IdentityStore,
    private readonly directory: PrincipalDirectory,
    private readonly sealing: SealingKey,
    private readonly passwords: PasswordHasher,
  ) {}

  async createAccount(name: string, email: string): Promise<Account> {
    checkAccountName(name);
    checkEmail(email);
    return this.change(() => this.store.createAccount(name, email));
  }

  async createUser({ accountId, userName }: KeyOwner, password: string | undefined): Promise<User> {
    checkAccountId(accountId);
    checkUserName(userName);
    if (password !== undefined) checkPassword(password);
    const passwordHash = password === undefined ? undefined : await this.passwords.hash(password);
    return this.change(() => this.store.createUser(accountId, userName, passwordHash));
  }

  async listUsers(accountId: string): Promise<User[]> {
    checkAccountId(accountId);
    return this.store.listUsers(accountId);
  }

  async deleteUser(user: KeyOwner): Promise<boolean> {
    if (!isAccountId(user.accountId) || !isName(user.userName)) return false;
    return this.change(() => this.store.deleteUser(user));
  }

  async createAccessKey(owner: KeyOwner): Promise<{ accessKey: AccessKey; secretAccessKey: string }> {
    checkOwner(owner);
    const accessKeyId = newAccessKeyId();
    const secretAccessKey = newSecretAccessKey();
    const sealed = this.sealing.seal(Buffer.from(secretAccessKey), accessKeyContext(accessKeyId));
    const accessKey = await this.change(() => this.store.createAccessKey(owner, accessKeyId, sealed));
    return { accessKey, secretAccessKey };
  }

  async listAccessKeys(owner: KeyOwner): Promise<AccessKey[]> {
    checkOwner(owner);
    return this.store.listAccessKeys(owner);
  }

  async setAccessKeyStatus(accessKeyId: string, status: AccessKey['status']): Promise<boolean> {
    if (!isAccessKeyId(accessKeyId)) return false;
    return this.change(() => this.store.setAccessKeyStatus(accessKeyId, status));
  }

  async deleteAccessKey(accessKeyId: string): Promise<boolean> {
    if (!isAccessKeyId(accessKeyId)) return false;
    return this.change(() => this.store.deleteAccessKey(accessKeyId));
  }

  async putUserPolicy(user: KeyOwner, policy: PolicyText): Promise<void> {
    checkUser(user);
    checkPolicyName(policy.policyName);
    parsePolicy(policy.document);
    await this.change(() => this.store.putUserPolicy(user, policy));
  }

  async listUserPolicies(user: KeyOwner): Promise<PolicyText[]> {
    checkUser(user);
    return this.store.listUserPolicies(user);
  }

  async deleteUserPolicy(user: KeyOwner, policyName: string): Promise<boolean> {
    checkUser(user);
    if (!isName(policyName)) return false;
    return this.change(() => this.store.deleteUserPolicy(user, policyName));
  }

  /** Forgets what is remembered also when the change failed: a lost answer may hide a change that was made. */
  private async change<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } finally {
      this.directory.invalidate();
    }
  }
}

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
