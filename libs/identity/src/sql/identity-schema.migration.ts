import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts, users, groups, access keys, identity policies and the keys that sign tokens. */
export class IdentitySchema implements MigrationInterface {
  readonly name = 'IdentitySchema1763700000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.accounts (
        account_id text COLLATE "C" PRIMARY KEY CHECK (account_id ~ '^[0-9]{12}$'),
        name text COLLATE "C" NOT NULL UNIQUE,
        canonical_id text COLLATE "C" NOT NULL UNIQUE,
        -- Owner/DisplayName of S3.
        display_name text NOT NULL,
        email text NOT NULL,
        -- The account whose root comes from the environment and administers the store.
        is_first boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`CREATE UNIQUE INDEX accounts_email ON iam.accounts (lower(email)) WHERE email <> ''`);
    await runner.query('CREATE UNIQUE INDEX accounts_one_first ON iam.accounts (is_first) WHERE is_first');
    await runner.query(`
      CREATE FUNCTION iam.policy_arn(account_id text, policy_name text) RETURNS text LANGUAGE sql IMMUTABLE
      RETURN 'arn:aws:iam::' || account_id || ':policy/' || policy_name`);
    await this.createPolicies(runner);
    await runner.query(`
      CREATE TABLE iam.users (
        user_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts,
        user_name text COLLATE "C" NOT NULL,
        -- Part of no name and of no ARN.
        path text COLLATE "C" NOT NULL DEFAULT '/',
        password_hash text,
        -- What bounds the user's permissions; a policy that does so is not deleted.
        boundary_id text COLLATE "C" REFERENCES iam.policies,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (account_id, user_name)
      )`);
    // Names that differ in case alone are one name to people.
    await runner.query('CREATE UNIQUE INDEX users_name_without_case ON iam.users (account_id, lower(user_name))');
    await runner.query(`
      CREATE TABLE iam.access_keys (
        access_key_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts,
        -- Null for a key of the account's root.
        user_id text COLLATE "C" REFERENCES iam.users ON DELETE CASCADE,
        sealed_secret bytea NOT NULL,
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive')),
        created_at timestamptz NOT NULL DEFAULT now(),
        -- To within a quarter of an hour.
        last_used_at timestamptz
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
        created_at timestamptz NOT NULL DEFAULT now(),
        -- Until then it verifies; null for the key that signs.
        retires_at timestamptz
      )`);
    await this.createGroups(runner);
    await this.createEffectivePolicies(runner);
  }

  /** Managed policies with their versions. */
  private async createPolicies(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.policies (
        policy_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts,
        policy_name text COLLATE "C" NOT NULL,
        description text NOT NULL,
        default_version integer NOT NULL DEFAULT 1,
        -- Numbers of deleted versions are not given again.
        last_version integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (account_id, policy_name)
      )`);
    await runner.query(
      'CREATE UNIQUE INDEX policies_name_without_case ON iam.policies (account_id, lower(policy_name))',
    );
    await runner.query(`
      CREATE TABLE iam.policy_versions (
        policy_id text COLLATE "C" NOT NULL REFERENCES iam.policies ON DELETE CASCADE,
        version integer NOT NULL,
        document text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (policy_id, version)
      )`);
    await runner.query(`
      ALTER TABLE iam.policies ADD FOREIGN KEY (policy_id, default_version)
        REFERENCES iam.policy_versions DEFERRABLE INITIALLY DEFERRED`);
  }

  private async createGroups(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE iam.groups (
        group_id text COLLATE "C" PRIMARY KEY,
        account_id text COLLATE "C" NOT NULL REFERENCES iam.accounts,
        group_name text COLLATE "C" NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (account_id, group_name)
      )`);
    await runner.query('CREATE UNIQUE INDEX groups_name_without_case ON iam.groups (account_id, lower(group_name))');
    await runner.query(`
      CREATE TABLE iam.group_members (
        group_id text COLLATE "C" NOT NULL REFERENCES iam.groups,
        user_id text COLLATE "C" NOT NULL REFERENCES iam.users ON DELETE CASCADE,
        PRIMARY KEY (user_id, group_id)
      )`);
    await runner.query('CREATE INDEX group_members_group ON iam.group_members (group_id)');
    await runner.query(`
      CREATE TABLE iam.group_policies (
        group_id text COLLATE "C" NOT NULL REFERENCES iam.groups,
        policy_name text COLLATE "C" NOT NULL,
        document text NOT NULL,
        PRIMARY KEY (group_id, policy_name)
      )`);
    for (const [holder, deletion] of [
      ['user', ' ON DELETE CASCADE'],
      ['group', ''],
    ]) {
      await runner.query(`
        CREATE TABLE iam.${holder}_attachments (
          ${holder}_id text COLLATE "C" NOT NULL REFERENCES iam.${holder}s${deletion},
          policy_id text COLLATE "C" NOT NULL REFERENCES iam.policies,
          PRIMARY KEY (${holder}_id, policy_id)
        )`);
      await runner.query(`CREATE INDEX ${holder}_attachments_policy ON iam.${holder}_attachments (policy_id)`);
    }
    await runner.query('CREATE INDEX users_boundary ON iam.users (boundary_id) WHERE boundary_id IS NOT NULL');
  }

  /** Every document that speaks for a user, with where it stands. */
  private async createEffectivePolicies(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE VIEW iam.effective_policies AS
        SELECT user_id, policy_name AS source, document FROM iam.user_policies
        UNION ALL
        SELECT m.user_id, 'group/' || g.group_name || '/' || p.policy_name, p.document
        FROM iam.group_members m JOIN iam.groups g USING (group_id) JOIN iam.group_policies p USING (group_id)
        UNION ALL
        SELECT attached.user_id, iam.policy_arn(p.account_id, p.policy_name), v.document
        FROM (
          SELECT user_id, policy_id FROM iam.user_attachments
          UNION
          SELECT m.user_id, a.policy_id FROM iam.group_members m JOIN iam.group_attachments a USING (group_id)
        ) attached
        JOIN iam.policies p USING (policy_id)
        JOIN iam.policy_versions v ON v.policy_id = p.policy_id AND v.version = p.default_version`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP VIEW iam.effective_policies');
    await runner.query(`DROP TABLE iam.group_attachments, iam.user_attachments, iam.group_policies, iam.group_members,
      iam.groups, iam.token_keys, iam.user_policies, iam.access_keys, iam.users, iam.policy_versions, iam.policies,
      iam.accounts CASCADE`);
    await runner.query('DROP FUNCTION iam.policy_arn');
  }
}
