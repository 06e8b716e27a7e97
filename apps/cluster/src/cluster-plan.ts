/**
 * What a cluster consists of, made at the first start and kept in `cluster.json`: names, ports, device ids and files. On one
 * machine ports that are taken at a later start are replaced; in containers each process has a host of its own and the ports
 * are fixed. Ids never change.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort, LocalServiceError, makeFolder, writeDurably } from '@holdfast/local-services';
import type { StorageSetEntry } from '@holdfast/contracts';

export interface PlannedDevice {
  readonly deviceId: string;
  readonly controllerId: 'left' | 'right';
  readonly path: string;
}

export interface PlannedNode {
  readonly name: string;
  readonly setId: number;
  readonly devices: readonly PlannedDevice[];
}

/** Ports of one process: the data plane with health and trace, and where it has them the control plane, S3, admin. */
export interface PlannedPorts {
  http: number;
  rpc?: number;
  s3?: number;
  admin?: number;
}

export interface ClusterPlan {
  readonly clusterId: string;
  readonly nodes: readonly PlannedNode[];
  /** `names`: each process is reached by its own name. Absent: all on 127.0.0.1. */
  readonly hosts?: 'names';
  /** By process name. */
  readonly ports: Record<string, PlannedPorts>;
  /** Port of the starter itself. */
  control: number;
  /** False until every device file has been made once: from then on a missing one is a loss, never made anew in silence. */
  devicesMade: boolean;
}

const SETS = 2;
const NODES_PER_SET = 3;
export const DEVICE_COUNT = SETS * NODES_PER_SET * 2;

export function planFile(dataDirectory: string): string {
  return join(dataDirectory, 'cluster.json');
}

export async function savePlan(dataDirectory: string, plan: ClusterPlan): Promise<void> {
  const file = planFile(dataDirectory);
  await writeDurably(`${file}.new`, `${JSON.stringify(plan, null, 2)}\n`, 0o600);
  await rename(`${file}.new`, file);
}

export async function readPlan(dataDirectory: string): Promise<ClusterPlan | undefined> {
  try {
    return JSON.parse(await readFile(planFile(dataDirectory), 'utf8')) as ClusterPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new LocalServiceError(
      'DamagedFile',
      `${planFile(dataDirectory)} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** The data nodes, each with a folder of its name for the devices that are not given. */
function planNodes(nodesDirectory: string, devices: readonly string[]): PlannedNode[] {
  if (devices.length !== 0 && devices.length !== DEVICE_COUNT) {
    throw new LocalServiceError(
      'BadOption',
      `a cluster has ${DEVICE_COUNT} devices (two sets of three nodes with two controllers): give --device ${DEVICE_COUNT} times, or not at all`,
    );
  }
  return Array.from({ length: SETS * NODES_PER_SET }, (_, index) => {
    const name = `data-node-${index + 1}`;
    const device = (controllerId: 'left' | 'right', side: number): PlannedDevice => ({
      deviceId: randomUUID(),
      controllerId,
      path: devices[index * 2 + side] ?? join(nodesDirectory, name, `${controllerId}.device`),
    });
    return { name, setId: Math.floor(index / NODES_PER_SET) + 1, devices: [device('left', 0), device('right', 1)] };
  });
}

/** Where the process of this name is reached by the others. */
export function hostOf(plan: ClusterPlan, name: string): string {
  return plan.hosts === 'names' ? name : '127.0.0.1';
}

/** Ports of the apps where each has a host of its own: their defaults (docs/configuration.md). */
const DEFAULT_PORTS = {
  'load-balancer': { http: 7100, s3: 9000, admin: 9001 },
  iam: { http: 7201, rpc: 7200 },
  metadata: { http: 7301, rpc: 7300 },
  data: { http: 7500 },
} satisfies Record<string, PlannedPorts>;
const DEFAULT_NODE_PORTS: PlannedPorts = { http: 7400 };
const DEFAULT_API_PORTS: PlannedPorts = { http: 7600, s3: 7601, admin: 7602 };

/** A new plan for containers: two APIs, and below `nodesDirectory` a folder for the devices of each data node. */
export function containerPlan(nodesDirectory: string): ClusterPlan {
  const nodes = planNodes(nodesDirectory, []);
  return {
    clusterId: randomUUID(),
    nodes,
    hosts: 'names',
    ports: {
      ...DEFAULT_PORTS,
      ...Object.fromEntries(['api-1', 'api-2'].map((name) => [name, DEFAULT_API_PORTS])),
      ...Object.fromEntries(nodes.map((node) => [node.name, DEFAULT_NODE_PORTS])),
    },
    control: 0,
    devicesMade: false,
  };
}

/** The plan of this data directory, made when there is none, with ports for `apis` API services. */
export async function preparePlan(
  dataDirectory: string,
  devices: readonly string[],
  apis: number,
): Promise<ClusterPlan> {
  await makeFolder(dataDirectory);
  const kept = await readPlan(dataDirectory);
  const plan: ClusterPlan = kept ?? {
    clusterId: randomUUID(),
    nodes: planNodes(join(dataDirectory, 'nodes'), devices),
    ports: {},
    control: 0,
    devicesMade: false,
  };
  if (
    kept &&
    devices.length > 0 &&
    devices.join() !== kept.nodes.flatMap((node) => node.devices.map((device) => device.path)).join()
  ) {
    throw new LocalServiceError(
      'BadOption',
      `the devices of ${dataDirectory} are those of its first start; leave --device out`,
    );
  }
  const wanted: Record<string, (keyof PlannedPorts)[]> = {
    ...Object.fromEntries(plan.nodes.map((node) => [node.name, ['http']])),
    iam: ['http', 'rpc'],
    metadata: ['http', 'rpc'],
    data: ['http'],
    'load-balancer': ['http'],
  };
  for (let api = 1; api <= apis; api += 1) wanted[`api-${api}`] = ['http', 's3', 'admin'];
  for (const name of Object.keys(plan.ports)) if (!(name in wanted)) delete plan.ports[name];
  for (const [name, kinds] of Object.entries(wanted)) {
    const ports = (plan.ports[name] ??= { http: 0 });
    for (const kind of kinds) ports[kind] = await keepOrFind(ports[kind]);
  }
  plan.control = await keepOrFind(plan.control);
  await savePlan(dataDirectory, plan);
  return plan;
}

const given = new Set<number>();

async function keepOrFind(port: number | undefined): Promise<number> {
  if (port && !given.has(port) && (await isFree(port))) {
    given.add(port);
    return port;
  }
  for (;;) {
    const found = await findFreePort();
    if (given.has(found)) continue;
    given.add(found);
    return found;
  }
}

async function isFree(port: number): Promise<boolean> {
  const { createServer } = await import('node:net');
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** The storage sets of the plan as the cluster map has them. */
export function plannedSets(plan: ClusterPlan): StorageSetEntry[] {
  return [...new Set(plan.nodes.map((node) => node.setId))].map((setId) => {
    let slot = 0;
    const nodes = plan.nodes
      .filter((node) => node.setId === setId)
      .map((node) => ({
        nodeId: node.name,
        address: `${hostOf(plan, node.name)}:${plan.ports[node.name].http}`,
        state: 'live' as const,
        controllers: node.devices.map((device) => ({
          controllerId: `${node.name}-${device.controllerId}`,
          devices: [{ deviceId: device.deviceId, slot: slot++, generation: 1, state: 'live' as const }],
        })),
      }));
    return { setId, state: 'active' as const, weight: 1, nodes };
  });
}
