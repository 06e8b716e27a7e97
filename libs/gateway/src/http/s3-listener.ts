import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  LIMITS,
  newRequestId,
  type Identity,
  type IdentityAdministration,
  type Metadata,
  type ObjectData,
  type TraceLog,
} from '@holdfast/contracts';
import { bucketOfHost, encodeError, readStrictHead, type StrictHead } from '@holdfast/s3-protocol';
import {
  ByteBudget,
  connectionName,
  log,
  StrictHttpServer,
  TrustedProxies,
  type EdgeCall,
} from '@holdfast/service-host';
import { HTTP_LIMITS, type EdgeAuthenticator, type GatewayOptions, type HttpLimits } from '../gateway-options.js';
import { Authenticator } from '../pipeline/authentication/authenticator.js';
import { BucketAccess } from '../pipeline/bucket-access.js';
import { BucketCors } from '../pipeline/bucket-cors.js';
import { DecisionLog } from '../pipeline/decision-log.js';
import { pathOf, Pipeline } from '../pipeline/pipeline.js';
import { RequestMetrics } from '../pipeline/request-metrics.js';
import { COPY_MEMORY_BYTES } from '../streams/copied-body.js';
import { healthReply } from './health-endpoints.js';
import { ReplyWriter, type Channel } from './reply-writer.js';
import { RequestBody } from './request-body.js';

/** The services that an S3 request needs, what requests of IAM's own protocol need, and the log of their steps. */
export interface GatewayPorts {
  readonly identity: Identity;
  /** Without it there is no IAM protocol at this endpoint. */
  readonly administration?: IdentityAdministration;
  readonly metadata: Metadata;
  readonly data: ObjectData;
  readonly trace: TraceLog;
  readonly clock?: Clock;
}

const DRAIN_MS = 10_000;
const DRAIN_POLL_MS = 20;
const CLOSE_MAX_MS = 5000;
/** What a load balancer adds to the head of a request. */
const HOP_HEADERS_BYTES_MAX = 1024;
const NO_PROXIES = new TrustedProxies([]);

/** Owns the HTTP server of the S3 port. Everything that is no health check is an S3 request. */
@Injectable()
export class S3Listener implements OnApplicationShutdown {
  readonly metrics = new RequestMetrics();
  readonly decisions = new DecisionLog();
  private readonly http: StrictHttpServer;
  private readonly trustedProxies: TrustedProxies;
  private readonly limits: HttpLimits;
  private readonly hostId = randomBytes(24).toString('base64');
  private readonly writer: ReplyWriter;
  private readonly pipeline: Pipeline;
  private readonly edge: EdgeAuthenticator | undefined;
  private readonly isReady: () => Promise<boolean>;
  private readonly domains: readonly string[];
  private readonly drainMs: number;
  private draining = false;
  private drained: Promise<void> | undefined;

  constructor(ports: GatewayPorts, options: GatewayOptions = {}) {
    this.limits = { ...HTTP_LIMITS, ...options.limits };
    this.edge = options.edge;
    this.drainMs = options.drainMs ?? DRAIN_MS;
    this.isReady = options.isReady ?? (async () => true);
    this.writer = new ReplyWriter(this.hostId, this.limits);
    const clock = ports.clock ?? systemClock;
    const region = options.region ?? 'us-east-1';
    const buckets = new BucketAccess(ports.metadata, ports.identity, clock);
    const copyMemory = new ByteBudget(COPY_MEMORY_BYTES);
    const cors = new BucketCors(ports.metadata, clock);
    const services = { ...ports, clock, region, limits: this.limits, buckets, cors, copyMemory };
    const authenticator = new Authenticator(region, clock, options.signatureV2);
    this.pipeline = new Pipeline(services, authenticator, this.writer, this.metrics, this.decisions, this.hostId);
    this.domains = options.domains ?? [];
    this.trustedProxies = options.trustedProxies ?? NO_PROXIES;
    this.http = new StrictHttpServer({
      limits: { ...this.limits, trustedProxies: this.trustedProxies },
      headerBytesMax: LIMITS.headerBytesMax + (this.edge === undefined ? 0 : HOP_HEADERS_BYTES_MAX),
      onRequest: (raw, out, framing) => void this.onRequest(raw, out, framing),
      encodeRefusal: (error, requestId) => {
        const { status, body } = encodeError(error, { resource: '', requestId, hostId: this.hostId });
        return { status, contentType: 'application/xml', body };
      },
      isWhole: (out) => this.writer.isWhole(out),
    });
  }

  /** Resolves with the port that was taken. Rejects when it is in use. */
  listen(port: number, host = '127.0.0.1'): Promise<number> {
    return this.http.listen(port, host);
  }

  /** Listening, and not draining. */
  get takesRequests(): boolean {
    return this.http.server.listening && !this.draining;
  }

  /**
   * From now on not ready, so that nothing new is sent here. When the requests under way are answered, or after `drainMs` of the
   * options, no more connections are taken and those without a request are closed. A second call waits for the first.
   */
  drain(): Promise<void> {
    this.drained ??= this.finishRequests();
    return this.drained;
  }

  private async finishRequests(): Promise<void> {
    this.draining = true;
    this.writer.drain();
    const untilMs = performance.now() + this.drainMs;
    while (this.metrics.inflightCount > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    if (this.http.server.listening) this.http.server.close();
    this.http.server.closeIdleConnections();
  }

  /** Takes no more connections and closes those that are open. */
  async close(): Promise<void> {
    this.draining = true;
    if (this.http.server.listening) this.http.server.close();
    this.http.server.closeAllConnections();
    // `close` calls back only once, and a drain may have called it before.
    const untilMs = performance.now() + CLOSE_MAX_MS;
    while ((await this.connectionCount()) > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  private connectionCount(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.http.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drain();
    await this.close();
  }

  private async onRequest(raw: IncomingMessage, out: ServerResponse, framing?: AbortSignal): Promise<void> {
    let head: StrictHead;
    let passedOn: EdgeCall | undefined;
    let hostBucket: string | undefined;
    try {
      head = readStrictHead(raw);
      hostBucket = bucketOfHost(head.headers.get('host'), this.domains);
      passedOn = head.claimsInternal ? this.ofLoadBalancer(raw) : undefined;
    } catch (error) {
      await this.pipeline.refuse({ raw, out, requestId: newRequestId(), closing: true }, error);
      return;
    }
    const requestId = passedOn?.requestId ?? newRequestId();
    const sourceIp =
      passedOn?.clientAddress ??
      this.trustedProxies.clientAddress(raw.socket.remoteAddress, head.headers.joined('x-forwarded-for'));
    const announced = head.headers.get('content-length');
    const announcedBytes = announced === undefined ? undefined : Number(announced);
    const body = new RequestBody(raw, out, this.limits, head.awaitsContinue, announcedBytes, framing);
    const channel: Channel = { raw, out, requestId, hostBucket, body, closing: false };
    // Below the host of a bucket every path is a key.
    const isReady = async (): Promise<boolean> => !this.draining && (await this.isReady());
    const health = hostBucket === undefined ? healthReply(raw.method ?? '', raw.url ?? '', isReady) : undefined;
    if (health !== undefined) await this.writer.write(channel, await health);
    else if (head.expectationRefused) await this.refuseExpectation(channel);
    else {
      const isEdge = passedOn === undefined;
      const connection = passedOn?.connection ?? connectionName(raw.socket);
      await this.pipeline.handle({ ...channel, body, headers: head.headers, sourceIp, connection, isEdge });
    }
  }

  /**
   * What the load balancer says of a request. A listener without one in front is the edge: internal headers mean nothing there.
   * Behind one they only come from it, and whoever pretends to be it is refused.
   * @throws HoldfastError AccessDenied
   */
  private ofLoadBalancer(raw: IncomingMessage): EdgeCall | undefined {
    if (this.edge === undefined) return undefined;
    try {
      return this.edge.acceptEdge(raw.method ?? '', raw.url ?? '', raw.headers);
    } catch (error) {
      log.warn('headers of the cluster without its code were refused', { error, from: raw.socket.remoteAddress });
      throw new HoldfastError('AccessDenied');
    }
  }

  private async refuseExpectation(channel: Channel): Promise<void> {
    const { requestId, raw } = channel;
    const { body } = encodeError(new HoldfastError('InvalidRequest', 'The expectation cannot be met.'), {
      resource: pathOf(raw.url ?? ''),
      requestId,
    });
    const headers = ['Content-Type', 'application/xml'];
    await this.writer.write({ ...channel, closing: true }, { status: 417, headers, body });
  }
}
