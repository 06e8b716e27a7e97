import type { Account } from '@holdfast/contracts';
import { alreadyExists, deleteConflict, newAccountId, newCanonicalId, unknownAccount } from '../domain/entity-names.js';
import { isForeignKeyViolation, isUniqueViolation } from './database-error.js';
import { ACCOUNT_COLUMNS, accountOf, pageOf, pageValues, type AccountRow, type Page } from './entity-rows.js';
import type { IdentityDatabase } from './identity-database.js';

/** Accounts in Postgres. Arguments are checked before; errors are HoldfastError. */
export class AccountStore {
  constructor(private readonly database: IdentityDatabase) {}

  async create(account: { name: string; email: string; displayName: string }): Promise<Account> {
    const rows = await this.database.query<AccountRow>(
      `INSERT INTO iam.accounts (account_id, name, canonical_id, display_name, email) VALUES ($1, $2, $3, $4, $5)
       RETURNING ${ACCOUNT_COLUMNS}`,
      [newAccountId(), account.name, newCanonicalId(), account.displayName, account.email],
      (error) => {
        if (isUniqueViolation(error)) throw alreadyExists('another account has this name or this email');
      },
    );
    return accountOf(rows[0]);
  }

  async find(accountId: string): Promise<Account> {
    const rows = await this.database.query<AccountRow>(
      `SELECT ${ACCOUNT_COLUMNS} FROM iam.accounts WHERE account_id = $1`,
      [accountId],
    );
    if (rows.length === 0) throw unknownAccount();
    return accountOf(rows[0]);
  }

  async list(page: Page): Promise<{ accounts: Account[]; next?: string }> {
    const rows = await this.database.query<AccountRow>(
      `SELECT ${ACCOUNT_COLUMNS} FROM iam.accounts WHERE name > $1 ORDER BY name LIMIT $2`,
      pageValues(page),
    );
    const { entries: accounts, ...more } = pageOf(rows, page, ({ name }) => name, accountOf);
    return { accounts, ...more };
  }

  /** The first account is never deleted. */
  async delete(accountId: string): Promise<void> {
    const rows = await this.database.query<{ is_first: boolean }>(
      `WITH asked AS (SELECT account_id, is_first FROM iam.accounts WHERE account_id = $1),
         gone AS (DELETE FROM iam.accounts a USING asked WHERE a.account_id = asked.account_id AND NOT asked.is_first)
       SELECT is_first FROM asked`,
      [accountId],
      (error) => {
        if (isForeignKeyViolation(error)) throw deleteConflict('the account has users, groups, policies or keys');
      },
    );
    if (rows.length === 0) throw unknownAccount();
    if (rows[0].is_first) throw deleteConflict('the account of the root credentials stays');
  }
}
