import { InvariantViolation } from '@holdfast/stdx';
import { isHoldfastError, type CallContext, type FlowName } from '@holdfast/contracts';
import {
  crossOriginHeaders,
  encodeError,
  validateBucketName,
  type HeaderList,
  type S3Operation,
} from '@holdfast/s3-protocol';
import { log } from '@holdfast/service-host';
import type { RequestBody } from '../http/request-body.js';
import { IamQuery } from '../iam-query/iam-query.js';
import type { Channel, ReplyWriter } from '../http/reply-writer.js';
import { operationOf } from '../operations/operation-registry.js';
import type { AccessJudgement } from './access-judgement.js';
import { refusalOfClaim, type Authenticator } from './authentication/authenticator.js';
import { allowIdentity, allowResource, NOBODY } from './authorizer.js';
import { conditionKeys } from './condition-keys.js';
import type { DecisionLog } from './decision-log.js';
import { callOf, Exchange, type GatewayServices, type Grant } from './exchange.js';
import { openForm, type Claimed } from './form-claim.js';
import { RefusalWithHeaders, type Reply, type ReplyHeaders } from './reply.js';
import type { RequestMetrics } from './request-metrics.js';
import { parseRequest, resolveRow, type S3Request } from './request.js';

/** A request whose headers have one meaning, with its connection. */
export interface Arrival extends Channel {
  readonly headers: HeaderList;
  readonly body: RequestBody;
  /** The client's address, as far as it is known: what `aws:SourceIp` means. */
  readonly sourceIp: string;
  /** The client's connection by a name that no other has; empty where it is not known. */
  readonly connection: string;
  /** Straight from a client: this process is the edge and stands for the load balancer in the trace. */
  readonly isEdge: boolean;
}

const FLOWS: Readonly<Record<string, FlowName>> = {
  CreateBucket: 'bucket-creation',
  PutObject: 'object-creation',
  PostObject: 'object-creation',
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
  /** Its CORS rules belong to every answer, an error too. */
  bucketName?: string;
  /** While who asks is looked at, and IAM is asked about a known caller: should it be refused, metadata is not called for anything. */
  isJudged: boolean;
  access?: AccessJudgement;
}

export class Pipeline {
  private readonly iamQuery: IamQuery | undefined;

  constructor(
    private readonly services: GatewayServices,
    private readonly authenticator: Authenticator,
    private readonly writer: ReplyWriter,
    readonly metrics: RequestMetrics,
    private readonly decisions: DecisionLog,
    private readonly hostId: string,
  ) {
    const { identity, administration, limits, clock } = services;
    const callOfIam = (requestId: string): CallContext => callOf(requestId, undefined, limits.controlTimeoutMs, clock);
    if (administration === undefined) return;
    this.iamQuery = new IamQuery({ identity, administration, authenticator, callOf: callOfIam });
  }

  /** Answers one request, whatever happens. Never rejects. */
  async handle(arrival: Arrival): Promise<void> {
    const beganMs = performance.now();
    const progress: Progress = { operation: 'Unresolved', isJudged: false };
    this.metrics.begin();
    let sentBytes = 0;
    const beforeEnd = (status: number): void => this.traceAnswer(progress.call, status);
    try {
      const reply = await this.answer(arrival, progress);
      const whole = arrival.headers.has('origin') ? await this.shared(reply, arrival, progress) : reply;
      sentBytes = await this.writer.write(arrival, whole, beforeEnd);
    } catch (error) {
      sentBytes = await this.refuse(arrival, error, beforeEnd, await this.crossOriginHeaders(arrival, progress));
    }
    if (progress.access !== undefined) this.decisions.record(arrival.requestId, progress.access);
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
    const parsed = parseRequest(arrival, this.services.clock.nowMs());
    if (this.iamQuery?.isFor(parsed)) {
      progress.operation = 'IamQuery';
      return this.iamQuery.answer(parsed, arrival.body);
    }
    const row = resolveRow(parsed);
    progress.operation = row.name;
    if (parsed.target.bucket !== undefined) validateBucketName(parsed.target.bucket);
    progress.bucketName = parsed.target.bucket;
    const operation = operationOf(row);

    const { services } = this;
    const call = callOf(arrival.requestId, FLOWS[row.name], services.limits.controlTimeoutMs, services.clock);
    progress.call = call;
    this.traceArrival(arrival, call, row);
    if (row.action === 'none') return operation.run(new Exchange(services, parsed, call.flow, NOBODY, arrival.body));
    progress.isJudged = true;
    // Nothing is waited for that is there: on the way of a small request the waits were a tenth of its time.
    const claiming = this.claimOf(arrival, parsed, row);
    const { claim, request, body } = claiming instanceof Promise ? await claiming : claiming;
    progress.isJudged = claim.proof.kind !== 'anonymous';
    const question = operation.access(request, row);
    const context = conditionKeys(request, row, claim);
    let grant: Grant;
    try {
      grant = await allowIdentity(services.identity, services.trace, call, claim, question, context);
    } catch (error) {
      throw refusalOfClaim(claim, error);
    }
    progress.access = grant.access;
    progress.isJudged = grant.access.isDenied;
    const exchange = new Exchange(services, request, call.flow, grant, body);
    const admission = allowResource(exchange, row);
    if (admission !== undefined) await admission;
    return await operation.run(exchange);
  }

  /** Who the request says it is from, and what its operation obeys: what was signed, wherever it stood. */
  private claimOf(arrival: Arrival, parsed: S3Request, row: S3Operation): Claimed | Promise<Claimed> {
    const claim = this.authenticator.claim(parsed);
    if (row.body === 'form') return openForm(this.authenticator, claim, parsed, arrival.body);
    const request = claim.headers === parsed.headers ? parsed : { ...parsed, headers: claim.headers };
    return { claim, request, body: arrival.body };
  }

  private async shared(reply: Reply, arrival: Arrival, progress: Progress): Promise<Reply> {
    return { ...reply, headers: [...reply.headers, ...(await this.crossOriginHeaders(arrival, progress))] };
  }

  /** What tells a browser that the page of another origin may see the answer. Never rejects: it only adds to an answer. */
  private async crossOriginHeaders({ headers, raw, requestId }: Arrival, progress: Progress): Promise<ReplyHeaders> {
    const { bucketName } = progress;
    if (bucketName === undefined || !headers.has('origin') || raw.method === 'OPTIONS') return [];
    const { cors, limits, clock } = this.services;
    try {
      const rules = progress.isJudged
        ? cors.rememberedRulesOf(bucketName)
        : await cors.rulesOf(callOf(requestId, undefined, limits.controlTimeoutMs, clock), bucketName);
      return rules === undefined ? [] : crossOriginHeaders(rules, headers, raw.method ?? '');
    } catch (error) {
      if (!isHoldfastError(error, 'NoSuchBucket'))
        log.warn('the CORS rules of a bucket are not known', { requestId, error });
      return [];
    }
  }

  /** Errors are answers too. One that comes after the headers has no answer left: the connection was destroyed. */
  async refuse(
    channel: Channel,
    error: unknown,
    beforeEnd?: (status: number) => void,
    shared: ReplyHeaders = [],
  ): Promise<number> {
    const known = error instanceof RefusalWithHeaders ? error.refusal : error;
    const { status, body, code } = encodeError(known, {
      resource: resourceOf(channel),
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
    const headers = [...own, ...shared, ...challenge, 'Content-Type', 'application/xml'];
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

/** As an error names it: the bucket in front, in whichever way the request named it. */
function resourceOf({ raw, hostBucket }: Channel): string {
  const path = pathOf(raw.url ?? '');
  return hostBucket === undefined ? path : `/${hostBucket}${path}`;
}

/** Without the query: a presigned one is as good as a password. */
export function pathOf(url: string): string {
  const question = url.indexOf('?');
  return question < 0 ? url : url.slice(0, question);
}
