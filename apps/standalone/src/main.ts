/** `npm start`: the whole store in one process, on an embedded Postgres and device files of its own. */
import './thread-pool.js';
import 'reflect-metadata';
import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import {
  backgroundCall,
  Identity,
  IdentityAdministration,
  isHoldfastError,
  Metadata,
  TraceLog,
} from '@holdfast/contracts';
import { isRefusedDevice } from '@holdfast/data-node';
import { createAdminApp, S3Listener } from '@holdfast/gateway';
import { readBootstrapFile } from '@holdfast/identity';
import {
  claimFolder,
  clusterSecret,
  deviceCapacityBytes,
  LocalServiceError,
  makeFolder,
  parseStartOptions,
  resolvePostgres,
  rootCredentials,
  welcomeText,
  type StartOptions,
} from '@holdfast/local-services';
import {
  ConfigError,
  configureLog,
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  log,
  onStopSignal,
  orExplain,
  serveTrace,
} from '@holdfast/service-host';
import { AppModule } from './app.module.js';
import { plannedSets, preparePlan, savePlan } from './standalone-plan.js';
import { standaloneConfig } from './standalone.config.js';

const config = orExplain(() => standaloneConfig());
configureLog({ service: 'standalone', level: config.LOG_LEVEL });

const configured = {
  region: config.REGION,
  signatureV2: config.SIGNATURE_V2,
  domains: config.DOMAIN,
  http: {
    trustedProxies: config.TRUSTED_PROXIES,
    limits: { connectionsMax: config.CONNECTIONS_MAX, connectionsPerAddressMax: config.CONNECTIONS_PER_ADDRESS_MAX },
  },
  identity: { principalLifetimeMs: config.PRINCIPAL_CACHE_MS, tokenLifetimeSeconds: config.TOKEN_SECONDS },
  metadata: { graceMs: config.COLLECT_GRACE_MS, freeDelayMs: config.FREE_DELAY_MS },
  collectIntervalMs: config.COLLECT_INTERVAL_MS,
  scrubBytesPerSecond: config.SCRUB_BYTES_PER_SECOND,
};

async function start(options: StartOptions): Promise<() => Promise<void>> {
  const directory = options.dataDirectory;
  // Before anything is made: a file that is not valid must leave nothing behind.
  const bootstrap = options.bootstrapFile === undefined ? undefined : await readBootstrapFile(options.bootstrapFile);
  await makeFolder(directory);
  const release = await claimFolder(directory, 'A store');
  const plan = await preparePlan(directory, options.devices);
  // Before anything is made with its ids: a first start that fails half-way must be able to go on.
  await savePlan(directory, plan);
  const secret = Buffer.from(await clusterSecret(directory), 'hex');
  const credentials = await rootCredentials(directory, process.env);
  const postgres = await resolvePostgres({
    databaseUrl: process.env['DATABASE_URL'],
    directory: join(directory, 'postgres'),
  });
  const createBytes =
    config.DEVICE_BYTES ?? (plan.devicesMade ? 0 : await deviceCapacityBytes(directory, plan.devices.length));
  for (const device of plan.devices) await mkdir(dirname(device.path), { recursive: true, mode: 0o700 });
  const module = AppModule.forRoot({
    databaseUrl: postgres.url,
    secret,
    rootCredentials: credentials,
    clusterId: plan.clusterId,
    sets: plannedSets(plan),
    devices: plan.devices.map((device) => ({ ...device, generation: 1, ...(plan.devicesMade ? {} : { createBytes }) })),
    name: 'standalone',
    bootstrap,
    ...configured,
  });
  const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  const listener = app.get(S3Listener);
  const trace = app.get(TraceLog);
  const admin = await createAdminApp({
    identity: app.get(Identity),
    administration: app.get(IdentityAdministration),
    metadata: app.get(Metadata),
    trace,
    metrics: listener.metrics,
    decisions: listener.decisions,
    trustedProxies: config.TRUSTED_PROXIES,
    isReady: () => isReady(listener, app.get(Metadata)),
  });
  await admin.listen(options.adminPort, options.host);
  const adminPort = (admin.getHttpServer().address() as AddressInfo).port;
  const port = await listener.listen(options.port, options.host);
  const internal = internalServer(secret, trace);
  await savePlan(directory, { ...plan, devicesMade: true, httpPort: await internal.listen() });
  void postgres.exited.then((exit) => {
    if (exit.requested) return;
    // Without its database the store can answer nothing but 503: the supervisor's restart brings both back.
    log.error('Postgres has ended', { code: exit.code, signal: exit.signal });
    process.exit(1);
  });
  const shown = options.host === '0.0.0.0' ? '127.0.0.1' : options.host;
  console.log(
    welcomeText({
      endpoint: `http://${shown}:${port}`,
      admin: `http://${shown}:${adminPort}`,
      credentials,
      dataDirectory: directory,
    }),
  );
  return async () => {
    await internal.close();
    await app.close();
    await admin.close();
    await postgres.stop();
    await release();
  };
}

/** The S3 port takes requests, and the database answers. */
async function isReady(listener: S3Listener, metadata: Metadata): Promise<boolean> {
  if (!listener.takesRequests) return false;
  await metadata.clusterMap(backgroundCall(2000), {});
  return true;
}

/** Health and trace, for the tools. */
function internalServer(secret: Buffer, trace: TraceLog): InternalHttpServer {
  const auth = new InternalAuthenticator(secret);
  const server = new InternalHttpServer({ host: '127.0.0.1', port: 0, auth, health: new HealthState() });
  serveTrace(server, trace);
  return server;
}

function explain(error: unknown): never {
  if (error instanceof LocalServiceError || error instanceof ConfigError) console.error(`holdfast: ${error.message}`);
  else if (isHoldfastError(error, 'InvalidArgument')) console.error(`holdfast: ${error.message}`);
  else if (isRefusedDevice(error)) console.error(`holdfast: ${error.message}`);
  else if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
    console.error(
      `holdfast: ${(error as Error).message}: another program listens there; choose --port and --admin-port`,
    );
  else console.error('holdfast: the store cannot start:', error);
  process.exit(1);
}

process.on('uncaughtException', (error) => {
  log.error('uncaught exception', { error });
  process.exit(1);
});

const started = start(
  parseStartOptions(process.argv.slice(2), {
    command: 'npm start',
    dataDirectory: 'data/standalone',
    bootstrapFile: config.BOOTSTRAP_FILE,
  }),
);
onStopSignal(() => {
  console.log('\nStopping …');
  void started.then((stop) => stop()).then(() => process.exit(0), explain);
});
await started.catch(explain);
