import { limitExceeded } from '../domain/entity-names.js';
import type { IdentityDatabase } from './identity-database.js';

export interface TokenKeyRow {
  readonly key_id: string;
  readonly public_key: Readonly<Record<string, unknown>>;
  readonly sealed_private_key: Buffer;
}

/** "holdfast" and "keys" as bytes: one rotation at a time, so that one key signs after it. */
const ROTATION_LOCK = [0x686f6c64, 0x6b657973];

/** Every key is published, and looked at when a token names it. */
const KEYS_MAX = 100;

/** The keys that sign and verify tokens. Errors are HoldfastError. */
export class TokenKeyStore {
  constructor(private readonly database: IdentityDatabase) {}

  /** Those that verify, the one that signs first. */
  async list(): Promise<TokenKeyRow[]> {
    return this.database.query<TokenKeyRow>(
      `SELECT key_id, public_key, sealed_private_key FROM iam.token_keys
       WHERE retires_at IS NULL OR retires_at > now()
       ORDER BY retires_at IS NULL DESC, created_at DESC, key_id LIMIT ${KEYS_MAX}`,
    );
  }

  /** `key` signs from now on; the others verify for `keepSeconds` more, 0 ends them. Errors: LimitExceeded. */
  async rotate(key: TokenKeyRow, keepSeconds: number): Promise<void> {
    await this.database.transaction(async (client) => {
      await client.query('SELECT pg_advisory_xact_lock($1, $2)', ROTATION_LOCK);
      await client.query(
        `UPDATE iam.token_keys SET retires_at = LEAST(retires_at, now() + make_interval(secs => $1))
         WHERE retires_at IS NULL OR $1 = 0`,
        [keepSeconds],
      );
      await client.query('DELETE FROM iam.token_keys WHERE retires_at <= now()');
      const kept = await client.query<{ count: string }>('SELECT count(*) FROM iam.token_keys');
      if (Number(kept.rows[0].count) >= KEYS_MAX) {
        throw limitExceeded(`${KEYS_MAX - 1} keys still verify tokens; wait until those have expired, or end them`);
      }
      await client.query('INSERT INTO iam.token_keys (key_id, public_key, sealed_private_key) VALUES ($1, $2, $3)', [
        key.key_id,
        JSON.stringify(key.public_key),
        key.sealed_private_key,
      ]);
    });
  }
}
