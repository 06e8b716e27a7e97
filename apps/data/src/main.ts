import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { DataPlaneConnections, remoteMetadata, RemoteUnitStore } from '@holdfast/clients';
import { backgroundCall, IntentHandler, TraceLog } from '@holdfast/contracts';
import { ObjectDataHttpController } from '@holdfast/data';
import { KafkaIntentConsumer } from '@holdfast/events';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  log,
  orExplain,
  RpcClient,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { AppModule } from './app.module.js';
import { dataConfig } from './data.config.js';

const config = orExplain(() => dataConfig());

await runService({ name: config.NAME, logLevel: config.LOG_LEVEL, stopWithStdin: config.STOP_WITH_STDIN }, async () => {
  const auth = new InternalAuthenticator(config.CLUSTER_SECRET);
  const trace = new TraceLog(config.NAME);
  const metadataClient = new RpcClient(auth, config.METADATA_ADDRESS);
  const metadata = remoteMetadata(metadataClient);
  const connections = new DataPlaneConnections(auth);
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot({
      units: new RemoteUnitStore(connections),
      metadata,
      trace,
      collector: { graceMs: config.COLLECT_GRACE_MS, intervalMs: config.COLLECT_INTERVAL_MS },
    }),
    { logger: false },
  );
  const consumer = new KafkaIntentConsumer(app.get(IntentHandler), {
    brokers: config.KAFKA_BROKERS,
    clientId: config.NAME,
    onError: (error) => log.warn('an intent was not done and will come again', { error }),
  });
  consumer.start();
  const health = new HealthState();
  health.require('metadata', async () => (await metadata.clusterMap(backgroundCall(2000), {})).epoch > 0n);
  const server = new InternalHttpServer({ host: config.HOST, port: config.HTTP_PORT, auth, health });
  app.get(ObjectDataHttpController).mount(server);
  serveTrace(server, trace);
  await server.listen();
  return {
    async stop() {
      health.drain();
      await consumer.stop();
      await server.close();
      await app.close();
      connections.close();
      metadataClient.close();
    },
  };
});
