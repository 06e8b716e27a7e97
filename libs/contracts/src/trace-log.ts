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

const STARTED_AT_MS = performance.timeOrigin;

/**
 * The last steps that this process has done, in a ring of fixed size: recording makes no object and no I/O, and an event is
 * forgotten when `capacity` younger ones have come. Each process offers its ring at an internal address.
 */
export class TraceLog {
  // Columns, not objects: a ring of events that outlive their request is what the garbage collector copies all day.
  private readonly requestIds: string[] = [];
  private readonly flows: FlowName[] = [];
  private readonly details: string[] = [];
  private readonly steps: Uint8Array;
  private readonly timesUs: Float64Array;
  private next = 0;

  constructor(
    readonly process: string,
    private readonly capacity = 65_536,
  ) {
    this.steps = new Uint8Array(capacity);
    this.timesUs = new Float64Array(capacity);
  }

  /** Records nothing for a call that walks none of the three flows. */
  step(call: Pick<CallContext, 'requestId' | 'flow'>, step: number, detail = ''): void {
    if (call.flow === undefined) return;
    const at = this.next;
    this.requestIds[at] = call.requestId;
    this.flows[at] = call.flow;
    this.details[at] = detail;
    this.steps[at] = step;
    this.timesUs[at] = Math.round((STARTED_AT_MS + performance.now()) * 1000);
    this.next = at + 1 === this.capacity ? 0 : at + 1;
  }

  /** In the order in which they were done. */
  find(requestId: string): TraceEvent[] {
    const found: TraceEvent[] = [];
    const count = this.requestIds.length;
    const oldest = count < this.capacity ? 0 : this.next;
    for (let offset = 0; offset < count; offset++) {
      const at = (oldest + offset) % count;
      if (this.requestIds[at] === requestId) found.push(this.event(at));
    }
    return found.sort((a, b) => a.atUs - b.atUs);
  }

  private event(at: number): TraceEvent {
    return {
      requestId: this.requestIds[at],
      flow: this.flows[at],
      step: this.steps[at],
      process: this.process,
      atUs: this.timesUs[at],
      detail: this.details[at],
    };
  }
}
