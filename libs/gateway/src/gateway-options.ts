import type { IncomingHttpHeaders } from 'node:http';
import type { SignatureV2 } from '@holdfast/s3-protocol';
import type { ConnectionLimits, EdgeCall, TrustedProxies } from '@holdfast/service-host';

/** Recognises the load balancer of this cluster by the code in its headers (`InternalAuthenticator` of the service host). */
export interface EdgeAuthenticator {
  /** Errors: Unauthenticated. */
  acceptEdge(method: string, path: string, headers: IncomingHttpHeaders): EdgeCall;
}

/** What an application says about its S3 listener. Times in milliseconds. */
export interface GatewayOptions {
  /** The one region of this store: what signatures are scoped to. */
  readonly region?: string;
  /** Base domains, lower-case: below them a Host names a bucket. None unless given. */
  readonly domains?: readonly string[];
  /** Where Signature Version 2 is accepted: `presigned` unless given. */
  readonly signatureV2?: SignatureV2;
  /** Present where a load balancer stands in front. Without it, or without its code, a request came from a client. */
  readonly edge?: EdgeAuthenticator;
  /** Reverse proxies in front whose `X-Forwarded-For` is believed: nobody's unless given. */
  readonly trustedProxies?: TrustedProxies;
  /** True when requests may be sent here. Without it, ready means: listening and not draining. */
  readonly isReady?: () => Promise<boolean>;
  /** How long requests under way may take at a shutdown: 10 s unless given. */
  readonly drainMs?: number;
  readonly limits?: Partial<HttpLimits>;
}

/** Bounds on what one connection may cost, and how many there may be. */
export interface HttpLimits extends ConnectionLimits {
  /** A client that sends nothing for so long, while its body is being read, is given up. */
  readonly bodyIdleTimeoutMs: number;
  /** Waiting time that a body may cost before its rate is judged. */
  readonly bodyGraceMs: number;
  /** Bytes per second of waiting time. */
  readonly bodyBytesPerSecondMin: number;
  /** Of an unread body, read and thrown away so that the connection can be used again. */
  readonly drainBytesMax: number;
  /** Of a call to identity or metadata. */
  readonly controlTimeoutMs: number;
  /** Of the transfer of one body, whichever way. */
  readonly transferTimeoutMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  connectionsMax: 16_384,
  connectionsPerAddressMax: 4096,
  headerTimeoutMs: 10_000,
  // Longer than a load balancer keeps an idle connection, so that the balancer closes first.
  keepAliveTimeoutMs: 75_000,
  bodyIdleTimeoutMs: 30_000,
  bodyGraceMs: 15_000,
  bodyBytesPerSecondMin: 1024,
  writeIdleTimeoutMs: 60_000,
  drainBytesMax: 1024 * 1024,
  controlTimeoutMs: 10_000,
  transferTimeoutMs: 6 * 3_600_000,
};
