import type { Account } from '@holdfast/contracts';
import { newAccountId, newCanonicalId } from '../domain/entity-names.js';
import { ACCOUNT_COLUMNS, accountOf, type AccountRow } from './entity-rows.js';
import type { IdentityDatabase } from './identity-database.js';

/** A user, or the root of an account, as stored. */
export interface PrincipalRow {
  readonly account_id: string;
  readonly display_name: string;
  readonly canonical_id: string;
  readonly is_first: boolean;
  /** Null for the root of the account. */
  readonly user_id: string | null;
  readonly user_name: string | null;
  /** Own, of groups and managed. */
  readonly policies: readonly SourcedPolicy[];
  readonly boundary: SourcedPolicy | null;
}
/** A policy with where it stands: a name, `group/G/NAME`, or the ARN of a managed one. */
export interface SourcedPolicy {
  readonly source: string;
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

const PRINCIPAL = `a.account_id, a.display_name, a.canonical_id, a.is_first, u.user_id, u.user_name,
  COALESCE((
    SELECT json_agg(json_build_object('source', e.source, 'document', e.document) ORDER BY e.source)
    FROM iam.effective_policies e WHERE e.user_id = u.user_id), '[]'::json) AS policies,
  (SELECT json_build_object('source', iam.policy_arn(p.account_id, p.policy_name), 'document', v.document)
    FROM iam.policies p JOIN iam.policy_versions v ON v.policy_id = p.policy_id AND v.version = p.default_version
    WHERE p.policy_id = u.boundary_id) AS boundary`;

/** What a request is judged by, as it stands in Postgres. Arguments are checked before; errors are HoldfastError. */
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

  async findAccountId(accountName: string): Promise<string | undefined> {
    const rows = await this.database.query<{ account_id: string }>(
      'SELECT account_id FROM iam.accounts WHERE name = $1',
      [accountName],
    );
    return rows[0]?.account_id;
  }

  async findUser(accountId: string, userName: string): Promise<UserRow | undefined> {
    const rows = await this.database.query<UserRow>(
      `SELECT u.password_hash, ${PRINCIPAL}
       FROM iam.users u JOIN iam.accounts a ON a.account_id = u.account_id
       WHERE a.account_id = $1 AND u.user_name = $2`,
      [accountId, userName],
    );
    return rows[0];
  }

  async findAccounts(accountIds: readonly string[]): Promise<Account[]> {
    const rows = await this.database.query<AccountRow>(
      `SELECT ${ACCOUNT_COLUMNS} FROM iam.accounts WHERE account_id = ANY ($1)`,
      [accountIds],
    );
    return rows.map(accountOf);
  }

  /** The account whose root administers the store; made under `name` at the first start. */
  async ensureFirstAccount(name: string): Promise<Account> {
    await this.database.execute(
      `INSERT INTO iam.accounts (account_id, name, canonical_id, display_name, email, is_first)
       SELECT $1, $2, $3, $2, '', true WHERE NOT EXISTS (SELECT FROM iam.accounts WHERE is_first)`,
      [newAccountId(), name, newCanonicalId()],
    );
    const rows = await this.database.query<AccountRow>(`SELECT ${ACCOUNT_COLUMNS} FROM iam.accounts WHERE is_first`);
    return accountOf(rows[0]);
  }

  /** Notes that the key was used; a key that was noted in the last quarter of an hour costs no write. */
  async noteKeyUse(accessKeyId: string): Promise<void> {
    await this.database.execute(
      `UPDATE iam.access_keys SET last_used_at = now()
       WHERE access_key_id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '15 minutes')`,
      [accessKeyId],
    );
  }
}
