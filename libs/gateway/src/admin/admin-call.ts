import { Deadline } from '@holdfast/stdx';
import { newRequestId, type CallContext } from '@holdfast/contracts';

const TIMEOUT_MS = 10_000;

/** The context of one administrative request: none of the three flows. */
export function adminCall(): CallContext {
  return { requestId: newRequestId(), deadline: Deadline.in(TIMEOUT_MS) };
}
