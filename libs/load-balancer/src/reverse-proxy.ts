import { request as httpRequest, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { Deadline } from '@holdfast/stdx';
import {
  flowOfRequest,
  HoldfastError,
  LIMITS,
  newRequestId,
  SEED_FLOWS,
  type CallContext,
  type TraceLog,
} from '@holdfast/contracts';
import { bucketOfHost, readStrictHead, type StrictHead } from '@holdfast/s3-protocol';
import {
  log,
  StrictHttpServer,
  TrustedProxies,
  type ConnectionLimits,
  type InternalAuthenticator,
  connectionName,
} from '@holdfast/service-host';
import { BackendPool, type Backend } from './backend-pool.js';
import { forwardedHeaders, hasBody } from './forwarded-headers.js';
import { s3Refusal, type EncodeRefusal } from './refusal.js';

export interface ReverseProxyOptions {
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly healthPath: string;
  readonly auth: InternalAuthenticator;
  readonly trace: TraceLog;
  /** How long to connect to a server before the next one is tried. */
  readonly connectTimeoutMs: number;
  readonly checkIntervalMs: number;
  /** Path prefix answered by the balancer itself; the rest of the path is the name of the check. */
  readonly ownHealthPaths: readonly string[];
  /** Base domains, lower-case: below them a Host names a bucket, and every path is a key. */
  readonly domains?: readonly string[];
  /** Reverse proxies in front whose `X-Forwarded-For` is believed: nobody's unless given. */
  readonly trustedProxies?: TrustedProxies;
  readonly limits?: Partial<ConnectionLimits>;
  /** The XML of S3 unless given. */
  readonly encodeRefusal?: EncodeRefusal;
}

const CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 16_384,
  connectionsPerAddressMax: 4096,
  headerTimeoutMs: 10_000,
  keepAliveTimeoutMs: 65_000,
  writeIdleTimeoutMs: 60_000,
};
const NO_PROXIES = new TrustedProxies([]);

/** One client request on its way. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly call: CallContext;
  readonly clientAddress: string;
  readonly withBody: boolean;
  readonly tried: Set<Backend>;
  /** The client waits for 100 Continue. */
  readonly clientExpects: boolean;
  /** To the server that has the request now. */
  upstream?: ClientRequest;
  /** Answered by the balancer: what a server still says of it is nobody's. */
  abandoned: boolean;
}

/**
 * HTTP/1.1 reverse proxy, streaming both ways. The body is sent to a server only once it has asked for it (100 Continue), so
 * another server may be tried until then; a body that was begun is never sent twice.
 */
export class ReverseProxy {
  readonly pool: BackendPool;
  private readonly http: StrictHttpServer;
  private readonly limits: ConnectionLimits;
  private readonly trustedProxies: TrustedProxies;
  private readonly encodeRefusal: EncodeRefusal;
  private draining = false;
  private inFlight = 0;

  constructor(private readonly options: ReverseProxyOptions) {
    this.pool = new BackendPool(options);
    this.limits = { ...CONNECTION_LIMITS, ...options.limits };
    this.trustedProxies = options.trustedProxies ?? NO_PROXIES;
    this.encodeRefusal = options.encodeRefusal ?? s3Refusal;
    this.http = new StrictHttpServer({
      limits: { ...this.limits, trustedProxies: this.trustedProxies },
      headerBytesMax: LIMITS.headerBytesMax,
      onRequest: (incoming, outgoing, framing) => this.accept(incoming, outgoing, framing),
      encodeRefusal: this.encodeRefusal,
    });
  }

  /** Resolves to the port. */
  async listen(): Promise<number> {
    await this.pool.start();
    return this.http.listen(this.options.port, this.options.host);
  }

  /** Takes no new connection, lets what is under way finish, at most for `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => this.http.server.close(() => resolve()));
    this.http.server.closeIdleConnections();
    const late = setTimeout(() => this.http.server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(late);
    this.pool.stop();
  }

  get requestsInFlight(): number {
    return this.inFlight;
  }

  private accept(incoming: IncomingMessage, outgoing: ServerResponse, framing?: AbortSignal): void {
    const path = incoming.url ?? '/';
    const bucket = this.bucketOf(incoming);
    if (bucket === undefined && this.options.ownHealthPaths.includes(path)) return this.answerHealth(outgoing, path);
    const flow = flowOfRequest(incoming.method ?? '', bucket === undefined ? path : `/${bucket}${path}`);
    const context = { requestId: newRequestId(), deadline: Deadline.in(3_600_000) };
    const call: CallContext = flow === undefined ? context : { ...context, flow };
    this.inFlight += 1;
    outgoing.once('close', () => {
      this.inFlight -= 1;
      if (outgoing.writableFinished && call.flow)
        this.options.trace.step(call, SEED_FLOWS[call.flow].length, `status ${outgoing.statusCode}`);
    });
    if (this.draining) outgoing.setHeader('connection', 'close');
    this.options.trace.step(call, 1, `${incoming.method} ${path.split('?', 1)[0]}`);
    let head: StrictHead;
    try {
      head = readStrictHead(incoming);
    } catch (error) {
      return this.refuse({ incoming, outgoing, call }, error);
    }
    if (head.expectationRefused) return this.refuse({ incoming, outgoing, call }, expectationRefused(), 417);
    const forwardedFor = head.headers.joined('x-forwarded-for');
    const clientAddress = this.trustedProxies.clientAddress(incoming.socket.remoteAddress, forwardedFor);
    const withBody = hasBody(incoming.headers);
    const clientExpects = head.awaitsContinue;
    const tried = new Set<Backend>();
    const exchange = { incoming, outgoing, call, clientAddress, withBody, tried, clientExpects, abandoned: false };
    if (framing?.aborted === true) return this.abandon(exchange, framing.reason);
    framing?.addEventListener('abort', () => this.abandon(exchange, framing.reason));
    this.forward(exchange);
  }

  /** A Host that is none is passed on: the API refuses it. */
  private bucketOf(incoming: IncomingMessage): string | undefined {
    try {
      return bucketOfHost(incoming.headers.host, this.options.domains ?? []);
    } catch {
      return undefined;
    }
  }

  private forward(exchange: Exchange): void {
    const { incoming, call, clientAddress } = exchange;
    const backend = this.pool.take(exchange.tried);
    if (!backend)
      return this.refuse(exchange, new HoldfastError('ServiceUnavailable', 'No API service is ready. Try again.'));
    exchange.tried.add(backend);
    const path = incoming.url ?? '/';
    const headers = forwardedHeaders(incoming.rawHeaders);
    // HTTP/1.0 knows no Host, the API is spoken to in 1.1.
    if (incoming.headers.host === undefined) headers.push('Host', '');
    headers.push('X-Forwarded-For', clientAddress);
    // Whoever makes a bucket is asked whether it is the one that has made it.
    const connection = call.flow === 'bucket-creation' ? connectionName(incoming.socket) : '';
    const proof = this.options.auth.edgeHeaders(call, incoming.method ?? '', path, clientAddress, connection);
    for (const [name, value] of Object.entries(proof)) headers.push(name, value);
    if (exchange.withBody) {
      headers.push('Expect', '100-continue');
      if (incoming.headers['transfer-encoding']) headers.push('Transfer-Encoding', 'chunked');
    }
    const upstream = httpRequest({
      host: backend.host,
      port: backend.port,
      agent: backend.agent,
      method: incoming.method,
      path,
      headers,
    });
    exchange.upstream = upstream;
    this.options.trace.step(call, 2, `to ${backend.address}`);
    backend.requests += 1;
    backend.inFlight += 1;
    upstream.once('close', () => (backend.inFlight -= 1));
    this.relay(exchange, backend, upstream);
    if (exchange.withBody) upstream.flushHeaders();
    else upstream.end();
  }

  private relay(exchange: Exchange, backend: Backend, upstream: ClientRequest): void {
    const { incoming, outgoing } = exchange;
    let bodyBegun = false;
    let answered = false;
    const connectTimer = setTimeout(
      () => upstream.destroy(new Error('connect timeout')),
      this.options.connectTimeoutMs,
    );
    upstream.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => clearTimeout(connectTimer));
      else clearTimeout(connectTimer);
    });
    upstream.on('continue', () => {
      if (exchange.abandoned) return;
      bodyBegun = true;
      if (exchange.clientExpects) outgoing.writeContinue();
      incoming.pipe(upstream);
    });
    upstream.once('response', (response) => {
      if (exchange.abandoned) return;
      answered = true;
      this.answer(exchange, upstream, response, bodyBegun);
    });
    const clientGone = (): void => {
      if (!outgoing.writableFinished) upstream.destroy();
    };
    outgoing.once('close', clientGone);
    upstream.once('error', (error) => {
      clearTimeout(connectTimer);
      outgoing.removeListener('close', clientGone);
      if (outgoing.destroyed || exchange.abandoned) return;
      if (answered || outgoing.headersSent) return void outgoing.destroy();
      this.pool.suspect(backend);
      log.warn('an API service failed', {
        backend: backend.address,
        requestId: exchange.call.requestId,
        bodyBegun,
        error,
      });
      // Nothing of the body has left: another server may have the request. Begun, its outcome is not known: the client decides.
      if (!bodyBegun && (exchange.withBody || isRepeatable(incoming.method))) return this.forward(exchange);
      const lost = 'The API service was lost while it had the request; its outcome is not known.';
      this.refuse(exchange, new HoldfastError('ServiceUnavailable', lost), 502);
    });
  }

  private answer(exchange: Exchange, upstream: ClientRequest, response: IncomingMessage, bodyBegun: boolean): void {
    const { incoming, outgoing } = exchange;
    const headers = forwardedHeaders(response.rawHeaders);
    const unread = exchange.withBody && (!bodyBegun || !incoming.complete);
    // An answer before the end of the body: what the client still sends is nobody's next request.
    if (unread) headers.push('Connection', 'close');
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, headers);
    this.watchReader(outgoing);
    response.pipe(outgoing);
    response.once('close', () => {
      // Fewer bytes than announced must not look like an end.
      if (!response.complete) outgoing.destroy();
    });
    outgoing.once('finish', () => {
      if (!unread) return;
      incoming.unpipe(upstream);
      upstream.destroy();
      lingeringClose(incoming);
    });
  }

  /** A client that takes nothing of what lies ready for it is given up; one that waits for more is not. */
  private watchReader(outgoing: ServerResponse): void {
    const { writeIdleTimeoutMs } = this.limits;
    outgoing.setTimeout(writeIdleTimeoutMs, () => {
      if (outgoing.writableLength > 0 || (outgoing.socket?.writableLength ?? 0) > 0) outgoing.destroy();
      else outgoing.setTimeout(writeIdleTimeoutMs);
    });
  }

  /** The request cannot be passed on any further: the server has less than a whole one, and does nothing with it. */
  private abandon(exchange: Exchange, error: unknown): void {
    const { outgoing, upstream } = exchange;
    exchange.abandoned = true;
    upstream?.destroy();
    if (outgoing.headersSent) outgoing.destroy();
    else this.refuse(exchange, error);
  }

  /** Answers for itself and ends the connection: what of the request's body is still to come belongs to nobody. */
  private refuse(
    { incoming, outgoing, call }: Pick<Exchange, 'incoming' | 'outgoing' | 'call'>,
    error: unknown,
    ownStatus?: number,
  ): void {
    const resource = (incoming.url ?? '').split('?', 1)[0];
    const { status, contentType, body } = this.encodeRefusal(error, call.requestId, { resource, status: ownStatus });
    outgoing.writeHead(status, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'x-amz-request-id': call.requestId,
      server: 'Holdfast',
      connection: 'close',
    });
    outgoing.end(incoming.method === 'HEAD' ? '' : body);
    if (!incoming.complete) lingeringClose(incoming);
  }

  private answerHealth(outgoing: ServerResponse, path: string): void {
    const ready = path.endsWith('live') || (!this.draining && this.pool.healthyCount > 0);
    outgoing.writeHead(ready ? 200 : 503, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ status: ready ? 'ok' : 'not ready', apis: this.pool.healthyCount }));
  }
}

/** A request without a body that may be sent to another server when the first one was lost before it answered. */
function isRepeatable(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function expectationRefused(): HoldfastError {
  return new HoldfastError('InvalidRequest', 'The expectation cannot be met.');
}

/** Reads on a little so that the answer is not lost to a reset, then closes. */
function lingeringClose(incoming: IncomingMessage): void {
  let left = 1024 * 1024;
  incoming.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) incoming.destroy();
  });
  incoming.resume();
  setTimeout(() => incoming.destroy(), 2000).unref();
}
