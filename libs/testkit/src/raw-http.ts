import { connect, type Socket } from 'node:net';

/** What came back on a connection until it was closed, or until the answer was whole. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends bytes as they are and reads one answer: for requests that no HTTP client would send. */
export class RawConnection {
  private received = '';
  private ended = false;
  private wake: (() => void) | undefined;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.wake?.();
    });
    const gone = (): void => {
      this.ended = true;
      this.wake?.();
    };
    socket.on('close', gone);
    socket.on('error', gone);
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawConnection(socket));
      });
    });
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** True once the other side has closed. */
  async closed(timeoutMs = 5000): Promise<boolean> {
    return this.until(() => this.ended, timeoutMs);
  }

  /** The next answer with a status of 200 and more; 1xx ones stay in `interim`. Status 0: closed without one. */
  async answer(timeoutMs = 5000): Promise<RawAnswer> {
    await this.until(() => this.ended || this.complete() !== undefined, timeoutMs);
    const end = this.complete() ?? this.received.length;
    const text = this.received.slice(0, end);
    this.received = this.received.slice(end);
    const split = text.indexOf('\r\n\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
    return { status, head: split < 0 ? text : text.slice(0, split), body: split < 0 ? '' : text.slice(split + 4) };
  }

  /** All that came so far and was not taken as an answer. */
  get pending(): string {
    return this.received;
  }

  destroy(): void {
    this.socket.destroy();
  }

  private complete(): number | undefined {
    const split = this.received.indexOf('\r\n\r\n');
    if (split < 0) return undefined;
    const head = this.received.slice(0, split);
    if (/^HTTP\/1\.1 1\d\d/.test(head)) return split + 4;
    const length = /\r\ncontent-length: (\d+)/i.exec(head);
    const end = split + 4 + Number(length?.[1] ?? 0);
    return this.received.length >= end ? end : undefined;
  }

  private async until(met: () => boolean, timeoutMs: number): Promise<boolean> {
    const untilMs = performance.now() + timeoutMs;
    while (!met() && performance.now() < untilMs) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return met();
  }
}
