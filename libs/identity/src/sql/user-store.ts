import type { AccessKey, Group, User } from '@holdfast/contracts';
import type pg from 'pg';
import {
  alreadyExists,
  LIMITS,
  limitExceeded,
  newUserId,
  unknownAccount,
  unknownKey,
  unknownPolicy,
  unknownUser,
} from '../domain/entity-names.js';
import { isForeignKeyViolation, isUniqueViolation } from './database-error.js';
import {
  groupsPage,
  keyOf,
  pageOf,
  pageValues,
  USER_COLUMNS,
  userOf,
  usersPage,
  type GroupRow,
  type KeyListRow,
  type KeyOwner,
  type Page,
  type UserListRow,
} from './entity-rows.js';
import type { IdentityDatabase } from './identity-database.js';

const KEY_COLUMNS = 'access_key_id, status, created_at, last_used_at';

/** Users and access keys in Postgres. Arguments are checked before; errors are HoldfastError. */
export class UserStore {
  constructor(private readonly database: IdentityDatabase) {}

  async create({ accountId, userName }: KeyOwner, path: string, passwordHash: string | undefined): Promise<User> {
    const rows = await this.database.query<Omit<UserListRow, 'boundary'>>(
      `INSERT INTO iam.users (user_id, account_id, user_name, path, password_hash)
       SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM iam.users WHERE account_id = $2) < $6
       RETURNING user_id, user_name, path, created_at`,
      [newUserId(), accountId, userName, path, passwordHash ?? null, LIMITS.usersPerAccount],
      (error) => {
        if (isUniqueViolation(error)) throw alreadyExists('the account has a user of this name');
        if (isForeignKeyViolation(error)) throw unknownAccount();
      },
    );
    if (rows.length === 0) throw limitExceeded(`an account has at most ${LIMITS.usersPerAccount} users`);
    return userOf(accountId, { ...rows[0], boundary: null });
  }

  async find({ accountId, userName }: KeyOwner): Promise<User> {
    const rows = await this.database.query<UserListRow>(
      `SELECT ${USER_COLUMNS} FROM iam.users u WHERE u.account_id = $1 AND u.user_name = $2`,
      [accountId, userName],
    );
    if (rows.length === 0) throw unknownUser();
    return userOf(accountId, rows[0]);
  }

  async list(accountId: string, page: Page, pathPrefix = ''): Promise<{ users: User[]; next?: string }> {
    const rows = await this.database.query<UserListRow>(
      `SELECT ${USER_COLUMNS} FROM iam.users u WHERE u.account_id = $1 AND u.user_name > $2 AND starts_with(u.path, $4)
       ORDER BY u.user_name LIMIT $3`,
      [accountId, ...pageValues(page), pathPrefix],
    );
    if (rows.length === 0) await this.database.requireAccount(accountId);
    return usersPage(accountId, rows, page);
  }

  /** With the user go its keys, inline policies, attachments and memberships. */
  async delete({ accountId, userName }: KeyOwner): Promise<void> {
    const text = 'DELETE FROM iam.users WHERE account_id = $1 AND user_name = $2';
    if ((await this.database.execute(text, [accountId, userName])) === 0) throw unknownUser();
  }

  async setBoundary({ accountId, userName }: KeyOwner, policyName: string | undefined): Promise<void> {
    await this.database.transaction(async (client) => {
      const policies = await client.query<{ policy_id: string }>(
        'SELECT policy_id FROM iam.policies WHERE account_id = $1 AND policy_name = $2 FOR KEY SHARE',
        [accountId, policyName ?? ''],
      );
      if (policyName !== undefined && policies.rows.length === 0) throw unknownPolicy();
      const changed = await client.query(
        'UPDATE iam.users SET boundary_id = $3 WHERE account_id = $1 AND user_name = $2',
        [accountId, userName, policies.rows[0]?.policy_id ?? null],
      );
      if (changed.rowCount === 0) throw unknownUser();
    });
  }

  async listGroups({ accountId, userName }: KeyOwner, page: Page): Promise<{ groups: Group[]; next?: string }> {
    const rows = await this.database.query<GroupRow>(
      `SELECT g.group_name, g.created_at
       FROM iam.users u JOIN iam.group_members USING (user_id) JOIN iam.groups g USING (group_id)
       WHERE u.account_id = $1 AND u.user_name = $2 AND g.group_name > $3 ORDER BY g.group_name LIMIT $4`,
      [accountId, userName, ...pageValues(page)],
    );
    if (rows.length === 0) await this.find({ accountId, userName });
    return groupsPage(accountId, rows, page);
  }

  async createKey(owner: KeyOwner, accessKeyId: string, sealedSecret: Buffer): Promise<AccessKey> {
    return this.database.transaction(async (client) => {
      const userId = await lockOwner(client, owner);
      const held = await client.query<{ count: string }>(
        'SELECT count(*) FROM iam.access_keys WHERE account_id = $1 AND user_id IS NOT DISTINCT FROM $2',
        [owner.accountId, userId],
      );
      if (Number(held.rows[0].count) >= LIMITS.keysPerOwner) {
        throw limitExceeded(`a user has at most ${LIMITS.keysPerOwner} access keys; delete one first`);
      }
      const rows = await client.query<KeyListRow>(
        `INSERT INTO iam.access_keys (access_key_id, account_id, user_id, sealed_secret) VALUES ($1, $2, $3, $4)
         RETURNING ${KEY_COLUMNS}`,
        [accessKeyId, owner.accountId, userId, sealedSecret],
      );
      return keyOf(owner, rows.rows[0]);
    });
  }

  async listKeys(owner: KeyOwner, page: Page): Promise<{ accessKeys: AccessKey[]; next?: string }> {
    const rows = await this.database.query<KeyListRow>(
      `SELECT ${KEY_COLUMNS} FROM iam.access_keys k
       WHERE ${OWNED} AND access_key_id > $3 ORDER BY access_key_id LIMIT $4`,
      [owner.accountId, owner.userName, ...pageValues(page)],
    );
    if (rows.length === 0) await this.requireOwner(owner);
    const { entries: accessKeys, ...more } = pageOf(
      rows,
      page,
      ({ access_key_id: id }) => id,
      (row) => keyOf(owner, row),
    );
    return { accessKeys, ...more };
  }

  async setKeyStatus(owner: KeyOwner, accessKeyId: string, status: AccessKey['status']): Promise<void> {
    const text = `UPDATE iam.access_keys k SET status = $4 WHERE ${OWNED} AND access_key_id = $3`;
    const changed = await this.database.execute(text, [owner.accountId, owner.userName, accessKeyId, status]);
    if (changed === 0) throw unknownKey();
  }

  async deleteKey(owner: KeyOwner, accessKeyId: string): Promise<void> {
    const text = `DELETE FROM iam.access_keys k WHERE ${OWNED} AND access_key_id = $3`;
    if ((await this.database.execute(text, [owner.accountId, owner.userName, accessKeyId])) === 0) throw unknownKey();
  }

  private async requireOwner(owner: KeyOwner): Promise<void> {
    if (owner.userName === '') await this.database.requireAccount(owner.accountId);
    else await this.find(owner);
  }
}

/** A key `k` of the user $2 of the account $1, or with an empty name of the account's root. */
const OWNED = `k.account_id = $1 AND (CASE WHEN $2 = '' THEN k.user_id IS NULL ELSE k.user_id =
  (SELECT u.user_id FROM iam.users u WHERE u.account_id = $1 AND u.user_name = $2) END)`;

/** Locked, so that two changes at once do not pass a limit together. Null for the root of the account. */
async function lockOwner(client: pg.PoolClient, { accountId, userName }: KeyOwner): Promise<string | null> {
  if (userName !== '') return lockUser(client, { accountId, userName });
  const text = 'SELECT FROM iam.accounts WHERE account_id = $1 FOR NO KEY UPDATE';
  if ((await client.query(text, [accountId])).rowCount === 0) throw unknownAccount();
  return null;
}

/** Locked, so that two changes at once do not pass a limit together. */
export async function lockUser(client: pg.PoolClient, { accountId, userName }: KeyOwner): Promise<string> {
  const users = await client.query<{ user_id: string }>(
    'SELECT user_id FROM iam.users WHERE account_id = $1 AND user_name = $2 FOR NO KEY UPDATE',
    [accountId, userName],
  );
  if (users.rows.length === 0) throw unknownUser();
  return users.rows[0].user_id;
}
