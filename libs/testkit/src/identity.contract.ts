import { createHmac, createPublicKey, randomBytes, verify as verifySignature, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  backgroundCall,
  type AccessCheck,
  type Account,
  type Decision,
  type Identity,
  type IdentityAdministration,
  type Proof,
} from '@holdfast/contracts';

/** What the contract of `Identity` is held against. */
export interface IdentityUnderTest {
  readonly identity: Identity;
  readonly administration: IdentityAdministration;
  /** Credentials of the root of the first account. */
  readonly root: KeyPair;
  close(): Promise<void>;
}

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const CALL_TIMEOUT_MS = 20_000;
export const call = () => backgroundCall(CALL_TIMEOUT_MS);

const SCOPE = { date: '20261121', region: 'us-east-1', service: 's3' };

function signingKeyOf(secret: string): Buffer {
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return [SCOPE.date, SCOPE.region, SCOPE.service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
}

/** A proof as a client with these keys would send it. */
export function signedProof(
  { accessKeyId, secretAccessKey }: KeyPair,
  wantsSigningKey = false,
): Extract<Proof, { kind: 'signature-v4' }> {
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

export const GET: AccessCheck = { action: 's3:GetObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
export const PUT: AccessCheck = { action: 's3:PutObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
const DELETE: AccessCheck = { action: 's3:DeleteObject', resource: 'arn:aws:s3:::photos/2026/a.jpg' };
const LIST: AccessCheck = { action: 's3:ListBucket', resource: 'arn:aws:s3:::photos' };

export const statement = (effect: 'Allow' | 'Deny', actions: string[], resources: string[]): object => ({
  Effect: effect,
  Action: actions,
  Resource: resources,
});
export const policy = (...statements: object[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements });
/** A user as a holder of policies. */
export const holderOf = (user: { accountId: string; userName: string }) => ({
  accountId: user.accountId,
  holder: 'user' as const,
  holderName: user.userName,
});
export const uniqueName = (prefix: string): string => `${prefix}-${randomBytes(6).toString('hex')}`;

/** The cases that every adapter of `Identity` passes: the local one, the remote one, the one in memory. */
export function identityContract(make: () => Promise<IdentityUnderTest>): void {
  let subject: IdentityUnderTest;
  let identity: Identity;
  let administration: IdentityAdministration;
  let account: Account;

  beforeAll(async () => {
    subject = await make();
    ({ identity, administration } = subject);
    account = await administration.createAccount(call(), {
      name: uniqueName('tenant'),
      email: `${uniqueName('owner')}@example.org`,
    });
  }, 120_000);
  afterAll(async () => {
    await subject?.close();
  }, 60_000);

  const newUser = async (...documents: string[]): Promise<KeyPair & { accountId: string; userName: string }> => {
    const user = { accountId: account.accountId, userName: uniqueName('user') };
    await administration.createUser(call(), user);
    for (const [index, document] of documents.entries()) {
      await administration.putInlinePolicy(call(), { ...holderOf(user), policyName: `policy-${index}`, document });
    }
    const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), user);
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
        userId: expect.stringMatching(/./),
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
      const { accountId, userName, accessKeyId } = user;
      const unknown = { ...good, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } as Proof;
      await administration.setAccessKeyStatus(call(), { accountId, userName, accessKeyId, status: 'inactive' });
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
      const { accountId, userName, accessKeyId } = user;
      const key = { accountId, userName, accessKeyId };
      const gone = { code: 'NoSuchEntity', status: 404 };
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      await administration.setAccessKeyStatus(call(), { ...key, status: 'inactive' });
      await expect(decisionsOf(user, GET)).rejects.toMatchObject(invalid);
      await administration.setAccessKeyStatus(call(), { ...key, status: 'active' });
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      await administration.deleteAccessKey(call(), key);
      await expect(decisionsOf(user, GET)).rejects.toMatchObject(invalid);
      await expect(administration.deleteAccessKey(call(), key)).rejects.toMatchObject(gone);
      const revived = administration.setAccessKeyStatus(call(), { ...key, status: 'active' });
      await expect(revived).rejects.toMatchObject(gone);
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
      const owner = holderOf(user);
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      await administration.putInlinePolicy(call(), { ...owner, policyName: 'p', document: policy(read) });
      expect(await decisionsOf(user, GET)).toEqual(['allow']);
      await administration.putInlinePolicy(call(), { ...owner, policyName: 'p', document: policy(read, closed) });
      expect(await decisionsOf(user, GET)).toEqual(['explicit-deny']);
      await administration.deleteInlinePolicy(call(), { ...owner, policyName: 'p' });
      expect(await decisionsOf(user, GET)).toEqual(['no-allow']);
      const again = administration.deleteInlinePolicy(call(), { ...owner, policyName: 'p' });
      await expect(again).rejects.toMatchObject({ code: 'NoSuchEntity', status: 404 });
    });

    it('decides nothing for a user that is gone, nor for nobody', async () => {
      const user = await newUser(policy(all));
      const { caller } = await identity.authorize(call(), { proof: signedProof(user), checks: [] });
      await administration.deleteUser(call(), { accountId: user.accountId, userName: user.userName });
      expect(await identity.decide(call(), { caller, checks: [GET] })).toMatchObject({ decisions: ['no-allow'] });
      const { caller: nobody } = await identity.authorize(call(), { proof: { kind: 'anonymous' }, checks: [] });
      expect(await identity.decide(call(), { caller: nobody, checks: [GET] })).toMatchObject({
        decisions: ['no-allow'],
      });
    });

    it('XC7: policies and roots reach no further than their own account', async () => {
      const { caller: first } = await identity.authorize(call(), { proof: signedProof(subject.root), checks: [] });
      const made = await administration.createAccessKey(call(), { accountId: account.accountId, userName: '' });
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
      await administration.putInlinePolicy(call(), {
        ...holderOf(user),
        policyName: 'p',
        document,
      });
      expect((await identity.authorize(call(), bearer(token))).decisions).toEqual(['allow']);
      const rootAnswer = await identity.authorize(call(), bearer(await tokenOf(subject.root)));
      expect(rootAnswer).toMatchObject({ caller: { kind: 'root' }, decisions: ['allow'] });
    });

    it('are given for account, by id or by name, user and password', async () => {
      const owner = { accountId: account.accountId, userName: uniqueName('person') };
      await administration.createUser(call(), { ...owner, password: 'correct horse' });
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
      await administration.createUser(call(), { ...person, password: 'correct horse' });
      const inactive = await newUser();
      const { accountId, userName, accessKeyId } = inactive;
      await administration.setAccessKeyStatus(call(), { accountId, userName, accessKeyId, status: 'inactive' });
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
      const key = { ...owner, accessKeyId: user.accessKeyId };
      await administration.setAccessKeyStatus(call(), { ...key, status: 'inactive' });
      await expect(identity.authorize(call(), bearer(byKey))).rejects.toMatchObject(gone);

      const person = { ...owner, userName: uniqueName('person') };
      await administration.createUser(call(), { ...person, password: 'correct horse' });
      const login = {
        kind: 'password' as const,
        account: account.name,
        user: person.userName,
        password: 'correct horse',
      };
      const { accessToken } = await identity.issueToken(call(), login);
      await identity.authorize(call(), bearer(accessToken));
      await administration.deleteUser(call(), person);
      await expect(identity.authorize(call(), bearer(accessToken))).rejects.toMatchObject(gone);
      await administration.createUser(call(), { ...person, password: 'correct horse' });
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

  describe('sessions', () => {
    const READ_PHOTOS = policy(statement('Allow', ['s3:GetObject'], ['arn:aws:s3:::photos/*']));
    const session = { name: 'nightly', durationSeconds: 900 };
    const ANYTHING = policy(statement('Allow', ['*'], ['*']));

    const startFor = async (keys: KeyPair, limited: { policy?: string } = {}) => {
      const { accessKeyId, secretAccessKey } = keys;
      const credentials = { kind: 'access-key' as const, accessKeyId, secretAccessKey };
      const answer = await identity.issueToken(call(), { ...credentials, session: { ...session, ...limited } });
      const { temporaryKey, accessToken } = answer;
      if (temporaryKey === undefined) throw new Error('no temporary key was given');
      return { ...temporaryKey, accessToken };
    };
    const temporaryProof = (keys: KeyPair & { sessionToken: string }) => ({
      ...signedProof(keys),
      sessionToken: keys.sessionToken,
    });
    const judged = async (proof: Proof, ...checks: AccessCheck[]) => identity.authorize(call(), { proof, checks });

    it('may what their holder may and their policy allows as well, by keys and by token alike', async () => {
      const user = await newUser(policy(statement('Allow', ['s3:Get*', 's3:Put*'], ['arn:aws:s3:::photos/*'])));
      const keys = await startFor(user, { policy: READ_PHOTOS });
      const elsewhere = { action: 's3:GetObject', resource: 'arn:aws:s3:::other/k' };
      for (const proof of [temporaryProof(keys), { kind: 'bearer' as const, token: keys.accessToken }]) {
        const { caller, decisions } = await judged(proof, GET, PUT, DELETE, elsewhere);
        expect(caller).toMatchObject({
          kind: 'user',
          userName: user.userName,
          session: { arn: `arn:aws:sts::${account.accountId}:federated-user/nightly`, policy: READ_PHOTOS },
        });
        expect(decisions[0]).toBe('allow');
        for (const decision of decisions.slice(1)) expect(decision).not.toBe('allow');
        const decided = await identity.decide(call(), { caller, checks: [GET, PUT, DELETE, elsewhere] });
        expect(decided.decisions).toEqual(decisions);
      }
    });

    it('XC7: without a policy of their own may what their holder may at the moment, and no more with a wide one', async () => {
      const user = await newUser(READ_PHOTOS);
      const plain = await startFor(user);
      const wide = await startFor(user, { policy: ANYTHING });
      for (const keys of [plain, wide]) {
        expect((await judged(temporaryProof(keys), GET, PUT)).decisions).toEqual(['allow', 'no-allow']);
      }
      await administration.deleteInlinePolicy(call(), { ...holderOf(user), policyName: 'policy-0' });
      for (const keys of [plain, wide]) {
        expect((await judged(temporaryProof(keys), GET)).decisions).toEqual(['no-allow']);
      }
    });

    it('XC7: of a root are limited by their policy too', async () => {
      const keys = await startFor(subject.root, { policy: READ_PHOTOS });
      const { caller, decisions } = await judged(temporaryProof(keys), GET, PUT);
      expect(caller).toMatchObject({ kind: 'root', userName: '' });
      expect(decisions).toEqual(['allow', 'outside-session']);
    });

    it("give the day's signing key for chunked bodies", async () => {
      const keys = await startFor(await newUser());
      const { signingKey } = await judged({ ...temporaryProof(keys), wantsSigningKey: true });
      expect(signingKey?.toString('hex')).toBe(signingKeyOf(keys.secretAccessKey).toString('hex'));
    });

    it('seed-3.2: refuses a missing, foreign, cut, changed or added token and a wrong secret', async () => {
      const user = await newUser();
      const keys = await startFor(user);
      const { sessionToken } = keys;
      const other = await startFor(user);
      const refusals: [Proof, string][] = [
        [signedProof(keys), 'InvalidAccessKeyId'],
        [{ ...signedProof(keys), sessionToken: other.sessionToken }, 'InvalidToken'],
        [{ ...signedProof(keys), sessionToken: sessionToken.slice(0, -4) }, 'InvalidToken'],
        [{ ...signedProof(keys), sessionToken: `${sessionToken}=` }, 'InvalidToken'],
        [{ ...signedProof(keys), sessionToken: sessionToken.replace(/^../, 'AA') }, 'InvalidToken'],
        [{ ...signedProof(keys), sessionToken: '' }, 'InvalidToken'],
        [{ ...signedProof(keys), sessionToken: 'x'.repeat(16_384) }, 'InvalidToken'],
        [{ ...signedProof(user), sessionToken }, 'InvalidToken'],
        [temporaryProof({ ...keys, secretAccessKey: user.secretAccessKey }), 'SignatureDoesNotMatch'],
      ];
      for (const [proof, code] of refusals) {
        await expect(judged(proof, GET)).rejects.toMatchObject({ code });
      }
      await judged(temporaryProof(keys));
    });

    it('end with the key, and with the user, that they were made with', async () => {
      const user = await newUser(READ_PHOTOS);
      const { accountId, userName, accessKeyId } = user;
      const keys = await startFor(user);
      await administration.setAccessKeyStatus(call(), { accountId, userName, accessKeyId, status: 'inactive' });
      await expect(judged(temporaryProof(keys))).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
      const byToken = judged({ kind: 'bearer', token: keys.accessToken });
      await expect(byToken).rejects.toMatchObject({ code: 'InvalidToken' });
      await administration.setAccessKeyStatus(call(), { accountId, userName, accessKeyId, status: 'active' });
      expect((await judged(temporaryProof(keys), GET)).decisions).toEqual(['allow']);
      await administration.deleteUser(call(), { accountId, userName });
      await administration.createUser(call(), { accountId, userName });
      await expect(judged(temporaryProof(keys))).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
    });

    it('XC7: make no sessions and no tokens themselves', async () => {
      const { accessKeyId, secretAccessKey } = await startFor(await newUser());
      const credentials = { kind: 'access-key' as const, accessKeyId, secretAccessKey };
      for (const given of [credentials, { ...credentials, session }]) {
        await expect(identity.issueToken(call(), given)).rejects.toMatchObject({ code: 'InvalidCredentials' });
      }
    });

    it('are refused with a policy or a name that is none', async () => {
      const { accessKeyId, secretAccessKey } = await newUser();
      const credentials = { kind: 'access-key' as const, accessKeyId, secretAccessKey };
      for (const { code = 'InvalidArgument', ...wrong } of [
        { policy: '{', code: 'MalformedPolicy' },
        { policy: `${READ_PHOTOS}${' '.repeat(2_000)}` },
        { name: 'a b' },
        { name: 'a' },
      ]) {
        const refused = identity.issueToken(call(), { ...credentials, session: { ...session, ...wrong } });
        await expect(refused).rejects.toMatchObject({ code, status: 400 });
      }
    });
  });
}
