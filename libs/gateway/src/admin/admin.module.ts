import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { ADMIN_ROUTES } from './admin-routes.js';
import { AdminGuard } from './authentication/admin-guard.js';
import { refuseUnknownMethods } from './known-methods.js';
import { openApiDocument } from './open-api.js';
import { ProblemFilter } from './problem-filter.js';
import { controllerOf } from './routes-controller.js';

const BODY_BYTES_MAX = 128 * 1024;
const HEADER_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const DESCRIPTION_PATH = '/openapi.json';

/** Everything of the admin port as REST: see `ADMIN_ROUTES`. */
@Module({})
export class AdminModule {
  static forRoot(ports: AdminPorts): DynamicModule {
    return {
      module: AdminModule,
      controllers: [controllerOf(ADMIN_ROUTES)],
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
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(refuseUnknownMethods([...ADMIN_ROUTES, { path: DESCRIPTION_PATH, method: 'GET' }]));
  // Compressed bodies are refused: what is small on the wire may be large in memory.
  app.useBodyParser('json', { limit: BODY_BYTES_MAX, inflate: false });
  const description = JSON.stringify(openApiDocument());
  app.use(DESCRIPTION_PATH, (_request: Request, response: Response) => {
    response.type('application/json').send(description);
  });
  const server = app.getHttpServer();
  server.headersTimeout = HEADER_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return app;
}
