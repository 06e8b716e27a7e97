import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataPlaneConnections, RemoteObjectData, RemoteUnitStore } from '@holdfast/clients';
import { TraceLog, type UnitStore } from '@holdfast/contracts';
import { createDataService, ObjectDataHttpController } from '@holdfast/data';
import { closeDevices, LocalUnitStore, openDevices, UnitHttpController } from '@holdfast/data-node';
import { configureLog, HealthState, InternalAuthenticator, InternalHttpServer } from '@holdfast/service-host';
import { clusterMapOf, InMemoryWriteRecords, objectDataContract, unitStoreContract } from '@holdfast/testkit';

configureLog({ service: 'test', level: 'error' });

const secret = randomBytes(32);
const DEVICE_BYTES = 512 * 1024 * 1024;

/** Undoes what was started, last first. */
class Cleanup {
  private readonly steps: (() => Promise<unknown> | void)[] = [];
  add(step: () => Promise<unknown> | void): void {
    this.steps.push(step);
  }
  close = async (): Promise<void> => {
    for (const step of this.steps.reverse()) await step();
  };
}

async function serve(cleanup: Cleanup, mount: (server: InternalHttpServer) => void): Promise<string> {
  const auth = new InternalAuthenticator(secret);
  const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
  mount(server);
  const port = await server.listen();
  cleanup.add(() => server.close());
  return `127.0.0.1:${port}`;
}

function connect(cleanup: Cleanup): DataPlaneConnections {
  const connections = new DataPlaneConnections(new InternalAuthenticator(secret));
  cleanup.add(() => connections.close());
  return connections;
}

async function openStore(cleanup: Cleanup, clusterId: string, deviceIds: readonly string[]): Promise<LocalUnitStore> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-plane-'));
  cleanup.add(() => rm(folder, { recursive: true }));
  const devices = await openDevices({
    clusterId,
    devices: deviceIds.map((deviceId) => {
      return { deviceId, path: join(folder, deviceId), generation: 1, createBytes: DEVICE_BYTES };
    }),
  });
  cleanup.add(() => closeDevices(devices));
  return new LocalUnitStore({ devices, trace: new TraceLog('data-node') });
}

unitStoreContract('a node over HTTP', async () => {
  const cleanup = new Cleanup();
  const [clusterId, deviceId] = [randomUUID(), randomUUID()];
  const local = await openStore(cleanup, clusterId, [deviceId]);
  const address = await serve(cleanup, (server) => new UnitHttpController(local).mount(server));
  return {
    units: new RemoteUnitStore(connect(cleanup)),
    device: { deviceId, nodeId: 'n1', address },
    clusterId,
    close: cleanup.close,
  };
});

/** One set of `nodes` with one device each; every node a server of its own when `remoteNodes`. */
async function startData(cleanup: Cleanup, nodes: number, remoteNodes: boolean) {
  const clusterId = randomUUID();
  const deviceIds = Array.from({ length: nodes }, () => randomUUID());
  const local = await openStore(cleanup, clusterId, deviceIds);
  const addresses = new Map<string, string>();
  if (remoteNodes) {
    for (let node = 1; node <= nodes; node += 1)
      addresses.set(`s1n${node}`, await serve(cleanup, (server) => new UnitHttpController(local).mount(server)));
  }
  const map = clusterMapOf({
    clusterId,
    sets: [{ nodes, devicesPerNode: 1 }],
    deviceId: (_setId, slot) => deviceIds[slot],
    address: (nodeId) => addresses.get(nodeId) ?? '',
  });
  const units: UnitStore = remoteNodes ? new RemoteUnitStore(connect(cleanup)) : local;
  const data = createDataService({ units, metadata: new InMemoryWriteRecords(map), trace: new TraceLog('data') });
  cleanup.add(() => data.stop());
  return data;
}

objectDataContract('devices of this process, 2+1', async () => {
  const cleanup = new Cleanup();
  const { objects } = await startData(cleanup, 3, false);
  return { objects, homeSetId: 1, profile: { k: 2, m: 1, secondary: false }, close: cleanup.close };
});

objectDataContract('a data service over HTTP, nodes over HTTP, 4+2', async () => {
  const cleanup = new Cleanup();
  const data = await startData(cleanup, 6, true);
  const address = await serve(cleanup, (server) => new ObjectDataHttpController(data.objects).mount(server));
  const objects = new RemoteObjectData(connect(cleanup), { pickAddress: () => address });
  return { objects, homeSetId: 1, profile: { k: 4, m: 2, secondary: false }, close: cleanup.close };
});
