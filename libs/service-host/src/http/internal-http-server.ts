import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HoldfastError, isHoldfastError, type CallContext } from '@holdfast/contracts';
import type { HealthState } from '../health.js';
import type { InternalAuthenticator } from '../internal-auth.js';
import { log } from '../log.js';

/** Handles one request of the data plane. What it throws becomes a JSON error, or a destroyed socket after the head has gone. */
export type InternalHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  call: CallContext,
  match: RegExpExecArray,
) => Promise<void>;

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  readonly handler: InternalHandler;
}

export interface InternalHttpServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly auth: InternalAuthenticator;
  readonly health: HealthState;
}

const CONTINUE = Symbol('the sender waits for 100 Continue');

/** The body of a request; tells a waiting sender to go on. Call it when there is room for the bytes, not earlier. */
export function beginBody(request: IncomingMessage, response: ServerResponse): IncomingMessage {
  if (Reflect.get(request, CONTINUE) === true) {
    Reflect.set(request, CONTINUE, false);
    response.writeContinue();
  }
  return request;
}

/**
 * The data plane's server side: authenticated streamed HTTP/1.1 between services, and liveness and readiness (the two paths
 * that need no code, because a supervisor asks them).
 */
export class InternalHttpServer {
  private readonly server: Server;
  private readonly routes: Route[] = [];

  constructor(private readonly options: InternalHttpServerOptions) {
    this.server = createServer({ requestTimeout: 0, headersTimeout: 10_000, keepAliveTimeout: 75_000, noDelay: true });
    this.server.on('request', (request, response) => void this.dispatch(request, response));
    this.server.on('checkContinue', (request, response) => {
      Reflect.set(request, CONTINUE, true);
      void this.dispatch(request, response);
    });
  }

  route(method: string, pattern: RegExp, handler: InternalHandler): void {
    this.routes.push({ method, pattern, handler });
  }

  /** Resolves to the port. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.options.port, this.options.host, () =>
        resolve((this.server.address() as AddressInfo).port),
      );
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeIdleConnections();
      setTimeout(() => this.server.closeAllConnections(), 5000).unref();
    });
  }

  private async dispatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = request.url ?? '/';
      const path = url.split('?', 1)[0];
      if (request.method === 'GET' && path === '/health/live') return answerJson(response, 200, { status: 'live' });
      if (request.method === 'GET' && path === '/health/ready') return await this.ready(response);
      const call = this.options.auth.acceptHttp(request.method ?? '', url, request.headers);
      for (const route of this.routes) {
        const match = route.method === request.method ? route.pattern.exec(path) : null;
        if (match) return await route.handler(request, response, call, match);
      }
      answerJson(response, 404, { code: 'InvalidURI', message: 'no such internal route' });
    } catch (error) {
      this.fail(request, response, error);
    }
  }

  private async ready(response: ServerResponse): Promise<void> {
    const missing = await this.options.health.missing();
    answerJson(response, missing.length === 0 ? 200 : 503, {
      status: missing.length === 0 ? 'ready' : 'not ready',
      missing,
    });
  }

  private fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (!isHoldfastError(error))
      log.error('internal request failed', { method: request.method, url: request.url, error });
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const known = isHoldfastError(error) ? error : new HoldfastError('InternalError');
    // What was not read of the body would be taken for the next request: the connection ends with this answer.
    if (!request.complete) response.setHeader('connection', 'close');
    answerJson(response, known.status === 304 ? 412 : known.status, {
      code: known.code,
      message: known.message,
      details: known.details,
    });
  }
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
