import { createHmac, createPublicKey, randomBytes, verify as verifySignature, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  backgroundCall,
  type AccessCheck,
  type Account,
  type Decision,
  type Identity,
  type Proof,
} from '@holdfast/contracts';

/** What the contract of `Identity` is held against. */
export interface IdentityUnderTest {
  readonly identity: Identity;
  /** Credentials of the root of the first account. */
  readonly root: KeyPair;
  close(): Promise<void>;
}

interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const CALL_TIMEOUT_MS = 20_000;
const call = () => backgroundCall(CALL_TIMEOUT_MS);

const SCOPE = { date: '20261121', region: 'us-east-1', service: 's3' };

function signingKeyOf(secret: string): Buffer {
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return [SCOPE.date, SCOPE.region, SCOPE.service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
}

/** A proof as a client with these keys would send it. */
export function signedProof(
  { accessKeyId, secretAccessKey }: KeyPair,
  wantsSigningKey = false,
): Proof & { signature: string } {
  const stringToSign = `AWS4-HMAC-SHA256\n20261121T101112Z\n20261121/us-east-1/s3/aws4_request\n${'0'.repeat(64)}`;
  const signature = createHmac('sha256', signingKeyOf(secretAccessKey)).update(stringToSign).digest('hex');
  return { kind: 'signature-v4', accessKeyId, ...SCOPE, stringToSign, signature, wantsSigningKey };
}

/** A proof as it comes with a URL that was presigned with version 2, for a string to sign of `sizeBytes`. */
function presignedProof({ accessKeyId, secretAccessKey }: KeyPair, sizeBytes = 100): Proof & { signature: string } {
  const text = Buffer.from('GET\n\n\n1175139620\nx-amz-meta-a:é\n/photos/2026/').toString('latin1');
  const stringToSign = text.padEnd(sizeBytes, 'a');
  const signature = createHmac('sha1', secretAccessKey).update(stringToSign, 'latin1').digest('base64');
  return { kind: 'signature-v2', accessKeyId, stringToSign, signature };
}

const GET: AccessCheck = { action: 's3:GetObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
const PUT: AccessCheck = { action: 's3:PutObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
const DELETE: AccessCheck = { action: 's3:DeleteObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
const LIST: AccessCheck = { action: 's3:ListBucket', resource: 'arn:aws:s3:::photos' };

const statement = (effect: 'Allow' | 'Deny', actions: string[], resources: string[]): object => ({
  Effect: effect,
  Action: actions,
  Resource: resources,
});
const policy = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
async function allRefused(attempts: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(attempts)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'InvalidArgument' } });
  }
}
const uniqueName = (prefix: string): string => `${prefix}-${randomBytes(6).toString('hex')}`;

/** The cases that every adapter of `Identity` passes: the local one, the remote one, the one in memory. */
export function identityContract(make: () => Promise<IdentityUnderTest>): void {
  let subject: IdentityUnderTest;
  let identity: Identity;
  let account: Account;

  beforeAll(async () => {
    subject = await make();
    identity = subject.identity;
    account = await identity.createAccount(call(), { name: uniqueName('tenant'), email: 'owner@example.org' });
  }, 120_000);
  afterAll(async () => {
    await subject?.close();
  }, 60_000);

  const newUser = async (...documents: string[]): Promise<KeyPair & { accountId: string; userName: string }> => {
    const user = { accountId: account.accountId, userName: uniqueName('user') };
    await identity.createUser(call(), user);
    for (const [index, document] of documents.entries()) {
      await identity.putUserPolicy(call(), { ...user, policyName: `policy-${index}`, document });
    }
    const { accessKey, secretAccessKey } = await identity.createAccessKey(call(), user);
    return { ...user, accessKeyId: accessKey.accessKeyId, secretAccessKey };
  };
  const decisionsOf = async (keys: KeyPair, ...checks: AccessCheck[]): Promise<Decision[]> =>
    (await identity.authorize(call(), { proof: signedProof(keys), checks })).decisions;
  const tokenOf = async ({ accessKeyId, secretAccessKey }: KeyPair): Promise<string> =>
    (await identity.issueToken(call(), { kind: 'access-key', accessKeyId, secretAccessKey })).accessToken;
  const bearer = (token: string): { proof: Proof; checks: AccessCheck[] } => ({
    proof: { kind: 'bearer', token },
    checks: [GET],
  });

  describe('signatures', () => {
    it('names the root of the first account and allows it everything', async () => {
      const answer = await identity.authorize(call(), { proof: signedProof(subject.root), checks: [GET, PUT, LIST] });
      expect(answer.caller).toMatchObject({
        kind: 'root',
        userName: '',
        arn: `arn:aws:iam::${answer.caller.accountId}:root`,
      });
      expect(answer.caller.accountId).toMatch(/^\d{12}$/);
      expect(answer.caller.canonicalId).toMatch(/^[0-9a-f]{64}$/);
      expect(answer.decisions).toEqual(['allow', 'allow', 'allow']);
    });

    it('names a user with the account it belongs to', async () => {
      const user = await newUser();
      const { caller } = await identity.authorize(call(), { proof: signedProof(user), checks: [] });
      expect(caller).toEqual({
        kind: 'user',
        accountId: account.accountId,
        canonicalId: account.canonicalId,
        displayName: account.name,
        userName: user.userName,
        arn: `arn:aws:iam::${account.accountId}:user/${user.userName}`,
      });
    });

    it('gives the signing key of the day to those who ask for it', async () => {
      const user = await newUser();
      const asked = await identity.authorize(call(), { proof: signedProof(user, true), checks: [] });
      expect(asked.signingKey?.toString('hex')).toBe(signingKeyOf(user.secretAccessKey).toString('hex'));
      const notAsked = await identity.authorize(call(), { proof: signedProof(user), checks: [] });
      expect(notAsked.signingKey).toBeUndefined();
    });

    it('seed-3.2: refuses a wrong secret, a changed string, scope or signature, at a known key too', async () => {
      const user = await newUser(policy(statement('Allow', ['*'], ['*'])));
      const good = signedProof(user);
      await identity.authorize(call(), { proof: good, checks: [GET] });
      const flipped = (good.signature.startsWith('0') ? '1' : '0') + good.signature.slice(1);
      const wrong: Proof[] = [
        signedProof({ ...user, secretAccessKey: subject.root.secretAccessKey }),
        ...['', 'zz', flipped, good.signature.slice(2), `${good.signature}00`].map((signature) => ({
          ...good,
          signature,
        })),
        { ...good, stringToSign: 'other' } as Proof,
        { ...good, date: '20261122' } as Proof,
        { ...good, date: '' } as Proof,
        { ...good, region: 'eu-west-1' } as Proof,
        { ...good, service: 'iam' } as Proof,
      ];
      for (const proof of wrong) {
        const refused = identity.authorize(call(), { proof, checks: [GET] });
        await expect(refused).rejects.toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 });
      }
    });

    it('version 2: names a user, judges it and gives no signing key', async () => {
      const user = await newUser(policy(statement('Allow', ['s3:GetObject'], ['*'])));
      for (const proof of [presignedProof(user), presignedProof(user, 16_384)]) {
        const answer = await identity.authorize(call(), { proof, checks: [GET, PUT] });
        expect(answer.caller).toMatchObject({ kind: 'user', userName: user.userName, accountId: account.accountId });
        expect(answer.decisions).toEqual(['allow', 'no-allow']);
        expect(answer.signingKey).toBeUndefined();
      }
      const byRoot = await identity.authorize(call(), { proof: presignedProof(subject.root), checks: [PUT] });
      expect(byRoot).toMatchObject({ caller: { kind: 'root' }, decisions: ['allow'] });
    });

    it('seed-3.2: version 2: refuses a wrong secret, a changed string or signature, and keys that do not count', async () => {
      const user = await newUser(policy(statement('Allow', ['*'], ['*'])));
      const good = presignedProof(user);
      await identity.authorize(call(), { proof: good, checks: [GET] });
      const flipped = (good.signature.startsWith('a') ? 'b' : 'a') + good.signature.slice(1);
      const wrong: Proof[] = [
        presignedProof({ ...user, secretAccessKey: subject.root.secretAccessKey }),
        ...['', flipped, good.signature.slice(0, -1), `${good.signature}=`].map((signature) => ({
          ...good,
          signature,
        })),
        { ...good, stringToSign: 'PUT\n\n\n1175139620\n/photos/2026/' } as Proof,
      ];
      for (const proof of wrong) {
        const refused = identity.authorize(call(), { proof, checks: [GET] });
        await expect(refused).rejects.toMatchObject({ code: 'SignatureDoesNotMatch', status: 403 });
      }
      const { accessKeyId } = user;
      const unknown = { ...good, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } as Proof;
      await identity.setAccessKeyStatus(call(), { accessKeyId, status: 'inactive' });
      for (const proof of [unknown, good]) {
        const refused = identity.authorize(call(), { proof, checks: [GET] });
        await expect(refused).rejects.toMatchObject({ code: 'InvalidAccessKeyId', status: 403 });
      }
    });

    it('seed-3.2: refuses keys that are unknown, malformed, inactive or deleted', async () => {
      const user = await newUser();
      const invalid = { code: 'InvalidAccessKeyId', status: 403 };
      for (const accessKeyId of ['', 'AKIAIOSFODNN7EXAMPLE', "' OR true --", '\0', 'x'.repeat(256)]) {
        const proof = { ...signedProof(user), accessKeyId } as Proof;
        await expect(identity.authorize(call(), { proof, checks: [] })).rejects.toMatchObject(invalid);
      }
      const { accessKeyId } = user;
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      expect(await identity.setAccessKeyStatus(call(), { accessKeyId, status: 'inactive' })).toEqual({ found: true });
      await expect(decisionsOf(user, GET)).rejects.toMatchObject(invalid);
      await identity.setAccessKeyStatus(call(), { accessKeyId, status: 'active' });
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      expect(await identity.deleteAccessKey(call(), { accessKeyId })).toEqual({ deleted: true });
      await expect(decisionsOf(user, GET)).rejects.toMatchObject(invalid);
      expect(await identity.deleteAccessKey(call(), { accessKeyId })).toEqual({ deleted: false });
      expect(await identity.setAccessKeyStatus(call(), { accessKeyId, status: 'active' })).toEqual({ found: false });
    });

    it('seed-3.2: an anonymous request is nobody and allowed nothing', async () => {
      const answer = await identity.authorize(call(), { proof: { kind: 'anonymous' }, checks: [GET, LIST] });
      expect(answer.caller).toMatchObject({ kind: 'anonymous', accountId: '', canonicalId: '' });
      expect(answer.decisions).toEqual(['no-allow', 'no-allow']);
    });
  });

  describe('decisions', () => {
    const all = statement('Allow', ['s3:*'], ['*']);
    const read = statement('Allow', ['s3:Get*', 's3:List*'], ['arn:aws:s3:::photos', 'arn:aws:s3:::photos/*']);
    const write = statement('Allow', ['s3:PutObject'], ['arn:aws:s3:::photos/2026/*']);
    const elsewhere = statement('Allow', ['s3:*'], ['arn:aws:s3:::other/*']);
    const keep = statement('Deny', ['s3:Delete*'], ['arn:aws:s3:::photos/*']);
    const closed = statement('Deny', ['*'], ['*']);
    const [A, N, D] = ['allow', 'no-allow', 'explicit-deny'];
    it.each([
      ['no policy', [], [N, N, N, N]],
      ['everything', [[all]], [A, A, A, A]],
      ['reader', [[read]], [A, N, N, A]],
      ['writer', [[write]], [N, A, N, N]],
      ['reader and writer in two policies', [[read], [write]], [A, A, N, A]],
      ['another bucket', [[elsewhere]], [N, N, N, N]],
      ['everything but deletes', [[all, keep]], [A, A, D, A]],
      ['a deny before the allow', [[keep], [all]], [A, A, D, A]],
      ['a deny without an allow', [[keep]], [N, N, D, N]],
      ['everything denied', [[all], [closed]], [D, D, D, D]],
    ])('seed-3.3: role %s', async (_role, policies: object[][], expected) => {
      const user = await newUser(...policies.map((statements) => policy(...statements)));
      expect(await decisionsOf(user, GET, PUT, DELETE, LIST)).toEqual(expected);
      const { caller } = await identity.authorize(call(), { proof: signedProof(user), checks: [] });
      const decided = await identity.decide(call(), { caller, checks: [GET, PUT, DELETE, LIST] });
      expect(decided.decisions).toEqual(expected);
    });

    it('seed-3.3: each call is judged anew: a policy counts from the next call on, and no longer when it is gone', async () => {
      const user = await newUser();
      const owner = { accountId: user.accountId, userName: user.userName };
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      await identity.putUserPolicy(call(), { ...owner, policyName: 'p', document: policy(read) });
      expect(await decisionsOf(user, GET)).toEqual(['allow']);
      await identity.putUserPolicy(call(), { ...owner, policyName: 'p', document: policy(read, closed) });
      expect(await decisionsOf(user, GET)).toEqual(['explicit-deny']);
      expect(await identity.deleteUserPolicy(call(), { ...owner, policyName: 'p' })).toEqual({ deleted: true });
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      expect(await identity.deleteUserPolicy(call(), { ...owner, policyName: 'p' })).toEqual({ deleted: false });
    });

    it('decides nothing for a user that is gone, nor for nobody', async () => {
      const user = await newUser(policy(all));
      const { caller } = await identity.authorize(call(), { proof: signedProof(user), checks: [] });
      await identity.deleteUser(call(), { accountId: user.accountId, userName: user.userName });
      expect(await identity.decide(call(), { caller, checks: [GET] })).toEqual({ decisions: ['no-allow'] });
      const { caller: nobody } = await identity.authorize(call(), { proof: { kind: 'anonymous' }, checks: [] });
      expect(await identity.decide(call(), { caller: nobody, checks: [GET] })).toEqual({ decisions: ['no-allow'] });
    });

    it('XC7: policies and roots reach no further than their own account', async () => {
      const { caller: first } = await identity.authorize(call(), { proof: signedProof(subject.root), checks: [] });
      const made = await identity.createAccessKey(call(), { accountId: account.accountId, userName: '' });
      const tenantRoot = { accessKeyId: made.accessKey.accessKeyId, secretAccessKey: made.secretAccessKey };
      const tenantUser = await newUser(policy(statement('Allow', ['*'], ['*'])));
      const on = (action: string, resource: string): AccessCheck => ({ action, resource });
      const own = on('iam:CreateUser', `arn:aws:iam::${account.accountId}:user/x`);
      const beyond = [
        on('iam:CreateAccessKey', `arn:aws:iam::${first.accountId}:root`),
        on('iam:CreateUser', `arn:aws:iam::${first.accountId}:user/x`),
        on('iam:CreateUser', '*'),
        on('iam:CreateAccount', `arn:aws:iam::${account.accountId}:account/x`),
        on('iam:ListAccounts', '*'),
        on('holdfast:StopNode', '*'),
      ];
      const refused = beyond.map(() => 'no-allow');
      expect(await decisionsOf(tenantRoot, own, ...beyond)).toEqual(['allow', ...refused]);
      expect(await decisionsOf(tenantUser, own, ...beyond)).toEqual(['allow', ...refused]);
      expect(await decisionsOf(subject.root, own, ...beyond)).toEqual(['allow', ...beyond.map(() => 'allow')]);
    });
  });

  describe('tokens', () => {
    it('stand for the holder of the key, with the decisions of the moment', async () => {
      const user = await newUser();
      const token = await tokenOf(user);
      const before = await identity.authorize(call(), bearer(token));
      expect(before).toMatchObject({ caller: { kind: 'user', userName: user.userName }, decisions: ['no-allow'] });
      const document = policy(statement('Allow', ['s3:GetObject'], ['*']));
      await identity.putUserPolicy(call(), {
        accountId: user.accountId,
        userName: user.userName,
        policyName: 'p',
        document,
      });
      expect((await identity.authorize(call(), bearer(token))).decisions).toEqual(['allow']);
      const rootAnswer = await identity.authorize(call(), bearer(await tokenOf(subject.root)));
      expect(rootAnswer).toMatchObject({ caller: { kind: 'root' }, decisions: ['allow'] });
    });

    it('are given for account, by id or by name, user and password', async () => {
      const owner = { accountId: account.accountId, userName: uniqueName('person') };
      await identity.createUser(call(), { ...owner, password: 'correct horse' });
      for (const named of [account.accountId, account.name]) {
        const credentials = {
          kind: 'password' as const,
          account: named,
          user: owner.userName,
          password: 'correct horse',
        };
        const { accessToken, expiresInSeconds } = await identity.issueToken(call(), credentials);
        expect(expiresInSeconds).toBeGreaterThan(0);
        const { caller } = await identity.authorize(call(), bearer(accessToken));
        expect(caller).toMatchObject({ kind: 'user', ...owner });
      }
    }, 30_000);

    it('XA13: every reason to refuse credentials looks the same', async () => {
      const user = await newUser();
      const person = { accountId: account.accountId, userName: uniqueName('person') };
      await identity.createUser(call(), { ...person, password: 'correct horse' });
      const inactive = await newUser();
      await identity.setAccessKeyStatus(call(), { accessKeyId: inactive.accessKeyId, status: 'inactive' });
      const key = (accessKeyId: string, secretAccessKey: string) => ({
        kind: 'access-key' as const,
        accessKeyId,
        secretAccessKey,
      });
      const password = (named: string, userName: string, given: string) => ({
        kind: 'password' as const,
        account: named,
        user: userName,
        password: given,
      });
      const attempts = [
        key(user.accessKeyId, 'wrong'),
        key(user.accessKeyId, ''),
        key('HFAKNOSUCHKEYAAAAAAA', user.secretAccessKey),
        key(inactive.accessKeyId, inactive.secretAccessKey),
        password(account.name, person.userName, 'wrong horse'),
        password(account.name, person.userName, ''),
        password(account.name, 'nobody', 'correct horse'),
        password('nowhere', person.userName, 'correct horse'),
        password(account.name, user.userName, ''),
        password("' OR true --", '\0', 'correct horse'),
      ];
      const errors = await Promise.all(
        attempts.map((attempt) => identity.issueToken(call(), attempt).catch((error: Error) => error)),
      );
      for (const error of errors) expect(error).toMatchObject({ code: 'InvalidCredentials', status: 401 });
      expect(new Set(errors.map((error) => JSON.stringify(error) + String(error))).size).toBe(1);
    }, 60_000);

    it('seed-3.2: a forged, cut or foreign token is refused', async () => {
      const token = await tokenOf(subject.root);
      const [header, payload, signature] = token.split('.');
      const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
      const forged = [
        '',
        'x',
        '..',
        `${header}.${payload}.`,
        `${header}.${payload}`,
        `${header}.${encode({ ...claims, user: 'other' })}.${signature}`,
        `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
        token.slice(0, -8),
        'a'.repeat(16_000),
      ];
      for (const one of forged) {
        const refused = identity.authorize(call(), bearer(one));
        await expect(refused).rejects.toMatchObject({ code: 'InvalidToken', status: 401 });
      }
    });

    it('end with the key, and with the user, that they were given for', async () => {
      const gone = { code: 'InvalidToken', status: 401 };
      const user = await newUser();
      const owner = { accountId: user.accountId, userName: user.userName };
      const byKey = await tokenOf(user);
      await identity.authorize(call(), bearer(byKey));
      await identity.setAccessKeyStatus(call(), { accessKeyId: user.accessKeyId, status: 'inactive' });
      await expect(identity.authorize(call(), bearer(byKey))).rejects.toMatchObject(gone);

      const person = { ...owner, userName: uniqueName('person') };
      await identity.createUser(call(), { ...person, password: 'correct horse' });
      const login = {
        kind: 'password' as const,
        account: account.name,
        user: person.userName,
        password: 'correct horse',
      };
      const { accessToken } = await identity.issueToken(call(), login);
      await identity.authorize(call(), bearer(accessToken));
      await identity.deleteUser(call(), person);
      await expect(identity.authorize(call(), bearer(accessToken))).rejects.toMatchObject(gone);
      await identity.createUser(call(), { ...person, password: 'correct horse' });
      await expect(identity.authorize(call(), bearer(accessToken))).rejects.toMatchObject(gone);
    }, 30_000);

    it('verify with the published keys, which hold nothing private', async () => {
      const token = await tokenOf(subject.root);
      const { keys } = JSON.parse((await identity.jwks(call(), {})).json) as { keys: (JsonWebKey & { kid: string })[] };
      const [header, payload, signature] = token.split('.');
      const { kid, alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string; alg: string };
      const jwk = keys.find((key) => key.kid === kid);
      expect(jwk).toMatchObject({ alg, use: 'sig' });
      for (const key of keys) expect(Object.keys(key)).not.toEqual(expect.arrayContaining(['d']));
      const dsaEncoding = 'ieee-p1363';
      const key = { key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), dsaEncoding } as const;
      const signed = Buffer.from(`${header}.${payload}`);
      expect(verifySignature('sha256', signed, key, Buffer.from(signature, 'base64url'))).toBe(true);
    });
  });

  describe('administration', () => {
    it('keeps accounts apart by name and describes those it knows', async () => {
      const { accounts } = await identity.listAccounts(call(), {});
      expect(accounts).toContainEqual(account);
      await expect(identity.createAccount(call(), { name: account.name, email: '' })).rejects.toMatchObject({
        code: 'InvalidArgument',
      });
      const accountIds = [account.accountId, '000000000000', account.accountId, 'x'];
      expect(await identity.describeAccounts(call(), { accountIds })).toEqual({ accounts: [account] });
    });

    it('makes keys of 20 upper-case letters and digits with secrets of 40 characters, shown once', async () => {
      const owner = { accountId: account.accountId, userName: uniqueName('user') };
      const user = await identity.createUser(call(), owner);
      expect(user).toMatchObject({ ...owner, arn: `arn:aws:iam::${owner.accountId}:user/${owner.userName}` });
      const { accessKey, secretAccessKey } = await identity.createAccessKey(call(), owner);
      expect(accessKey).toMatchObject({ ...owner, status: 'active' });
      expect(accessKey.accessKeyId).toMatch(/^[A-Z0-9]{20}$/);
      expect(secretAccessKey).toMatch(/^[A-Za-z0-9/+]{40}$/);
      expect(await identity.listAccessKeys(call(), owner)).toEqual({ accessKeys: [accessKey] });
      expect((await identity.listUsers(call(), { accountId: owner.accountId })).users).toContainEqual(user);
    });

    it('deletes with a user its keys and policies', async () => {
      const user = await newUser(policy(statement('Allow', ['*'], ['*'])));
      const owner = { accountId: user.accountId, userName: user.userName };
      expect((await identity.listUserPolicies(call(), owner)).policies.map((one) => one.policyName)).toEqual([
        'policy-0',
      ]);
      expect(await identity.deleteUser(call(), owner)).toEqual({ deleted: true });
      expect(await identity.deleteUser(call(), owner)).toEqual({ deleted: false });
      await expect(decisionsOf(user, GET)).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
      await identity.createUser(call(), owner);
      expect(await identity.listUserPolicies(call(), owner)).toEqual({ policies: [] });
      expect(await identity.listAccessKeys(call(), owner)).toEqual({ accessKeys: [] });
    });

    it.each(['', 'a b', 'a/b', 'ä', 'a\0', 'x'.repeat(65), 'root', "a'b"])(
      'refuses the user name %j',
      async (userName) => {
        const refused = identity.createUser(call(), { accountId: account.accountId, userName });
        await expect(refused).rejects.toMatchObject({ code: 'InvalidArgument', status: 400 });
      },
      10_000,
    );

    it('refuses a second user of the same name, in another case too', async () => {
      const userName = uniqueName('user');
      await identity.createUser(call(), { accountId: account.accountId, userName });
      for (const again of [userName, userName.toUpperCase()]) {
        const refused = identity.createUser(call(), { accountId: account.accountId, userName: again });
        await expect(refused).rejects.toMatchObject({ code: 'InvalidArgument' });
      }
    });

    it('answers InvalidArgument for an account or user that does not exist', async () => {
      const document = policy(statement('Allow', ['*'], ['*']));
      for (const owner of [
        { accountId: '000000000000', userName: 'x' },
        { accountId: 'x', userName: 'x' },
        { accountId: account.accountId, userName: 'nobody' },
      ]) {
        const refused = [
          identity.createAccessKey(call(), owner),
          identity.listAccessKeys(call(), owner),
          identity.putUserPolicy(call(), { ...owner, policyName: 'p', document }),
          identity.listUserPolicies(call(), owner),
          identity.deleteUserPolicy(call(), { ...owner, policyName: 'p' }),
        ];
        await allRefused(refused);
      }
      for (const accountId of ['000000000000', 'x']) {
        const refused = [
          identity.createUser(call(), { accountId, userName: 'x' }),
          identity.listUsers(call(), { accountId }),
          identity.createAccessKey(call(), { accountId, userName: '' }),
        ];
        await allRefused(refused);
      }
    });

    it('XE5: refuses a policy that is malformed, too large or not fully understood, and keeps the one before', async () => {
      const good = policy(statement('Allow', ['s3:GetObject'], ['*']));
      const user = await newUser(good);
      const owner = { accountId: user.accountId, userName: user.userName, policyName: 'policy-0' };
      const conditional = {
        ...statement('Allow', ['*'], ['*']),
        Condition: { Bool: { 'aws:SecureTransport': 'true' } },
      };
      const documents = [
        '',
        '{',
        policy(),
        policy(conditional),
        policy(statement('Allow', ['*'], ['x'])),
        `${good}${' '.repeat(21_000)}`,
      ];
      for (const document of documents) {
        await expect(identity.putUserPolicy(call(), { ...owner, document })).rejects.toMatchObject({
          code: 'InvalidArgument',
        });
      }
      const { policies } = await identity.listUserPolicies(call(), {
        accountId: user.accountId,
        userName: user.userName,
      });
      expect(policies).toEqual([{ policyName: 'policy-0', document: good }]);
    });

    it('holds the policies of one user to a limit together', async () => {
      const user = await newUser();
      const owner = { accountId: user.accountId, userName: user.userName };
      const document = policy(statement('Allow', ['s3:GetObject'], [`arn:aws:s3:::${'x'.repeat(19_000)}`]));
      for (const policyName of ['a', 'b', 'c', 'c'])
        await identity.putUserPolicy(call(), { ...owner, policyName, document });
      const refused = identity.putUserPolicy(call(), { ...owner, policyName: 'd', document });
      await expect(refused).rejects.toMatchObject({ code: 'InvalidArgument' });
      expect((await identity.listUserPolicies(call(), owner)).policies).toHaveLength(3);
    });
  });
}
