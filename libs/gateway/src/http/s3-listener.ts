import { randomBytes } from 'node:crypto';
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock, type Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  LIMITS,
  newRequestId,
  type Identity,
  type Metadata,
  type ObjectData,
  type TraceLog,
} from '@holdfast/contracts';
import { encodeError } from '@holdfast/s3-protocol';
import { log } from '@holdfast/service-host';
import { HTTP_LIMITS, type EdgeAuthenticator, type GatewayOptions, type HttpLimits } from '../gateway-options.js';
import { Authenticator } from '../pipeline/authentication/authenticator.js';
import { OwnedBuckets } from '../pipeline/owned-buckets.js';
import { pathOf, Pipeline } from '../pipeline/pipeline.js';
import { RequestMetrics } from '../pipeline/request-metrics.js';
import { healthReply } from './health-endpoints.js';
import { ReplyWriter, type Channel } from './reply-writer.js';
import { RequestBody } from './request-body.js';
import { readStrictHead, type StrictHead } from './strict-profile.js';

/** The three services that an S3 request needs, and the log of its steps. */
export interface GatewayPorts {
  readonly identity: Identity;
  readonly metadata: Metadata;
  readonly data: ObjectData;
  readonly trace: TraceLog;
  readonly clock?: Clock;
}

const DRAIN_MS = 10_000;
const DRAIN_POLL_MS = 20;
const CLOSE_MAX_MS = 5000;
const PIPELINED_MAX = 64;
const CLIENT_ERRORS: Readonly<Record<string, HoldfastError>> = {
  HPE_HEADER_OVERFLOW: new HoldfastError('RequestHeaderSectionTooLarge'),
  HPE_INVALID_EOF_STATE: new HoldfastError('IncompleteBody'),
  ERR_HTTP_REQUEST_TIMEOUT: new HoldfastError('RequestTimeout'),
};

/** Owns the HTTP server of the S3 port. Everything that is no health check is an S3 request. */
@Injectable()
export class S3Listener implements OnApplicationShutdown {
  readonly metrics = new RequestMetrics();
  private readonly server: Server;
  private readonly limits: HttpLimits;
  private readonly hostId = randomBytes(24).toString('base64');
  private readonly writer: ReplyWriter;
  private readonly pipeline: Pipeline;
  private readonly edge: EdgeAuthenticator | undefined;
  private readonly isReady: () => Promise<boolean>;
  /** The youngest answer of each connection. */
  private readonly answers = new WeakMap<Duplex, ServerResponse>();
  /** How many requests of a connection wait for the answer to an earlier one. */
  private readonly waiting = new WeakMap<Duplex, number>();
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
    const buckets = new OwnedBuckets(ports.metadata, clock);
    const services = { ...ports, clock, region, limits: this.limits, buckets };
    const authenticator = new Authenticator(region, clock, options.signatureV2);
    this.pipeline = new Pipeline(services, authenticator, this.writer, this.metrics, this.hostId);
    this.server = this.makeServer();
  }

  /** Resolves with the port that was taken. Rejects when it is in use. */
  listen(port: number, host = '127.0.0.1'): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  /** Listening, and not draining. */
  get takesRequests(): boolean {
    return this.server.listening && !this.draining;
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
    if (this.server.listening) this.server.close();
    this.server.closeIdleConnections();
  }

  /** Takes no more connections and closes those that are open. */
  async close(): Promise<void> {
    this.draining = true;
    if (this.server.listening) this.server.close();
    this.server.closeAllConnections();
    // `close` calls back only once, and a drain may have called it before.
    const untilMs = performance.now() + CLOSE_MAX_MS;
    while ((await this.connectionCount()) > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  private connectionCount(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.drain();
    await this.close();
  }

  private makeServer(): Server {
    const { headerTimeoutMs, keepAliveTimeoutMs } = this.limits;
    const server = createServer({
      maxHeaderSize: LIMITS.headerBytesMax,
      headersTimeout: headerTimeoutMs,
      // A long upload is no fault: its rate is watched instead.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(2000, headerTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
    });
    // With a maximum Node drops the headers beyond it in silence; they are counted instead.
    server.maxHeadersCount = 0;
    // A client may close its own side once it has asked: without this Node would drop the answer. Not in the types of Node.
    Object.assign(server, { httpAllowHalfOpen: true });
    const onRequest = (raw: IncomingMessage, out: ServerResponse): void => void this.onRequest(raw, out);
    server.on('request', onRequest);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('connect', (_raw, socket) => refuseConnection(socket, new HoldfastError('MethodNotAllowed')));
    server.on('upgrade', (_raw, socket) =>
      refuseConnection(socket, new HoldfastError('InvalidRequest', 'Upgrade is not offered.')),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.onClientError(error, socket));
    server.on('dropRequest', (_raw, socket: Socket) => socket.destroy());
    return server;
  }

  private async onRequest(raw: IncomingMessage, out: ServerResponse): Promise<void> {
    let head: StrictHead;
    const previous = this.answers.get(raw.socket);
    this.answers.set(raw.socket, out);
    if (previous !== undefined && !previous.writableFinished && !(await this.turn(raw.socket, previous))) return;
    try {
      head = readStrictHead(raw);
    } catch (error) {
      await this.pipeline.refuse({ raw, out, requestId: newRequestId(), closing: true }, error);
      return;
    }
    const passedOn = head.claimsInternal ? this.requestIdOfEdge(raw) : undefined;
    const requestId = passedOn ?? newRequestId();
    const body = new RequestBody(raw, out, this.limits, head.awaitsContinue);
    const channel: Channel = { raw, out, requestId, body, closing: false };
    const health = healthReply(raw.method ?? '', raw.url ?? '', async () => !this.draining && (await this.isReady()));
    if (health !== undefined) await this.writer.write(channel, await health);
    else if (head.expectationRefused) await this.refuseExpectation(channel);
    else await this.pipeline.handle({ ...channel, body, headers: head.headers, isEdge: passedOn === undefined });
  }

  /**
   * Requests that a client sends before it has its answers are served one after the other: a client must not hold the memory
   * of a hundred answers with one connection that it does not read. False when the connection is given up; without an end of
   * the previous answer (the connection is gone) it never resolves, and nothing keeps it.
   */
  private async turn(socket: Duplex, previous: ServerResponse): Promise<boolean> {
    const waiting = (this.waiting.get(socket) ?? 0) + 1;
    this.waiting.set(socket, waiting);
    if (waiting > PIPELINED_MAX) {
      socket.destroy();
      return false;
    }
    await new Promise<void>((resolve) => previous.once('finish', resolve));
    this.waiting.set(socket, (this.waiting.get(socket) ?? 1) - 1);
    return !socket.destroyed;
  }

  /** The id that the load balancer gave the request; undefined when the headers only pretend to come from it. */
  private requestIdOfEdge(raw: IncomingMessage): string | undefined {
    try {
      return this.edge?.acceptHttp(raw.method ?? '', raw.url ?? '', raw.headers).requestId;
    } catch (error) {
      log.warn('headers of the cluster without its code were ignored', { error, from: raw.socket.remoteAddress });
      return undefined;
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

  private onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const youngest = this.answers.get(socket);
    if (youngest !== undefined && !youngest.writableFinished && youngest.req.complete) {
      // All of that request had come: what follows it is at fault, and its answer is the last one.
      // The rest is read and dropped: a socket that is closed with unread bytes in it takes the answer away again.
      if (youngest.shouldKeepAlive) youngest.once('finish', () => socket.end(() => socket.destroy()));
      youngest.shouldKeepAlive = false;
      return;
    }
    // One that waits behind another answer has no socket yet.
    const waits = youngest?.socket === null && !youngest.writableFinished;
    if (youngest === undefined || youngest.writableFinished || !(youngest.headersSent || waits)) {
      const invalid = new HoldfastError('InvalidRequest', 'The request is no valid HTTP/1.1.');
      refuseConnection(socket, CLIENT_ERRORS[error.code ?? ''] ?? invalid);
    } else if (!waits && this.writer.isWhole(youngest)) {
      // All of the answer was handed over: it may arrive, and ends the connection.
      socket.end(() => socket.destroy());
    } else {
      // Bytes written by hand would land in the middle of an answer.
      socket.destroy();
    }
  }
}

/** For bytes that are no request: the parser has given up, so the answer is written by hand and the connection ends. */
function refuseConnection(socket: Duplex, error: HoldfastError): void {
  const requestId = newRequestId();
  const { status, body } = encodeError(error, { resource: '', requestId });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/xml',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `x-amz-request-id: ${requestId}`,
    'Server: Holdfast',
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.once('finish', () => socket.destroy());
}
