/**
 * MD5 and SHA-256 of large bodies in a thread of their own: together they take about 1.6 ms a MiB, which on the main thread
 * would be the limit of a store on more than one core. Bytes are handed over as copies, several reads at once.
 */
import { Worker } from 'node:worker_threads';
import { createChecksum, type Checksum } from '@holdfast/s3-protocol';
import { InlineBodyDigest, type BodyDigest, type Digests, type DigestPlan } from './body-digest.js';

/** Pieces go over together from this size on: a message costs about as much as hashing 10 KiB. */
const MESSAGE_BYTES = 256 * 1024;
/** What one body may have under way to the worker before its sender waits. */
const AHEAD_BYTES_MAX = 2 * 1024 * 1024;

/** From this size on a body is hashed in a thread of its own. */
const WORKER_BYTES_MIN = 1024 * 1024;

/** Digests of a body of this size, wherever hashing it costs its request least. */
export function bodyDigestFor(sizeBytes: number, plan: DigestPlan): BodyDigest {
  return sizeBytes >= WORKER_BYTES_MIN ? new WorkerBodyDigest(plan) : new InlineBodyDigest(plan);
}

interface WorkerAnswer {
  readonly id: number;
  readonly hashedBytes?: number;
  readonly md5?: Uint8Array;
  readonly sha256Hex?: string;
}

let shared: HashThread | undefined;

/** The one thread of this process, started when it is first needed and again after it has died. */
class HashThread {
  private readonly worker: Worker;
  private readonly bodies = new Map<number, WorkerBodyDigest>();
  private nextId = 1;

  private constructor() {
    // Where the sources are not compiled, the worker is not either.
    const file = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    this.worker = new Worker(new URL(file, import.meta.url), { execArgv: ['--no-warnings'] });
    this.worker.on('message', (answer: WorkerAnswer) => this.bodies.get(answer.id)?.answered(answer));
    this.worker.on('error', (error) => this.died(error));
    this.worker.on('exit', (code) => this.died(new Error(`the hashing thread has ended (${code})`)));
    // After the listeners, which hold the process again: an idle thread must not keep it alive.
    this.worker.unref();
  }

  static get(): HashThread {
    shared ??= new HashThread();
    return shared;
  }

  begin(body: WorkerBodyDigest, sha256: boolean): number {
    const id = this.nextId++;
    this.bodies.set(id, body);
    this.worker.postMessage({ kind: 'begin', id, sha256 });
    return id;
  }

  send(id: number, pieces: readonly Buffer[]): void {
    this.worker.postMessage({ kind: 'bytes', id, pieces });
  }

  finish(id: number): void {
    this.worker.postMessage({ kind: 'finish', id });
  }

  forget(id: number, discard: boolean): void {
    if (this.bodies.delete(id) && discard) this.worker.postMessage({ kind: 'discard', id });
  }

  private died(error: Error): void {
    if (shared === this) shared = undefined;
    for (const body of this.bodies.values()) body.failed(error);
    this.bodies.clear();
  }
}

/** Digests of one body, hashed in the thread; a checksum that is cheap is computed here. */
export class WorkerBodyDigest implements BodyDigest {
  private readonly thread = HashThread.get();
  private readonly id: number;
  private readonly checksum: Checksum | undefined;
  private pieces: Buffer[] = [];
  private pieceBytes = 0;
  private aheadBytes = 0;
  private failure: Error | undefined;
  private wake: () => void = () => undefined;
  private answer: WorkerAnswer | undefined;

  constructor(plan: DigestPlan) {
    this.id = this.thread.begin(this, plan.sha256);
    this.checksum = plan.checksum === undefined ? undefined : createChecksum(plan.checksum);
  }

  update(bytes: Buffer): void | Promise<void> {
    this.checksum?.update(bytes);
    this.pieces.push(bytes);
    this.pieceBytes += bytes.length;
    if (this.pieceBytes < MESSAGE_BYTES) return undefined;
    this.sendPieces();
    return this.aheadBytes > AHEAD_BYTES_MAX ? this.until(() => this.aheadBytes <= AHEAD_BYTES_MAX) : undefined;
  }

  async finish(): Promise<Digests> {
    this.sendPieces();
    this.thread.finish(this.id);
    await this.until(() => this.answer !== undefined);
    this.thread.forget(this.id, false);
    const { md5 = new Uint8Array(), sha256Hex } = this.answer ?? { id: this.id };
    return { md5: Buffer.from(md5), sha256Hex, checksum: this.checksum?.digest() };
  }

  /** The body came to nothing. */
  discard(): void {
    this.thread.forget(this.id, true);
  }

  answered(answer: WorkerAnswer): void {
    if (answer.hashedBytes !== undefined) this.aheadBytes -= answer.hashedBytes;
    else this.answer = answer;
    this.wake();
  }

  failed(error: Error): void {
    this.failure = error;
    this.wake();
  }

  private sendPieces(): void {
    if (this.pieces.length === 0) return;
    this.thread.send(this.id, this.pieces);
    this.aheadBytes += this.pieceBytes;
    this.pieces = [];
    this.pieceBytes = 0;
  }

  /** Errors: that of the thread, when it has died. */
  private async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
