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
  private receivedBytes = 0;
  private waitedMs = 0;

  constructor(
    private readonly raw: IncomingMessage,
    private readonly out: ServerResponse,
    private readonly limits: HttpLimits,
    private readonly awaitsContinue: boolean,
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

  /** @throws HoldfastError IncompleteBody (the client went away), RequestTimeout (it sends too slowly) */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    this.begin();
    for (;;) {
      const chunk = this.queue.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) return;
      await this.more();
    }
  }

  private begin(): void {
    if (this.begun) throw new HoldfastError('InternalError', 'a request body is read once');
    this.begun = true;
    if (this.awaitsContinue) this.out.writeContinue();
    const settle = (): void => {
      this.wake?.();
      this.wake = undefined;
    };
    this.raw.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      this.queue.push(chunk);
      this.raw.pause();
      settle();
    });
    this.raw.once('end', () => {
      this.ended = true;
      settle();
    });
    const gone = (): void => {
      if (!this.ended) this.failure ??= new HoldfastError('IncompleteBody');
      settle();
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
