import type { IncomingMessage, ServerResponse } from 'node:http';
import { assert } from '@holdfast/stdx';
import { log } from '@holdfast/service-host';
import type { HttpLimits } from '../gateway-options.js';
import type { Reply, StreamedBody } from '../pipeline/reply.js';
import type { RequestBody } from './request-body.js';

/** So much of a body that nobody wanted is read without giving the connection up. */
const DRAIN_IN_PLACE_BYTES = 64 * 1024;
const LINGER_MS = 2000;
/** A body up to here goes out as text: the server joins it with the head to one write, which it does not do with bytes. */
const JOINED_BODY_BYTES_MAX = 8 * 1024;

/** One request and its answer on one connection. */
export interface Channel {
  readonly raw: IncomingMessage;
  readonly out: ServerResponse;
  readonly requestId: string;
  /** The bucket that the Host names. */
  readonly hostBucket?: string;
  /** Absent when the request was refused before its headers were understood: the connection ends with the answer. */
  readonly body?: RequestBody;
  /** The connection ends with this answer. */
  readonly closing: boolean;
}

/** Writes answers. Headers go out with the first bytes, so an error before them is still an ordinary error answer. */
export class ReplyWriter {
  private draining = false;
  /** Answers whose connections are still being read, with all their own bytes written. */
  private readonly lingering = new WeakSet<ServerResponse>();

  constructor(
    private readonly hostId: string,
    private readonly limits: HttpLimits,
  ) {}

  /**
   * Resolves with the number of body bytes handed to the socket. Rejects with the error of a body that failed before its
   * first byte; after it, the socket is destroyed, because a clean end would look like the whole object.
   * @param beforeEnd called once, before the bytes that make the answer whole are handed over; not for one that never is
   */
  async write(channel: Channel, reply: Reply, beforeEnd?: (status: number) => void): Promise<number> {
    const left = unreadBytes(channel);
    const held = channel.body !== undefined && (!channel.body.wanted || channel.body.broken);
    const head = this.head(channel, reply, this.draining || channel.closing || held || left > DRAIN_IN_PLACE_BYTES);
    if (typeof reply.body === 'object') return this.stream(channel, head, { ...reply, body: reply.body }, beforeEnd);
    const { raw, out } = channel;
    const isHead = raw.method === 'HEAD';
    const text = isHead ? '' : (reply.body ?? '');
    const sizeBytes = Buffer.byteLength(text);
    if (reply.headLengthBytes !== undefined) head.push('Content-Length', String(reply.headLengthBytes));
    else if (!isHead && reply.status !== 204 && reply.status !== 304) head.push('Content-Length', String(sizeBytes));
    beforeEnd?.(reply.status);
    out.writeHead(reply.status, head);
    if (left > DRAIN_IN_PLACE_BYTES && !held) {
      await this.linger(channel, text);
      out.end();
    } else {
      if (left > 0) discard(raw);
      out.end(text);
      this.watchTail(channel);
    }
    return sizeBytes;
  }

  /** From now on every connection ends with its answer. */
  drain(): void {
    this.draining = true;
  }

  /** True when every byte of the answer was handed to the socket. */
  isWhole(out: ServerResponse): boolean {
    return out.writableEnded || this.lingering.has(out);
  }

  private head(channel: Channel, reply: Reply, mustClose: boolean): string[] {
    const head = reply.headers.slice();
    head.push('x-amz-request-id', channel.requestId, 'x-amz-id-2', this.hostId, 'Server', 'Holdfast');
    // A stored page is somebody's upload: no browser guesses its type, nor runs its scripts at the address of the store.
    head.push('X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', 'sandbox');
    if (mustClose) head.push('Connection', 'close');
    return head;
  }

  private async stream(
    channel: Channel,
    head: string[],
    { status, body }: { readonly status: number; readonly body: StreamedBody },
    beforeEnd?: (status: number) => void,
  ): Promise<number> {
    const { out, raw } = channel;
    const source = body.open()[Symbol.asyncIterator]();
    const first = await source.next();
    head.push('Content-Length', String(body.sizeBytes));
    let sentBytes = 0;
    try {
      for (let step = first; !step.done; step = await source.next()) {
        // Whoever left while the source was read takes no byte more, and will never make room for one.
        if (isGone(channel)) break;
        if (sentBytes === 0) out.writeHead(status, head);
        sentBytes += step.value.length;
        assert(sentBytes <= body.sizeBytes, 'a body is as long as its header says', { sentBytes });
        const isLast = sentBytes === body.sizeBytes;
        if (isLast) beforeEnd?.(status);
        if (isLast && sentBytes <= JOINED_BODY_BYTES_MAX) {
          out.end(step.value.toString('latin1'), 'latin1');
          this.watchTail(channel);
        } else {
          // A piece is ours until the next one is asked for: the socket must be done with it. The last one and the end are one write.
          await this.takenOrGone(channel, (taken) =>
            isLast ? out.end(step.value, taken) : out.write(step.value, taken),
          );
        }
      }
      assert(sentBytes === body.sizeBytes || isGone(channel), 'a body is as long as its header says', { sentBytes });
    } catch (error) {
      if (!out.writableEnded) raw.destroy();
      log.error('the source of an answer failed after its headers', { requestId: channel.requestId, sentBytes, error });
    } finally {
      await source.return?.();
    }
    return sentBytes;
  }

  /**
   * Resolves when the client took what `send` sends, or is gone and the socket closed: from then on nobody looks at the bytes.
   * A client that takes nothing for too long is sent away.
   */
  private takenOrGone({ raw: { socket }, out }: Channel, send: (taken: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      // The socket's own timer knows of the parts of a write that were taken; the server destroys what it finds idle.
      socket.setTimeout(this.limits.writeIdleTimeoutMs);
      const done = (): void => {
        // After an answer the server sets the time for the next request itself.
        if (!out.writableEnded) socket.setTimeout(0);
        socket.off('close', done);
        resolve();
      };
      socket.on('close', done);
      send(done);
    });
  }

  /** The end of an answer may still lie in this process. */
  private watchTail(channel: Channel): void {
    const { raw, out } = channel;
    if (out.writableFinished || raw.socket.writableLength === 0) return;
    void this.takenOrGone(channel, (taken) => out.once('finish', taken));
  }

  /**
   * Sends the answer, then goes on reading for a little while: a socket that is closed with unread bytes in it resets, and
   * the client would lose the answer to its own upload.
   */
  private linger({ raw, out }: Channel, text: string): Promise<void> {
    if (text === '') out.flushHeaders();
    else out.write(text);
    this.lingering.add(out);
    return new Promise((resolve) => {
      let readBytes = 0;
      const timer = setTimeout(done, LINGER_MS);
      const { drainBytesMax } = this.limits;
      raw.removeAllListeners('data');
      raw.on('data', (chunk: Buffer) => {
        readBytes += chunk.length;
        if (readBytes > drainBytesMax) done();
      });
      raw.once('end', done);
      raw.once('close', done);
      raw.resume();
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
    });
  }
}

function isGone({ raw, out }: Channel): boolean {
  return out.destroyed || raw.socket.destroyed;
}

/** Of the request's body: bytes that are announced and were not read. */
function unreadBytes({ raw, body }: Channel): number {
  if (raw.complete || raw.destroyed) return 0;
  const announced = raw.headers['content-length'];
  if (announced === undefined) return raw.headers['transfer-encoding'] === undefined ? 0 : Number.MAX_SAFE_INTEGER;
  return Math.max(0, Number(announced) - (body?.receivedCount ?? 0));
}

function discard(raw: IncomingMessage): void {
  raw.removeAllListeners('data');
  raw.resume();
}
