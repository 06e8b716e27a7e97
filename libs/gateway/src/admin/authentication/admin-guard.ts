import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { HoldfastError, type Caller } from '@holdfast/contracts';
import { ROUTE_ACCESS, type RouteAccess } from '../access.js';
import { adminCall } from '../admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from '../admin-ports.js';
import { bearerAuthentication } from './bearer-strategy.js';

/** What the identity port takes. */
const RESOURCE_CHARACTERS_MAX = 4096;

/** Before every route of the admin port: who is it, and may they. Denies where a route does not say what it asks for. */
@Injectable()
export class AdminGuard implements CanActivate {
  private readonly authenticate: (request: Request) => Promise<Caller>;

  constructor(
    @Inject(ADMIN_PORTS) private readonly ports: AdminPorts,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {
    this.authenticate = bearerAuthentication(ports.identity);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.get<RouteAccess | 'public' | undefined>(ROUTE_ACCESS, context.getHandler());
    if (access === 'public') return true;
    const request = context.switchToHttp().getRequest<Request>();
    const caller = await this.authenticate(request);
    if (access === undefined || caller.kind === 'anonymous') throw new HoldfastError('AccessDenied');
    if (access.rootOnly && caller.kind !== 'root') throw new HoldfastError('AccessDenied');
    const check = { action: access.action, resource: access.resource(request.params as Record<string, string>) };
    // No account and no user has so long a name: the path is refused before anybody judges it.
    if (check.resource.length > RESOURCE_CHARACTERS_MAX) throw new HoldfastError('InvalidArgument');
    const { decisions } = await this.ports.identity.decide(adminCall(), { caller, checks: [check] });
    if (decisions[0] !== 'allow') throw new HoldfastError('AccessDenied');
    return true;
  }
}
