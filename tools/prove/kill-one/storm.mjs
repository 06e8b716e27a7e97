// Many writers and a reader at once, against the load balancer. Each answer goes into the ledger; what a read during the
// storm shows is judged on the spot.
import { setTimeout as sleep } from 'node:timers/promises';
import { absent } from './ledger.mjs';
import { sha256 } from './bodies.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const answerWaitMs = 30_000;
const hotKeys = 48;
const partBytes = 5 * MIB;
const smallSizes = [0, 1, 15, 100, 1000, 4095, 4096, 4097, 16_384, 16_385, 65_536, 100_000, 300_000];
const largeSizes = [MIB, MIB + 1, 5 * MIB - 1, 5 * MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB + 1, 20 * MIB];
const multipartSizes = [partBytes + 1, 2 * partBytes, 12 * MIB + 7, 17 * MIB];
/** Answers of 4xx that say nothing against a request: it was too slow, or met another one. */
const mayRefuse = new Set(['RequestTimeout', 'OperationAborted', 'ConditionalRequestConflict', 'SlowDown']);

const pick = (random, list) => list[Math.floor(random() * list.length)];

export class Storm {
  acked = 0;
  unknown = 0;
  refused = 0;
  reads = 0;
  failedReads = 0;
  sentBytes = 0;
  violations = [];
  /** How often each error was answered: { 'PUT 503 SlowDown': 3 }. */
  errors = {};
  #running = false;
  #workers = [];
  #fresh = 0;

  /** @param parts { s3, commands, ledger, bodies, random, buckets, bytesPerSecond } */
  constructor(parts) {
    Object.assign(this, parts);
  }

  start() {
    this.#running = true;
    this.startedAtMs = performance.now();
    this.sentBytesBefore = this.sentBytes;
    const small = Array.from({ length: 6 }, () => this.#loop(() => this.#writeSmall(), 80));
    const large = Array.from({ length: 2 }, () => this.#loop(() => this.#writeLarge(), 80));
    this.#workers = [...small, ...large, this.#loop(() => this.#read(), 40)];
  }

  /** Resolves when every request under way was answered or given up. */
  async stop() {
    this.#running = false;
    await Promise.all(this.#workers);
  }

  async #loop(work, pauseMsMax) {
    while (this.#running) {
      const good = await work();
      // A balancer that is gone refuses at once: no point in asking ten thousand times a second.
      await sleep(this.random() * pauseMsMax + (good ? 0 : 100));
    }
  }

  #key() {
    const bucket = pick(this.random, this.buckets);
    if (this.random() < 0.5) return `${bucket}/hot/${Math.floor(this.random() * hotKeys)}`;
    this.#fresh += 1;
    return `${bucket}/once/${String(this.#fresh).padStart(6, '0')}`;
  }

  #writeSmall() {
    if (this.random() < 0.05) return this.#delete();
    const sizeBytes = pick(this.random, smallSizes);
    return this.#put(sizeBytes);
  }

  async #writeLarge() {
    const allowedBytes = ((performance.now() - this.startedAtMs) / 1000) * this.bytesPerSecond;
    if (this.sentBytes - this.sentBytesBefore > allowedBytes) return true;
    if (this.random() < 0.3) return this.#multipart(pick(this.random, multipartSizes));
    return this.#put(pick(this.random, largeSizes));
  }

  /** Sends one command. @returns { answer } or { error, status, code } */
  async #ask(label, command) {
    try {
      return { answer: await this.s3.send(command, { abortSignal: AbortSignal.timeout(answerWaitMs) }) };
    } catch (error) {
      const status = error.$metadata?.httpStatusCode ?? 0;
      const what = `${label} ${status === 0 ? (error.code ?? error.name) : `${status} ${error.name}`}`;
      this.errors[what] = (this.errors[what] ?? 0) + 1;
      return { error, status, code: error.name };
    }
  }

  /** Sends the command that decides an attempt and notes what came of it. */
  async #decide(label, key, content, recipe, command) {
    const sizeBytes = recipe?.sizeBytes ?? 0;
    const attempt = this.ledger.begin(key, { kind: label, content, sizeBytes, recipe, atMs: performance.now() });
    const { error, status, code } = await this.#ask(label, command);
    const isRefusal = status >= 400 && status < 500;
    // Without a connection nothing was sent.
    const neverHappens = isRefusal || error?.code === 'ECONNREFUSED';
    const outcome = error === undefined ? 'acked' : neverHappens ? 'refused' : 'unknown';
    this.ledger.end(attempt, outcome, performance.now());
    this[outcome] += 1;
    if (isRefusal && !mayRefuse.has(code)) {
      const found = `${status} ${code}: ${error.message}`;
      this.violations.push({ kind: `a good ${label} was refused`, key, found, allowed: ['200', '5xx'] });
    }
    return outcome === 'acked';
  }

  #target(key) {
    const slash = key.indexOf('/');
    return { Bucket: key.slice(0, slash), Key: key.slice(slash + 1) };
  }

  #put(sizeBytes) {
    const key = this.#key();
    const recipe = this.bodies.recipe(sizeBytes, this.random);
    const body = this.bodies.make(recipe);
    this.sentBytes += sizeBytes;
    const command = new this.commands.PutObjectCommand({ ...this.#target(key), Body: body });
    return this.#decide('PUT', key, sha256(body), recipe, command);
  }

  #delete() {
    const key = `${pick(this.random, this.buckets)}/hot/${Math.floor(this.random() * hotKeys)}`;
    const command = new this.commands.DeleteObjectCommand(this.#target(key));
    return this.#decide('DELETE', key, absent, undefined, command);
  }

  async #multipart(sizeBytes) {
    const { CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand } = this.commands;
    const key = this.#key();
    const target = this.#target(key);
    const recipe = this.bodies.recipe(sizeBytes, this.random);
    const body = this.bodies.make(recipe);
    const created = await this.#ask('CreateMultipartUpload', new CreateMultipartUploadCommand(target));
    if (created.error) return false;
    const upload = { ...target, UploadId: created.answer.UploadId };
    const parts = [];
    for (let at = 0; at < sizeBytes; at += partBytes) {
      const piece = body.subarray(at, at + partBytes);
      this.sentBytes += piece.length;
      const PartNumber = parts.length + 1;
      const sent = await this.#ask('UploadPart', new UploadPartCommand({ ...upload, PartNumber, Body: piece }));
      if (sent.error) return this.#abort(upload);
      parts.push({ PartNumber, ETag: sent.answer.ETag, ...checksumsOf(sent.answer) });
    }
    const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } });
    return this.#decide('CompleteMultipartUpload', key, sha256(body), recipe, command);
  }

  async #abort(upload) {
    await this.#ask('AbortMultipartUpload', new this.commands.AbortMultipartUploadCommand(upload));
    return false;
  }

  async #read() {
    const keys = this.ledger.keys();
    if (keys.length === 0) return true;
    const key = pick(this.random, keys);
    const before = this.ledger.allowed(key).map((attempt) => attempt.content);
    const startMs = performance.now();
    const { content, error } = await readObject(this.s3, this.commands, this.#target(key));
    if (error !== undefined) {
      this.failedReads += 1;
      const what = `GET ${error}`;
      this.errors[what] = (this.errors[what] ?? 0) + 1;
      return false;
    }
    this.reads += 1;
    const since = [...this.ledger.everAttempted(key).values()].filter((one) => one.startMs >= startMs);
    const possible = [...before, ...since.map((one) => one.content)];
    if (!possible.includes(content)) {
      const verdict = this.ledger.judge(key, content)?.kind ?? 'it was not there at the time';
      this.violations.push({ kind: `read during the storm: ${verdict}`, key, found: content, allowed: possible });
    }
    return true;
  }
}

const checksumsOf = ({ ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 }) =>
  Object.fromEntries(
    Object.entries({ ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 }).filter(
      ([, value]) => value !== undefined,
    ),
  );

/** @returns { content, body, etag } of one object; content `absent` when it is not there; { error, status } of any other answer */
export async function readObject(s3, commands, target) {
  try {
    const abortSignal = AbortSignal.timeout(answerWaitMs);
    const answer = await s3.send(new commands.GetObjectCommand(target), { abortSignal });
    const body = Buffer.from(await answer.Body.transformToByteArray());
    return { content: sha256(body), body, etag: answer.ETag };
  } catch (error) {
    if (error.name === 'NoSuchKey') return { content: absent };
    const status = error.$metadata?.httpStatusCode ?? 0;
    return {
      error: status === 0 ? `${error.code ?? error.name}: ${error.message}` : `${status} ${error.name}`,
      status,
    };
  }
}
