import type pg from 'pg';
import {
  bootstrapConflict,
  type Bootstrap,
  type BootstrapAccount,
  type BootstrapKey,
  type BootstrapUser,
} from '../bootstrap/bootstrap-file.js';
import { newAccountId, newUserId } from '../domain/entity-names.js';
import type { SealingKey } from '../domain/sealing.js';
import { accessKeyContext } from '../principal-directory.js';
import type { IdentityDatabase } from './identity-database.js';

/** An owner of keys; `userId` null for the root of the account. */
interface Owner {
  readonly accountId: string;
  readonly userId: string | null;
}

/**
 * Makes what a bootstrap names and is not there, and brings what is there to what the file says; what it does not name stays.
 * All of it or nothing. A key that was set inactive stays so.
 */
export class BootstrapStore {
  constructor(
    private readonly database: IdentityDatabase,
    private readonly sealing: SealingKey,
    private readonly bootstrap: Bootstrap,
  ) {}

  /** Errors: InvalidArgument for what somebody else has already, ServiceUnavailable. */
  async apply(): Promise<void> {
    await this.database.transaction(async (client) => {
      for (const account of this.bootstrap.accounts) await this.applyAccount(client, account);
    });
  }

  private async applyAccount(client: pg.PoolClient, account: BootstrapAccount): Promise<void> {
    const { name, canonicalId, displayName, email } = account;
    const known = await client.query<{ account_id: string; name: string; canonical_id: string }>(
      `SELECT account_id, name, canonical_id FROM iam.accounts
       WHERE canonical_id = $1 OR name = $2 OR (lower(email) = lower($3) AND email <> '')`,
      [canonicalId, name, email],
    );
    for (const other of known.rows) {
      if (other.canonical_id === canonicalId && other.name === name) continue;
      const field = other.canonical_id === canonicalId ? '.user_id' : other.name === name ? '' : '.email';
      throw this.conflict(`${name}${field}`, `the account ${other.name} has it already`);
    }
    const rows = await client.query<{ account_id: string }>(
      `INSERT INTO iam.accounts (account_id, name, canonical_id, display_name, email) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (canonical_id) DO UPDATE SET display_name = EXCLUDED.display_name, email = EXCLUDED.email
       RETURNING account_id`,
      [newAccountId(), name, canonicalId, displayName, email],
    );
    const accountId = rows.rows[0].account_id;
    await this.applyKey(client, { accountId, userId: null }, account.key, `${name}.access_key`);
    for (const user of account.users) await this.applyUser(client, accountId, user, `${name}.users.${user.userName}`);
  }

  private async applyUser(client: pg.PoolClient, accountId: string, user: BootstrapUser, place: string): Promise<void> {
    const { userName, key, policies } = user;
    await client.query(
      'INSERT INTO iam.users (user_id, account_id, user_name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [newUserId(), accountId, userName],
    );
    const rows = await client.query<{ user_id: string }>(
      'SELECT user_id FROM iam.users WHERE account_id = $1 AND user_name = $2',
      [accountId, userName],
    );
    if (rows.rows.length === 0) throw this.conflict(place, 'a user has this name in other letters');
    const userId = rows.rows[0].user_id;
    if (key !== undefined) await this.applyKey(client, { accountId, userId }, key, `${place}.access_key`);
    for (const { policyName, document } of policies) {
      await client.query(
        `INSERT INTO iam.user_policies (user_id, policy_name, document) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, policy_name) DO UPDATE SET document = EXCLUDED.document`,
        [userId, policyName, document],
      );
    }
  }

  private async applyKey(client: pg.PoolClient, owner: Owner, key: BootstrapKey, place: string): Promise<void> {
    const { accessKeyId, secretAccessKey } = key;
    const sealed = this.sealing.seal(Buffer.from(secretAccessKey), accessKeyContext(accessKeyId));
    const made = await client.query(
      `INSERT INTO iam.access_keys AS k (access_key_id, account_id, user_id, sealed_secret) VALUES ($1, $2, $3, $4)
       ON CONFLICT (access_key_id) DO UPDATE SET sealed_secret = EXCLUDED.sealed_secret
       WHERE k.account_id = EXCLUDED.account_id AND k.user_id IS NOT DISTINCT FROM EXCLUDED.user_id`,
      [accessKeyId, owner.accountId, owner.userId, sealed],
    );
    if (made.rowCount === 0) throw this.conflict(place, 'it is the key of somebody else');
  }

  private conflict(place: string, problem: string): Error {
    return bootstrapConflict(this.bootstrap.file, place, problem);
  }
}
