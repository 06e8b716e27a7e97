import type { Request } from 'express';
import { HoldfastError, type ConditionKeys } from '@holdfast/contracts';
import { log, TrustedProxies } from '@holdfast/service-host';
import type { AdminPorts } from './admin-ports.js';

/** Headers of the cluster's own: only from the load balancer do they mean anything. */
const INTERNAL = 'x-holdfast-';

/** What policies with conditions may ask about an administrative request. */
export class RequestConditions {
  private readonly trustedProxies: TrustedProxies;

  constructor(private readonly ports: Pick<AdminPorts, 'edge' | 'trustedProxies'>) {
    this.trustedProxies = ports.trustedProxies ?? new TrustedProxies([]);
  }

  /** Asked once a request: the load balancer's code is good for one. Errors: AccessDenied. */
  of(request: Request): ConditionKeys {
    const now = new Date();
    const userAgent = request.headers['user-agent'];
    return {
      'aws:sourceip': [this.clientAddress(request)],
      'aws:securetransport': ['false'],
      'aws:currenttime': [now.toISOString()],
      'aws:epochtime': [String(Math.floor(now.getTime() / 1000))],
      ...(userAgent === undefined ? {} : { 'aws:useragent': [userAgent.slice(0, 1024)] }),
    };
  }

  private clientAddress(request: Request): string {
    const { edge } = this.ports;
    const claimsInternal = Object.keys(request.headers).some((name) => name.startsWith(INTERNAL));
    if (edge === undefined || !claimsInternal) {
      const forwardedFor = request.headers['x-forwarded-for'];
      const joined = Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor;
      return this.trustedProxies.clientAddress(request.socket.remoteAddress, joined);
    }
    try {
      return edge.acceptEdge(request.method, request.originalUrl, request.headers).clientAddress;
    } catch (error) {
      log.warn('headers of the cluster without its code were refused', { error, from: request.socket.remoteAddress });
      throw new HoldfastError('AccessDenied');
    }
  }
}
