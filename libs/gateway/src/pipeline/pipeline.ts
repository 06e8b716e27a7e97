import { InvariantViolation } from '@holdfast/stdx';
import type { CallContext, FlowName } from '@holdfast/contracts';
import { encodeError, validateBucketName, type HeaderList, type S3Operation } from '@holdfast/s3-protocol';
import { log } from '@holdfast/service-host';
import type { RequestBody } from '../http/request-body.js';
import type { Channel, ReplyWriter } from '../http/reply-writer.js';
import { operationOf } from '../operations/operation-registry.js';
import type { Authenticator } from './authentication/authenticator.js';
import { allowIdentity } from './authorizer.js';
import { callOf, Exchange, type GatewayServices } from './exchange.js';
import { RefusalWithHeaders, type Reply } from './reply.js';
import type { RequestMetrics } from './request-metrics.js';
import { parseRequest, resolveRow } from './request.js';

/** A request whose headers have one meaning, with its connection. */
export interface Arrival extends Channel {
  readonly headers: HeaderList;
  readonly body: RequestBody;
  /** Straight from a client: this process is the edge and stands for the load balancer in the trace. */
  readonly isEdge: boolean;
}

const FLOWS: Readonly<Record<string, FlowName>> = {
  CreateBucket: 'bucket-creation',
  PutObject: 'object-creation',
  GetObject: 'object-download',
};
/** The step in which the API service answers; the load balancer's answer is the next one. */
const ANSWER_STEPS: Readonly<Record<FlowName, number>> = {
  'bucket-creation': 9,
  'object-creation': 13,
  'object-download': 14,
};

/** What is known of a request while it is being answered; read when the answer is counted. */
interface Progress {
  operation: string;
  call?: CallContext;
}

export class Pipeline {
  constructor(
    private readonly services: GatewayServices,
    private readonly authenticator: Authenticator,
    private readonly writer: ReplyWriter,
    readonly metrics: RequestMetrics,
    private readonly hostId: string,
  ) {}

  /** Answers one request, whatever happens. Never rejects. */
  async handle(arrival: Arrival): Promise<void> {
    const beganMs = performance.now();
    const progress: Progress = { operation: 'Unresolved' };
    this.metrics.begin();
    let sentBytes = 0;
    const beforeEnd = (status: number): void => this.traceAnswer(progress.call, status);
    try {
      sentBytes = await this.writer.write(arrival, await this.answer(arrival, progress), beforeEnd);
    } catch (error) {
      sentBytes = await this.refuse(arrival, error, beforeEnd);
    }
    this.traceDeparture(arrival, progress.call);
    const { statusCode } = arrival.out;
    this.metrics.end(
      progress.operation,
      statusCode,
      arrival.body.receivedCount,
      sentBytes,
      performance.now() - beganMs,
    );
  }

  /** The whole path of a request, in the order in which it happens. */
  private async answer(arrival: Arrival, progress: Progress): Promise<Reply> {
    const parsed = parseRequest(arrival.raw, arrival.headers, arrival.requestId, this.services.clock.nowMs());
    const row = resolveRow(parsed);
    progress.operation = row.name;
    const operation = operationOf(row);
    if (parsed.target.bucket !== undefined) validateBucketName(parsed.target.bucket);

    const { services } = this;
    const call = callOf(arrival.requestId, FLOWS[row.name], services.limits.controlTimeoutMs, services.clock);
    progress.call = call;
    this.traceArrival(arrival, call, row);
    const claim = this.authenticator.claim(parsed);
    const grant = await allowIdentity(services.identity, services.trace, call, claim, operation.access(parsed, row));

    // From here on the operation obeys the headers that were signed, wherever they stood.
    const request = claim.headers === parsed.headers ? parsed : { ...parsed, headers: claim.headers };
    return operation.run(new Exchange(services, request, call.flow, grant, arrival.body));
  }

  /** Errors are answers too. One that comes after the headers has no answer left: the connection was destroyed. */
  async refuse(channel: Channel, error: unknown, beforeEnd?: (status: number) => void): Promise<number> {
    const known = error instanceof RefusalWithHeaders ? error.refusal : error;
    const { status, body, code } = encodeError(known, {
      resource: pathOf(channel.raw.url ?? ''),
      requestId: channel.requestId,
      hostId: this.hostId,
    });
    if (status >= 500 && status !== 501) log.error('a request failed', { requestId: channel.requestId, code, error });
    // A broken invariant is not survived: once the client knows, the process stops with the facts in its log.
    if (error instanceof InvariantViolation)
      setImmediate(() => {
        throw error;
      });
    if (channel.out.headersSent || channel.out.destroyed) {
      channel.raw.destroy();
      return 0;
    }
    const own = error instanceof RefusalWithHeaders ? error.headers : [];
    const challenge = status === 401 ? ['WWW-Authenticate', 'Bearer'] : [];
    const headers = [...own, ...challenge, 'Content-Type', 'application/xml'];
    try {
      return await this.writer.write(channel, { status, headers, body }, beforeEnd);
    } catch (late) {
      log.error('an error could not be answered', { requestId: channel.requestId, error: late });
      channel.raw.destroy();
      return 0;
    }
  }

  private traceArrival({ raw, isEdge }: Arrival, call: CallContext, row: S3Operation): void {
    if (!isEdge || call.flow === undefined) return;
    this.services.trace.step(call, 1, `${row.method} ${pathOf(raw.url ?? '')}`);
    this.services.trace.step(call, 2, 'this process is the edge');
  }

  /** Before the answer is whole, or a load balancer could be done with it first. */
  private traceAnswer(call: CallContext | undefined, status: number): void {
    if (call?.flow !== undefined) this.services.trace.step(call, ANSWER_STEPS[call.flow], String(status));
  }

  private traceDeparture({ out, isEdge }: Arrival, call: CallContext | undefined): void {
    if (call?.flow === undefined || !isEdge || !this.writer.isWhole(out)) return;
    this.services.trace.step(call, ANSWER_STEPS[call.flow] + 1, String(out.statusCode));
  }
}

/** Without the query: a presigned one is as good as a password. */
export function pathOf(url: string): string {
  const question = url.indexOf('?');
  return question < 0 ? url : url.slice(0, question);
}
