import { createHash } from 'node:crypto';
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { ERRORS, HoldfastError, type CallContext, type ErrorName } from '@holdfast/contracts';
import type { InternalAuthenticator } from '@holdfast/service-host';

export interface DataPlaneOptions {
  /** Connections to one address at once; further calls wait for one. */
  readonly socketsPerAddressMax?: number;
  readonly connectTimeoutMs?: number;
  /** Longest silence of the other side while something is owed by it. */
  readonly silenceTimeoutMs?: number;
}

export interface OutgoingRequest {
  readonly call: CallContext;
  /** host:port */
  readonly address: string;
  readonly method: 'GET' | 'PUT' | 'POST';
  /** With its query: all of it is authenticated. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
}

const ERROR_BODY_BYTES_MAX = 64 * 1024;

/** Kept-alive connections of the data plane, authenticated, with bounded waits. One per process. */
export class DataPlaneConnections {
  private readonly agent: Agent;
  private readonly connectTimeoutMs: number;
  readonly silenceTimeoutMs: number;

  constructor(
    private readonly auth: InternalAuthenticator,
    options: DataPlaneOptions = {},
  ) {
    const sockets = options.socketsPerAddressMax ?? 64;
    this.agent = new Agent({ keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets });
    this.connectTimeoutMs = options.connectTimeoutMs ?? 1000;
    this.silenceTimeoutMs = options.silenceTimeoutMs ?? 5000;
  }

  /**
   * A request whose head is ready to go, on a kept connection where there is one (unless `alone`). Its socket is given up
   * when no connection comes about in time.
   */
  begin({ call, address, method, path, headers }: OutgoingRequest, alone = false): ClientRequest {
    const leftMs = call.deadline.leftMs();
    if (leftMs <= 0) throw new HoldfastError('ServiceUnavailable', `no time left to call ${address}`);
    const at = address.lastIndexOf(':');
    const request = httpRequest({
      agent: alone ? false : this.agent,
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      method,
      path,
      headers: { ...this.auth.headers(call, method, path), ...headers },
    });
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      const giveUp = () => request.destroy(new Error('no connection in time'));
      const timer = setTimeout(giveUp, Math.min(this.connectTimeoutMs, leftMs));
      socket.once('connect', () => clearTimeout(timer));
      socket.once('close', () => clearTimeout(timer));
    });
    request.on('timeout', () => request.destroy(new Error('no sign of life in time')));
    return request;
  }

  /** From now on the connection may be silent for so long while the other side owes something; 0: for any time. */
  limitSilence(request: ClientRequest, call: CallContext, timeoutMs: number): void {
    request.setTimeout(timeoutMs === 0 ? 0 : Math.max(1, Math.min(timeoutMs, call.deadline.leftMs())));
  }

  /**
   * One exchange with a body that is at hand; sent once more when a kept connection turns out to be closed. Resolves with
   * the head of the answer. `onBegin` is given each request, to destroy it. Errors: ServiceUnavailable.
   */
  async exchange(
    outgoing: OutgoingRequest,
    body?: Buffer,
    onBegin?: (request: ClientRequest) => void,
  ): Promise<IncomingMessage> {
    const attempt = (alone: boolean): { request: ClientRequest; answer: Promise<IncomingMessage> } => {
      const request = this.begin(outgoing, alone);
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        request.once('response', resolve);
        request.on('error', reject);
      });
      this.limitSilence(request, outgoing.call, this.silenceTimeoutMs);
      onBegin?.(request);
      request.end(body);
      return { request, answer };
    };
    const first = attempt(false);
    try {
      return await first.answer;
    } catch (error) {
      if (!first.request.reusedSocket || !isConnectionLoss(error)) throw unreachable(outgoing.address, error);
    }
    return attempt(true).answer.catch((error: unknown) => {
      throw unreachable(outgoing.address, error);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function isConnectionLoss(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** What a failure of the transport is to the caller; an error of the table stays what it is. */
export function unreachable(address: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  return new HoldfastError('ServiceUnavailable', `${address} does not answer`, {}, { cause: error });
}

/** All bytes of an answer. Errors: ServiceUnavailable when they end early. */
export async function readWhole(response: IncomingMessage, address: string, sizeBytesMax: number): Promise<Buffer> {
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) throw new Error('the answer is larger than asked for');
      chunks.push(chunk);
    }
  } catch (error) {
    throw unreachable(address, error);
  }
  if (sizeBytes !== announced) throw unreachable(address, new Error('the answer ended early'));
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, sizeBytes);
}

/** The error that an answer carries; ServiceUnavailable when it carries none. */
export async function errorOfResponse(response: IncomingMessage, address: string): Promise<HoldfastError> {
  try {
    const body: unknown = JSON.parse((await readWhole(response, address, ERROR_BODY_BYTES_MAX)).toString('utf8'));
    const { code, message, details } = body as { code?: unknown; message?: unknown; details?: unknown };
    if (typeof code === 'string' && Object.hasOwn(ERRORS, code)) {
      const shown = typeof details === 'object' && details !== null ? (details as Record<string, string>) : {};
      return new HoldfastError(code as ErrorName, typeof message === 'string' ? message : undefined, shown);
    }
  } catch (error) {
    return unreachable(address, error);
  }
  return new HoldfastError('ServiceUnavailable', `${address} answered ${response.statusCode}`);
}

export function digestOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Resolves when the request takes bytes again, or is closed. */
export function whenDrained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off('drain', done);
      request.off('close', done);
      resolve();
    };
    request.on('drain', done);
    request.on('close', done);
  });
}
