import type { Identity, Metadata, TraceLog } from '@holdfast/contracts';
import type { RequestMetrics } from '../pipeline/request-metrics.js';

/** What the admin port is made from. */
export interface AdminPorts {
  readonly identity: Identity;
  readonly metadata: Metadata;
  /** Of this process. */
  readonly trace: TraceLog;
  /** Of the S3 listener of this process. */
  readonly metrics: RequestMetrics;
  /** As for the S3 listener. */
  readonly isReady?: () => Promise<boolean>;
}

/** Injects `AdminPorts`. */
export const ADMIN_PORTS = Symbol('admin ports');
