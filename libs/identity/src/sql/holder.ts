import type pg from 'pg';
import { unknownGroup, unknownUser } from '../domain/entity-names.js';
import type { PolicyHolder } from './entity-rows.js';

/** Where the policies of users and of groups lie. */
export const HOLDER_TABLES = {
  user: { inline: 'iam.user_policies', attachments: 'iam.user_attachments', idColumn: 'user_id' },
  group: { inline: 'iam.group_policies', attachments: 'iam.group_attachments', idColumn: 'group_id' },
} as const;

/** `lock`: so that two changes at once do not pass a limit together. Errors: NoSuchEntity. */
export async function holderIdOf(
  client: pg.PoolClient,
  { accountId, holder, holderName }: PolicyHolder,
  lock: '' | 'FOR NO KEY UPDATE' = '',
): Promise<string> {
  const rows = await client.query<{ id: string }>(
    `SELECT ${holder}_id AS id FROM iam.${holder}s WHERE account_id = $1 AND ${holder}_name = $2 ${lock}`,
    [accountId, holderName],
  );
  if (rows.rows.length === 0) throw holder === 'user' ? unknownUser() : unknownGroup();
  return rows.rows[0].id;
}
