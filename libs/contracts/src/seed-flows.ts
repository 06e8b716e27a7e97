/**
 * The three flows of seed 3, step by step: what each step is, which component does it, and in which process its event is
 * emitted. `npm run trace -- REQUEST_ID` prints a request's events held against this table.
 */
export type FlowName = 'bucket-creation' | 'object-creation' | 'object-download';

/** Components that emit steps. In standalone they share a process. */
export type Component = 'load-balancer' | 'api' | 'iam' | 'metadata' | 'data' | 'data-node';

export interface FlowStep {
  readonly step: number;
  /** The component that emits the event of this step. */
  readonly component: Component;
  readonly from: string;
  readonly to: string;
  readonly what: string;
}

const step = (number: number, component: Component, from: string, to: string, what: string): FlowStep => ({
  step: number,
  component,
  from,
  to,
  what,
});

const USER = 'User';
const LB = 'Load Balancer';
const API = 'API Service';
const IAM = 'IAM';
const METADATA = 'Metadata Service';
const DB = 'Metadata DB';
const DATA = 'Data Service';
const PRIMARY = 'Primary Storage Node';
const SECONDARY = 'Secondary Storage Node';

export const SEED_FLOWS: Readonly<Record<FlowName, readonly FlowStep[]>> = {
  'bucket-creation': [
    step(1, 'load-balancer', USER, LB, 'PUT /bucket-name'),
    step(2, 'load-balancer', LB, API, 'forward (round robin)'),
    step(3, 'api', API, IAM, 'authorize the user'),
    step(4, 'iam', IAM, API, 'authorization response'),
    step(5, 'api', API, METADATA, 'create bucket metadata'),
    step(6, 'metadata', METADATA, DB, 'store bucket metadata'),
    step(7, 'metadata', DB, METADATA, 'confirm metadata storage'),
    step(8, 'metadata', METADATA, API, 'confirm metadata creation'),
    step(9, 'api', API, LB, 'bucket creation response'),
    step(10, 'load-balancer', LB, USER, 'bucket was created'),
  ],
  'object-creation': [
    step(1, 'load-balancer', USER, LB, 'PUT /bucket-name/object'),
    step(2, 'load-balancer', LB, API, 'forward (round robin)'),
    step(3, 'api', API, IAM, 'authorize the user'),
    step(4, 'iam', IAM, API, 'authorization response'),
    step(5, 'api', API, DATA, 'create the object'),
    step(6, 'data', DATA, PRIMARY, 'create the object on the primary'),
    step(7, 'data', DATA, API, 'object created'),
    step(8, 'api', API, METADATA, 'create object metadata'),
    step(9, 'metadata', METADATA, DB, 'store object metadata'),
    step(10, 'data', PRIMARY, SECONDARY, 'replicate the object'),
    step(11, 'metadata', DB, METADATA, 'confirm metadata storage'),
    step(12, 'metadata', METADATA, API, 'confirm metadata creation'),
    step(13, 'api', API, LB, 'object creation response'),
    step(14, 'load-balancer', LB, USER, 'object was created'),
  ],
  'object-download': [
    step(1, 'load-balancer', USER, LB, 'GET /bucket-name/object'),
    step(2, 'load-balancer', LB, API, 'forward (round robin)'),
    step(3, 'api', API, IAM, 'authorize the user'),
    step(4, 'iam', IAM, API, 'authorization response'),
    step(5, 'api', API, METADATA, 'get the chunk ids of the object'),
    step(6, 'metadata', METADATA, API, 'chunk ids'),
    step(7, 'api', API, DATA, 'retrieve the chunks'),
    step(8, 'data', DATA, PRIMARY, 'retrieve chunks from the primary'),
    step(9, 'data-node', PRIMARY, DATA, 'chunks'),
    step(10, 'data', DATA, SECONDARY, 'retrieve chunks from the secondary'),
    step(11, 'data-node', SECONDARY, DATA, 'chunks'),
    step(12, 'data', DATA, DATA, 'aggregate the chunks'),
    step(13, 'data', DATA, API, 'the complete object'),
    step(14, 'api', API, LB, 'object response'),
    step(15, 'load-balancer', LB, USER, 'object response'),
  ],
};

/** Which flow a request walks, from its method and raw target alone; undefined for all other operations. */
export function flowOfRequest(method: string, target: string): FlowName | undefined {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  if (path.startsWith('/_holdfast/') || path.startsWith('/minio/')) return undefined;
  const keyAt = path.indexOf('/', 1);
  const hasKey = keyAt > 0 && keyAt < path.length - 1;
  if (method === 'GET' && hasKey) return 'object-download';
  if (method === 'PUT' && hasKey) return 'object-creation';
  const isBucket = path.length > 1 && !hasKey && queryAt < 0;
  if (method === 'PUT' && isBucket) return 'bucket-creation';
  // A form upload.
  if (method === 'POST' && isBucket) return 'object-creation';
  return undefined;
}
