import type { ManagedPolicy, PolicyVersion } from '@holdfast/contracts';
import type pg from 'pg';
import {
  alreadyExists,
  deleteConflict,
  LIMITS,
  limitExceeded,
  newPolicyId,
  policyArn,
  unknownAccount,
  unknownPolicy,
} from '../domain/entity-names.js';
import { isForeignKeyViolation, isUniqueViolation } from './database-error.js';
import { pageOf, pageValues, type Page, type PolicyHolder } from './entity-rows.js';
import { holderIdOf, HOLDER_TABLES } from './holder.js';
import type { IdentityDatabase } from './identity-database.js';

interface PolicyKey {
  readonly accountId: string;
  readonly policyName: string;
}
interface PolicyRow {
  readonly policy_name: string;
  readonly description: string;
  readonly default_version: number;
  readonly attachments: string;
  readonly created_at: Date;
}
interface VersionRow {
  readonly version: number;
  readonly is_default: boolean;
  readonly document: string;
  readonly created_at: Date;
}

const POLICY_COLUMNS = `p.policy_name, p.description, p.default_version, p.created_at,
  (SELECT count(*) FROM iam.user_attachments a WHERE a.policy_id = p.policy_id)
    + (SELECT count(*) FROM iam.group_attachments a WHERE a.policy_id = p.policy_id)
    + (SELECT count(*) FROM iam.users u WHERE u.boundary_id = p.policy_id) AS attachments`;
const VERSION_COLUMNS = 'v.version, v.version = p.default_version AS is_default, v.document, v.created_at';

/** Managed policies, their versions and where they are attached. Arguments are checked before; errors are HoldfastError. */
export class PolicyStore {
  constructor(private readonly database: IdentityDatabase) {}

  async create(key: PolicyKey, description: string, document: string): Promise<ManagedPolicy> {
    const policyId = newPolicyId();
    await this.database
      .query(
        `WITH policy AS (
         INSERT INTO iam.policies (policy_id, account_id, policy_name, description)
         SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM iam.policies WHERE account_id = $2) < $6 RETURNING policy_id)
       INSERT INTO iam.policy_versions (policy_id, version, document) SELECT policy_id, 1, $5 FROM policy
       RETURNING version`,
        [policyId, key.accountId, key.policyName, description, document, LIMITS.policiesPerAccount],
        (error) => {
          if (isUniqueViolation(error)) throw alreadyExists('the account has a policy of this name');
          if (isForeignKeyViolation(error)) throw unknownAccount();
        },
      )
      .then((rows) => {
        if (rows.length === 0) throw limitExceeded(`an account has at most ${LIMITS.policiesPerAccount} policies`);
      });
    return this.find(key);
  }

  async find(key: PolicyKey): Promise<ManagedPolicy> {
    const rows = await this.database.query<PolicyRow>(
      `SELECT ${POLICY_COLUMNS} FROM iam.policies p WHERE p.account_id = $1 AND p.policy_name = $2`,
      [key.accountId, key.policyName],
    );
    if (rows.length === 0) throw unknownPolicy();
    return policyOf(key.accountId, rows[0]);
  }

  async list(accountId: string, page: Page): Promise<{ policies: ManagedPolicy[]; next?: string }> {
    const rows = await this.database.query<PolicyRow>(
      `SELECT ${POLICY_COLUMNS} FROM iam.policies p WHERE p.account_id = $1 AND p.policy_name > $2
       ORDER BY p.policy_name LIMIT $3`,
      [accountId, ...pageValues(page)],
    );
    if (rows.length === 0) await this.database.requireAccount(accountId);
    return policyPage(accountId, rows, page);
  }

  async delete({ accountId, policyName }: PolicyKey): Promise<void> {
    const rows = await this.database.query(
      'DELETE FROM iam.policies WHERE account_id = $1 AND policy_name = $2 RETURNING policy_id',
      [accountId, policyName],
      (error) => {
        if (isForeignKeyViolation(error)) throw deleteConflict('the policy is attached or bounds a user');
      },
    );
    if (rows.length === 0) throw unknownPolicy();
  }

  async createVersion(key: PolicyKey, document: string, setAsDefault: boolean): Promise<PolicyVersion> {
    return this.database.transaction(async (client) => {
      const policyId = await lockPolicy(client, key);
      const held = await client.query<{ count: string }>(
        'SELECT count(*) FROM iam.policy_versions WHERE policy_id = $1',
        [policyId],
      );
      if (Number(held.rows[0].count) >= LIMITS.versionsPerPolicy) {
        throw limitExceeded(`a policy has at most ${LIMITS.versionsPerPolicy} versions; delete one first`);
      }
      const numbered = await client.query<{ last_version: number }>(
        'UPDATE iam.policies SET last_version = last_version + 1 WHERE policy_id = $1 RETURNING last_version',
        [policyId],
      );
      const version = numbered.rows[0].last_version;
      await client.query('INSERT INTO iam.policy_versions (policy_id, version, document) VALUES ($1, $2, $3)', [
        policyId,
        version,
        document,
      ]);
      if (setAsDefault) {
        await client.query('UPDATE iam.policies SET default_version = $2 WHERE policy_id = $1', [policyId, version]);
      }
      const rows = await client.query<VersionRow>(
        `SELECT ${VERSION_COLUMNS} FROM iam.policy_versions v JOIN iam.policies p USING (policy_id)
         WHERE policy_id = $1 AND v.version = $2`,
        [policyId, version],
      );
      return versionOf(rows.rows[0]);
    });
  }

  async findVersion({ accountId, policyName }: PolicyKey, version: number): Promise<PolicyVersion> {
    const rows = await this.database.query<VersionRow>(
      `SELECT ${VERSION_COLUMNS} FROM iam.policies p JOIN iam.policy_versions v USING (policy_id)
       WHERE p.account_id = $1 AND p.policy_name = $2 AND v.version = $3`,
      [accountId, policyName, version],
    );
    if (rows.length === 0) throw unknownPolicy('the policy has no such version');
    return versionOf(rows[0]);
  }

  async listVersions({ accountId, policyName }: PolicyKey): Promise<PolicyVersion[]> {
    const rows = await this.database.query<VersionRow>(
      `SELECT ${VERSION_COLUMNS} FROM iam.policies p JOIN iam.policy_versions v USING (policy_id)
       WHERE p.account_id = $1 AND p.policy_name = $2 ORDER BY v.version DESC`,
      [accountId, policyName],
    );
    if (rows.length === 0) throw unknownPolicy();
    return rows.map(versionOf);
  }

  async setDefaultVersion({ accountId, policyName }: PolicyKey, version: number): Promise<void> {
    const changed = await this.database.execute(
      `UPDATE iam.policies p SET default_version = $3 WHERE p.account_id = $1 AND p.policy_name = $2
       AND EXISTS (SELECT FROM iam.policy_versions v WHERE v.policy_id = p.policy_id AND v.version = $3)`,
      [accountId, policyName, version],
    );
    if (changed === 0) throw unknownPolicy('there is no such policy or version');
  }

  async deleteVersion(key: PolicyKey, version: number): Promise<void> {
    await this.database.transaction(async (client) => {
      const policyId = await lockPolicy(client, key);
      const rows = await client.query<{ is_default: boolean }>(
        `SELECT v.version = p.default_version AS is_default FROM iam.policy_versions v JOIN iam.policies p USING (policy_id)
         WHERE policy_id = $1 AND v.version = $2`,
        [policyId, version],
      );
      if (rows.rows.length === 0) throw unknownPolicy('the policy has no such version');
      if (rows.rows[0].is_default) throw deleteConflict('the version is in force; make another the default first');
      await client.query('DELETE FROM iam.policy_versions WHERE policy_id = $1 AND version = $2', [policyId, version]);
    });
  }

  async attach(holder: PolicyHolder, policyName: string): Promise<void> {
    const { attachments, idColumn } = HOLDER_TABLES[holder.holder];
    await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder, 'FOR NO KEY UPDATE');
      const policies = await client.query<{ policy_id: string }>(
        'SELECT policy_id FROM iam.policies WHERE account_id = $1 AND policy_name = $2 FOR KEY SHARE',
        [holder.accountId, policyName],
      );
      if (policies.rows.length === 0) throw unknownPolicy();
      await client.query(`INSERT INTO ${attachments} (${idColumn}, policy_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [
        holderId,
        policies.rows[0].policy_id,
      ]);
      const held = await client.query<{ count: string }>(`SELECT count(*) FROM ${attachments} WHERE ${idColumn} = $1`, [
        holderId,
      ]);
      if (Number(held.rows[0].count) > LIMITS.attachmentsPerHolder) {
        throw limitExceeded(`a ${holder.holder} has at most ${LIMITS.attachmentsPerHolder} policies attached`);
      }
    });
  }

  async detach(holder: PolicyHolder, policyName: string): Promise<void> {
    const { attachments, idColumn } = HOLDER_TABLES[holder.holder];
    await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder);
      const gone = await client.query(
        `DELETE FROM ${attachments} a USING iam.policies p
         WHERE a.policy_id = p.policy_id AND a.${idColumn} = $1 AND p.account_id = $2 AND p.policy_name = $3`,
        [holderId, holder.accountId, policyName],
      );
      if (gone.rowCount === 0) throw unknownPolicy(`the policy is not attached to the ${holder.holder}`);
    });
  }

  async listAttached(holder: PolicyHolder, page: Page): Promise<{ policies: ManagedPolicy[]; next?: string }> {
    const { attachments, idColumn } = HOLDER_TABLES[holder.holder];
    const rows = await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder);
      const found = await client.query<PolicyRow>(
        `SELECT ${POLICY_COLUMNS} FROM ${attachments} held JOIN iam.policies p USING (policy_id)
         WHERE held.${idColumn} = $1 AND p.policy_name > $2 ORDER BY p.policy_name LIMIT $3`,
        [holderId, ...pageValues(page)],
      );
      return found.rows;
    });
    return policyPage(holder.accountId, rows, page);
  }
}

/** Locked, so that two changes of its versions come one after the other. */
async function lockPolicy(client: pg.PoolClient, { accountId, policyName }: PolicyKey): Promise<string> {
  const rows = await client.query<{ policy_id: string }>(
    'SELECT policy_id FROM iam.policies WHERE account_id = $1 AND policy_name = $2 FOR NO KEY UPDATE',
    [accountId, policyName],
  );
  if (rows.rows.length === 0) throw unknownPolicy();
  return rows.rows[0].policy_id;
}

function policyPage(
  accountId: string,
  rows: readonly PolicyRow[],
  page: Page,
): { policies: ManagedPolicy[]; next?: string } {
  const { entries: policies, ...more } = pageOf(
    rows,
    page,
    ({ policy_name: name }) => name,
    (row) => policyOf(accountId, row),
  );
  return { policies, ...more };
}

function policyOf(accountId: string, row: PolicyRow): ManagedPolicy {
  return {
    accountId,
    policyName: row.policy_name,
    arn: policyArn(accountId, row.policy_name),
    description: row.description,
    defaultVersion: row.default_version,
    attachments: Number(row.attachments),
    createdAtMs: row.created_at.getTime(),
  };
}

function versionOf(row: VersionRow): PolicyVersion {
  const { version, is_default: isDefault, document, created_at: createdAt } = row;
  return { version, isDefault, document, createdAtMs: createdAt.getTime() };
}
