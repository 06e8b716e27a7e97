import type { AccessKey, Account, User } from '@holdfast/contracts';
import {
  invalid,
  newAccountId,
  newCanonicalId,
  newUserId,
  unknownAccount,
  unknownUser,
  userArn,
} from '../domain/entity-names.js';
import { isForeignKeyViolation, isUniqueViolation } from './database-error.js';
import type { IdentityDatabase } from './identity-database.js';

/** A user, or the root of an account, as stored. */
export interface PrincipalRow {
  readonly account_id: string;
  readonly account_name: string;
  readonly canonical_id: string;
  readonly is_first: boolean;
  /** Null for the root of the account. */
  readonly user_id: string | null;
  readonly user_name: string | null;
  readonly policies: readonly PolicyText[];
}
export interface PolicyText {
  readonly policyName: string;
  readonly document: string;
}
export interface AccessKeyRow extends PrincipalRow {
  readonly access_key_id: string;
  readonly sealed_secret: Buffer;
}
export interface UserRow extends PrincipalRow {
  readonly user_id: string;
  readonly user_name: string;
  readonly password_hash: string | null;
}
export interface TokenKeyRow {
  readonly key_id: string;
  readonly public_key: Readonly<Record<string, unknown>>;
  readonly sealed_private_key: Buffer;
}

interface AccountRow {
  readonly account_id: string;
  readonly name: string;
  readonly canonical_id: string;
  readonly email: string;
  readonly created_at: Date;
}

/** An owner of keys: a user, or with an empty `userName` the root of the account. */
export interface KeyOwner {
  readonly accountId: string;
  readonly userName: string;
}

/** Policies of one user, in bytes of their documents: what a request of this user may cost to judge. */
const USER_POLICIES_BYTES_MAX = 64 * 1024;
const LIST_MAX = 10_000;

const PRINCIPAL = `a.account_id, a.name AS account_name, a.canonical_id, a.is_first, u.user_id, u.user_name,
  COALESCE((
    SELECT json_agg(json_build_object('policyName', p.policy_name, 'document', p.document) ORDER BY p.policy_name)
    FROM iam.user_policies p WHERE p.user_id = u.user_id), '[]'::json) AS policies`;
const ACCOUNT = 'account_id, name, canonical_id, email, created_at';

/** The records of identity in Postgres. Arguments are checked before; errors are HoldfastError. */
export class IdentityStore {
  constructor(private readonly database: IdentityDatabase) {}

  /** Undefined for a key that is unknown or not active. */
  async findActiveKey(accessKeyId: string): Promise<AccessKeyRow | undefined> {
    const rows = await this.database.query<AccessKeyRow>(
      `SELECT k.access_key_id, k.sealed_secret, ${PRINCIPAL}
       FROM iam.access_keys k
       JOIN iam.accounts a ON a.account_id = k.account_id
       LEFT JOIN iam.users u ON u.user_id = k.user_id
       WHERE k.access_key_id = $1 AND k.status = 'active'
         -- A key whose user cannot be found is nobody's, not root's.
         AND (k.user_id IS NULL) = (u.user_id IS NULL)`,
      [accessKeyId],
    );
    return rows[0];
  }

  /** `account`: its id or its name. */
  async findUser(account: string, userName: string): Promise<UserRow | undefined> {
    const rows = await this.database.query<UserRow>(
      `SELECT u.password_hash, ${PRINCIPAL}
       FROM iam.users u JOIN iam.accounts a ON a.account_id = u.account_id
       WHERE (a.account_id = $1 OR a.name = $1) AND u.user_name = $2`,
      [account, userName],
    );
    return rows[0];
  }

  async findAccounts(accountIds: readonly string[]): Promise<Account[]> {
    const rows = await this.database.query<AccountRow>(
      `SELECT ${ACCOUNT} FROM iam.accounts WHERE account_id = ANY ($1)`,
      [accountIds],
    );
    return rows.map(accountOf);
  }

  /** The account whose root administers the store; made under `name` at the first start. */
  async ensureFirstAccount(name: string): Promise<Account> {
    await this.database.execute(
      `INSERT INTO iam.accounts (account_id, name, canonical_id, email, is_first)
       SELECT $1, $2, $3, '', true WHERE NOT EXISTS (SELECT FROM iam.accounts WHERE is_first)`,
      [newAccountId(), name, newCanonicalId()],
    );
    const rows = await this.database.query<AccountRow>(`SELECT ${ACCOUNT} FROM iam.accounts WHERE is_first`);
    return accountOf(rows[0]);
  }

  async createAccount(name: string, email: string): Promise<Account> {
    const rows = await this.database.query<AccountRow>(
      `INSERT INTO iam.accounts (account_id, name, canonical_id, email) VALUES ($1, $2, $3, $4)
       ON CONFLICT (name) DO NOTHING RETURNING ${ACCOUNT}`,
      [newAccountId(), name, newCanonicalId(), email],
    );
    if (rows.length === 0) throw invalid('AccountName', 'another account has this name');
    return accountOf(rows[0]);
  }

  async listAccounts(): Promise<Account[]> {
    const text = `SELECT ${ACCOUNT} FROM iam.accounts ORDER BY is_first DESC, name LIMIT ${LIST_MAX}`;
    return (await this.database.query<AccountRow>(text)).map(accountOf);
  }

  async createUser(accountId: string, userName: string, passwordHash: string | undefined): Promise<User> {
    const rows = await this.database.query<{ created_at: Date }>(
      `INSERT INTO iam.users (user_id, account_id, user_name, password_hash) VALUES ($1, $2, $3, $4) RETURNING created_at`,
      [newUserId(), accountId, userName, passwordHash ?? null],
      (error) => {
        if (isUniqueViolation(error)) throw invalid('UserName', 'the account has a user of this name');
        if (isForeignKeyViolation(error)) throw unknownAccount();
      },
    );
    return { accountId, userName, arn: userArn(accountId, userName), createdAtMs: rows[0].created_at.getTime() };
  }

  async listUsers(accountId: string): Promise<User[]> {
    const rows = await this.database.query<{ user_name: string | null; created_at: Date | null }>(
      `SELECT u.user_name, u.created_at FROM iam.accounts a LEFT JOIN iam.users u ON u.account_id = a.account_id
       WHERE a.account_id = $1 ORDER BY u.user_name LIMIT ${LIST_MAX}`,
      [accountId],
    );
    if (rows.length === 0) throw unknownAccount();
    return rows.flatMap(({ user_name: userName, created_at: createdAt }) => {
      if (userName === null || createdAt === null) return [];
      return [{ accountId, userName, arn: userArn(accountId, userName), createdAtMs: createdAt.getTime() }];
    });
  }

  /** With the user go its keys and policies. */
  async deleteUser({ accountId, userName }: KeyOwner): Promise<boolean> {
    const text = 'DELETE FROM iam.users WHERE account_id = $1 AND user_name = $2';
    return (await this.database.execute(text, [accountId, userName])) > 0;
  }

  async createAccessKey(owner: KeyOwner, accessKeyId: string, sealedSecret: Buffer): Promise<AccessKey> {
    const rows = await this.database.query<{ created_at: Date }>(
      owner.userName === ''
        ? `INSERT INTO iam.access_keys (access_key_id, account_id, sealed_secret)
           SELECT $1, account_id, $2 FROM iam.accounts WHERE account_id = $3 AND $4 = '' RETURNING created_at`
        : `INSERT INTO iam.access_keys (access_key_id, account_id, user_id, sealed_secret)
           SELECT $1, account_id, user_id, $2 FROM iam.users WHERE account_id = $3 AND user_name = $4 RETURNING created_at`,
      [accessKeyId, sealedSecret, owner.accountId, owner.userName],
    );
    if (rows.length === 0) throw owner.userName === '' ? unknownAccount() : unknownUser();
    return { accessKeyId, ...owner, status: 'active', createdAtMs: rows[0].created_at.getTime() };
  }

  async listAccessKeys(owner: KeyOwner): Promise<AccessKey[]> {
    const userId = await this.userIdOf(owner);
    const rows = await this.database.query<Pick<AccessKeyRow, 'access_key_id'> & { status: string; created_at: Date }>(
      `SELECT access_key_id, status, created_at FROM iam.access_keys
       WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2 ORDER BY created_at, access_key_id LIMIT ${LIST_MAX}`,
      [owner.accountId, userId],
    );
    return rows.map((row) => ({
      accessKeyId: row.access_key_id,
      accountId: owner.accountId,
      userName: owner.userName,
      status: row.status === 'active' ? 'active' : 'inactive',
      createdAtMs: row.created_at.getTime(),
    }));
  }

  async setAccessKeyStatus(accessKeyId: string, status: AccessKey['status']): Promise<boolean> {
    const text = 'UPDATE iam.access_keys SET status = $2 WHERE access_key_id = $1';
    return (await this.database.execute(text, [accessKeyId, status])) > 0;
  }

  async deleteAccessKey(accessKeyId: string): Promise<boolean> {
    return (await this.database.execute('DELETE FROM iam.access_keys WHERE access_key_id = $1', [accessKeyId])) > 0;
  }

  async putUserPolicy({ accountId, userName }: KeyOwner, policy: PolicyText): Promise<void> {
    await this.database.transaction(async (client) => {
      // Locked, so that two policies at once do not pass the limit together.
      const users = await client.query<{ user_id: string }>(
        'SELECT user_id FROM iam.users WHERE account_id = $1 AND user_name = $2 FOR NO KEY UPDATE',
        [accountId, userName],
      );
      if (users.rows.length === 0) throw unknownUser();
      const userId = users.rows[0].user_id;
      await client.query(
        `INSERT INTO iam.user_policies (user_id, policy_name, document) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, policy_name) DO UPDATE SET document = EXCLUDED.document`,
        [userId, policy.policyName, policy.document],
      );
      const sums = await client.query<{ bytes: string }>(
        'SELECT sum(octet_length(document)) AS bytes FROM iam.user_policies WHERE user_id = $1',
        [userId],
      );
      if (Number(sums.rows[0].bytes) > USER_POLICIES_BYTES_MAX) {
        throw invalid(
          'PolicyDocument',
          `the policies of one user have at most ${USER_POLICIES_BYTES_MAX} bytes together`,
        );
      }
    });
  }

  async listUserPolicies(owner: KeyOwner): Promise<PolicyText[]> {
    const user = await this.findUser(owner.accountId, owner.userName);
    if (user === undefined) throw unknownUser();
    return [...user.policies];
  }

  async deleteUserPolicy(owner: KeyOwner, policyName: string): Promise<boolean> {
    const text = 'DELETE FROM iam.user_policies WHERE user_id = $1 AND policy_name = $2';
    return (await this.database.execute(text, [await this.userIdOf(owner), policyName])) > 0;
  }

  /** Newest first. */
  async listTokenKeys(): Promise<TokenKeyRow[]> {
    return this.database.query<TokenKeyRow>(
      'SELECT key_id, public_key, sealed_private_key FROM iam.token_keys ORDER BY created_at DESC, key_id LIMIT 100',
    );
  }

  async addTokenKey({ key_id: keyId, public_key: publicKey, sealed_private_key: sealed }: TokenKeyRow): Promise<void> {
    const text = 'INSERT INTO iam.token_keys (key_id, public_key, sealed_private_key) VALUES ($1, $2, $3)';
    await this.database.execute(text, [keyId, JSON.stringify(publicKey), sealed]);
  }

  /** Null for the root of the account. */
  private async userIdOf({ accountId, userName }: KeyOwner): Promise<string | null> {
    if (userName === '') {
      if ((await this.findAccounts([accountId])).length === 0) throw unknownAccount();
      return null;
    }
    const text = 'SELECT user_id FROM iam.users WHERE account_id = $1 AND user_name = $2';
    const rows = await this.database.query<{ user_id: string }>(text, [accountId, userName]);
    if (rows.length === 0) throw unknownUser();
    return rows[0].user_id;
  }
}

function accountOf(row: AccountRow): Account {
  return {
    accountId: row.account_id,
    name: row.name,
    canonicalId: row.canonical_id,
    email: row.email,
    createdAtMs: row.created_at.getTime(),
  };
}
