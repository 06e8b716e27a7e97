import type { IncomingMessage, ServerResponse } from 'node:http';
import { HoldfastError } from '@holdfast/contracts';
import type { HttpLimits } from '../gateway-options.js';

/**
 * The body of one request as it comes from the socket. Nothing is read, and `100 Continue` is not sent, before the first
 * pull; between two pulls the socket is paused, so a slow consumer slows the client and no memory fills.
 */
export class RequestBody {
  private readonly queue: Buffer[] = [];
  private begun = false;
  private ended = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  /** Of a body that was taken as a whole, the end of its message. */
  private tail: Promise<void> | undefined;
  private receivedBytes = 0;
  private waitedMs = 0;

  constructor(
    private readonly raw: IncomingMessage,
    private readonly out: ServerResponse,
    private readonly limits: HttpLimits,
    private readonly awaitsContinue: boolean,
    /** Content-Length; undefined for a body that ends where its chunks end. */
    private readonly announcedBytes: number | undefined,
    /** Aborted with the error to answer, when what comes turns out to have two readings. */
    private readonly framing?: AbortSignal,
  ) {}

  /** False when the client was never asked for the body that it holds back. */
  get wanted(): boolean {
    return this.begun || !this.awaitsContinue;
  }

  /** True when reading it failed: what may still come of it is not waited for. */
  get broken(): boolean {
    return this.failure !== undefined;
  }

  /** Bytes taken from the socket so far. */
  get receivedCount(): number {
    return this.receivedBytes;
  }

  /** @throws HoldfastError IncompleteBody (the client went away), RequestTimeout (it sends too slowly), InvalidRequest (framing) */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    this.begin();
    for (;;) {
      const chunk = this.queue.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) return this.tail;
      await this.more();
    }
  }

  /**
   * All of a body that came with its head, once its message has ended; undefined, with nothing read, for one that is still to
   * come. Errors: those of `chunks`.
   */
  whole(): Buffer | Promise<Buffer | undefined> | undefined {
    if (!this.isHere) return undefined;
    this.begin();
    return this.tail === undefined ? this.taken() : this.tail.then(() => this.taken());
  }

  private taken(): Buffer | undefined {
    if (this.failure !== undefined) throw this.failure;
    return this.queue.shift();
  }

  private get isHere(): boolean {
    const { raw, announcedBytes } = this;
    return raw.readableLength > 0 && raw.readableLength === announcedBytes && !raw.destroyed;
  }

  private begin(): void {
    if (this.begun) throw new HoldfastError('InternalError', 'a request body is read once');
    this.begun = true;
    if (this.awaitsContinue) this.out.writeContinue();
    this.watchFraming();
    if (this.isHere) this.takeWhole();
    else this.listen();
  }

  private watchFraming(): void {
    const { framing } = this;
    if (framing === undefined) return;
    const ambiguous = (): void => {
      this.failure ??= framing.reason as Error;
      this.settle();
    };
    if (framing.aborted) ambiguous();
    else framing.addEventListener('abort', ambiguous);
  }

  private settle(): void {
    this.wake?.();
    this.wake = undefined;
  }

  /** A small body comes with its head: all of it is here before anybody asks for it, and most often so is its end. */
  private takeWhole(): void {
    const whole = this.raw.read() as Buffer;
    this.receivedBytes = whole.length;
    this.queue.push(whole);
    if (this.raw.complete) {
      this.ended = true;
      return;
    }
    this.tail = new Promise((resolve) => {
      this.raw.once('end', resolve);
      this.raw.once('close', resolve);
    });
    this.ended = true;
    this.raw.resume();
  }

  private listen(): void {
    this.raw.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.queue.push(chunk);
      this.raw.pause();
      this.settle();
    });
    this.raw.once('end', () => {
      this.ended = true;
      this.settle();
    });
    const gone = (): void => {
      if (!this.ended) this.failure ??= new HoldfastError('IncompleteBody');
      this.settle();
    };
    this.raw.once('error', gone);
    this.raw.once('close', gone);
    if (this.raw.destroyed && !this.raw.readableEnded) gone();
  }

  /** Time is counted only while this process waits for the client, never while the client waits for this process. */
  private more(): Promise<void> {
    const { bodyGraceMs, bodyBytesPerSecondMin, bodyIdleTimeoutMs } = this.limits;
    const earnedMs = Math.max(bodyGraceMs, (this.receivedBytes / bodyBytesPerSecondMin) * 1000);
    const allowedMs = Math.max(0, Math.min(bodyIdleTimeoutMs, earnedMs - this.waitedMs));
    const beganMs = performance.now();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.failure ??= new HoldfastError('RequestTimeout');
        this.wake = undefined;
        resolve();
      }, allowedMs);
      this.wake = () => {
        clearTimeout(timer);
        this.waitedMs += performance.now() - beganMs;
        resolve();
      };
      this.raw.resume();
    });
  }
}
