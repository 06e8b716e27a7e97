import { Deadline } from '@holdfast/stdx';
import { newRequestId } from './ids.js';
import type { FlowName } from './seed-flows.js';

/** What every call between components carries: who asked (for the trace), and until when the answer is of use. */
export interface CallContext {
  /** As shown in `x-amz-request-id`. */
  readonly requestId: string;
  readonly deadline: Deadline;
  /** The seed's flow that this request walks, where it is one of the three. */
  readonly flow?: FlowName;
}

/** A read of a unit that says which copy of its chunk it is for: the node's trace tells them apart. Primary unless said. */
export interface UnitReadCall extends CallContext {
  readonly copy?: 'primary' | 'secondary';
}

/** A call that no client stands behind: a worker, a start. */
export function backgroundCall(timeoutMs: number): CallContext {
  return { requestId: newRequestId(), deadline: Deadline.in(timeoutMs) };
}
