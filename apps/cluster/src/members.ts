/** The members of a cluster on this machine and the environment each is given: nothing reaches a service but this. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  deviceCapacityBytes,
  resolveKafka,
  resolvePostgres,
  startKafka,
  startPostgres,
  type RootCredentials,
  type StartOptions,
} from '@holdfast/local-services';
import { DEVICE_COUNT, type ClusterPlan, type PlannedNode } from './cluster-plan.js';
import type { ClusterConfig } from './cluster.config.js';
import { ManagedProcess, type Managed, type ProcessView } from './managed-process.js';
import { ManagedServer, type RunningServer } from './managed-server.js';

export interface Members {
  /** Started in this order, stopped in reverse; members of one stage at the same time. */
  readonly stages: readonly (readonly Managed[])[];
}

export interface MembersInput {
  /** Folder of the apps. */
  readonly apps: string;
  readonly options: StartOptions;
  readonly config: ClusterConfig;
  readonly plan: ClusterPlan;
  readonly secret: string;
  readonly credentials: RootCredentials;
  readonly topologyFile: string;
  readonly onChange: (view: ProcessView) => void;
}

type Environment = Record<string, string>;

/** What the first stage has found; services of later stages read it when they start. */
interface Found {
  databaseUrl: string;
  brokers: string;
}

const at = (port: number | undefined): string => `127.0.0.1:${port ?? 0}`;

/** Settings of the services that an operator may give to the starter, handed on to the services that know them. */
const PASSED_ON: Readonly<Record<string, readonly (keyof ClusterConfig)[]>> = {
  metadata: ['COLLECT_GRACE_MS', 'FREE_DELAY_MS'],
  data: ['COLLECT_GRACE_MS', 'COLLECT_INTERVAL_MS'],
  'data-node': ['SCRUB_BYTES_PER_SECOND'],
  iam: ['PRINCIPAL_CACHE_MS', 'TOKEN_SECONDS'],
  api: ['REGION', 'SIGNATURE_V2', 'DOMAIN'],
  'load-balancer': ['DOMAIN', 'TRUSTED_PROXIES', 'CONNECTIONS_MAX', 'CONNECTIONS_PER_ADDRESS_MAX'],
};
const PASSED_TO_ALL: readonly (keyof ClusterConfig)[] = ['LOG_LEVEL'];

function passedOn(app: string): Environment {
  const names = [...PASSED_TO_ALL, ...(PASSED_ON[app] ?? [])].map((name) => `HOLDFAST_${name}`);
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

export async function clusterMembers(input: MembersInput): Promise<Members> {
  const found: Found = { databaseUrl: '', brokers: '' };
  const createBytes = await newDeviceBytes(input);
  const nodes = input.plan.nodes.map((node) => dataNode(input, node, createBytes));
  const apiNames = Object.keys(input.plan.ports).filter((name) => name.startsWith('api-'));
  return {
    stages: [
      [postgres(input, found), kafka(input, found), ...nodes],
      [iam(input, found), metadata(input, found)],
      [data(input, found)],
      apiNames.map((name) => api(input, name)),
      [loadBalancer(input, apiNames)],
    ],
  };
}

const logFile = (input: MembersInput, name: string): string => join(input.options.dataDirectory, 'logs', `${name}.log`);

function logTo(input: MembersInput, name: string): (line: string) => void {
  return (line) => void appendFile(logFile(input, name), `${line}\n`, { mode: 0o600 });
}

/** Services were told the address at their start: a server that comes back elsewhere would not be found by them. */
function sameAddress(kind: string, before: string, now: string): string {
  if (before === '' || before === now) return now;
  throw new Error(`${kind} came back at another address: stop the cluster and start it again`);
}

function postgres(input: MembersInput, found: Found): Managed {
  const directory = join(input.options.dataDirectory, 'postgres');
  const databaseUrl = process.env['DATABASE_URL'];
  const run = async (): Promise<RunningServer> => {
    const local = { directory, onLog: logTo(input, 'postgres') };
    const server = databaseUrl ? await resolvePostgres({ ...local, databaseUrl }) : await startPostgres(local);
    found.databaseUrl = sameAddress('Postgres', found.databaseUrl, server.url);
    return server;
  };
  return new ManagedServer('postgres', () => (databaseUrl ? 'DATABASE_URL' : directory), run, input.onChange);
}

function kafka(input: MembersInput, found: Found): Managed {
  const kafkaBrokers = process.env['KAFKA_BROKERS'];
  const run = async (): Promise<RunningServer> => {
    const onProgress = (message: string): void => console.log(`  ${message}`);
    const local = {
      directory: join(input.options.dataDirectory, 'kafka'),
      onLog: logTo(input, 'kafka'),
      onProgress,
    };
    const server = kafkaBrokers ? await resolveKafka({ ...local, kafkaBrokers }) : await startKafka(local);
    found.brokers = sameAddress('Kafka', found.brokers, server.brokers.join(','));
    return server;
  };
  return new ManagedServer('kafka', () => found.brokers, run, input.onChange);
}

/** A process that runs one of the apps. `env` is asked at each start. */
function service(input: MembersInput, name: string, app: string, where: string, env: () => Environment): Managed {
  const ports = input.plan.ports[name];
  const spec = {
    name,
    file: join(input.apps, app, 'dist', 'main.js'),
    environment: () => ({
      HOLDFAST_NAME: name,
      HOLDFAST_CLUSTER_SECRET: input.secret,
      HOLDFAST_HTTP_PORT: String(ports.http),
      ...passedOn(app),
      ...env(),
    }),
    healthPort: ports.http,
    where,
    logFile: logFile(input, name),
  };
  return new ManagedProcess(spec, input.onChange);
}

/** Size of the device files to make; nothing is made once all of them have been. */
async function newDeviceBytes({ plan, options, config }: MembersInput): Promise<number | undefined> {
  if (plan.devicesMade) return undefined;
  return config.DEVICE_BYTES ?? deviceCapacityBytes(options.dataDirectory, DEVICE_COUNT);
}

function dataNode(input: MembersInput, node: PlannedNode, createBytes: number | undefined): Managed {
  const sides = node.devices.map((device) => device.controllerId).join(' and ');
  return service(input, node.name, 'data-node', `set ${node.setId}, ${sides} controller`, () => {
    // Once every device has been made, a missing file is a loss and not a new device.
    const create = input.plan.devicesMade ? {} : { createBytes };
    const devices = node.devices.map(({ deviceId, path }) => ({ deviceId, path, generation: 1, ...create }));
    return { HOLDFAST_CLUSTER_ID: input.plan.clusterId, HOLDFAST_DEVICES: JSON.stringify(devices) };
  });
}

function iam(input: MembersInput, found: Found): Managed {
  return service(input, 'iam', 'iam', 'control plane', () => ({
    HOLDFAST_DATABASE_URL: found.databaseUrl,
    HOLDFAST_RPC_PORT: String(input.plan.ports['iam'].rpc),
    HOLDFAST_ROOT_USER: input.credentials.accessKeyId,
    HOLDFAST_ROOT_PASSWORD: input.credentials.secretAccessKey,
    ...(input.options.bootstrapFile === undefined ? {} : { HOLDFAST_BOOTSTRAP_FILE: input.options.bootstrapFile }),
  }));
}

function metadata(input: MembersInput, found: Found): Managed {
  return service(input, 'metadata', 'metadata', 'control plane', () => ({
    HOLDFAST_DATABASE_URL: found.databaseUrl,
    HOLDFAST_RPC_PORT: String(input.plan.ports['metadata'].rpc),
    HOLDFAST_KAFKA_BROKERS: found.brokers,
    HOLDFAST_TOPOLOGY_FILE: input.topologyFile,
  }));
}

function data(input: MembersInput, found: Found): Managed {
  return service(input, 'data', 'data', 'data plane', () => ({
    HOLDFAST_METADATA_ADDRESS: at(input.plan.ports['metadata'].rpc),
    HOLDFAST_KAFKA_BROKERS: found.brokers,
  }));
}

function api(input: MembersInput, name: string): Managed {
  const { ports } = input.plan;
  return service(input, name, 'api', `S3 at ${at(ports[name].s3)}`, () => ({
    HOLDFAST_S3_PORT: String(ports[name].s3),
    HOLDFAST_ADMIN_PORT: String(ports[name].admin),
    HOLDFAST_IAM_ADDRESS: at(ports['iam'].rpc),
    HOLDFAST_METADATA_ADDRESS: at(ports['metadata'].rpc),
    HOLDFAST_DATA_ADDRESS: at(ports['data'].http),
  }));
}

function loadBalancer(input: MembersInput, apiNames: readonly string[]): Managed {
  const { options, plan } = input;
  const where = `S3 at ${options.host}:${options.port}, admin at ${options.host}:${options.adminPort}`;
  return service(input, 'load-balancer', 'load-balancer', where, () => ({
    HOLDFAST_HOST: options.host,
    HOLDFAST_S3_PORT: String(options.port),
    HOLDFAST_ADMIN_PORT: String(options.adminPort),
    HOLDFAST_APIS: apiNames.map((name) => at(plan.ports[name].s3)).join(','),
    HOLDFAST_ADMIN_APIS: apiNames.map((name) => at(plan.ports[name].admin)).join(','),
  }));
}
