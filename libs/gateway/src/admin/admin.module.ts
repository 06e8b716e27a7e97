import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { AdminGuard } from './authentication/admin-guard.js';
import { BODY_BYTES_MAX, readJsonBody } from './json-body.js';
import { refuseMalformedRequest } from './malformed-request.js';
import { refuseUnknownRoutes } from './known-routes.js';
import { SERVED_ROUTES } from './open-api.js';
import { ProblemFilter } from './problem-filter.js';
import { controllerOf } from './routes-controller.js';
import { refuseAnnouncedBytes, refuseSecondReadings } from './strict-request.js';

const HEADER_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/** Everything of the admin port as REST: see `SERVED_ROUTES`. */
@Module({})
export class AdminModule {
  static forRoot(ports: AdminPorts): DynamicModule {
    return {
      module: AdminModule,
      controllers: [controllerOf(SERVED_ROUTES)],
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
    logger: false,
    abortOnError: false,
    forceCloseConnections: true,
  });
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(refuseSecondReadings);
  app.use(refuseUnknownRoutes(SERVED_ROUTES));
  app.use(refuseAnnouncedBytes(BODY_BYTES_MAX));
  // Compressed bodies are refused: what is small on the wire may be large in memory.
  app.useBodyParser('raw', { limit: BODY_BYTES_MAX, inflate: false, type: () => true });
  app.use(readJsonBody);
  const server = app.getHttpServer();
  server.on('clientError', refuseMalformedRequest);
  // With a maximum Node drops the headers beyond it in silence; they are counted instead.
  server.maxHeadersCount = 0;
  server.headersTimeout = HEADER_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return app;
}
