import { createHash, type BinaryLike } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { SignatureV4 } from '@smithy/signature-v4';
import { Test, type TestingModule } from '@nestjs/testing';
import { Identity, IdentityAdministration, newRequestId, TraceLog, type CallContext } from '@holdfast/contracts';
import { S3Listener } from '@holdfast/gateway';
import { IdentityModule } from '@holdfast/identity';
import { startPostgres, type LocalPostgres } from '@holdfast/local-services';
import { Deadline } from '@holdfast/stdx';
import { InMemoryPorts } from '@holdfast/testkit';
import { NodeSha256 } from './attacks/testing/node-sha256.js';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
interface Sending {
  readonly service?: string;
  readonly region?: string;
  readonly contentType?: string;
  /** What goes over the wire instead of what was signed. */
  readonly sentBody?: string;
  /** As most clients of IAM, the header is left out unless said otherwise. */
  readonly payloadHeader?: string;
}
interface Answer {
  readonly status: number;
  readonly text: string;
  /** Of the error, '' without one. */
  readonly code: string;
}

const ROOT: Keys = { accessKeyId: 'root-of-the-tests', secretAccessKey: 'secret-of-the-root' };
const ALLOW_IAM = (action: string | string[], resource: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: resource }] });

let directory: string;
let postgres: LocalPostgres;
let module: TestingModule;
let listener: S3Listener;
let administration: IdentityAdministration;
let port: number;
let tenant: Keys & { accountId: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-iam-query-'));
  postgres = await startPostgres({ directory });
  const trace = new TraceLog('test');
  const options = { databaseUrl: postgres.url, clusterSecret: Buffer.alloc(32, 9), rootCredentials: ROOT, trace };
  module = await Test.createTestingModule({ imports: [IdentityModule.forRoot(options)] }).compile();
  const { metadata, data } = new InMemoryPorts();
  administration = module.get(IdentityAdministration);
  listener = new S3Listener({ identity: module.get(Identity), administration, metadata, data, trace });
  port = await listener.listen(0);
  tenant = await newAccount('tenant');
}, 120_000);
afterAll(async () => {
  await listener.close();
  await module.close();
  await postgres.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

const call = (): CallContext => ({ requestId: newRequestId(), deadline: Deadline.in(10_000) });

async function newAccount(name: string): Promise<typeof tenant> {
  const { accountId } = await administration.createAccount(call(), { name, email: `${name}@example.org` });
  const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), { accountId, userName: '' });
  return { accountId, accessKeyId: accessKey.accessKeyId, secretAccessKey };
}

/** As the SDKs send it: a signed form whose digest stands in no header. */
async function send(keys: Keys, body: string, sending: Sending = {}): Promise<Answer> {
  const { service = 'iam', contentType = 'application/x-www-form-urlencoded; charset=utf-8' } = sending;
  const { payloadHeader, sentBody = body, region = 'us-east-1' } = sending;
  const signer = new SignatureV4({
    service,
    region,
    credentials: keys,
    sha256: NodeSha256,
    applyChecksum: service === 's3',
  });
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    path: '/',
    headers: {
      host: `127.0.0.1:${port}`,
      'content-type': contentType,
      ...(payloadHeader === undefined ? {} : { 'x-amz-content-sha256': payloadHeader }),
    },
    body,
  });
  const { host: _host, ...headers } = signed.headers;
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body: sentBody });
  const text = await answer.text();
  return { status: answer.status, text, code: /<Code>([^<]*)</.exec(text)?.[1] ?? '' };
}

const formOf = (action: string, parameters: Record<string, string> = {}): string =>
  new URLSearchParams({ Action: action, Version: '2010-05-08', ...parameters }).toString();
const ask = (keys: Keys, action: string, parameters?: Record<string, string>) => send(keys, formOf(action, parameters));
const elementOf = ({ text }: Answer, name: string): string =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
const sha256 = (data: BinaryLike): string => createHash('sha256').update(data).digest('hex');

async function newUser(UserName: string, policy?: string): Promise<Keys> {
  expect((await ask(tenant, 'CreateUser', { UserName })).status).toBe(200);
  if (policy !== undefined) {
    const parameters = { UserName, PolicyName: 'p', PolicyDocument: policy };
    expect((await ask(tenant, 'PutUserPolicy', parameters)).status).toBe(200);
  }
  const made = await ask(tenant, 'CreateAccessKey', { UserName });
  return { accessKeyId: elementOf(made, 'AccessKeyId'), secretAccessKey: elementOf(made, 'SecretAccessKey') };
}

describe("IAM's own protocol on the S3 endpoint", () => {
  it('tells the root who it is, in the words of IAM', async () => {
    const answer = await ask(tenant, 'GetUser');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(
      '<GetUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetUserResult><User>',
    );
    expect(elementOf(answer, 'Arn')).toBe(`arn:aws:iam::${tenant.accountId}:root`);
    expect(elementOf(answer, 'UserId')).toBe(tenant.accountId);
    expect(elementOf(answer, 'CreateDate')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(elementOf(answer, 'RequestId')).toMatch(/^[0-9A-F]{16}$/);
  });

  it('makes users with a path, lists them by it in pages, and deletes them', async () => {
    for (const UserName of ['ann', 'bob', 'cid']) {
      const made = await ask(tenant, 'CreateUser', { UserName, Path: '/team/night/' });
      expect(made.status).toBe(200);
      expect(elementOf(made, 'Path')).toBe('/team/night/');
      expect(elementOf(made, 'Arn')).toBe(`arn:aws:iam::${tenant.accountId}:user/${UserName}`);
    }
    expect((await ask(tenant, 'CreateUser', { UserName: 'elsewhere' })).status).toBe(200);
    expect(await ask(tenant, 'CreateUser', { UserName: 'ANN' })).toMatchObject({
      status: 409,
      code: 'EntityAlreadyExists',
    });
    const list = { PathPrefix: '/team/', MaxItems: '2' };
    const first = await ask(tenant, 'ListUsers', list);
    expect(first.text.match(/<UserName>[^<]*/g)).toEqual(['<UserName>ann', '<UserName>bob']);
    expect(elementOf(first, 'IsTruncated')).toBe('true');
    const second = await ask(tenant, 'ListUsers', { ...list, Marker: elementOf(first, 'Marker') });
    expect(second.text.match(/<UserName>[^<]*/g)).toEqual(['<UserName>cid']);
    expect(second.text).toContain('<IsTruncated>false</IsTruncated></ListUsersResult>');
    for (const UserName of ['ann', 'bob', 'cid', 'elsewhere']) {
      expect((await ask(tenant, 'DeleteUser', { UserName })).status).toBe(200);
      expect(await ask(tenant, 'GetUser', { UserName })).toMatchObject({ status: 404, code: 'NoSuchEntity' });
    }
  });

  it('makes, lists, stops and deletes keys, of a user and of the caller itself', async () => {
    const keys = await newUser('keeper', ALLOW_IAM('iam:*', `arn:aws:iam::${tenant.accountId}:user/keeper`));
    expect(elementOf(await ask(keys, 'GetUser'), 'UserName')).toBe('keeper');
    const second = await ask(keys, 'CreateAccessKey');
    expect(elementOf(second, 'UserName')).toBe('keeper');
    const AccessKeyId = elementOf(second, 'AccessKeyId');
    const other = { accessKeyId: AccessKeyId, secretAccessKey: elementOf(second, 'SecretAccessKey') };
    expect((await ask(other, 'GetUser')).status).toBe(200);
    expect(await ask(keys, 'CreateAccessKey')).toMatchObject({ status: 409, code: 'LimitExceeded' });
    expect((await ask(keys, 'UpdateAccessKey', { AccessKeyId, Status: 'Inactive' })).status).toBe(200);
    expect(await ask(other, 'GetUser')).toMatchObject({ status: 403, code: 'InvalidClientTokenId' });
    const listed = await ask(tenant, 'ListAccessKeys', { UserName: 'keeper' });
    expect(listed.text.match(/<Status>[^<]*/g)?.sort()).toEqual(['<Status>Active', '<Status>Inactive']);
    expect(listed.text).not.toContain(other.secretAccessKey);
    expect(await ask(tenant, 'DeleteUser', { UserName: 'keeper' })).toMatchObject({
      status: 409,
      code: 'DeleteConflict',
    });
    for (const id of [AccessKeyId, keys.accessKeyId]) {
      expect((await ask(tenant, 'DeleteAccessKey', { UserName: 'keeper', AccessKeyId: id })).status).toBe(200);
    }
    expect(await ask(tenant, 'DeleteUser', { UserName: 'keeper' })).toMatchObject({
      status: 409,
      code: 'DeleteConflict',
    });
    expect((await ask(tenant, 'DeleteUserPolicy', { UserName: 'keeper', PolicyName: 'p' })).status).toBe(200);
    expect((await ask(tenant, 'DeleteUser', { UserName: 'keeper' })).status).toBe(200);
  });

  it('keeps inline policies as they came, and attaches managed ones of the account by their ARN', async () => {
    await newUser('reader');
    const UserName = 'reader';
    const document = ` ${ALLOW_IAM('s3:GetObject', 'arn:aws:s3:::photos/a+b%20c/*')}`;
    const inline = { UserName, PolicyName: 'read' };
    expect((await ask(tenant, 'PutUserPolicy', { ...inline, PolicyDocument: document })).status).toBe(200);
    const shown = elementOf(await ask(tenant, 'GetUserPolicy', inline), 'PolicyDocument');
    expect(decodeURIComponent(shown)).toBe(document);
    expect((await ask(tenant, 'ListUserPolicies', { UserName })).text).toContain('<member>read</member>');
    const malformed = await ask(tenant, 'PutUserPolicy', { ...inline, PolicyDocument: '{"Statement":1}' });
    expect(malformed).toMatchObject({ status: 400, code: 'MalformedPolicyDocument' });

    const { accountId } = tenant;
    await administration.createPolicy(call(), { accountId, policyName: 'managed', description: '', document });
    const PolicyArn = `arn:aws:iam::${accountId}:policy/managed`;
    expect((await ask(tenant, 'AttachUserPolicy', { UserName, PolicyArn })).status).toBe(200);
    const attached = await ask(tenant, 'ListAttachedUserPolicies', { UserName });
    expect(elementOf(attached, 'PolicyArn')).toBe(PolicyArn);
    const foreign = await ask(tenant, 'AttachUserPolicy', {
      UserName,
      PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
    });
    expect(foreign).toMatchObject({ status: 404, code: 'NoSuchEntity' });
    expect((await ask(tenant, 'DetachUserPolicy', { UserName, PolicyArn })).status).toBe(200);
    expect((await ask(tenant, 'ListAttachedUserPolicies', { UserName })).text).not.toContain('PolicyArn');
  });

  it('allows what policies allow: no other user, no key of the root, no list, no other account', async () => {
    const own = `arn:aws:iam::${tenant.accountId}:user/modest`;
    const modest = await newUser('modest', ALLOW_IAM(['iam:GetUser', 'iam:CreateAccessKey'], own));
    await newUser('other');
    expect((await ask(modest, 'GetUser')).status).toBe(200);
    const refused = { status: 403, code: 'AccessDenied' };
    expect(await ask(modest, 'GetUser', { UserName: 'other' })).toMatchObject(refused);
    expect(await ask(modest, 'GetUser', { UserName: 'nobody' })).toMatchObject(refused);
    expect(await ask(modest, 'CreateAccessKey', { UserName: 'other' })).toMatchObject(refused);
    expect(await ask(modest, 'ListUsers')).toMatchObject(refused);
    // An empty name is no name: it must not stand for the root.
    const empty = await ask(modest, 'CreateAccessKey', { UserName: '' });
    expect(empty).toMatchObject({ status: 400, code: 'ValidationError' });
    const stranger = await newAccount('stranger');
    expect(await ask(stranger, 'GetUser', { UserName: 'modest' })).toMatchObject({ status: 404, code: 'NoSuchEntity' });
    expect((await ask(stranger, 'ListUsers')).text).toContain('<Users></Users>');
  });

  it('attaches only what a policy allows to attach', async () => {
    const { accountId } = tenant;
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'iam:AttachUserPolicy',
          Resource: '*',
          Condition: { ArnEquals: { 'iam:PolicyARN': `arn:aws:iam::${accountId}:policy/harmless` } },
        },
      ],
    });
    const clerk = await newUser('clerk', document);
    for (const policyName of ['harmless', 'mighty']) {
      const policy = { accountId, policyName, description: '', document: ALLOW_IAM('*', '*') };
      await administration.createPolicy(call(), policy);
    }
    const attach = (policyName: string) =>
      ask(clerk, 'AttachUserPolicy', {
        UserName: 'clerk',
        PolicyArn: `arn:aws:iam::${accountId}:policy/${policyName}`,
      });
    expect(await attach('mighty')).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect((await attach('harmless')).status).toBe(200);
  });

  it.each(['ListRoles', 'CreateRole', 'ListOpenIDConnectProviders', 'toString', 'Nothing'])(
    'answers 501 by its name: %s',
    async (action) => {
      const answer = await ask(tenant, action);
      expect(answer).toMatchObject({ status: 501, code: 'NotImplemented' });
      expect(answer.text).toContain(`<Message>${action} is not implemented.</Message>`);
      expect(answer.text).toMatch(/<ErrorResponse xmlns="[^"]*"><Error><Type>Sender<\/Type>/);
    },
  );

  it('refuses a parameter that it would have to ignore, and values that are none', async () => {
    const boundary = { UserName: 'bounded', PermissionsBoundary: `arn:aws:iam::${tenant.accountId}:policy/managed` };
    expect(await ask(tenant, 'CreateUser', boundary)).toMatchObject({ status: 501, code: 'NotImplemented' });
    expect(await ask(tenant, 'GetUser', { UserName: 'bounded' })).toMatchObject({ status: 404 });
    const invalid = { status: 400, code: 'ValidationError' };
    expect(await ask(tenant, 'ListUsers', { MaxItems: '0' })).toMatchObject(invalid);
    expect(await ask(tenant, 'CreateUser', { UserName: 'a/b' })).toMatchObject(invalid);
    expect(await ask(tenant, 'CreateUser', { UserName: 'x', Path: 'no/slash' })).toMatchObject(invalid);
    expect(await ask(tenant, 'DeleteUser')).toMatchObject(invalid);
    for (const body of [
      'Version=2010-05-08',
      'Action=GetUser',
      'Action=GetUser&Version=2010-05-09',
      `${formOf('GetUser')}&UserName=a&UserName=b`,
      `${formOf('GetUser')}&UserName=%zz`,
      `${formOf('GetUser')}&UserName=%ff`,
      formOf('PutUserPolicy', { UserName: 'x', PolicyName: 'p', PolicyDocument: 'x'.repeat(20 * 1024) }),
    ])
      expect(await send(tenant, body)).toMatchObject(invalid);
  });

  it('changes nothing for a request that is not signed for it, as it came', async () => {
    const form = formOf('CreateUser', { UserName: 'forged' });
    const forged = { ...tenant, secretAccessKey: 'not-the-secret' };
    expect(await send(forged, form)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    const unknown = { ...tenant, accessKeyId: 'HFAKUNKNOWN' };
    expect(await send(unknown, form)).toMatchObject({ status: 403, code: 'InvalidClientTokenId' });
    const changed = await send(tenant, formOf('GetUser'), { sentBody: form });
    expect(changed).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    for (const payloadHeader of ['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', sha256('another body')]) {
      expect(await send(tenant, form, { payloadHeader })).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    }
    // Signed for S3, for STS or in another form it is S3's to refuse.
    for (const sending of [{ service: 's3' }, { service: 'sts' }, { contentType: 'text/plain' }]) {
      expect(await send(tenant, form, sending)).toMatchObject({ status: 405, code: 'MethodNotAllowed' });
    }
    expect(await ask(tenant, 'GetUser', { UserName: 'forged' })).toMatchObject({ status: 404, code: 'NoSuchEntity' });
    const said = await send(tenant, formOf('GetUser'), { payloadHeader: sha256(formOf('GetUser')) });
    expect(said.status).toBe(200);
  });

  it('takes the regions that clients sign for a service without one, and no other', async () => {
    const form = formOf('GetUser');
    expect((await send(tenant, form, { region: '' })).status).toBe(200);
    const elsewhere = await send(tenant, form, { region: 'eu-west-1' });
    expect(elsewhere).toMatchObject({ status: 400, code: 'IncompleteSignature' });
  });

  it('leaves the scope of IAM refused where S3 answers', async () => {
    const signer = new SignatureV4({ service: 'iam', region: 'us-east-1', credentials: tenant, sha256: NodeSha256 });
    const host = `127.0.0.1:${port}`;
    const message = { method: 'GET', protocol: 'http:', hostname: '127.0.0.1', port, path: '/', headers: { host } };
    const { host: _host, ...headers } = (await signer.sign(message)).headers;
    const answer = await fetch(`http://${host}/`, { headers });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('<Code>AuthorizationHeaderMalformed</Code>');
  });
});
