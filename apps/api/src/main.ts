import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import {
  DataPlaneConnections,
  remoteIdentity,
  remoteIdentityAdministration,
  remoteMetadata,
  RemoteObjectData,
} from '@holdfast/clients';
import { backgroundCall, TraceLog } from '@holdfast/contracts';
import { createAdminApp, S3Listener } from '@holdfast/gateway';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  orExplain,
  RpcClient,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { AppModule } from './app.module.js';
import { apiConfig } from './api.config.js';

const config = orExplain(() => apiConfig());

const life = {
  name: config.NAME,
  logLevel: config.LOG_LEVEL,
  stopWithStdin: config.STOP_WITH_STDIN,
  drainMs: config.DRAIN_MS,
};

await runService(life, async () => {
  const auth = new InternalAuthenticator(config.CLUSTER_SECRET);
  const trace = new TraceLog(config.NAME);
  const iamClient = new RpcClient(auth, config.IAM_ADDRESS);
  const metadataClient = new RpcClient(auth, config.METADATA_ADDRESS);
  const connections = new DataPlaneConnections(auth);
  const identity = remoteIdentity(iamClient);
  const administration = remoteIdentityAdministration(iamClient);
  const metadata = remoteMetadata(metadataClient);
  const data = new RemoteObjectData(connections, { pickAddress: () => config.DATA_ADDRESS });

  const health = new HealthState();
  // Ready means that requests can be answered at all; a dependency that goes away later answers 503 request by request.
  let reached = false;
  health.require('iam and metadata', async () => {
    if (reached) return true;
    await identity.jwks(backgroundCall(2000), {});
    await metadata.clusterMap(backgroundCall(2000), {});
    reached = true;
    return true;
  });
  const isReady = async (): Promise<boolean> => (await health.missing()).length === 0;

  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot(
      { identity, administration, metadata, data },
      {
        trace,
        region: config.REGION,
        signatureV2: config.SIGNATURE_V2,
        domains: config.DOMAIN,
        edge: auth,
        trustedProxies: config.TRUSTED_PROXIES,
        limits: {
          connectionsMax: config.CONNECTIONS_MAX,
          connectionsPerAddressMax: config.CONNECTIONS_PER_ADDRESS_MAX,
        },
        isReady,
        drainMs: config.DRAIN_MS,
      },
    ),
    { logger: false },
  );
  const listener = app.get(S3Listener);
  const admin = await createAdminApp({
    identity,
    administration,
    metadata,
    trace,
    metrics: listener.metrics,
    decisions: listener.decisions,
    edge: auth,
    trustedProxies: config.TRUSTED_PROXIES,
    isReady,
  });
  const server = new InternalHttpServer({ host: config.HOST, port: config.HTTP_PORT, auth, health });
  serveTrace(server, trace);
  await admin.listen(config.ADMIN_PORT, config.HOST);
  await listener.listen(config.S3_PORT, config.HOST);
  await server.listen();
  return {
    async stop() {
      health.drain();
      await app.close();
      await admin.close();
      await server.close();
      connections.close();
      iamClient.close();
      metadataClient.close();
    },
  };
});
