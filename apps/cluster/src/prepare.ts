/**
 * `node apps/cluster/dist/prepare.js [--run /run/holdfast] [--nodes /var/lib/holdfast/nodes]`: what the containers of a cluster
 * find at their start. The first run draws the secrets and makes the devices; later ones keep them. Each folder below --run is a
 * volume of its own, so that a service sees only what it needs:
 *   cluster/    cluster-secret, cluster.json (the plan), cluster-id, topology.json, NAME.devices.json for each data node
 *   database/   password, url
 *   root/       user, password; root-credentials.json when they were drawn
 */
import { randomBytes } from 'node:crypto';
import { readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeDevices, openDevices } from '@holdfast/data-node';
import {
  clusterSecret,
  deviceCapacityBytes,
  LocalServiceError,
  makeFolder,
  rootCredentials,
  writeDurably,
} from '@holdfast/local-services';
import { orExplain } from '@holdfast/service-host';
import {
  containerPlan,
  DEVICE_COUNT,
  plannedSets,
  readPlan,
  savePlan,
  type ClusterPlan,
  type PlannedNode,
} from './cluster-plan.js';
import { clusterConfig, type ClusterConfig } from './cluster.config.js';

const DATABASE_HOST = 'postgres:5432';
/** User and database of the Postgres container. */
const DATABASE_NAME = 'holdfast';

/** Whole or not at all: a service may start while this runs again. */
async function write(folder: string, name: string, content: string): Promise<void> {
  await writeDurably(join(folder, `${name}.new`), content, 0o600);
  await rename(join(folder, `${name}.new`), join(folder, name));
}

const devicesOf = (node: PlannedNode) => node.devices.map(({ deviceId, path }) => ({ deviceId, path, generation: 1 }));

/** Makes every device once. From then on a missing one is a loss: neither this nor a data node makes it anew. */
async function makeDevices(folder: string, plan: ClusterPlan, config: ClusterConfig): Promise<void> {
  if (plan.devicesMade) return;
  for (const node of plan.nodes) {
    const createBytes = config.DEVICE_BYTES ?? (await deviceCapacityBytes(folder, DEVICE_COUNT));
    const devices = devicesOf(node).map((device) => ({ ...device, createBytes }));
    for (const { path } of devices) await makeFolder(dirname(path));
    await closeDevices(await openDevices({ devices, clusterId: plan.clusterId }));
  }
  plan.devicesMade = true;
  await savePlan(folder, plan);
}

async function prepareCluster(folder: string, nodesDirectory: string, config: ClusterConfig): Promise<void> {
  await clusterSecret(folder);
  let plan = await readPlan(folder);
  if (!plan) {
    plan = containerPlan(nodesDirectory);
    await savePlan(folder, plan);
  }
  await makeDevices(folder, plan, config);
  await write(folder, 'cluster-id', `${plan.clusterId}\n`);
  await write(folder, 'topology.json', `${JSON.stringify({ clusterId: plan.clusterId, sets: plannedSets(plan) })}\n`);
  for (const node of plan.nodes)
    await write(folder, `${node.name}.devices.json`, `${JSON.stringify(devicesOf(node))}\n`);
}

async function prepareDatabase(folder: string): Promise<void> {
  const kept = await readFile(join(folder, 'password'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const password = kept?.trim() ?? randomBytes(24).toString('base64url');
  if (kept === undefined) await write(folder, 'password', `${password}\n`);
  await write(folder, 'url', `postgres://${DATABASE_NAME}:${password}@${DATABASE_HOST}/${DATABASE_NAME}\n`);
}

async function prepareRoot(folder: string): Promise<void> {
  const { accessKeyId, secretAccessKey } = await rootCredentials(folder, process.env);
  await write(folder, 'user', `${accessKeyId}\n`);
  await write(folder, 'password', `${secretAccessKey}\n`);
}

const config = orExplain(() => clusterConfig());
try {
  const { values } = parseArgs({
    options: {
      run: { type: 'string', default: '/run/holdfast' },
      nodes: { type: 'string', default: '/var/lib/holdfast/nodes' },
    },
  });
  const folder = (name: string) => join(values.run, name);
  for (const name of ['cluster', 'database', 'root']) await makeFolder(folder(name));
  await prepareCluster(folder('cluster'), values.nodes, config);
  await prepareDatabase(folder('database'));
  await prepareRoot(folder('root'));
} catch (error) {
  if (!(error instanceof LocalServiceError)) throw error;
  console.error(`holdfast: ${error.message}`);
  process.exit(1);
}
