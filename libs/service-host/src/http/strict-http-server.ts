import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HoldfastError, newRequestId } from '@holdfast/contracts';
import { ChunkFramingWatch, isChunked } from './chunk-framing-watch.js';
import { ConnectionCaps, type ConnectionCapLimits } from './connection-caps.js';

/** Bounds on what a connection from outside may cost. Times in milliseconds. */
export interface ConnectionLimits extends ConnectionCapLimits {
  /** From the first byte of a request (of a new connection: from its beginning) to the end of its headers. */
  readonly headerTimeoutMs: number;
  /** How long a connection without a request is kept. */
  readonly keepAliveTimeoutMs: number;
  /** A client that takes nothing of its answer for so long is given up. */
  readonly writeIdleTimeoutMs: number;
}

/** An error as it is written to the socket. */
export interface RawRefusal {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface StrictHttpServerOptions {
  readonly limits: ConnectionLimits;
  /** Of the request line and all headers. */
  readonly headerBytesMax: number;
  /**
   * Requests of one connection, each when the answer to the one before it is written.
   * @param framing of a chunked body: aborted, with the error to answer, when the body turns out to have two readings
   */
  readonly onRequest: (raw: IncomingMessage, out: ServerResponse, framing?: AbortSignal) => void;
  /** For what cannot be a request: there is no answer object for it. */
  readonly encodeRefusal: (error: HoldfastError, requestId: string) => RawRefusal;
  /** True when every byte of the answer was handed to the socket; `writableEnded` unless given. */
  readonly isWhole?: (out: ServerResponse) => boolean;
}

const PIPELINED_MAX = 64;
const CHECK_INTERVAL_MAX_MS = 2000;
const CLIENT_ERRORS: Readonly<Record<string, HoldfastError>> = {
  HPE_HEADER_OVERFLOW: new HoldfastError('RequestHeaderSectionTooLarge'),
  HPE_INVALID_EOF_STATE: new HoldfastError('IncompleteBody'),
  ERR_HTTP_REQUEST_TIMEOUT: new HoldfastError('RequestTimeout'),
};

/** What is known of one connection. */
interface Connection {
  /** It is over a cap: it has been answered, whatever it still sends. */
  readonly isRefused: boolean;
  /** The youngest answer, and how much the connection had brought when the parser had its request. */
  answer?: ServerResponse;
  begunAtBytes: number;
  /** From the first chunked request on. */
  watch?: ChunkFramingWatch;
  /** How many requests wait for the answer to an earlier one. */
  waiting: number;
}

/**
 * The HTTP/1.1 server of every port that clients reach: what its parser refuses is answered and ends the connection, requests of
 * a connection are served one after the other, and connections are counted and timed.
 */
export class StrictHttpServer {
  readonly server: Server;
  private readonly caps: ConnectionCaps;
  private readonly isWhole: (out: ServerResponse) => boolean;
  private readonly connections = new WeakMap<Duplex, Connection>();
  /** Of requests with chunked bodies. */
  private readonly framings = new WeakMap<IncomingMessage, AbortController>();

  constructor(private readonly options: StrictHttpServerOptions) {
    this.caps = new ConnectionCaps(options.limits);
    this.isWhole = options.isWhole ?? ((out) => out.writableEnded);
    this.server = this.makeServer();
  }

  /** Resolves with the port that was taken. Rejects when it is in use. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  private makeServer(): Server {
    const { headerTimeoutMs, keepAliveTimeoutMs } = this.options.limits;
    const server = createServer({
      maxHeaderSize: this.options.headerBytesMax,
      headersTimeout: headerTimeoutMs,
      // A long upload is no fault: its rate is watched instead.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MAX_MS, headerTimeoutMs),
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
    });
    // With a maximum Node drops the headers beyond it in silence; they are counted instead.
    server.maxHeadersCount = 0;
    // A client may close its own side once it has asked: without this Node would drop the answer. Not in the types of Node.
    Object.assign(server, { httpAllowHalfOpen: true });
    const onRequest = (raw: IncomingMessage, out: ServerResponse): void => this.onRequest(raw, out);
    server.on('connection', (socket) => this.onConnection(socket));
    server.on('request', onRequest);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('connect', (_raw, socket) => this.refuse(socket, new HoldfastError('MethodNotAllowed')));
    server.on('upgrade', (_raw, socket) =>
      this.refuse(socket, new HoldfastError('InvalidRequest', 'Upgrade is not offered.')),
    );
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => this.onClientError(error, socket));
    server.on('dropRequest', (_raw, socket: Socket) => socket.destroy());
    return server;
  }

  private onConnection(socket: Socket): void {
    const isRefused = !this.caps.admit(socket);
    this.connections.set(socket, { isRefused, begunAtBytes: 0, waiting: 0 });
    if (isRefused) this.refuse(socket, new HoldfastError('SlowDown'));
  }

  private onRequest(raw: IncomingMessage, out: ServerResponse): void {
    const connection = this.connections.get(raw.socket);
    if (connection === undefined || connection.isRefused) return;
    const { answer: previous, watch } = connection;
    const framing = isChunked(raw) ? new AbortController() : undefined;
    if (framing !== undefined) this.framings.set(raw, framing);
    if (watch !== undefined) watch.begin(raw);
    else if (framing !== undefined) this.watch(raw, connection);
    connection.answer = out;
    connection.begunAtBytes = raw.socket.bytesRead;
    if (previous === undefined || previous.writableFinished) this.options.onRequest(raw, out, framing?.signal);
    else this.takeTurn(raw, out, previous, connection);
  }

  /**
   * Requests that a client sends before it has its answers are served one after the other: a client must not hold the memory
   * of a hundred answers with one connection that it does not read. Without an end of the previous answer (the connection is
   * gone) the turn never comes, and nothing keeps the request.
   */
  private takeTurn(raw: IncomingMessage, out: ServerResponse, previous: ServerResponse, connection: Connection): void {
    const { socket } = raw;
    connection.waiting += 1;
    if (connection.waiting > PIPELINED_MAX) return void socket.destroy();
    previous.once('finish', () => {
      connection.waiting -= 1;
      // After a microtask, as for a request that never waited: the answer before it is not torn apart by this one's error.
      if (!socket.destroyed) queueMicrotask(() => this.options.onRequest(raw, out, this.framings.get(raw)?.signal));
    });
  }

  /**
   * From the first chunked request of a connection on its packets are looked at. Not before: Node's parser reads a socket that
   * nobody else listens to by itself, which takes an eighth less of the time of a small request.
   */
  private watch(raw: IncomingMessage, connection: Connection): void {
    const { socket } = raw;
    const watch = new ChunkFramingWatch((request) => this.onTwoReadings(request));
    connection.watch = watch;
    watch.begin(raw);
    // Bytes of an earlier request in the same packet would hide where this one begins.
    const packet = endedBeforeThisPacket(connection) ? packetOf(socket) : undefined;
    // When the parser has had all of the packet, and before anybody sees what it found there.
    process.nextTick(() => watch.readFirst(packet));
    // After the listener of the server itself, so that its parser has had the packet.
    socket.on('data', (later: Buffer) => watch.read(later));
  }

  /** Whoever has the request answers; the connection ends with that, because nobody knows where the next request begins. */
  private onTwoReadings(raw: IncomingMessage): void {
    const error = new HoldfastError('InvalidRequest', 'A chunk may have a size and nothing else in its first line.');
    this.framings.get(raw)?.abort(error);
    const answer = this.connections.get(raw.socket)?.answer;
    if (answer === undefined || answer.writableFinished) return void raw.socket.destroy();
    answer.shouldKeepAlive = false;
    answer.once('finish', () => raw.socket.end(() => raw.socket.destroy()));
  }

  private onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const youngest = this.connections.get(socket)?.answer;
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
      this.refuse(socket, CLIENT_ERRORS[error.code ?? ''] ?? invalid);
    } else if (!waits && this.isWhole(youngest)) {
      // All of the answer was handed over: it may arrive, and ends the connection.
      socket.end(() => socket.destroy());
    } else {
      // Bytes written by hand would land in the middle of an answer.
      socket.destroy();
    }
  }

  /** For bytes that are no request: the parser has given up, so the answer is written by hand and the connection ends. */
  private refuse(socket: Duplex, error: HoldfastError): void {
    const requestId = newRequestId();
    const { status, contentType, body } = this.options.encodeRefusal(error, requestId);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `x-amz-request-id: ${requestId}`,
      'Server: Holdfast',
      `Date: ${new Date().toUTCString()}`,
      'Connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
    socket.once('finish', () => socket.destroy());
  }
}

/** Whether all requests before the packet that the parser is reading ended before it, too. */
function endedBeforeThisPacket({ answer, begunAtBytes }: Connection): boolean {
  // The end of a request is told in a turn of its own, after the packet that it lies in.
  if (answer === undefined || answer.req.readableEnded) return true;
  const { socket, headers } = answer.req;
  return (headers['content-length'] ?? '0') === '0' && socket.bytesRead !== begunAtBytes;
}

/** What Node's parser is reading. Undocumented, hence undefined where there is no such thing: nothing is taken unseen then. */
function packetOf(socket: Socket): Buffer | undefined {
  const { parser } = socket as { readonly parser?: { getCurrentBuffer?(): Buffer } };
  return parser?.getCurrentBuffer?.();
}
