/**
 * MD5 and SHA-256 of large bodies in a thread of their own: together they take about 1.6 ms a MiB, which on the main thread
 * would be the limit of a store on more than one core. Bytes go over in slabs of memory that both threads see: a message with
 * bytes in it would be copied twice, into memory that is new each time.
 */
import { Worker } from 'node:worker_threads';
import { createChecksum, type Checksum } from '@holdfast/s3-protocol';
import { InlineBodyDigest, type BodyDigest, type Digests, type DigestPlan } from './body-digest.js';

/** Pieces go over together: a message costs about as much as hashing 10 KiB. */
const SLAB_BYTES = 256 * 1024;
/** What all bodies together may have under way to the thread before their senders wait. */
const SLABS = 32;

/** From this size on a body is hashed in a thread of its own. */
const WORKER_BYTES_MIN = 1024 * 1024;

/** Digests of a body of this size, wherever hashing it costs its request least. */
export function bodyDigestFor(sizeBytes: number, plan: DigestPlan): BodyDigest {
  return sizeBytes >= WORKER_BYTES_MIN ? new WorkerBodyDigest(plan) : new InlineBodyDigest(plan);
}

interface DigestAnswer {
  readonly id: number;
  readonly md5: Uint8Array;
  readonly sha256Hex?: string;
}

type WorkerAnswer = DigestAnswer | { readonly freeSlab: number };

let shared: HashThread | undefined;

interface SlabWaiter {
  readonly resolve: (slab: number) => void;
  readonly reject: (error: Error) => void;
}

/** The one thread of this process, started when it is first needed and again after it has died. */
class HashThread {
  private readonly worker: Worker;
  private readonly memory = new SharedArrayBuffer(SLABS * SLAB_BYTES);
  private readonly freeSlabs = Array.from({ length: SLABS }, (_, slab) => slab);
  private readonly waiting: SlabWaiter[] = [];
  private readonly bodies = new Map<number, WorkerBodyDigest>();
  private failure: Error | undefined;
  private nextId = 1;

  private constructor() {
    // Where the sources are not compiled, the worker is not either.
    const file = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    const workerData = { memory: this.memory, slabBytes: SLAB_BYTES };
    this.worker = new Worker(new URL(file, import.meta.url), { execArgv: ['--no-warnings'], workerData });
    this.worker.on('message', (answer: WorkerAnswer) => {
      if ('freeSlab' in answer) this.free(answer.freeSlab);
      else this.bodies.get(answer.id)?.answered(answer);
    });
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

  /** Undefined when the caller would have to wait for `nextSlab`. */
  takeSlab(): number | undefined {
    return this.waiting.length > 0 ? undefined : this.freeSlabs.pop();
  }

  /** In order of arrival. Errors: that of the thread, when it has died. */
  nextSlab(): Promise<number> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  memoryOf(slab: number): Buffer {
    return Buffer.from(this.memory, slab * SLAB_BYTES, SLAB_BYTES);
  }

  /** The slab is the thread's until it is told to be free. */
  send(id: number, slab: number, sizeBytes: number): void {
    this.worker.postMessage({ kind: 'bytes', id, slab, sizeBytes });
  }

  finish(id: number): void {
    this.worker.postMessage({ kind: 'finish', id });
  }

  forget(id: number, discard: boolean): void {
    if (this.bodies.delete(id) && discard) this.worker.postMessage({ kind: 'discard', id });
  }

  private free(slab: number): void {
    const next = this.waiting.shift();
    if (next === undefined) this.freeSlabs.push(slab);
    else next.resolve(slab);
  }

  private died(error: Error): void {
    if (shared === this) shared = undefined;
    this.failure = error;
    for (const waiter of this.waiting.splice(0)) waiter.reject(error);
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
  private failure: Error | undefined;
  private wake: () => void = () => undefined;
  private answer: DigestAnswer | undefined;

  constructor(plan: DigestPlan) {
    this.id = this.thread.begin(this, plan.sha256);
    this.checksum = plan.checksum === undefined ? undefined : createChecksum(plan.checksum);
  }

  update(bytes: Buffer): void | Promise<void> {
    this.checksum?.update(bytes);
    this.pieces.push(bytes);
    this.pieceBytes += bytes.length;
    while (this.pieceBytes >= SLAB_BYTES) {
      const slab = this.thread.takeSlab();
      if (slab === undefined) return this.sendInTurn(SLAB_BYTES);
      this.sendIn(slab);
    }
    return undefined;
  }

  async finish(): Promise<Digests> {
    await this.sendInTurn(1);
    this.thread.finish(this.id);
    while (this.answer === undefined) {
      if (this.failure !== undefined) throw this.failure;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    this.thread.forget(this.id, false);
    const { md5, sha256Hex } = this.answer;
    return { md5: Buffer.from(md5), sha256Hex, checksum: this.checksum?.digest() };
  }

  /** The body came to nothing. */
  discard(): void {
    this.thread.forget(this.id, true);
  }

  answered(answer: DigestAnswer): void {
    this.answer = answer;
    this.wake();
  }

  failed(error: Error): void {
    this.failure = error;
    this.wake();
  }

  /** Until fewer than so many bytes are left. Nobody waits here who holds a slab: the thread will free one. */
  private async sendInTurn(leastBytes: number): Promise<void> {
    while (this.pieceBytes >= leastBytes) this.sendIn(this.thread.takeSlab() ?? (await this.thread.nextSlab()));
  }

  private sendIn(slab: number): void {
    const memory = this.thread.memoryOf(slab);
    let sizeBytes = 0;
    let taken = 0;
    for (; taken < this.pieces.length && sizeBytes < SLAB_BYTES; taken += 1) {
      const piece = this.pieces[taken];
      const copiedBytes = piece.copy(memory, sizeBytes);
      sizeBytes += copiedBytes;
      if (copiedBytes === piece.length) continue;
      this.pieces[taken] = piece.subarray(copiedBytes);
      break;
    }
    this.pieces.splice(0, taken);
    this.pieceBytes -= sizeBytes;
    this.thread.send(this.id, slab, sizeBytes);
  }
}
