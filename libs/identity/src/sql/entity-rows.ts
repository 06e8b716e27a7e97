import type { AccessKey, Account, Group, User } from '@holdfast/contracts';
import { groupArn, userArn } from '../domain/entity-names.js';

/** Rows of the entities of an account, and what the port says of them. */
export interface AccountRow {
  readonly account_id: string;
  readonly name: string;
  readonly canonical_id: string;
  readonly display_name: string;
  readonly email: string;
  readonly created_at: Date;
}
export interface UserListRow {
  readonly user_id: string;
  readonly user_name: string;
  readonly path: string;
  readonly boundary: string | null;
  readonly created_at: Date;
}
export interface GroupRow {
  readonly group_name: string;
  readonly created_at: Date;
}
export interface KeyListRow {
  readonly access_key_id: string;
  readonly status: string;
  readonly created_at: Date;
  readonly last_used_at: Date | null;
}

export const ACCOUNT_COLUMNS = 'account_id, name, canonical_id, display_name, email, created_at';
export const USER_COLUMNS = `u.user_id, u.user_name, u.path, u.created_at,
  (SELECT p.policy_name FROM iam.policies p WHERE p.policy_id = u.boundary_id) AS boundary`;

/** An owner of keys: a user, or with an empty `userName` the root of the account. */
export interface KeyOwner {
  readonly accountId: string;
  readonly userName: string;
}
/** Who holds policies. */
export interface PolicyHolder {
  readonly accountId: string;
  readonly holder: 'user' | 'group';
  readonly holderName: string;
}
/** What is asked for of a list, in the order of names. */
export interface Page {
  readonly after?: string;
  readonly limit: number;
}

/** One more row than the page holds is asked for, so that the last page is known as such. */
export const pageValues = ({ after, limit }: Page): [string, number] => [after ?? '', limit + 1];

export function pageOf<Row, Entry>(
  rows: readonly Row[],
  { limit }: Page,
  nameOf: (row: Row) => string,
  entryOf: (row: Row) => Entry,
): { entries: Entry[]; next?: string } {
  const shown = rows.slice(0, limit);
  const entries = shown.map(entryOf);
  return rows.length > limit ? { entries, next: nameOf(shown[shown.length - 1]) } : { entries };
}

export function accountOf(row: AccountRow): Account {
  return {
    accountId: row.account_id,
    name: row.name,
    canonicalId: row.canonical_id,
    displayName: row.display_name,
    email: row.email,
    createdAtMs: row.created_at.getTime(),
  };
}

export function userOf(accountId: string, row: UserListRow): User {
  const { user_id: userId, user_name: userName, path, boundary, created_at: createdAt } = row;
  const arn = userArn(accountId, userName);
  const user = { accountId, userName, userId, path, arn, createdAtMs: createdAt.getTime() };
  return boundary === null ? user : { ...user, boundary };
}

export function groupOf(accountId: string, { group_name: groupName, created_at: createdAt }: GroupRow): Group {
  return { accountId, groupName, arn: groupArn(accountId, groupName), createdAtMs: createdAt.getTime() };
}

export function keyOf(owner: KeyOwner, row: KeyListRow): AccessKey {
  const key = {
    ...owner,
    accessKeyId: row.access_key_id,
    status: row.status === 'active' ? ('active' as const) : ('inactive' as const),
    createdAtMs: row.created_at.getTime(),
  };
  return row.last_used_at === null ? key : { ...key, lastUsedAtMs: row.last_used_at.getTime() };
}

export function usersPage(
  accountId: string,
  rows: readonly UserListRow[],
  page: Page,
): { users: User[]; next?: string } {
  const nameOf = (row: UserListRow): string => row.user_name;
  const { entries: users, ...more } = pageOf(rows, page, nameOf, (row) => userOf(accountId, row));
  return { users, ...more };
}

export function groupsPage(
  accountId: string,
  rows: readonly GroupRow[],
  page: Page,
): { groups: Group[]; next?: string } {
  const nameOf = (row: GroupRow): string => row.group_name;
  const { entries: groups, ...more } = pageOf(rows, page, nameOf, (row) => groupOf(accountId, row));
  return { groups, ...more };
}
