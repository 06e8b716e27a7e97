import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { TraceLog } from '@holdfast/contracts';
import { problemRefusal, type ReverseProxy } from '@holdfast/load-balancer';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  orExplain,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { ADMIN_PROXY, AppModule, S3_PROXY } from './app.module.js';
import { loadBalancerConfig } from './load-balancer.config.js';

const config = orExplain(() => loadBalancerConfig());

const life = {
  name: config.NAME,
  logLevel: config.LOG_LEVEL,
  stopWithStdin: config.STOP_WITH_STDIN,
  drainMs: config.DRAIN_MS,
};

await runService(life, async () => {
  const auth = new InternalAuthenticator(config.CLUSTER_SECRET);
  const trace = new TraceLog(config.NAME);
  const shared = {
    host: config.HOST,
    auth,
    trace,
    checkIntervalMs: config.CHECK_INTERVAL_MS,
    connectTimeoutMs: config.CONNECT_TIMEOUT_MS,
    trustedProxies: config.TRUSTED_PROXIES,
    limits: {
      connectionsMax: config.CONNECTIONS_MAX,
      connectionsPerAddressMax: config.CONNECTIONS_PER_ADDRESS_MAX,
    },
  };
  const health = ['/_holdfast/health/live', '/_holdfast/health/ready'];
  const minioHealth = ['/minio/health/live', '/minio/health/ready', '/minio/health/cluster'];
  const app = await NestFactory.createApplicationContext(
    AppModule.forRoot({
      s3: {
        ...shared,
        port: config.S3_PORT,
        addresses: config.APIS,
        healthPath: '/_holdfast/health/ready',
        domains: config.DOMAIN,
        ownHealthPaths: [...health, ...minioHealth],
      },
      admin: {
        ...shared,
        port: config.ADMIN_PORT,
        addresses: config.ADMIN_APIS,
        healthPath: '/health/ready',
        ownHealthPaths: [],
        encodeRefusal: problemRefusal,
      },
    }),
    { logger: false },
  );
  const s3 = app.get<ReverseProxy>(S3_PROXY);
  const admin = app.get<ReverseProxy>(ADMIN_PROXY);
  const state = new HealthState();
  state.require('an API service', () => s3.pool.healthyCount > 0);
  const server = new InternalHttpServer({ host: config.HTTP_HOST, port: config.HTTP_PORT, auth, health: state });
  serveTrace(server, trace);
  await server.listen();
  await admin.listen();
  await s3.listen();
  return {
    async stop() {
      state.drain();
      await Promise.all([s3.drain(config.DRAIN_MS), admin.drain(config.DRAIN_MS)]);
      await server.close();
      await app.close();
    },
  };
});
