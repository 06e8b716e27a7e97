import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HoldfastError, SEED_FLOWS } from '@holdfast/contracts';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const { accessKeyId } = ports.memoryIdentity.addAccount('main');
const authorization = `Bearer ${ports.memoryIdentity.tokenOf(accessKeyId)}`;
let endpoint = '';

beforeAll(async () => {
  endpoint = `http://127.0.0.1:${await listener.listen(0)}`;
});
afterAll(() => listener.close());
beforeEach(() => {
  ports.forgetCalls();
  jest.restoreAllMocks();
});

async function create(name: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${endpoint}/${name}`, { method: 'PUT', headers: { authorization, ...headers }, body });
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', headers: answer.headers };
}

const located = (region: string): string =>
  `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`;

describe('seed-3.6: the answer to the creation of a bucket', () => {
  it('has its location, and comes only when metadata has confirmed', async () => {
    let confirm = (): void => undefined;
    const confirmed = new Promise<void>((resolve) => (confirm = resolve));
    const createBucket = ports.memoryMetadata.createBucket.bind(ports.memoryMetadata);
    jest.spyOn(ports.memoryMetadata, 'createBucket').mockImplementation(async (...args) => {
      await confirmed;
      return createBucket(...args);
    });
    let answered = false;
    const answer = create('confirmed').finally(() => (answered = true));
    await wait(50);
    expect(answered).toBe(false);
    confirm();
    const { status, headers } = await answer;
    expect(status).toBe(200);
    expect(headers.get('location')).toBe('/confirmed');
  });

  it('follows the steps of the seed in their order', async () => {
    const { headers } = await create('ordered');
    await wait(5);
    const seen = ports.trace.find(headers.get('x-amz-request-id') ?? '');
    const own = SEED_FLOWS['bucket-creation'].filter(({ component }) => ['api', 'load-balancer'].includes(component));
    expect(seen.map(({ step, flow }) => [flow, step])).toEqual(own.map(({ step }) => ['bucket-creation', step]));
    expect(ports.calls.map(({ name }) => name)).toEqual(['authorize', 'createBucket']);
  });

  it('is 503 when metadata does not answer', async () => {
    jest.spyOn(ports.memoryMetadata, 'createBucket').mockRejectedValue(new HoldfastError('ServiceUnavailable'));
    expect(await create('unconfirmed')).toMatchObject({ status: 503, code: 'ServiceUnavailable' });
  });
});

describe('what a creation may say', () => {
  it.each([
    ['its region', located('us-east-1'), 200, ''],
    ['any region', located('default'), 200, ''],
    ['another region', located('eu-west-1'), 400, 'InvalidLocationConstraint'],
    ['no XML', 'nonsense', 400, 'MalformedXML'],
    ['another document', '<Delete/>', 400, 'MalformedXML'],
    [
      'an entity',
      '<!DOCTYPE a [<!ENTITY b "c">]><CreateBucketConfiguration>&b;</CreateBucketConfiguration>',
      400,
      'MalformedXML',
    ],
    ['too much', 'x'.repeat(70_000), 400, 'MaxMessageLengthExceeded'],
  ])('%s', async (what, body, status, code) => {
    expect(await create(`says-${what.replaceAll(' ', '-').toLowerCase()}`, body)).toMatchObject({ status, code });
    expect(ports.backendCalls).toEqual(status === 200 ? ['metadata.createBucket'] : []);
  });

  it.each([
    ['nothing', undefined, ''],
    ['its region', located('us-east-1'), ''],
    ['the name that every region answers to', located('default'), 'default'],
  ])('is what its location is told by afterwards: %s', async (what, body, location) => {
    const name = `located-${what.length}`;
    await create(name, body);
    const answer = await fetch(`${endpoint}/${name}?location`, { headers: { authorization } });
    const [, told = ''] = /<LocationConstraint[^>]*>([^<]*)</.exec(await answer.text()) ?? [];
    expect(told).toBe(location);
  });

  it('refuses what is not served, by its name', async () => {
    expect(await create('locked', undefined, { 'x-amz-bucket-object-lock-enabled': 'true' })).toMatchObject({
      status: 501,
    });
    expect(await create('owned', undefined, { 'x-amz-object-ownership': 'ObjectWriter' })).toMatchObject({
      status: 501,
    });
    expect(await create('public', undefined, { 'x-amz-acl': 'public-read' })).toMatchObject({ status: 501 });
    expect(await create('private', undefined, { 'x-amz-acl': 'private' })).toMatchObject({ status: 200 });
  });
});
