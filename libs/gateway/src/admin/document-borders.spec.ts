import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import supertest from 'supertest';
import {
  HoldfastError,
  identityAdministrationService,
  identityService,
  metadataService,
  methodsOf,
  type IdentityAdministration,
  type ServiceContract,
} from '@holdfast/contracts';
import { InMemoryPorts, samplesOf, type SchemaSamples } from '@holdfast/testkit';
import { DecisionLog } from '../pipeline/decision-log.js';
import { RequestMetrics } from '../pipeline/request-metrics.js';
import { createAdminApp } from './admin.module.js';
import { openApiDocument } from './open-api.js';

/*
 * Both borders of every schema of the document: what it refuses is answered 400, and what it allows is not, nor does it reach
 * a port that would not take it. The ports check what they are given as they do between processes.
 */
type Schema = Readonly<Record<string, unknown>>;
interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly schema: Schema;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, unknown>>;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
type Method = 'get' | 'post' | 'put' | 'delete';

const document = openApiDocument() as unknown as OpenApi;
const OPERATIONS = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method as Method, ...operation })),
);
type Described = (typeof OPERATIONS)[number];
const VALID_POLICY = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };

const ports = new InMemoryPorts();
const { account, accessKeyId } = ports.memoryIdentity.addAccount('store');
const token = ports.memoryIdentity.tokenOf(accessKeyId);
let app: NestExpressApplication;
let http: ReturnType<typeof supertest>;

/** As the adapter of another process does it: what does not fit the contract is not sent. */
function held<T extends object>(contract: ServiceContract<unknown>, port: T): T {
  const methods = new Map(methodsOf(contract));
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      const method = methods.get(String(name));
      if (method === undefined || typeof value !== 'function') return value;
      return (call: unknown, input: unknown): unknown => {
        method.input.encode(input, String(name));
        return (value as (...args: unknown[]) => unknown).call(target, call, input);
      };
    },
  });
}

/** What came as far as the port. */
const reached: string[] = [];
/** Has one account with one user, and allows nothing else. */
const administration = new Proxy({} as IdentityAdministration, {
  get: (_target, name) => async (): Promise<unknown> => {
    reached.push(String(name));
    if (name === 'getAccount') return account;
    if (name !== 'getUser') throw new HoldfastError('AccessDenied');
    const { accountId } = account;
    const arn = `arn:aws:iam::${accountId}:user/ada`;
    return { accountId, userName: 'ada', userId: 'HFID', path: '/', arn, createdAtMs: 0 };
  },
});

beforeAll(async () => {
  app = await createAdminApp({
    ...ports,
    identity: held(identityService, ports.identity),
    metadata: held(metadataService, ports.metadata),
    administration: held(identityAdministrationService, administration),
    metrics: new RequestMetrics(),
    decisions: new DecisionLog(),
  });
  await app.listen(0, '127.0.0.1');
  http = supertest(app.getHttpServer());
});
afterAll(() => app.close());

const resolve = (reference: string): Schema => {
  const name = reference.replace('#/components/schemas/', '');
  return document.components.schemas[name];
};
const samples = (schema: Schema): SchemaSamples => samplesOf(schema, resolve);
const bodyOf = ({ requestBody }: Described): Schema | undefined => requestBody?.content['application/json'].schema;
const validBody = (operation: Described): unknown => {
  const schema = bodyOf(operation);
  return schema === undefined ? undefined : samples(schema).valid[0];
};

/** The path with a value for each parameter: a valid one where none is given. */
function filled({ path, parameters = [] }: Described, given: Record<string, string> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    const schema = parameters.find((one) => one.name === name)?.schema ?? {};
    const value = given[name] ?? (name === 'accountId' ? account.accountId : String(samples(schema).valid[0]));
    return encodeURIComponent(value);
  });
}

interface Sent {
  readonly path?: string;
  readonly body?: unknown;
  readonly text?: string | Buffer;
  readonly type?: string;
}
async function send(operation: Described, { path = filled(operation), body, text, type }: Sent) {
  const request = http[operation.method](path).set('Authorization', `Bearer ${token}`);
  if (type !== '') void request.set('Content-Type', type ?? 'application/json');
  const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const { status, headers } = await (content === undefined
    ? request
    : request.serialize((given: string) => given).send(content));
  expect([...Object.keys(operation.responses), `undocumented answer of ${operation.operationId}`]).toContain(
    String(status),
  );
  if (status >= 400) expect(headers['content-type']).toContain('application/problem+json');
  return status;
}

/** Node takes 16 KiB of request line and headers. */
const REQUEST_LINE_ROOM = 12_000;

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 120) ?? 'nothing';
/** What was answered otherwise than the document says, as text. */
type Finding = string;

const WITH_BODY = OPERATIONS.filter((operation) => bodyOf(operation) !== undefined);
const WITH_PARAMETERS = OPERATIONS.filter(({ parameters = [] }) => parameters.length > 0);
const named = (operations: Described[]): [string, Described][] => operations.map((one) => [one.operationId, one]);

describe.each(named(WITH_BODY))('the body of %s', (_id, operation) => {
  const { valid, invalid } = samples(bodyOf(operation) as Schema);

  it('is taken where the document allows it, by the ports too', async () => {
    const findings: Finding[] = [];
    for (const body of valid) {
      const status = await send(operation, { body });
      if (status === 400 || status >= 500) findings.push(`${status} to ${shown(body)}`);
    }
    expect(findings).toEqual([]);
  });

  it('is refused where the document does not allow it', async () => {
    const findings: Finding[] = [];
    for (const body of invalid) {
      const status = await send(operation, { body });
      if (status !== 400) findings.push(`${status} to ${shown(body)}`);
    }
    expect(findings).toEqual([]);
  });
});

describe.each(named(WITH_PARAMETERS))('the parameters of %s', (_id, operation) => {
  const { parameters = [] } = operation;
  const at = ({ name, in: place }: Parameter, value: string): string =>
    place === 'path'
      ? filled(operation, { [name]: value })
      : `${filled(operation)}?${new URLSearchParams({ [name]: value }).toString()}`;
  /** A parameter arrives as text; without any the path is another one. */
  const texts = ({ schema }: Parameter, values: readonly unknown[]): string[] =>
    values
      .filter((value) => typeof value === (schema.type === 'integer' ? 'number' : 'string'))
      .map(String)
      .filter((text) => encodeURIComponent(text).length < REQUEST_LINE_ROOM);

  it('are held to the document', async () => {
    const body = validBody(operation);
    const findings: Finding[] = [];
    for (const parameter of parameters) {
      const { valid, invalid } = samples(parameter.schema);
      for (const value of texts(parameter, valid)) {
        const status = await send(operation, { path: at(parameter, value), body });
        if (status === 400 || status >= 500) findings.push(`${status} to ${parameter.name} ${shown(value)}`);
      }
      // Of these there is another path left, or clients make one.
      const wrong = texts(parameter, invalid).filter((value) => !['', '.', '..'].includes(value));
      const numbers = parameter.schema.type === 'integer' ? ['01', '+1', ' 1', '1e1', '0x1', '1.0'] : [];
      for (const value of [...wrong, ...numbers]) {
        const status = await send(operation, { path: at(parameter, value), body });
        if (status !== 400) findings.push(`${status} to ${parameter.name} ${shown(value)}`);
      }
      if (parameter.in === 'path') continue;
      const [first] = texts(parameter, valid);
      const twice = `${at(parameter, first)}&${parameter.name}=${encodeURIComponent(first)}`;
      const status = await send(operation, { path: twice, body });
      if (status !== 400) findings.push(`${status} to ${parameter.name} twice`);
    }
    expect(findings).toEqual([]);
  });
});

describe.each(named(OPERATIONS))('%s', (_id, operation) => {
  const body = validBody(operation) ?? {};
  const text = JSON.stringify(body);

  it('refuses a parameter that nobody knows', async () => {
    for (const query of ['unknown=1', '__proto__=1', 'limit[x]=1'])
      expect(await send(operation, { path: `${filled(operation)}?${query}`, body })).toBe(400);
  });

  it('XC13: refuses a body that two readers would read in two ways', async () => {
    for (const wrong of [
      '{"a":1,"a":1}',
      '{"a":{"__proto__":{}}}',
      `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      '{',
      'null',
      Buffer.from('{"a":"\xff"}', 'latin1'),
    ])
      expect([shown(wrong.toString()), await send(operation, { text: wrong })]).toEqual([shown(wrong.toString()), 400]);
  });

  it('refuses a body that is too large, and one of another type', async () => {
    expect(await send(operation, { text: JSON.stringify({ a: 'x'.repeat(200_000) }) })).toBe(413);
    for (const type of ['text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded', 'x'])
      expect(await send(operation, { text, type })).toBe(415);
  });
});

it('a policy reaches the ports as text, and no policy that is longer than they take', async () => {
  const long = { ...VALID_POLICY, Id: 'x'.repeat(100_000) };
  const bodies: Record<string, (document: object) => object> = {
    putUserPolicy: (document) => document,
    putGroupPolicy: (document) => document,
    createPolicy: (document) => ({ policyName: 'p', document }),
    createPolicyVersion: (document) => ({ document }),
  };
  for (const [id, bodyWith] of Object.entries(bodies)) {
    const operation = OPERATIONS.find(({ operationId }) => operationId === id) as Described;
    reached.length = 0;
    await send(operation, { body: bodyWith(VALID_POLICY) });
    expect([id, reached.length]).toEqual([id, 1]);
    expect([id, await send(operation, { body: bodyWith(long) })]).toEqual([id, 400]);
    expect([id, reached.length]).toEqual([id, 1]);
  }
});
