import {
  createServer,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Deadline } from '@holdfast/stdx';
import { flowOfRequest, newRequestId, SEED_FLOWS, type CallContext, type TraceLog } from '@holdfast/contracts';
import { log, type InternalAuthenticator } from '@holdfast/service-host';
import { BackendPool, type Backend } from './backend-pool.js';
import { forwardedHeaders, hasBody } from './forwarded-headers.js';

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
}

/** One client request on its way. */
interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly call: CallContext;
  readonly withBody: boolean;
  readonly tried: Set<Backend>;
  /** The client waits for 100 Continue. */
  readonly clientExpects: boolean;
}

/**
 * HTTP/1.1 reverse proxy, streaming both ways. The body is sent to a server only once it has asked for it (100 Continue), so
 * another server may be tried until then; a body that was begun is never sent twice.
 */
export class ReverseProxy {
  readonly pool: BackendPool;
  private readonly server: Server;
  private draining = false;
  private inFlight = 0;

  constructor(private readonly options: ReverseProxyOptions) {
    this.pool = new BackendPool(options);
    this.server = createServer({ requestTimeout: 0, headersTimeout: 10_000, keepAliveTimeout: 65_000, noDelay: true });
    this.server.maxHeadersCount = 0;
    this.server.on('request', (incoming, outgoing) => this.accept(incoming, outgoing, false));
    this.server.on('checkContinue', (incoming, outgoing) => this.accept(incoming, outgoing, true));
    this.server.on('checkExpectation', (incoming, outgoing) => {
      // Clients that send an empty Expect mean nothing by it.
      if (incoming.headers.expect === '') this.accept(incoming, outgoing, false);
      else refuse(outgoing, 417, 'InvalidRequest', 'Only Expect: 100-continue is served.');
    });
  }

  /** Resolves to the port. */
  async listen(): Promise<number> {
    await this.pool.start();
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port, this.options.host, () =>
        resolve((this.server.address() as AddressInfo).port),
      );
    });
  }

  /** Takes no new connection, lets what is under way finish, at most for `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    const late = setTimeout(() => this.server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(late);
    this.pool.stop();
  }

  get requestsInFlight(): number {
    return this.inFlight;
  }

  private accept(incoming: IncomingMessage, outgoing: ServerResponse, clientExpects: boolean): void {
    const path = incoming.url ?? '/';
    if (this.options.ownHealthPaths.includes(path)) return this.answerHealth(outgoing, path);
    const flow = flowOfRequest(incoming.method ?? '', path);
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
    const problem = framingProblem(incoming);
    if (problem) return refuse(outgoing, problem.status, 'InvalidRequest', problem.message, call.requestId);
    this.forward({ incoming, outgoing, call, withBody: hasBody(incoming.headers), tried: new Set(), clientExpects });
  }

  private forward(exchange: Exchange): void {
    const { incoming, outgoing, call } = exchange;
    const backend = this.pool.take(exchange.tried);
    if (!backend)
      return refuse(outgoing, 503, 'ServiceUnavailable', 'No API service is ready. Try again.', call.requestId);
    exchange.tried.add(backend);
    const path = incoming.url ?? '/';
    const headers = forwardedHeaders(incoming.rawHeaders);
    headers.push('X-Forwarded-For', incoming.socket.remoteAddress ?? '');
    for (const [name, value] of Object.entries(this.options.auth.headers(call, incoming.method ?? '', path)))
      headers.push(name, value);
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
      bodyBegun = true;
      if (exchange.clientExpects) outgoing.writeContinue();
      incoming.pipe(upstream);
    });
    upstream.once('response', (response) => {
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
      if (outgoing.destroyed) return;
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
      refuse(
        outgoing,
        502,
        'ServiceUnavailable',
        'The API service was lost while it had the request; its outcome is not known.',
        exchange.call.requestId,
      );
    });
  }

  private answer(exchange: Exchange, upstream: ClientRequest, response: IncomingMessage, bodyBegun: boolean): void {
    const { incoming, outgoing } = exchange;
    const headers = forwardedHeaders(response.rawHeaders);
    const unread = exchange.withBody && (!bodyBegun || !incoming.complete);
    // An answer before the end of the body: what the client still sends is nobody's next request.
    if (unread) headers.push('Connection', 'close');
    outgoing.writeHead(response.statusCode ?? 502, response.statusMessage, headers);
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

/** What two parsers could read in two ways is not passed on. */
function framingProblem(incoming: IncomingMessage): { status: number; message: string } | undefined {
  const counts = new Map<string, number>();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    const name = incoming.rawHeaders[i].toLowerCase();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (incoming.rawHeaders.length / 2 > 100) return { status: 400, message: 'A request may have at most 100 headers.' };
  for (const name of ['host', 'content-length', 'transfer-encoding', 'authorization', 'content-type']) {
    if ((counts.get(name) ?? 0) > 1) return { status: 400, message: `The header ${name} may be given once.` };
  }
  const encoding = incoming.headers['transfer-encoding'];
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || incoming.httpVersion !== '1.1'))
    return { status: 400, message: 'Transfer-Encoding may only be chunked, on HTTP/1.1.' };
  if (!(incoming.url ?? '').startsWith('/') && incoming.url !== '*')
    return { status: 400, message: 'The request target must begin with a slash.' };
  if (incoming.method === 'TRACE' || incoming.method === 'CONNECT')
    return { status: 405, message: 'The method is not served.' };
  return undefined;
}

function refuse(
  outgoing: ServerResponse,
  status: number,
  code: string,
  message: string,
  requestId = newRequestId(),
): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>${requestId}</RequestId></Error>`;
  outgoing.writeHead(status, {
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    'x-amz-request-id': requestId,
    connection: 'close',
  });
  outgoing.end(body);
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
