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
import { DEVICE_COUNT, type ClusterPlan } from './cluster-plan.js';
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
  readonly plan: ClusterPlan;
  readonly secret: string;
  readonly credentials: RootCredentials;
  readonly topologyFile: string;
  readonly onChange: (view: ProcessView) => void;
}

const at = (port: number | undefined): string => `127.0.0.1:${port ?? 0}`;

/** Settings of the services that an operator may give to the starter, handed on to the services that know them. */
const PASSED_ON: Readonly<Record<string, readonly string[]>> = {
  metadata: ['HOLDFAST_COLLECT_GRACE_MS', 'HOLDFAST_FREE_DELAY_MS'],
  data: ['HOLDFAST_COLLECT_GRACE_MS', 'HOLDFAST_COLLECT_INTERVAL_MS'],
  iam: ['HOLDFAST_PRINCIPAL_CACHE_MS', 'HOLDFAST_TOKEN_SECONDS'],
};

export async function clusterMembers(input: MembersInput): Promise<Members> {
  const { plan, options, secret } = input;
  const directory = options.dataDirectory;
  const logFile = (name: string): string => join(directory, 'logs', `${name}.log`);
  const logTo = (name: string) => (line: string) => void appendFile(logFile(name), `${line}\n`, { mode: 0o600 });
  // Filled by the first stage; the services of later stages read it when they start.
  const found = { databaseUrl: '', brokers: '' };

  const postgres = new ManagedServer(
    'postgres',
    () => (process.env['DATABASE_URL'] ? 'DATABASE_URL' : `${directory}/postgres`),
    async () => {
      const local = { directory: join(directory, 'postgres'), onLog: logTo('postgres') };
      const databaseUrl = process.env['DATABASE_URL'];
      const server = databaseUrl ? await resolvePostgres({ ...local, databaseUrl }) : await startPostgres(local);
      if (found.databaseUrl !== '' && found.databaseUrl !== server.url)
        throw new Error('Postgres came back at another address: stop the cluster and start it again');
      found.databaseUrl = server.url;
      return asRunning(server);
    },
    input.onChange,
  );
  const kafka = new ManagedServer(
    'kafka',
    () => found.brokers,
    async () => {
      const onProgress = (message: string): void => console.log(`  ${message}`);
      const local = { directory: join(directory, 'kafka'), onLog: logTo('kafka'), onProgress };
      const kafkaBrokers = process.env['KAFKA_BROKERS'];
      const server = kafkaBrokers ? await resolveKafka({ ...local, kafkaBrokers }) : await startKafka(local);
      const brokers = server.brokers.join(',');
      if (found.brokers !== '' && found.brokers !== brokers)
        throw new Error('Kafka came back at another address: stop the cluster and start it again');
      found.brokers = brokers;
      return asRunning(server);
    },
    input.onChange,
  );

  const service = (name: string, app: string, env: () => Record<string, string>, where: string): Managed => {
    const ports = plan.ports[name];
    const passed = Object.fromEntries(
      (PASSED_ON[app] ?? []).flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : [])),
    );
    const spec = {
      name,
      file: join(input.apps, app, 'dist', 'main.js'),
      get env() {
        return {
          HOLDFAST_NAME: name,
          HOLDFAST_CLUSTER_SECRET: secret,
          HOLDFAST_HTTP_PORT: String(ports.http),
          ...(process.env['HOLDFAST_LOG_LEVEL'] ? { HOLDFAST_LOG_LEVEL: process.env['HOLDFAST_LOG_LEVEL'] } : {}),
          ...passed,
          ...env(),
        };
      },
      healthPort: ports.http,
      where,
      logFile: logFile(name),
    };
    return new ManagedProcess(spec, input.onChange);
  };

  const capacity = plan.devicesMade ? 0 : await deviceCapacityBytes(directory, DEVICE_COUNT);
  const createBytes = Number(process.env['HOLDFAST_DEVICE_BYTES'] ?? capacity);
  const nodes = plan.nodes.map((node) =>
    service(
      node.name,
      'data-node',
      () => ({
        HOLDFAST_CLUSTER_ID: plan.clusterId,
        HOLDFAST_DEVICES: JSON.stringify(
          node.devices.map((device) => ({
            deviceId: device.deviceId,
            path: device.path,
            generation: 1,
            ...(plan.devicesMade ? {} : { createBytes }),
          })),
        ),
      }),
      `set ${node.setId}, ${node.devices.map((device) => device.controllerId).join(' and ')} controller`,
    ),
  );
  const iam = service(
    'iam',
    'iam',
    () => ({
      HOLDFAST_DATABASE_URL: found.databaseUrl,
      HOLDFAST_RPC_PORT: String(plan.ports['iam'].rpc),
      HOLDFAST_ROOT_USER: input.credentials.accessKeyId,
      HOLDFAST_ROOT_PASSWORD: input.credentials.secretAccessKey,
    }),
    'control plane',
  );
  const metadata = service(
    'metadata',
    'metadata',
    () => ({
      HOLDFAST_DATABASE_URL: found.databaseUrl,
      HOLDFAST_RPC_PORT: String(plan.ports['metadata'].rpc),
      HOLDFAST_KAFKA_BROKERS: found.brokers,
      HOLDFAST_TOPOLOGY_FILE: input.topologyFile,
    }),
    'control plane',
  );
  const data = service(
    'data',
    'data',
    () => ({ HOLDFAST_METADATA_ADDRESS: at(plan.ports['metadata'].rpc), HOLDFAST_KAFKA_BROKERS: found.brokers }),
    'data plane',
  );
  const apiNames = Object.keys(plan.ports).filter((name) => name.startsWith('api-'));
  const apis = apiNames.map((name) =>
    service(
      name,
      'api',
      () => ({
        HOLDFAST_S3_PORT: String(plan.ports[name].s3),
        HOLDFAST_ADMIN_PORT: String(plan.ports[name].admin),
        HOLDFAST_IAM_ADDRESS: at(plan.ports['iam'].rpc),
        HOLDFAST_METADATA_ADDRESS: at(plan.ports['metadata'].rpc),
        HOLDFAST_DATA_ADDRESS: at(plan.ports['data'].http),
      }),
      `S3 at ${at(plan.ports[name].s3)}`,
    ),
  );
  const balancer = service(
    'load-balancer',
    'load-balancer',
    () => ({
      HOLDFAST_HOST: options.host,
      HOLDFAST_S3_PORT: String(options.port),
      HOLDFAST_ADMIN_PORT: String(options.adminPort),
      HOLDFAST_APIS: apiNames.map((name) => at(plan.ports[name].s3)).join(','),
      HOLDFAST_ADMIN_APIS: apiNames.map((name) => at(plan.ports[name].admin)).join(','),
    }),
    `S3 at ${options.host}:${options.port}, admin at ${options.host}:${options.adminPort}`,
  );
  return { stages: [[postgres, kafka, ...nodes], [iam, metadata], [data], apis, [balancer]] };
}

/** An external server has no process of ours to watch. */
function asRunning(server: {
  pid?: number;
  exited?: Promise<{ requested: boolean }>;
  stop(): Promise<void>;
}): RunningServer {
  return { pid: server.pid ?? 0, exited: server.exited ?? new Promise(() => undefined), stop: () => server.stop() };
}
