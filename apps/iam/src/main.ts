import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { backgroundCall, IdentityAdministration, TraceLog } from '@holdfast/contracts';
import {
  HealthState,
  InternalAuthenticator,
  InternalHttpServer,
  orExplain,
  rpcServerOptions,
  runService,
  serveTrace,
} from '@holdfast/service-host';
import { readBootstrapFile } from '@holdfast/identity';
import { AppModule } from './app.module.js';
import { iamConfig } from './iam.config.js';

const config = orExplain(() => iamConfig());

await runService({ name: config.NAME, logLevel: config.LOG_LEVEL, stopWithStdin: config.STOP_WITH_STDIN }, async () => {
  const auth = new InternalAuthenticator(config.CLUSTER_SECRET);
  const trace = new TraceLog(config.NAME);
  const bootstrap = config.BOOTSTRAP_FILE === undefined ? undefined : await readBootstrapFile(config.BOOTSTRAP_FILE);
  const module = AppModule.forRoot(
    {
      databaseUrl: config.DATABASE_URL,
      clusterSecret: config.CLUSTER_SECRET,
      rootCredentials: { accessKeyId: config.ROOT_USER, secretAccessKey: config.ROOT_PASSWORD },
      trace,
      bootstrap,
      settings: { principalLifetimeMs: config.PRINCIPAL_CACHE_MS, tokenLifetimeSeconds: config.TOKEN_SECONDS },
    },
    auth,
  );
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(module, {
    ...rpcServerOptions(auth, config.HOST, config.RPC_PORT),
    logger: false,
  });
  await app.listen();
  const administration = app.get(IdentityAdministration);
  const health = new HealthState();
  health.require(
    'database',
    async () => (await administration.listAccounts(backgroundCall(2000), { limit: 1 })).accounts.length > 0,
  );
  const server = new InternalHttpServer({ host: config.HOST, port: config.HTTP_PORT, auth, health });
  serveTrace(server, trace);
  await server.listen();
  return {
    async stop() {
      health.drain();
      await server.close();
      await app.close();
    },
  };
});
