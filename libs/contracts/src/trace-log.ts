import type { CallContext } from './call-context.js';
import type { FlowName } from './seed-flows.js';

/** One step of one request, emitted by the process that did it. */
export interface TraceEvent {
  readonly requestId: string;
  readonly flow: FlowName;
  readonly step: number;
  /** Name of the emitting process: `api-1`, `data-node-4`, `standalone`. */
  readonly process: string;
  /** Microseconds since the Unix epoch; equal clocks are assumed only on one machine. */
  readonly atUs: number;
  /** What was worked on: a node, a device, an outcome. Never a secret. */
  readonly detail: string;
}

/**
 * The last steps that this process has done, in a ring of fixed size: recording costs one small object and no I/O, and an
 * event is forgotten when `capacity` younger ones have come. Each process offers its ring at an internal address.
 */
export class TraceLog {
  private readonly ring: TraceEvent[] = [];
  private next = 0;
  constructor(
    readonly process: string,
    private readonly capacity = 65_536,
  ) {}

  /** Records nothing for a call that walks none of the three flows. */
  step(call: CallContext, step: number, detail = ''): void {
    if (call.flow === undefined) return;
    const atUs = Math.round((performance.timeOrigin + performance.now()) * 1000);
    this.ring[this.next] = { requestId: call.requestId, flow: call.flow, step, process: this.process, atUs, detail };
    this.next = (this.next + 1) % this.capacity;
  }

  find(requestId: string): TraceEvent[] {
    return this.ring.filter((event) => event.requestId === requestId).sort((a, b) => a.atUs - b.atUs);
  }
}
