import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { HoldfastError, type Caller } from '@holdfast/contracts';
import { ROUTE_ACCESS, type RouteAccess } from '../access.js';
import type { GuardedRequest } from '../routes-controller.js';
import { adminCall } from '../admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from '../admin-ports.js';
import { RequestConditions } from '../request-conditions.js';
import { bearerAuthentication } from './bearer-strategy.js';

/** More than any entity is called. Resources and condition keys are made of names: longer ones the identity port would not take. */
const NAME_CHARACTERS_MAX = 256;

/** Before every route of the admin port: who is it, and may they. Denies where a route does not say what it asks for. */
@Injectable()
export class AdminGuard implements CanActivate {
  private readonly authenticate: (request: Request) => Promise<Caller>;
  private readonly conditions: RequestConditions;

  constructor(
    @Inject(ADMIN_PORTS) private readonly ports: AdminPorts,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {
    this.authenticate = bearerAuthentication(ports.identity);
    this.conditions = new RequestConditions(ports);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<RouteAccess | 'public' | undefined>(ROUTE_ACCESS, context.getHandler());
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<GuardedRequest>();
    const caller = await this.authenticate(request);
    if (access === undefined || caller.kind === 'anonymous') throw new HoldfastError('AccessDenied');
    if (access.rootOnly && caller.kind !== 'root') throw new HoldfastError('AccessDenied');
    const parameters = namesOf(request);
    // The request is refused before anybody judges it.
    if (Object.values(parameters).some((name) => name.length > NAME_CHARACTERS_MAX)) {
      throw new HoldfastError('InvalidArgument', 'A name is too long.');
    }
    const { action } = access;
    const keys = access.keys?.(parameters);
    const check = { action, resource: access.resource(parameters), ...(keys === undefined ? {} : { keys }) };
    const { decisions } = await this.ports.identity.decide(adminCall(), {
      caller,
      checks: [check],
      context: this.conditions.of(request),
    });
    if (decisions[0] !== 'allow') throw new HoldfastError('AccessDenied');
    request.holdfastCaller = caller;
    return true;
  }
}

/** A new entity has its name in the body: a policy that speaks of that name must be judged by it. */
const NAMES_IN_BODY = ['userName', 'groupName', 'policyName'];

function namesOf(request: Request): Record<string, string> {
  const { body } = request as { body: unknown };
  const named = typeof body === 'object' && body !== null ? Object.entries(body as Record<string, unknown>) : [];
  const names = named.filter(([name, value]) => NAMES_IN_BODY.includes(name) && typeof value === 'string');
  // What the path names is what the request is about.
  return { ...(Object.fromEntries(names) as Record<string, string>), ...(request.params as Record<string, string>) };
}
