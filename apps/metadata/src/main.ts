import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { backgroundCall, Metadata, TraceLog } from '@holdfast/contracts';
import { KafkaIntentBus } from '@holdfast/events';
import { MetadataService, OutboxRelay, type ClusterMapSeed } from '@holdfast/metadata';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  log,
  orExplain,
  rpcServerOptions,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { AppModule } from './app.module.js';
import { metadataConfig } from './metadata.config.js';

const config = orExplain(() => metadataConfig());

await runService({ name: config.NAME, logLevel: config.LOG_LEVEL, stopWithStdin: config.STOP_WITH_STDIN }, async () => {
  const auth = new InternalAuthenticator(config.CLUSTER_SECRET);
  const trace = new TraceLog(config.NAME);
  const clusterMapSeed = JSON.parse(await readFile(config.TOPOLOGY_FILE, 'utf8')) as ClusterMapSeed;
  const settings = { graceMs: config.COLLECT_GRACE_MS, freeDelayMs: config.FREE_DELAY_MS };
  const module = AppModule.forRoot({ databaseUrl: config.DATABASE_URL, clusterMapSeed, trace, settings });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    ...rpcServerOptions(auth, config.HOST, config.RPC_PORT),
    logger: false,
  });
  await app.listen();
  const bus = new KafkaIntentBus({ brokers: config.KAFKA_BROKERS, clientId: config.NAME });
  const relay = new OutboxRelay(app.get(MetadataService), bus, {
    onError: (error) => log.warn('the outbox relay failed and will try again', { error }),
  });
  relay.start();
  const metadata = app.get(Metadata);
  const health = new HealthState();
  health.require('database', async () => (await metadata.clusterMap(backgroundCall(2000), {})).epoch > 0n);
  const server = new InternalHttpServer({ host: config.HOST, port: config.HTTP_PORT, auth, health });
  serveTrace(server, trace);
  await server.listen();
  return {
    async stop() {
      health.drain();
      await relay.stop();
      await bus.stop();
      await server.close();
      await app.close();
    },
  };
});
