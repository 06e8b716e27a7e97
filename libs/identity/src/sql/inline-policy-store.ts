import type { InlinePolicy } from '@holdfast/contracts';
import { invalid, LIMITS, unknownPolicy } from '../domain/entity-names.js';
import { pageOf, pageValues, type Page, type PolicyHolder } from './entity-rows.js';
import { holderIdOf, HOLDER_TABLES } from './holder.js';
import type { IdentityDatabase } from './identity-database.js';

interface InlineRow {
  readonly policy_name: string;
  readonly document: string;
}

/** What a request may cost to judge: the documents of one holder, in bytes. */
const BYTES_MAX = { user: LIMITS.userPoliciesBytes, group: LIMITS.groupPoliciesBytes };

/** Policies that stand in a user or a group. Arguments are checked before; errors are HoldfastError. */
export class InlinePolicyStore {
  constructor(private readonly database: IdentityDatabase) {}

  async put(holder: PolicyHolder, policyName: string, document: string): Promise<void> {
    const { inline, idColumn } = HOLDER_TABLES[holder.holder];
    await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder, 'FOR NO KEY UPDATE');
      await client.query(
        `INSERT INTO ${inline} (${idColumn}, policy_name, document) VALUES ($1, $2, $3)
         ON CONFLICT (${idColumn}, policy_name) DO UPDATE SET document = EXCLUDED.document`,
        [holderId, policyName, document],
      );
      const sums = await client.query<{ bytes: string }>(
        `SELECT sum(octet_length(document)) AS bytes FROM ${inline} WHERE ${idColumn} = $1`,
        [holderId],
      );
      const max = BYTES_MAX[holder.holder];
      if (Number(sums.rows[0].bytes) > max) {
        throw invalid('PolicyDocument', `the policies of one ${holder.holder} have at most ${max} bytes together`);
      }
    });
  }

  async find(holder: PolicyHolder, policyName: string): Promise<InlinePolicy> {
    const { inline, idColumn } = HOLDER_TABLES[holder.holder];
    return this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder);
      const rows = await client.query<InlineRow>(
        `SELECT policy_name, document FROM ${inline} WHERE ${idColumn} = $1 AND policy_name = $2`,
        [holderId, policyName],
      );
      if (rows.rows.length === 0) throw unknownPolicy(`the ${holder.holder} has no such policy`);
      return inlineOf(rows.rows[0]);
    });
  }

  async list(holder: PolicyHolder, page: Page): Promise<{ policies: InlinePolicy[]; next?: string }> {
    const { inline, idColumn } = HOLDER_TABLES[holder.holder];
    const rows = await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder);
      const found = await client.query<InlineRow>(
        `SELECT policy_name, document FROM ${inline} WHERE ${idColumn} = $1 AND policy_name > $2
         ORDER BY policy_name LIMIT $3`,
        [holderId, ...pageValues(page)],
      );
      return found.rows;
    });
    const { entries: policies, ...more } = pageOf(rows, page, ({ policy_name: name }) => name, inlineOf);
    return { policies, ...more };
  }

  async delete(holder: PolicyHolder, policyName: string): Promise<void> {
    const { inline, idColumn } = HOLDER_TABLES[holder.holder];
    await this.database.transaction(async (client) => {
      const holderId = await holderIdOf(client, holder);
      const gone = await client.query(`DELETE FROM ${inline} WHERE ${idColumn} = $1 AND policy_name = $2`, [
        holderId,
        policyName,
      ]);
      if (gone.rowCount === 0) throw unknownPolicy(`the ${holder.holder} has no such policy`);
    });
  }
}

const inlineOf = ({ policy_name: policyName, document }: InlineRow): InlinePolicy => ({ policyName, document });
