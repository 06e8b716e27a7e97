import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AccessCheck, Account, Decision, Identity, IdentityAdministration } from '@holdfast/contracts';
import {
  call,
  GET,
  holderOf,
  policy,
  PUT,
  signedProof,
  statement,
  uniqueName,
  type IdentityUnderTest,
  type KeyPair,
} from './identity.contract.js';

const READ = policy(statement('Allow', ['s3:GetObject'], ['*']));
const WRITE = policy(statement('Allow', ['s3:PutObject'], ['*']));
const CLOSED = policy(statement('Deny', ['*'], ['*']));
const NO_SUCH = { code: 'NoSuchEntity', status: 404 };
const EXISTS = { code: 'EntityAlreadyExists', status: 409 };
const CONFLICT = { code: 'DeleteConflict', status: 409 };
const LIMIT = { code: 'LimitExceeded', status: 409 };
const MALFORMED = { code: 'MalformedPolicy', status: 400 };
const INVALID = { code: 'InvalidArgument', status: 400 };

type UserKey = { accountId: string; userName: string };

/** The cases that every adapter of `IdentityAdministration` passes, with what its changes mean to `Identity`. */
export function identityAdministrationContract(make: () => Promise<IdentityUnderTest>): void {
  let subject: IdentityUnderTest;
  let identity: Identity;
  let administration: IdentityAdministration;
  let account: Account;

  beforeAll(async () => {
    subject = await make();
    ({ identity, administration } = subject);
    account = await administration.createAccount(call(), { name: uniqueName('tenant'), email: '' });
  }, 120_000);
  afterAll(async () => {
    await subject?.close();
  }, 60_000);

  const newUser = async (): Promise<UserKey & KeyPair> => {
    const user = { accountId: account.accountId, userName: uniqueName('user') };
    await administration.createUser(call(), user);
    const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), user);
    return { ...user, accessKeyId: accessKey.accessKeyId, secretAccessKey };
  };
  const newGroup = async () => {
    const group = { accountId: account.accountId, groupName: uniqueName('group') };
    await administration.createGroup(call(), group);
    return { ...group, holder: { accountId: group.accountId, holder: 'group' as const, holderName: group.groupName } };
  };
  const newPolicy = async (document: string) => {
    const key = { accountId: account.accountId, policyName: uniqueName('policy') };
    await administration.createPolicy(call(), { ...key, description: 'of the contract', document });
    return key;
  };
  const keyOf = ({ accountId, userName }: UserKey): UserKey => ({ accountId, userName });
  const decisionsOf = async (keys: KeyPair, ...checks: AccessCheck[]): Promise<Decision[]> =>
    (await identity.authorize(call(), { proof: signedProof(keys), checks })).decisions;

  describe('accounts', () => {
    it('are kept apart by name and by email, and described by id', async () => {
      const email = `${uniqueName('a')}@example.org`;
      const made = await administration.createAccount(call(), { name: uniqueName('a'), email, displayName: 'Ann Ä' });
      expect(made).toMatchObject({ email, displayName: 'Ann Ä' });
      expect(await administration.getAccount(call(), made)).toEqual(made);
      for (const again of [
        { name: made.name, email: '' },
        { name: uniqueName('a'), email: email.toUpperCase() },
      ]) {
        await expect(administration.createAccount(call(), again)).rejects.toMatchObject(EXISTS);
      }
      const accountIds = [made.accountId, '000000000000', made.accountId, 'x'];
      expect(await identity.describeAccounts(call(), { accountIds })).toEqual({ accounts: [made] });
    });

    it('are named neither . nor .., and nothing in them is', async () => {
      const { accountId } = await administration.createAccount(call(), { name: uniqueName('a'), email: '' });
      for (const name of ['.', '..']) {
        await expect(administration.createAccount(call(), { name, email: '' })).rejects.toThrow();
        await expect(administration.createUser(call(), { accountId, userName: name })).rejects.toThrow();
        await expect(administration.createGroup(call(), { accountId, groupName: name })).rejects.toThrow();
        const policy = { accountId, policyName: name, description: '', document: READ };
        await expect(administration.createPolicy(call(), policy)).rejects.toThrow();
      }
    });

    it('count characters, not units of UTF-16', async () => {
      const account = (displayName: string) => ({ name: uniqueName('a'), email: '', displayName });
      const { accountId } = await administration.createAccount(call(), account('🎈'.repeat(256)));
      await expect(administration.createAccount(call(), account('🎈'.repeat(257)))).rejects.toThrow();
      const policy = { accountId, policyName: 'p', document: READ };
      await administration.createPolicy(call(), { ...policy, description: '🎈'.repeat(1000) });
      const user = { accountId, userName: 'u' };
      await expect(administration.createUser(call(), { ...user, password: '🎈'.repeat(7) })).rejects.toThrow();
      await administration.createUser(call(), { ...user, password: '🎈'.repeat(8) });
    });

    it('are deleted when nothing is in them, and never the first', async () => {
      const { accountId } = await administration.createAccount(call(), { name: uniqueName('a'), email: '' });
      const root = { accountId, userName: '' };
      const user = { accountId, userName: 'u' };
      const group = { accountId, groupName: 'g' };
      const managed = { accountId, policyName: 'p' };
      await administration.createUser(call(), user);
      await administration.createGroup(call(), group);
      await administration.createPolicy(call(), { ...managed, description: '', document: READ });
      const { accessKey } = await administration.createAccessKey(call(), root);
      const empty: (() => Promise<void>)[] = [
        () => administration.deleteUser(call(), user),
        () => administration.deleteGroup(call(), group),
        () => administration.deletePolicy(call(), managed),
        () => administration.deleteAccessKey(call(), { ...root, accessKeyId: accessKey.accessKeyId }),
      ];
      for (const step of empty) {
        await expect(administration.deleteAccount(call(), { accountId })).rejects.toMatchObject(CONFLICT);
        await step();
      }
      await administration.deleteAccount(call(), { accountId });
      await expect(administration.deleteAccount(call(), { accountId })).rejects.toMatchObject(NO_SUCH);
      await expect(administration.getAccount(call(), { accountId })).rejects.toMatchObject(NO_SUCH);
      const first = await identity.authorize(call(), { proof: signedProof(subject.root), checks: [] });
      const ofFirst = { accountId: first.caller.accountId };
      await expect(administration.deleteAccount(call(), ofFirst)).rejects.toMatchObject(CONFLICT);
    });

    it('are listed page by page, in the order of names, without a gap or a repetition', async () => {
      const names: string[] = [];
      let after: string | undefined;
      do {
        const page: Awaited<ReturnType<IdentityAdministration['listAccounts']>> = await administration.listAccounts(
          call(),
          { limit: 2, ...(after === undefined ? {} : { after }) },
        );
        expect(page.accounts.length).toBeGreaterThan(0);
        names.push(...page.accounts.map(({ name }) => name));
        after = page.next;
      } while (after !== undefined);
      expect(names).toEqual([...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      expect(names).toContain(account.name);
    });
  });

  describe('users and keys', () => {
    it('makes keys of 20 upper-case letters and digits with secrets of 40 characters, shown once', async () => {
      const owner = { accountId: account.accountId, userName: uniqueName('user') };
      const user = await administration.createUser(call(), owner);
      expect(user).toMatchObject({ ...owner, arn: `arn:aws:iam::${owner.accountId}:user/${owner.userName}` });
      const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), owner);
      expect(accessKey).toMatchObject({ ...owner, status: 'active' });
      expect(accessKey.accessKeyId).toMatch(/^[A-Z0-9]{20}$/);
      expect(secretAccessKey).toMatch(/^[A-Za-z0-9/+]{40}$/);
      expect(await administration.listAccessKeys(call(), { ...owner, limit: 10 })).toEqual({ accessKeys: [accessKey] });
      expect(await administration.getUser(call(), owner)).toEqual(user);
      const listed = await administration.listUsers(call(), { accountId: owner.accountId, limit: 1000 });
      expect(listed.users).toContainEqual(user);
    });

    it('keeps the path of a user, lists by its beginning, and names nobody by it', async () => {
      const { accountId } = account;
      const userName = uniqueName('user');
      const prefix = `/${uniqueName('team')}/`;
      const user = await administration.createUser(call(), { accountId, userName, path: `${prefix}night_%/` });
      const arn = `arn:aws:iam::${accountId}:user/${userName}`;
      expect(user).toMatchObject({ path: `${prefix}night_%/`, arn });
      expect(await administration.getUser(call(), { accountId, userName })).toEqual(user);
      const below = async (pathPrefix: string) =>
        (await administration.listUsers(call(), { accountId, limit: 1000, pathPrefix })).users.map(
          (one) => one.userName,
        );
      for (const pathPrefix of [prefix, `${prefix}night_%`]) expect(await below(pathPrefix)).toEqual([userName]);
      expect(await below('/')).toContain(userName);
      expect(await below(`${prefix}%`)).toEqual([]);
      for (const path of ['', 'team', '/team', 'team/', '/ü/', '/a b/', `/${'x'.repeat(511)}/`]) {
        const refused = administration.createUser(call(), { accountId, userName: uniqueName('user'), path });
        await expect(refused).rejects.toMatchObject({ code: 'InvalidArgument' });
      }
    });

    it('rotates keys: two may be active, a third is one too many, and the last use is told', async () => {
      const first = await newUser();
      const owner = keyOf(first);
      const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), owner);
      const second = { accessKeyId: accessKey.accessKeyId, secretAccessKey };
      await expect(administration.createAccessKey(call(), owner)).rejects.toMatchObject(LIMIT);
      expect(await decisionsOf(second, GET)).toEqual(['no-allow']);
      expect(await decisionsOf(first, GET)).toEqual(['no-allow']);
      const { accessKeyId } = first;
      await administration.setAccessKeyStatus(call(), { ...owner, accessKeyId, status: 'inactive' });
      await expect(decisionsOf(first, GET)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
      expect(await decisionsOf(second, GET)).toEqual(['no-allow']);
      await administration.deleteAccessKey(call(), { ...owner, accessKeyId });
      await administration.createAccessKey(call(), owner);
      const { accessKeys } = await administration.listAccessKeys(call(), { ...owner, limit: 10 });
      const used = accessKeys.find((key) => key.accessKeyId === second.accessKeyId);
      expect(used?.lastUsedAtMs).toBeGreaterThanOrEqual(used?.createdAtMs ?? Infinity);
    });

    it('does not let a key be touched through another owner', async () => {
      const victim = await newUser();
      const { accessKeyId } = victim;
      const { userName } = await newUser();
      for (const owner of [userName, ''].map((name) => ({ accountId: account.accountId, userName: name }))) {
        const key = { ...owner, accessKeyId };
        await expect(administration.deleteAccessKey(call(), key)).rejects.toMatchObject(NO_SUCH);
        const changed = administration.setAccessKeyStatus(call(), { ...key, status: 'inactive' });
        await expect(changed).rejects.toMatchObject(NO_SUCH);
      }
      expect(await decisionsOf(victim, GET)).toEqual(['no-allow']);
    });

    it('deletes with a user its keys, policies, attachments and memberships', async () => {
      const user = await newUser();
      const owner = keyOf(user);
      const { accountId, groupName } = await newGroup();
      const group = { accountId, groupName };
      const managed = await newPolicy(READ);
      await administration.putInlinePolicy(call(), { ...holderOf(user), policyName: 'p', document: READ });
      await administration.attachPolicy(call(), { ...holderOf(user), policyName: managed.policyName });
      await administration.addGroupMember(call(), { ...group, userName: user.userName });
      await administration.deleteUser(call(), owner);
      await expect(administration.deleteUser(call(), owner)).rejects.toMatchObject(NO_SUCH);
      await expect(decisionsOf(user, GET)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
      expect(await administration.listGroupMembers(call(), { ...group, limit: 10 })).toEqual({ users: [] });
      await administration.deletePolicy(call(), managed);
      await administration.deleteGroup(call(), group);
      await administration.createUser(call(), owner);
      const page = { ...holderOf(user), limit: 10 };
      expect(await administration.listInlinePolicies(call(), page)).toEqual({ policies: [] });
      expect(await administration.listAccessKeys(call(), { ...owner, limit: 10 })).toEqual({ accessKeys: [] });
    });

    it.each(['', 'a b', 'a/b', 'ä', 'a\0', 'x'.repeat(65), 'root', "a'b"])(
      'refuses the user name %j',
      async (userName) => {
        const refused = administration.createUser(call(), { accountId: account.accountId, userName });
        await expect(refused).rejects.toMatchObject(INVALID);
      },
      10_000,
    );

    it('refuses a second user of the same name, in another case too', async () => {
      const userName = uniqueName('user');
      await administration.createUser(call(), { accountId: account.accountId, userName });
      for (const again of [userName, userName.toUpperCase()]) {
        const refused = administration.createUser(call(), { accountId: account.accountId, userName: again });
        await expect(refused).rejects.toMatchObject(EXISTS);
      }
    });

    it('answers NoSuchEntity for an account or user that does not exist', async () => {
      for (const owner of [
        { accountId: '000000000000', userName: 'x' },
        { accountId: 'x', userName: 'x' },
        { accountId: account.accountId, userName: 'nobody' },
      ]) {
        const holder = holderOf(owner);
        const refused: Promise<unknown>[] = [
          administration.getUser(call(), owner),
          administration.deleteUser(call(), owner),
          administration.createAccessKey(call(), owner),
          administration.listAccessKeys(call(), { ...owner, limit: 1 }),
          administration.listGroupsOfUser(call(), { ...owner, limit: 1 }),
          administration.setUserBoundary(call(), owner),
          administration.putInlinePolicy(call(), { ...holder, policyName: 'p', document: READ }),
          administration.getInlinePolicy(call(), { ...holder, policyName: 'p' }),
          administration.listInlinePolicies(call(), { ...holder, limit: 1 }),
          administration.deleteInlinePolicy(call(), { ...holder, policyName: 'p' }),
          administration.attachPolicy(call(), { ...holder, policyName: 'p' }),
          administration.listAttachedPolicies(call(), { ...holder, limit: 1 }),
        ];
        for (const result of await Promise.allSettled(refused)) {
          expect(result).toMatchObject({ status: 'rejected', reason: NO_SUCH });
        }
      }
      for (const accountId of ['000000000000', 'x']) {
        const refused: Promise<unknown>[] = [
          administration.createUser(call(), { accountId, userName: 'x' }),
          administration.listUsers(call(), { accountId, limit: 1 }),
          administration.createGroup(call(), { accountId, groupName: 'x' }),
          administration.listGroups(call(), { accountId, limit: 1 }),
          administration.createPolicy(call(), { accountId, policyName: 'x', description: '', document: READ }),
          administration.listPolicies(call(), { accountId, limit: 1 }),
          administration.createAccessKey(call(), { accountId, userName: '' }),
        ];
        for (const result of await Promise.allSettled(refused)) {
          expect(result).toMatchObject({ status: 'rejected', reason: NO_SUCH });
        }
      }
    });
  });

  describe('inline policies', () => {
    it('XE5: one that is malformed, too large or not fully understood is refused, and the one before stays', async () => {
      const user = await newUser();
      const owner = { ...holderOf(user), policyName: 'policy' };
      await administration.putInlinePolicy(call(), { ...owner, document: READ });
      const conditional = {
        ...statement('Allow', ['*'], ['*']),
        Condition: { Boolean: { 'aws:SecureTransport': 'true' } },
      };
      const documents = [
        '',
        '{',
        policy(),
        policy(conditional),
        policy(statement('Allow', ['*'], ['x'])),
        `${READ}${' '.repeat(21_000)}`,
      ];
      for (const document of documents) {
        await expect(administration.putInlinePolicy(call(), { ...owner, document })).rejects.toMatchObject(MALFORMED);
      }
      expect(await administration.getInlinePolicy(call(), owner)).toEqual({ policyName: 'policy', document: READ });
    });

    it('holds the policies of one user, and of one group, to a limit together', async () => {
      const user = await newUser();
      const sized = (characters: number): string =>
        policy(statement('Allow', ['s3:GetObject'], [`arn:aws:s3:::${'x'.repeat(characters)}`]));
      for (const policyName of ['a', 'b', 'c', 'c'])
        await administration.putInlinePolicy(call(), { ...holderOf(user), policyName, document: sized(19_000) });
      const refused = administration.putInlinePolicy(call(), {
        ...holderOf(user),
        policyName: 'd',
        document: sized(19_000),
      });
      await expect(refused).rejects.toMatchObject(INVALID);
      const listed = await administration.listInlinePolicies(call(), { ...holderOf(user), limit: 10 });
      expect(listed.policies.map(({ policyName }) => policyName)).toEqual(['a', 'b', 'c']);
      const { holder } = await newGroup();
      const large = administration.putInlinePolicy(call(), { ...holder, policyName: 'p', document: sized(5_200) });
      await expect(large).rejects.toMatchObject(INVALID);
    });
  });

  describe('groups', () => {
    it('give their members what their inline and attached policies say, from joining to leaving', async () => {
      const user = await newUser();
      const { holder, ...group } = await newGroup();
      const managed = await newPolicy(WRITE);
      const member = { ...group, userName: user.userName };
      await administration.putInlinePolicy(call(), { ...holder, policyName: 'read', document: READ });
      await administration.attachPolicy(call(), { ...holder, policyName: managed.policyName });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['no-allow', 'no-allow']);
      await administration.addGroupMember(call(), member);
      await administration.addGroupMember(call(), member);
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'allow']);
      const { users } = await administration.listGroupMembers(call(), { ...group, limit: 10 });
      expect(users.map(({ userName }) => userName)).toEqual([user.userName]);
      const { groups } = await administration.listGroupsOfUser(call(), { ...keyOf(user), limit: 10 });
      expect(groups).toEqual([await administration.getGroup(call(), group)]);
      await administration.putInlinePolicy(call(), { ...holder, policyName: 'closed', document: CLOSED });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['explicit-deny', 'explicit-deny']);
      await administration.removeGroupMember(call(), member);
      await expect(administration.removeGroupMember(call(), member)).rejects.toMatchObject(NO_SUCH);
      expect(await decisionsOf(user, GET, PUT)).toEqual(['no-allow', 'no-allow']);
    });

    it('are not deleted while they have members or policies', async () => {
      const { userName } = await newUser();
      const { holder, ...group } = await newGroup();
      const { policyName } = await newPolicy(READ);
      await administration.addGroupMember(call(), { ...group, userName });
      await administration.putInlinePolicy(call(), { ...holder, policyName: 'p', document: READ });
      await administration.attachPolicy(call(), { ...holder, policyName });
      const steps: (() => Promise<void>)[] = [
        () => administration.removeGroupMember(call(), { ...group, userName }),
        () => administration.deleteInlinePolicy(call(), { ...holder, policyName: 'p' }),
        () => administration.detachPolicy(call(), { ...holder, policyName }),
      ];
      for (const step of steps) {
        await expect(administration.deleteGroup(call(), group)).rejects.toMatchObject(CONFLICT);
        await step();
      }
      await administration.deleteGroup(call(), group);
      await expect(administration.getGroup(call(), group)).rejects.toMatchObject(NO_SUCH);
      await expect(administration.deleteGroup(call(), group)).rejects.toMatchObject(NO_SUCH);
    });

    it('are ten at most for a user, also when many are joined at once', async () => {
      const { userName } = await newUser();
      const groups = await Promise.all(Array.from({ length: 12 }, newGroup));
      const joined = await Promise.allSettled(
        groups.map(({ accountId, groupName }) =>
          administration.addGroupMember(call(), { accountId, groupName, userName }),
        ),
      );
      expect(joined.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      for (const result of joined) if (result.status === 'rejected') expect(result.reason).toMatchObject(LIMIT);
    });

    it('do not take users of another account', async () => {
      const other = await administration.createAccount(call(), { name: uniqueName('a'), email: '' });
      const stranger = { accountId: other.accountId, userName: uniqueName('stranger') };
      await administration.createUser(call(), stranger);
      const { accountId, groupName } = await newGroup();
      const refused = administration.addGroupMember(call(), { accountId, groupName, userName: stranger.userName });
      await expect(refused).rejects.toMatchObject(NO_SUCH);
    });
  });

  describe('managed policies', () => {
    it('speak for whom they are attached to, by the version that is the default', async () => {
      const user = await newUser();
      const managed = await newPolicy(READ);
      const { policyName } = managed;
      expect(await administration.getPolicy(call(), managed)).toMatchObject({ defaultVersion: 1, attachments: 0 });
      await administration.attachPolicy(call(), { ...holderOf(user), policyName });
      await administration.attachPolicy(call(), { ...holderOf(user), policyName });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'no-allow']);
      const second = await administration.createPolicyVersion(call(), {
        ...managed,
        document: WRITE,
        setAsDefault: false,
      });
      expect(second).toMatchObject({ version: 2, isDefault: false, document: WRITE });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'no-allow']);
      await administration.setDefaultPolicyVersion(call(), { ...managed, version: 2 });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['no-allow', 'allow']);
      const inForce = administration.deletePolicyVersion(call(), { ...managed, version: 2 });
      await expect(inForce).rejects.toMatchObject(CONFLICT);
      await administration.deletePolicyVersion(call(), { ...managed, version: 1 });
      const { versions } = await administration.listPolicyVersions(call(), managed);
      expect(versions.map(({ version, isDefault }) => [version, isDefault])).toEqual([[2, true]]);
      const gone = administration.getPolicyVersion(call(), { ...managed, version: 1 });
      await expect(gone).rejects.toMatchObject(NO_SUCH);
      const { policies } = await administration.listAttachedPolicies(call(), { ...holderOf(user), limit: 10 });
      expect(policies).toMatchObject([{ policyName, attachments: 1, defaultVersion: 2 }]);
      await expect(administration.deletePolicy(call(), managed)).rejects.toMatchObject(CONFLICT);
      await administration.detachPolicy(call(), { ...holderOf(user), policyName });
      await expect(administration.detachPolicy(call(), { ...holderOf(user), policyName })).rejects.toMatchObject(
        NO_SUCH,
      );
      expect(await decisionsOf(user, GET, PUT)).toEqual(['no-allow', 'no-allow']);
      await administration.deletePolicy(call(), managed);
      await expect(administration.getPolicy(call(), managed)).rejects.toMatchObject(NO_SUCH);
    });

    it('have at most five versions, ten attachments a holder and 6144 characters', async () => {
      const managed = await newPolicy(READ);
      const version = { ...managed, document: READ, setAsDefault: true };
      for (let made = 1; made < 5; made += 1) await administration.createPolicyVersion(call(), version);
      await expect(administration.createPolicyVersion(call(), version)).rejects.toMatchObject(LIMIT);
      await administration.deletePolicyVersion(call(), { ...managed, version: 1 });
      expect(await administration.createPolicyVersion(call(), version)).toMatchObject({ version: 6, isDefault: true });
      const user = await newUser();
      const many = await Promise.all(Array.from({ length: 11 }, () => newPolicy(READ)));
      const attached = await Promise.allSettled(
        many.map(({ policyName }) => administration.attachPolicy(call(), { ...holderOf(user), policyName })),
      );
      expect(attached.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      const long = policy(statement('Allow', ['s3:GetObject'], [`arn:aws:s3:::${'x'.repeat(6_100)}`]));
      await expect(newPolicy(long)).rejects.toMatchObject(INVALID);
      await newPolicy(`${READ}${' '.repeat(7_000)}`);
      await expect(newPolicy('{')).rejects.toMatchObject(MALFORMED);
    }, 30_000);

    it('bound what a user may, whoever allows it, and are not deleted while they do', async () => {
      const user = await newUser();
      const boundary = await newPolicy(READ);
      const both = policy(statement('Allow', ['s3:*'], ['*']));
      await administration.putInlinePolicy(call(), { ...holderOf(user), policyName: 'all', document: both });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'allow']);
      await administration.setUserBoundary(call(), { ...keyOf(user), policyName: boundary.policyName });
      expect(await administration.getUser(call(), keyOf(user))).toMatchObject({ boundary: boundary.policyName });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'outside-boundary']);
      await administration.createPolicyVersion(call(), { ...boundary, document: WRITE, setAsDefault: true });
      expect(await decisionsOf(user, GET, PUT)).toEqual(['outside-boundary', 'allow']);
      await expect(administration.deletePolicy(call(), boundary)).rejects.toMatchObject(CONFLICT);
      await administration.setUserBoundary(call(), keyOf(user));
      expect(await decisionsOf(user, GET, PUT)).toEqual(['allow', 'allow']);
      await administration.deletePolicy(call(), boundary);
      const unknown = administration.setUserBoundary(call(), { ...keyOf(user), policyName: boundary.policyName });
      await expect(unknown).rejects.toMatchObject(NO_SUCH);
    });
  });

  describe('signing of tokens', () => {
    it('rotates: the new key signs, the old one verifies, and the published set shows both', async () => {
      const user = await newUser();
      const credentials = {
        kind: 'access-key' as const,
        accessKeyId: user.accessKeyId,
        secretAccessKey: user.secretAccessKey,
      };
      const token = async (): Promise<string> => (await identity.issueToken(call(), credentials)).accessToken;
      const kidOf = (text: string): string =>
        (JSON.parse(Buffer.from(text.split('.')[0], 'base64url').toString()) as { kid: string }).kid;
      const published = async (): Promise<string[]> =>
        (JSON.parse((await identity.jwks(call(), {})).json) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
      const stands = (text: string) =>
        identity.authorize(call(), { proof: { kind: 'bearer', token: text }, checks: [] });
      const before = await token();
      const { keyId } = await administration.rotateTokenKey(call(), { endOthers: false });
      const after = await token();
      expect(kidOf(after)).toBe(keyId);
      expect(kidOf(before)).not.toBe(keyId);
      expect(await published()).toEqual([keyId, kidOf(before)]);
      await stands(before);
      await stands(after);
      const last = await administration.rotateTokenKey(call(), { endOthers: true });
      expect(await published()).toEqual([last.keyId]);
      await stands(await token());
      for (const ended of [before, after]) {
        await expect(stands(ended)).rejects.toMatchObject({ code: 'InvalidToken', status: 401 });
      }
    });
  });
}
