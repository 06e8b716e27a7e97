import {
  Controller,
  HttpCode,
  Inject,
  Req,
  RequestMapping,
  RequestMethod,
  Res,
  SetMetadata,
  type Type,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { HoldfastError, type Caller } from '@holdfast/contracts';
import { ROUTE_ACCESS } from './access.js';
import { adminCall } from './admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import type { AdminRoute } from './route.js';
import { parseInput } from './parse-input.js';

/** What the steps before a route leave on a request. */
export interface GuardedRequest extends Request {
  /** Who sends it. */
  holdfastCaller?: Caller;
  /** Its body as it came. */
  holdfastBodyText?: string;
}

const NOTHING = z.strictObject({});

/** One Nest controller with one handler per route, made from the same data as the OpenAPI document. */
export function controllerOf(routes: readonly AdminRoute[]): Type<unknown> {
  class AdminController {
    constructor(readonly ports: AdminPorts) {}
  }
  Inject(ADMIN_PORTS)(AdminController, undefined, 0);
  Reflect.defineMetadata('design:paramtypes', [Object], AdminController);
  Controller()(AdminController);
  for (const route of routes) {
    const handler = function (this: AdminController, request: GuardedRequest, response: Response): Promise<unknown> {
      return answer(route, this.ports, request, response);
    };
    const { prototype } = AdminController;
    Object.defineProperty(prototype, route.id, { value: handler, writable: true, configurable: true });
    const descriptor = Object.getOwnPropertyDescriptor(prototype, route.id) as TypedPropertyDescriptor<unknown>;
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    RequestMapping({ path, method: RequestMethod[route.method] })(prototype, route.id, descriptor);
    HttpCode(route.status)(prototype, route.id, descriptor);
    SetMetadata(ROUTE_ACCESS, route.access)(prototype, route.id, descriptor);
    Req()(prototype, route.id, 0);
    Res({ passthrough: true })(prototype, route.id, 1);
  }
  return AdminController as unknown as Type<unknown>;
}

async function answer(
  route: AdminRoute,
  ports: AdminPorts,
  request: GuardedRequest,
  response: Response,
): Promise<unknown> {
  const path = parseInput(route.params ?? NOTHING, request.params, 'path');
  const query = parseInput(route.query ?? NOTHING, { ...request.query }, 'query');
  const body = bodyOf(route, request);
  const answered = await route.handle({
    ports,
    call: adminCall(),
    path,
    query,
    body,
    rawBody: request.holdfastBodyText ?? '',
    caller: request.holdfastCaller,
  });
  if (route.noStore) response.setHeader('Cache-Control', 'no-store');
  if (route.text !== undefined) response.setHeader('Content-Type', route.text);
  // What no schema shows is in no answer, whatever a port says of an entity.
  return route.answer?.parse(answered);
}

/** Errors: InvalidArgument for a body that does not fit, or that the route has no use for. */
function bodyOf(route: AdminRoute, request: GuardedRequest): unknown {
  const { body } = request as { body: unknown };
  if (route.body !== undefined) {
    if (body === undefined) throw new HoldfastError('InvalidArgument', 'The request needs a body.');
    return parseInput(route.body, body, 'body');
  }
  // Clients send an empty object where they have nothing to say.
  if (body !== undefined) parseInput(NOTHING, body, 'body');
  return undefined;
}
