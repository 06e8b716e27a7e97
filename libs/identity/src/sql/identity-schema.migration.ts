import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts, users, access keys, identity policies and the keys that sign tokens. */
export class IdentitySchema implements MigrationInterface {
  readonly name = 'IdentitySchema1763700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.accounts (
        account_id text COLLATE "C" PRIMARY KEY CHECK (account_id ~ '^[0-9]{12}$'),
        name text COLLATE "C" NOT NULL UNIQUE,
        canonical_id text COLLATE "C" NOT NULL UNIQUE,
        email text NOT NULL,
        -- The account whose root comes from the environment and administers the store.
        is_first boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE UNIQUE INDEX accounts_one_first ON iam.accounts (is_first) WHERE is_first');
    await runner.query(`
      CREATE TABLE iam.users (
        user_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts ON DELETE CASCADE,
        user_name text COLLATE "C" NOT NULL,
        password_hash text,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (account_id, user_name)
      )`);
    // Names that differ in case alone are one name to people.
    await runner.query('CREATE UNIQUE INDEX users_name_without_case ON iam.users (account_id, lower(user_name))');
    await runner.query(`
      CREATE TABLE iam.access_keys (
        access_key_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts ON DELETE CASCADE,
        -- Null for a key of the account's root.
        user_id text COLLATE "C" REFERENCES iam.users ON DELETE CASCADE,
        sealed_secret bytea NOT NULL,
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query('CREATE INDEX access_keys_owner ON iam.access_keys (account_id, user_id)');
    await runner.query('CREATE INDEX access_keys_user ON iam.access_keys (user_id)');
    await runner.query(`
      CREATE TABLE iam.user_policies (
        user_id text COLLATE "C" NOT NULL REFERENCES iam.users ON DELETE CASCADE,
        policy_name text COLLATE "C" NOT NULL,
        document text NOT NULL,
        PRIMARY KEY (user_id, policy_name)
      )`);
    await runner.query(`
      CREATE TABLE iam.token_keys (
        key_id text COLLATE "C" PRIMARY KEY,
        -- A public JWK.
        public_key jsonb NOT NULL,
        -- PKCS #8, sealed.
        sealed_private_key bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE iam.token_keys, iam.user_policies, iam.access_keys, iam.users, iam.accounts');
  }
}
