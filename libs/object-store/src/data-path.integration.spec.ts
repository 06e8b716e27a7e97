import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { DataPlaneConnections, RemoteObjectData, RemoteUnitStore } from '@holdfast/clients';
import {
  backgroundCall,
  decodeChunkList,
  newId,
  TraceLog,
  type ChunkEntry,
  type ClusterMap,
} from '@holdfast/contracts';
import { createDataService, ObjectDataHttpController, type DataService, type DataServiceOptions } from '@holdfast/data';
import { closeDevices, LocalUnitStore, openDevices, UnitHttpController } from '@holdfast/data-node';
import { configureLog, HealthState, InternalAuthenticator, InternalHttpServer } from '@holdfast/service-host';
import { bodyOf, clusterMapOf, collect, InMemoryWriteRecords } from '@holdfast/testkit';

configureLog({ service: 'test', level: 'error' });
jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const FOUR_TWO = { k: 4, m: 2, secondary: false };
const secret = randomBytes(32);
const call = (timeoutMs = 30_000) => backgroundCall(timeoutMs);
const cleanups: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(
  mount: (server: InternalHttpServer) => void,
): Promise<{ address: string; stop: () => Promise<void> }> {
  const auth = new InternalAuthenticator(secret);
  const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
  mount(server);
  const address = `127.0.0.1:${await server.listen()}`;
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= server.close());
  cleanups.push(stop);
  return { address, stop };
}

function connect(silenceTimeoutMs = 5000): DataPlaneConnections {
  const connections = new DataPlaneConnections(new InternalAuthenticator(secret), { silenceTimeoutMs });
  cleanups.push(() => connections.close());
  return connections;
}

interface StartedNode {
  readonly nodeId: string;
  readonly address: string;
  readonly stop: () => Promise<void>;
  readonly store: LocalUnitStore;
  readonly trace: TraceLog;
  readonly paths: readonly string[];
}

/** One set of three nodes with two devices each, every node with its own server and its own device files. */
async function startCluster(
  options: Partial<DataServiceOptions> & { writeBufferBytes?: number; silenceTimeoutMs?: number; sets?: number } = {},
) {
  const clusterId = randomUUID();
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-path-'));
  cleanups.push(() => rm(folder, { recursive: true }));
  const setCount = options.sets ?? 1;
  const deviceIds = Array.from({ length: setCount }, () => Array.from({ length: 6 }, () => randomUUID()));
  const nodes: StartedNode[] = [];
  for (let index = 0; index < 3 * setCount; index += 1) {
    const set = Math.floor(index / 3);
    const own = deviceIds[set].slice((index % 3) * 2, (index % 3) * 2 + 2);
    const devices = await openDevices({
      clusterId,
      devices: own.map((deviceId) => {
        return { deviceId, path: join(folder, deviceId), generation: 1, createBytes: 64 * MIB };
      }),
    });
    cleanups.push(() => closeDevices(devices));
    const trace = new TraceLog(`data-node-${index + 1}`);
    const store = new LocalUnitStore({ devices, trace, writeBufferBytes: options.writeBufferBytes });
    const served = await listen((server) => new UnitHttpController(store).mount(server));
    const paths = own.map((deviceId) => join(folder, deviceId));
    nodes.push({ nodeId: `s${set + 1}n${(index % 3) + 1}`, ...served, store, trace, paths });
  }
  const map: ClusterMap = clusterMapOf({
    clusterId,
    sets: deviceIds.map(() => ({ nodes: 3, devicesPerNode: 2 })),
    deviceId: (setId, slot) => deviceIds[setId - 1][slot],
    address: (nodeId) => nodes.find((node) => node.nodeId === nodeId)?.address ?? '',
  });
  const records = new InMemoryWriteRecords(map);
  const units = new RemoteUnitStore(connect(options.silenceTimeoutMs));
  const trace = new TraceLog('data');
  const data: DataService = createDataService({ units, metadata: records, trace, ...options });
  cleanups.push(() => data.stop());
  const put = async (body: Buffer) => {
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: body.length };
    const written = await data.objects.write(call(), target, bodyOf(body));
    return { written, chunks: decodeChunkList(written.chunks) };
  };
  const get = (chunks: readonly ChunkEntry[], sizeBytes: number) =>
    collect(data.objects.read(call(), { chunks, firstByte: 0, lastByte: sizeBytes - 1 }));
  const unitCount = async (): Promise<number> => {
    const places = map.sets.flatMap((set) =>
      set.nodes.flatMap(({ nodeId, address, controllers }) =>
        controllers.flatMap(({ devices }) => devices.map(({ deviceId }) => ({ deviceId, nodeId, address }))),
      ),
    );
    const statuses = await Promise.all(places.map((place) => units.status(call(), place)));
    return statuses.reduce((sum, status) => sum + status.unitCount, 0);
  };
  return { nodes, map, records, data, trace, put, get, unitCount };
}

const shapeOf = ({ primary }: ChunkEntry) => `${primary.k}+${primary.m}`;

describe('data path on device files, nodes over HTTP', () => {
  it('seed-0.17: one node of three goes away: what was written is read, and writes go on with margin', async () => {
    const { nodes, put, get } = await startCluster();
    const before = randomBytes(9 * MIB + 5);
    const small = randomBytes(3000);
    const [large, tiny] = [await put(before), await put(small)];
    expect(large.chunks.map(shapeOf)).toEqual(['4+2', '4+2']);
    await nodes[1].stop();
    expect((await get(large.chunks, before.length)).equals(before)).toBe(true);
    for (let round = 0; round < 3; round += 1) expect((await get(tiny.chunks, small.length)).equals(small)).toBe(true);
    const after = randomBytes(9 * MIB);
    const { written, chunks } = await put(after);
    expect(written.degraded).toBe(true);
    expect(chunks.map(shapeOf)).toEqual(['2+2', '2+2']);
    expect((await get(chunks, after.length)).equals(after)).toBe(true);
  });

  it('all nodes away: ServiceUnavailable for writes, an error and no byte for reads', async () => {
    const { nodes, put, get } = await startCluster();
    const body = randomBytes(100_000);
    const { chunks } = await put(body);
    for (const node of nodes) await node.stop();
    await expect(put(randomBytes(100_000))).rejects.toMatchObject({ code: 'ServiceUnavailable' });
    await expect(get(chunks, body.length)).rejects.toMatchObject({ code: 'DataUnreadable' });
  });

  it('a node that hangs costs one silence, not the write', async () => {
    const { data, map, records } = await startCluster({ silenceTimeoutMs: 300 });
    const hung = await new Promise<string>((resolve) => {
      void import('node:net').then(({ createServer }) => {
        const server = createServer(() => undefined).listen(0, '127.0.0.1', () => {
          const at = server.address();
          cleanups.push(() => void server.close());
          resolve(`127.0.0.1:${typeof at === 'object' ? at?.port : 0}`);
        });
      });
    });
    const [set] = map.sets;
    const nodes = set.nodes.map((node, index) => (index === 0 ? { ...node, address: hung } : node));
    records.map = { ...map, sets: [{ ...set, nodes }] };
    const body = randomBytes(200_000);
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: body.length };
    const written = await data.objects.write(call(), target, bodyOf(body));
    expect(decodeChunkList(written.chunks).map(shapeOf)).toEqual(['2+2']);
  });

  it('seed-2.26: bytes that changed on a device are not served: the unit is computed from the others', async () => {
    const { nodes, put, get } = await startCluster();
    const marker = randomBytes(64);
    const body = Buffer.concat([marker, randomBytes(700_000)]);
    const { chunks } = await put(body);
    let flipped = 0;
    for (const path of nodes.flatMap((node) => node.paths)) {
      const at = (await readFile(path)).indexOf(marker);
      if (at < 0) continue;
      const file = await open(path, 'r+');
      await file.write(Buffer.from([marker[7] ^ 1]), 0, 1, at + 7);
      await file.close();
      flipped += 1;
    }
    expect(flipped).toBeGreaterThan(0);
    expect((await get(chunks, body.length)).equals(body)).toBe(true);
  });

  it('seed-2.20: nodes with buffers for one unit take many writers one after the other', async () => {
    const { put, get } = await startCluster({ writeBufferBytes: 2 * MIB });
    const bodies = Array.from({ length: 6 }, () => randomBytes(8 * MIB));
    const written = await Promise.all(bodies.map((body) => put(body)));
    for (const [index, { chunks, written: part }] of written.entries()) {
      expect(part.degraded).toBe(false);
      expect((await get(chunks, bodies[index].length)).equals(bodies[index])).toBe(true);
    }
  });

  it('a client that goes away in the middle leaves orphans only, and those are collected', async () => {
    const { data, unitCount } = await startCluster({ collector: { graceMs: 0, unitsPerSecond: 1e6 } });
    const { address } = await listen((server) => new ObjectDataHttpController(data.objects).mount(server));
    const objects = new RemoteObjectData(connect(), { pickAddress: () => address });
    const body = async function* (): AsyncIterable<Buffer> {
      yield* bodyOf(randomBytes(17 * MIB));
      // The first chunks are on the devices by now; then the sender goes away.
      while ((await unitCount()) < 12) await new Promise((resolve) => setTimeout(resolve, 10));
      throw new Error('the client has gone');
    };
    const target = { bucketId: 1n, homeSetId: 1, profile: FOUR_TWO, writeId: newId(), expectedBytes: 40 * MIB };
    await expect(objects.write(call(), target, body())).rejects.toThrow('the client has gone');
    expect(await unitCount()).toBeGreaterThanOrEqual(12);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const result = await data.collector.runOnce();
    expect(result).toMatchObject({ kept: 0, skipped: 0 });
    expect(await unitCount()).toBe(0);
  });

  it('seed-3.15: nodes of both sets emit their own steps of a download', async () => {
    const { nodes, records, data, trace } = await startCluster({ sets: 2 });
    const body = randomBytes(16 * MIB);
    const profile = { ...FOUR_TWO, secondary: true };
    const target = { bucketId: 1n, homeSetId: 1, profile, writeId: newId(), expectedBytes: body.length };
    const written = await data.objects.write(call(), target, bodyOf(body));
    records.commit(written, 1n, 'photos', profile);
    const { writeId } = written;
    await data.intents.handle(call(), { kind: 'replicate', intentId: 1n, bucketId: 1n, writeId, requestId: 'AB12' });
    const chunks = decodeChunkList(records.records.get(writeId)?.chunks ?? Buffer.alloc(0));
    const download = { ...call(), flow: 'object-download' as const };
    const range = { chunks, firstByte: 0, lastByte: body.length - 1 };
    expect((await collect(data.objects.read(download, range))).equals(body)).toBe(true);
    const stepsOf = (log: TraceLog) => [...new Set(log.find(download.requestId).map(({ step }) => step))];
    expect(stepsOf(trace)).toEqual([8, 10, 12, 13]);
    const primary = nodes.filter(({ nodeId }) => nodeId.startsWith('s1')).flatMap((node) => stepsOf(node.trace));
    const secondary = nodes.filter(({ nodeId }) => nodeId.startsWith('s2')).flatMap((node) => stepsOf(node.trace));
    expect(new Set(primary)).toEqual(new Set([9]));
    expect(new Set(secondary)).toEqual(new Set([11]));
  });
});
