import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import supertest from 'supertest';
import { ClusterNodes } from './harness/cluster-nodes.js';
import { startStore } from './harness/start-store.js';
import { eventually, requestIdOf, type TestedStore } from './harness/tested-store.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let store: TestedStore;
let nodes: ClusterNodes;
let s3: S3Client;

const put = (bucket: string, key: string, body: Buffer | string, client = s3) =>
  client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
async function get(bucket: string, key: string, client = s3): Promise<{ body: Buffer; requestId: string }> {
  const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return {
    body: Buffer.from(await (answer.Body as { transformToByteArray(): Promise<Uint8Array> }).transformToByteArray()),
    requestId: requestIdOf(answer),
  };
}
const replicated = (bucket: string, key: string): Promise<boolean> =>
  eventually(
    async () => (await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).ReplicationStatus === 'COMPLETED',
  );
/** Steps that the trace command shows as seen. */
const stepsSeen = (trace: string): number[] =>
  trace
    .split('\n')
    .filter((line) => /^ *\d+ {2}/.test(line) && !line.includes('(not seen)'))
    .map((line) => parseInt(line, 10));
const allReady = (): Promise<boolean> =>
  eventually(async () => (await store.control('status')).every((row) => row.state === 'ready'), 40);
const homeOf = async (bucket: string): Promise<number> => {
  await put(bucket, 'probe', randomBytes(40_000));
  const found = await eventually(async () => {
    for (const setId of [1, 2]) {
      const chunks = await nodes.wholeChunks(setId);
      if (chunks.some((chunk) => chunk.chunkSizeBytes === 40_000 && chunk.units.length >= 4)) return setId;
    }
    return undefined;
  });
  return found;
};

beforeAll(async () => {
  store = await startStore('cluster');
  nodes = ClusterNodes.of(await store.members());
  s3 = store.client();
  await s3.send(new CreateBucketCommand({ Bucket: 'photos' }));
}, 180_000);
afterAll(async () => {
  nodes.close();
  await store.remove();
}, 60_000);

describe('cluster', () => {
  it('runs every service as a process of its own, all ready', async () => {
    const rows = await store.control('status');
    expect(rows.map((row) => row.name).sort()).toEqual([
      'api-1',
      'api-2',
      'data',
      'data-node-1',
      'data-node-2',
      'data-node-3',
      'data-node-4',
      'data-node-5',
      'data-node-6',
      'iam',
      'kafka',
      'load-balancer',
      'metadata',
      'postgres',
    ]);
    expect(rows.every((row) => row.state === 'ready')).toBe(true);
    expect(new Set(rows.map((row) => row.pid)).size).toBe(rows.length);
  });

  it.each([0, 1, 5 * MIB + 1, 8 * MIB - 1, 20 * MIB])(
    'seed-0.12: %i bytes come back through the load balancer',
    async (size) => {
      const body = randomBytes(size);
      await put('photos', `size-${size}`, body);
      expect(sha256((await get('photos', `size-${size}`)).body)).toBe(sha256(body));
    },
  );

  it('seed-0.2: every API serves every bucket, whichever set is its home', async () => {
    const apis = (await nodes.apiEndpoints()).map((endpoint) => store.client({ endpoint }));
    expect(apis.length).toBe(2);
    for (const name of ['home-a', 'home-b', 'home-c', 'home-d', 'home-e', 'home-f']) {
      await apis[0].send(new CreateBucketCommand({ Bucket: name }));
      for (const [index, api] of apis.entries()) await put(name, `from-${index}`, Buffer.alloc(100_000, index), api);
      for (const api of apis)
        for (const index of apis.keys())
          expect((await get(name, `from-${index}`, api)).body.equals(Buffer.alloc(100_000, index))).toBe(true);
    }
  });

  it('seed-3.5: of concurrent creates of one name one gets 200, the others 409; later its owner gets 200 again', async () => {
    for (const name of ['race-a', 'race-b', 'race-c']) {
      const create = (): Promise<number> =>
        s3.send(new CreateBucketCommand({ Bucket: name })).then(
          () => 200,
          (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
        );
      const outcomes = await Promise.all([create(), create(), create(), create()]);
      expect(outcomes.sort()).toEqual([200, 409, 409, 409]);
      expect(await create()).toBe(200);
    }
    const listed = (await s3.send(new ListBucketsCommand({}))).Buckets?.map((one) => one.Name);
    expect(listed?.filter((name) => name?.startsWith('race-'))).toEqual(['race-a', 'race-b', 'race-c']);
  });

  it('with a token, through the load balancer', async () => {
    const token = await store.token();
    await supertest(store.endpoint)
      .put('/photos/by-token')
      .set('Authorization', `Bearer ${token}`)
      .send('hello')
      .expect(200);
    const got = await supertest(store.endpoint)
      .get('/photos/by-token')
      .set('Authorization', `Bearer ${token}`)
      .buffer(true)
      .expect(200);
    expect(got.text ?? got.body.toString()).toBe('hello');
  });

  it('seed-3.6: a bucket creation walks the ten steps', async () => {
    const created = await s3.send(new CreateBucketCommand({ Bucket: 'traced' }));
    expect(created.Location).toBe('/traced');
    const trace = await store.trace(requestIdOf(created));
    expect(trace).toContain('bucket-creation');
    expect(stepsSeen(trace)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('seed-3.7: an object creation walks the fourteen steps, data before metadata, each in its own process', async () => {
    const requestId = requestIdOf(await put('photos', 'traced', randomBytes(100_000)));
    const trace = await eventually(async () => {
      const text = await store.trace(requestId);
      return stepsSeen(text).includes(10) && text;
    });
    expect(stepsSeen(trace)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    const at = (step: number): { us: number; process: string } => {
      const match = new RegExp(`^ *${step} {2}.*\\n +\\+ *(\\d+) us {2}(\\S+)`, 'm').exec(trace);
      return { us: Number(match?.[1]), process: match?.[2] ?? '' };
    };
    expect(at(7).us).toBeLessThanOrEqual(at(8).us);
    expect(at(6).us).toBeLessThanOrEqual(at(9).us);
    expect(at(11).us).toBeLessThanOrEqual(at(14).us);
    expect([at(1), at(4), at(6), at(9)].map((one) => one.process)).toEqual([
      'load-balancer',
      'iam',
      'data',
      'metadata',
    ]);
    expect(at(3).process).toMatch(/^api-/);
  });

  it('seed-3.15: the download of a replicated object of many chunks reads from both sets', async () => {
    const body = randomBytes(33 * MIB);
    await put('photos', 'both', body);
    await replicated('photos', 'both');
    const got = await get('photos', 'both');
    expect(sha256(got.body)).toBe(sha256(body));
    expect(stepsSeen(await store.trace(got.requestId))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });

  it('seed-3.9: after a PUT the secondary set holds the chunks, asked from its data nodes', async () => {
    const size = 9 * MIB + 12_345;
    await put('photos', 'copied', randomBytes(size));
    await replicated('photos', 'copied');
    for (const setId of [1, 2]) {
      const sizes = (await nodes.wholeChunks(setId)).map((chunk) => chunk.chunkSizeBytes);
      expect(sizes).toContain(size - 8 * MIB);
    }
  });
});

describe('cluster with members down', () => {
  it('one data node of three down: PUT and GET answer 200', async () => {
    await store.control('kill', 'data-node-1');
    await store.control('kill', 'data-node-4');
    const body = randomBytes(3 * MIB);
    await put('photos', 'one-down', body);
    expect(sha256((await get('photos', 'one-down')).body)).toBe(sha256(body));
    expect((await get('photos', 'both')).body.length).toBe(33 * MIB);
    await store.control('start', 'data-node-1');
    await store.control('start', 'data-node-4');
    await allReady();
  }, 60_000);

  it('seed-3.15: with the nodes of the primary set killed, GET returns the same bytes', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'safe' }));
    const home = await homeOf('safe');
    const body = randomBytes(10 * MIB);
    await put('safe', 'kept', body);
    await replicated('safe', 'kept');
    for (const node of nodes.nodesOfSet(home)) await store.control('kill', node);
    expect(sha256((await get('safe', 'kept')).body)).toBe(sha256(body));
    for (const node of nodes.nodesOfSet(home)) await store.control('start', node);
    await allReady();
  }, 90_000);

  it('seed-3.10: with Kafka down a PUT answers 200, and the secondary catches up when it is back', async () => {
    await store.control('kill', 'kafka');
    const body = randomBytes(2 * MIB);
    await put('photos', 'lagging', body);
    expect((await s3.send(new HeadObjectCommand({ Bucket: 'photos', Key: 'lagging' }))).ReplicationStatus).toBe(
      'PENDING',
    );
    const token = await store.token();
    const status = await supertest(store.admin)
      .get('/admin/v1/status')
      .set('Authorization', `Bearer ${token}`)
      .expect(200);
    expect(JSON.stringify(status.body)).toMatch(/replicate/);
    await store.control('start', 'kafka');
    await replicated('photos', 'lagging');
    await allReady();
  }, 90_000);

  it('a stopped IAM leaves its steps out of the trace, and no later step happens', async () => {
    await store.control('stop', 'iam');
    const refused = await put('photos', 'unheard', 'x').catch(
      (error: { $metadata: { httpStatusCode: number; requestId: string } }) => error,
    );
    expect(refused.$metadata.httpStatusCode).toBe(503);
    const seen = stepsSeen(await store.trace(requestIdOf(refused as { $metadata: { requestId: string } })));
    expect(seen).toEqual([1, 2, 3, 13, 14]);
    await store.control('start', 'iam');
    await allReady();
    await expect(get('photos', 'unheard')).rejects.toMatchObject({ name: 'NoSuchKey' });
  }, 60_000);

  it('seed-3.11: with metadata down a PUT is 5xx and nothing is listed; the same PUT works afterwards', async () => {
    await store.control('kill', 'metadata');
    await expect(put('photos', 'later', 'body')).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } });
    await store.control('start', 'metadata');
    await allReady();
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: 'photos', Prefix: 'later' }));
    expect(listed.KeyCount).toBe(0);
    await put('photos', 'later', 'body');
    expect((await get('photos', 'later')).body.toString()).toBe('body');
  }, 60_000);

  it('seed-3.1: a killed API is skipped, the rest goes on', async () => {
    await store.control('kill', 'api-1');
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        put('photos', `skip-${i}`, 'x').then(
          () => 200,
          () => 0,
        ),
      ),
    );
    expect(outcomes.every((status) => status === 200)).toBe(true);
    await store.control('start', 'api-1');
    await allReady();
  }, 60_000);

  it('seed-3.20: all five services killed and started in the middle of writes: acknowledged objects are whole', async () => {
    const acknowledged = new Map<string, string>();
    const attempted = new Map<string, string>();
    let running = true;
    let n = 0;
    const storm = Array.from({ length: 6 }, async () => {
      while (running) {
        const key = `restart/${n++}`;
        const body = randomBytes(20_000);
        attempted.set(key, sha256(body));
        await put('photos', key, body).then(
          () => acknowledged.set(key, sha256(body)),
          () => new Promise((resolve) => setTimeout(resolve, 50)),
        );
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const name of ['load-balancer', 'api-1', 'iam', 'metadata', 'data', 'data-node-2'])
      await store.control('kill', name);
    for (const name of ['data-node-2', 'iam', 'metadata', 'data', 'api-1', 'load-balancer'])
      await store.control('start', name);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    running = false;
    await Promise.all(storm);
    await allReady();
    expect(acknowledged.size).toBeGreaterThan(10);
    for (const [key, hash] of attempted) {
      const found = await get('photos', key).then(
        (answer) => sha256(answer.body),
        (error: { name: string }) => error.name,
      );
      if (acknowledged.has(key)) expect([key, found]).toEqual([key, hash]);
      else expect([hash, 'NoSuchKey']).toContain(found);
    }
  }, 120_000);
});
