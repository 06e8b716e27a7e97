import type { Identity, IdentityAdministration, Metadata, TraceLog } from '@holdfast/contracts';
import type { DecisionLog } from '../pipeline/decision-log.js';
import type { TrustedProxies } from '@holdfast/service-host';
import type { EdgeAuthenticator } from '../gateway-options.js';
import type { RequestMetrics } from '../pipeline/request-metrics.js';

/** What the admin port is made from. */
export interface AdminPorts {
  readonly identity: Identity;
  readonly administration: IdentityAdministration;
  readonly metadata: Metadata;
  /** Of this process. */
  readonly trace: TraceLog;
  /** Of the S3 listener of this process. */
  readonly metrics: RequestMetrics;
  /** Of the S3 listener of this process. */
  readonly decisions: DecisionLog;
  /** Proves what the load balancer in front says of a request; absent where there is none. */
  readonly edge?: EdgeAuthenticator;
  /** As for the S3 listener. */
  readonly trustedProxies?: TrustedProxies;
  /** As for the S3 listener. */
  readonly isReady?: () => Promise<boolean>;
}

/** Injects `AdminPorts`. */
export const ADMIN_PORTS = Symbol('admin ports');
