import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AccountController } from './account.http-controller.js';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { AdminGuard } from './authentication/admin-guard.js';
import { ProblemFilter } from './problem-filter.js';
import { StoreController } from './store.http-controller.js';
import { TokenController } from './token.http-controller.js';

const BODY_BYTES_MAX = 128 * 1024;
const HEADER_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** Tokens, health, metrics, status, traces and the administration of identities, as REST. */
@Module({})
export class AdminModule {
  static forRoot(ports: AdminPorts): DynamicModule {
    return {
      module: AdminModule,
      controllers: [TokenController, StoreController, AccountController],
      providers: [
        { provide: ADMIN_PORTS, useValue: ports },
        { provide: APP_GUARD, useClass: AdminGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}

/** An application of its own for the admin port: `await (await createAdminApp(ports)).listen(port, host)`. */
export async function createAdminApp(ports: AdminPorts): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AdminModule.forRoot(ports), {
    bodyParser: false,
    rawBody: true,
    logger: false,
    abortOnError: false,
    forceCloseConnections: true,
  });
  // Compressed bodies are refused: what is small on the wire may be large in memory.
  app.useBodyParser('json', { limit: BODY_BYTES_MAX, inflate: false });
  app.disable('x-powered-by');
  app.disable('etag');
  const server = app.getHttpServer();
  server.headersTimeout = HEADER_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return app;
}
