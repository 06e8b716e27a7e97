// The gateway over HTTP, with IAM on a real Postgres behind it. Metadata and data lie in memory and count who calls them.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { backgroundCall, Identity, IdentityAdministration } from '@holdfast/contracts';
import { S3Listener } from '@holdfast/gateway';
import { IdentityModule } from '@holdfast/identity';
import { startPostgres } from '@holdfast/local-services';
import { configureLog } from '@holdfast/service-host';
import { InMemoryPorts } from '../../../libs/testkit/dist/in-memory-ports.js';

const root = { accessKeyId: 'root-of-the-proof', secretAccessKey: 'secret-of-the-proof' };
const call = () => backgroundCall(20_000);

export class Stack {
  #cleanups = [];
  #names = 0;
  #accounts = {};

  /** `fault` changes the answers of the ports, as a bug would: `{ identity?, metadata? }`. */
  static async start() {
    configureLog({ service: 'authorization', level: 'error' });
    const stack = new Stack();
    try {
      await stack.#start();
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async #start() {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-authorization-'));
    this.#cleanups.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await startPostgres({ directory: join(directory, 'postgres') });
    this.#cleanups.push(() => postgres.stop());
    this.ports = new InMemoryPorts();
    const module = IdentityModule.forRoot({
      databaseUrl: postgres.url,
      clusterSecret: Buffer.alloc(32, 7),
      rootCredentials: root,
      trace: this.ports.trace,
    });
    const application = await NestFactory.createApplicationContext(module, { logger: false });
    this.#cleanups.push(() => application.close());
    this.identity = application.get(Identity);
    this.administration = application.get(IdentityAdministration);
    const { caller } = await this.identity.authorize(call(), {
      proof: { kind: 'bearer', token: (await this.#token(root)).accessToken },
      checks: [],
    });
    this.#accounts.own = { accountId: caller.accountId, canonicalId: caller.canonicalId, keys: root };
    const other = await this.administration.createAccount(call(), { name: 'other', email: 'other@example.org' });
    const keys = await this.administration.createAccessKey(call(), { accountId: other.accountId, userName: '' });
    this.#accounts.other = {
      accountId: other.accountId,
      canonicalId: other.canonicalId,
      keys: { accessKeyId: keys.accessKey.accessKeyId, secretAccessKey: keys.secretAccessKey },
    };
    this.ownToken = (await this.#token(root)).accessToken;
    await this.listen();
  }

  get ownerAccountId() {
    return this.#accounts.own.accountId;
  }

  /** A gateway of its own, its ports seen through `fault`. */
  async listen(fault = (ports) => ports) {
    await this.listener?.close();
    const { metadata, data, trace } = this.ports;
    this.listener = new S3Listener(fault({ identity: this.identity, metadata, data, trace }));
    this.base = `http://127.0.0.1:${await this.listener.listen(0)}`;
  }

  /** Makes the principal and answers whom the oracle is to judge, with the token to ask with. */
  async enrol({ account, kind, identity, boundary, session }) {
    if (kind === 'anonymous') return { kind, accountId: '', canonicalId: '', arn: '', keys: anonymousKeys };
    const { accountId, canonicalId, keys } = this.#accounts[account];
    const userName = kind === 'root' ? '' : `user-${this.#names++}`;
    const credentials = kind === 'root' ? keys : await this.#newUser({ accountId, userName }, identity, boundary);
    const name = `session-${this.#names++}`;
    const policy = session === undefined || session === 'plain' ? {} : { policy: JSON.stringify(session) };
    const wanted = session === undefined ? {} : { session: { name, durationSeconds: 900, ...policy } };
    const { accessToken } = await this.#token(credentials, wanted);
    const arn = `arn:aws:iam::${accountId}:${kind === 'root' ? 'root' : `user/${userName}`}`;
    return {
      ...{ kind, accountId, canonicalId, arn, token: accessToken },
      ...(session === undefined ? {} : { sessionArn: `arn:aws:sts::${accountId}:federated-user/${name}` }),
      keys: { 'aws:principalarn': [arn], 'aws:principalaccount': [accountId] },
    };
  }

  async #newUser(user, identity, boundary) {
    const { administration } = this;
    await administration.createUser(call(), user);
    const holder = { accountId: user.accountId, holder: 'user', holderName: user.userName };
    if (identity !== undefined) {
      await administration.putInlinePolicy(call(), {
        ...holder,
        policyName: 'own',
        document: JSON.stringify(identity),
      });
    }
    if (boundary !== undefined) {
      const policyName = `boundary-${user.userName}`;
      const { accountId } = user;
      const document = JSON.stringify(boundary);
      await administration.createPolicy(call(), { accountId, policyName, description: '', document });
      await administration.setUserBoundary(call(), { ...user, policyName });
    }
    const { accessKey, secretAccessKey } = await administration.createAccessKey(call(), user);
    return { accessKeyId: accessKey.accessKeyId, secretAccessKey };
  }

  #token({ accessKeyId, secretAccessKey }, wanted = {}) {
    return this.identity.issueToken(call(), { kind: 'access-key', accessKeyId, secretAccessKey, ...wanted });
  }

  /** A bucket with two objects, which its account's root made over HTTP. */
  async makeBucket(name) {
    for (const path of [name, `${name}/key`, `${name}/source`]) {
      const { status } = await this.send('PUT', `/${path}`, {
        token: this.ownToken,
        body: path === name ? undefined : 'the body',
      });
      if (status !== 200) throw new Error(`PUT ${path} answered ${status}`);
    }
  }

  /** Over HTTP by the account's root, whom no policy of a bucket keeps from it. */
  async setPolicy(bucket, policy) {
    const [method, body] = policy === undefined ? ['DELETE'] : ['PUT', JSON.stringify(policy)];
    const { status, text } = await this.send(method, `/${bucket}?policy`, { token: this.ownToken, body });
    if (status !== 204) throw new Error(`${method} of the policy of ${bucket} answered ${status}: ${text}`);
  }

  /** The answer, and the calls that this request made behind the gateway. */
  async send(method, path, { token, body, headers } = {}) {
    const answer = await fetch(this.base + path, {
      method,
      body,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    });
    const text = await answer.text();
    const requestId = answer.headers.get('x-amz-request-id');
    const calls = this.ports.calls.filter((one) => one.requestId === requestId);
    this.ports.calls.length = 0;
    return { status: answer.status, text, calls };
  }

  async stop() {
    await this.listener?.close();
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}

const anonymousKeys = {};
