import type { Group, User } from '@holdfast/contracts';
import {
  alreadyExists,
  deleteConflict,
  LIMITS,
  limitExceeded,
  newGroupId,
  unknownAccount,
  unknownGroup,
  unknownUser,
} from '../domain/entity-names.js';
import { isForeignKeyViolation, isUniqueViolation } from './database-error.js';
import {
  groupOf,
  groupsPage,
  pageValues,
  USER_COLUMNS,
  usersPage,
  type GroupRow,
  type Page,
  type UserListRow,
} from './entity-rows.js';
import type { IdentityDatabase } from './identity-database.js';
import { lockUser } from './user-store.js';

interface GroupKey {
  readonly accountId: string;
  readonly groupName: string;
}

/** Groups and their members in Postgres. Arguments are checked before; errors are HoldfastError. */
export class GroupStore {
  constructor(private readonly database: IdentityDatabase) {}

  async create({ accountId, groupName }: GroupKey): Promise<Group> {
    const rows = await this.database.query<GroupRow>(
      `INSERT INTO iam.groups (group_id, account_id, group_name)
       SELECT $1, $2, $3 WHERE (SELECT count(*) FROM iam.groups WHERE account_id = $2) < $4
       RETURNING group_name, created_at`,
      [newGroupId(), accountId, groupName, LIMITS.groupsPerAccount],
      (error) => {
        if (isUniqueViolation(error)) throw alreadyExists('the account has a group of this name');
        if (isForeignKeyViolation(error)) throw unknownAccount();
      },
    );
    if (rows.length === 0) throw limitExceeded(`an account has at most ${LIMITS.groupsPerAccount} groups`);
    return groupOf(accountId, rows[0]);
  }

  async find({ accountId, groupName }: GroupKey): Promise<Group> {
    const rows = await this.database.query<GroupRow>(
      'SELECT group_name, created_at FROM iam.groups WHERE account_id = $1 AND group_name = $2',
      [accountId, groupName],
    );
    if (rows.length === 0) throw unknownGroup();
    return groupOf(accountId, rows[0]);
  }

  async list(accountId: string, page: Page): Promise<{ groups: Group[]; next?: string }> {
    const rows = await this.database.query<GroupRow>(
      `SELECT group_name, created_at FROM iam.groups WHERE account_id = $1 AND group_name > $2
       ORDER BY group_name LIMIT $3`,
      [accountId, ...pageValues(page)],
    );
    if (rows.length === 0) await this.database.requireAccount(accountId);
    return groupsPage(accountId, rows, page);
  }

  async delete({ accountId, groupName }: GroupKey): Promise<void> {
    const rows = await this.database.query(
      'DELETE FROM iam.groups WHERE account_id = $1 AND group_name = $2 RETURNING group_id',
      [accountId, groupName],
      (error) => {
        if (isForeignKeyViolation(error)) throw deleteConflict('the group has members or policies');
      },
    );
    if (rows.length === 0) throw unknownGroup();
  }

  async addMember({ accountId, groupName, userName }: GroupKey & { userName: string }): Promise<void> {
    await this.database.transaction(async (client) => {
      const userId = await lockUser(client, { accountId, userName });
      const groups = await client.query<{ group_id: string }>(
        'SELECT group_id FROM iam.groups WHERE account_id = $1 AND group_name = $2 FOR KEY SHARE',
        [accountId, groupName],
      );
      if (groups.rows.length === 0) throw unknownGroup();
      await client.query('INSERT INTO iam.group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        groups.rows[0].group_id,
        userId,
      ]);
      const joined = await client.query<{ count: string }>(
        'SELECT count(*) FROM iam.group_members WHERE user_id = $1',
        [userId],
      );
      if (Number(joined.rows[0].count) > LIMITS.groupsPerUser) {
        throw limitExceeded(`a user is in at most ${LIMITS.groupsPerUser} groups`);
      }
    });
  }

  async removeMember({ accountId, groupName, userName }: GroupKey & { userName: string }): Promise<void> {
    const removed = await this.database.execute(
      `DELETE FROM iam.group_members m USING iam.groups g, iam.users u
       WHERE g.group_id = m.group_id AND u.user_id = m.user_id
         AND g.account_id = $1 AND g.group_name = $2 AND u.account_id = $1 AND u.user_name = $3`,
      [accountId, groupName, userName],
    );
    if (removed > 0) return;
    await this.find({ accountId, groupName });
    throw unknownUser('the group has no such member');
  }

  async listMembers(group: GroupKey, page: Page): Promise<{ users: User[]; next?: string }> {
    const rows = await this.database.query<UserListRow>(
      `SELECT ${USER_COLUMNS}
       FROM iam.groups g JOIN iam.group_members USING (group_id) JOIN iam.users u USING (user_id)
       WHERE g.account_id = $1 AND g.group_name = $2 AND u.user_name > $3 ORDER BY u.user_name LIMIT $4`,
      [group.accountId, group.groupName, ...pageValues(page)],
    );
    if (rows.length === 0) await this.find(group);
    return usersPage(group.accountId, rows, page);
  }
}
