// After the storm, with every process ready: reads and lists what the ledger knows. An answer of 5xx is a violation here.
import { setTimeout as sleep } from 'node:timers/promises';
import { absent } from './ledger.mjs';
import { readObject } from './storm.mjs';

const readersAtOnce = 8;
const readTries = 4;
const retryPauseMs = 500;
const probeBucket = 'probe';
const goodProbes = 3;
const probePauseMs = 150;

export class Verification {
  objectsRead = 0;
  violations = [];
  /** What was read last of each key that is there: { sizeBytes, etag }. */
  #present = new Map();

  /** @param parts { s3, commands, ledger, bodies, random, buckets } */
  constructor(parts) {
    Object.assign(this, parts);
  }

  async #probe(number) {
    const { PutObjectCommand, GetObjectCommand, ListObjectsV2Command } = this.commands;
    const target = { Bucket: probeBucket, Key: `probe-${number % goodProbes}` };
    await this.s3.send(new PutObjectCommand({ ...target, Body: `probe ${number}` }));
    const { Body } = await this.s3.send(new GetObjectCommand(target));
    await Body.transformToString();
    await this.s3.send(new ListObjectsV2Command({ Bucket: probeBucket, MaxKeys: 3 }));
  }

  /** Waits until a PUT, a GET and a list succeed several times in a row. @returns milliseconds that it took */
  async converge(waitMs, signal) {
    const startedAtMs = performance.now();
    let last;
    for (let number = 0, inARow = 0; inARow < goodProbes; number += 1) {
      signal.throwIfAborted();
      if (performance.now() - startedAtMs > waitMs) {
        const found = `${last?.$metadata?.httpStatusCode ?? ''} ${last?.name}: ${last?.message}`.trim();
        this.violations.push({
          kind: `no convergence in ${waitMs / 1000} s`,
          key: probeBucket,
          found,
          allowed: ['200'],
        });
        break;
      }
      try {
        await this.#probe(number);
        inARow += 1;
      } catch (error) {
        last = error;
        inARow = 0;
      }
      await sleep(probePauseMs);
    }
    return performance.now() - startedAtMs;
  }

  #target(key) {
    const slash = key.indexOf('/');
    return { Bucket: key.slice(0, slash), Key: key.slice(slash + 1) };
  }

  async #read(key) {
    for (let tries = 1; ; tries += 1) {
      const read = await readObject(this.s3, this.commands, this.#target(key));
      if (read.error === undefined) return read;
      this.violations.push({ kind: 'an error after convergence', key, found: read.error, allowed: ['200', '404'] });
      if (tries === readTries) return read;
      await sleep(retryPauseMs);
    }
  }

  async #verifyKey(key) {
    const atMs = performance.now();
    const { content, body, etag, error } = await this.#read(key);
    if (error !== undefined) return;
    this.objectsRead += 1;
    const violation = this.ledger.judge(key, content);
    if (violation !== undefined) {
      const recipes = this.ledger.allowed(key).map((attempt) => attempt.recipe);
      const sent = recipes.filter((recipe) => recipe !== undefined);
      const differences = body === undefined ? [] : sent.map((recipe) => this.bodies.difference(body, recipe));
      this.violations.push({ ...violation, ...(differences.length === 0 ? {} : { differences }) });
    }
    this.ledger.settle(key, content, atMs);
    if (content === absent) this.#present.delete(key);
    else this.#present.set(key, { sizeBytes: body.length, etag });
  }

  /** Reads each of the keys. */
  async readAll(keys, signal) {
    const queue = [...keys];
    const reader = async () => {
      while (queue.length > 0 && !signal.aborted) await this.#verifyKey(queue.pop());
    };
    await Promise.all(Array.from({ length: readersAtOnce }, reader));
    signal.throwIfAborted();
  }

  /** All entries of a bucket, by pages of a size drawn. @returns undefined when a page is not answered */
  async #list(bucket) {
    const listed = [];
    const MaxKeys = 50 + Math.floor(this.random() * 950);
    let ContinuationToken;
    do {
      const command = new this.commands.ListObjectsV2Command({ Bucket: bucket, MaxKeys, ContinuationToken });
      const page = await this.s3.send(command).catch((error) => {
        const found = `${error.$metadata?.httpStatusCode ?? 0} ${error.name}: ${error.message}`;
        this.violations.push({ kind: 'a list failed after convergence', key: bucket, found, allowed: ['200'] });
      });
      if (page === undefined) return undefined;
      listed.push(...(page.Contents ?? []));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return listed;
  }

  #compareEntry(key, entry) {
    const read = this.#present.get(key);
    // What had no answer may have come true between the read and the list.
    if (this.ledger.isOpen(key)) return;
    if (read === undefined)
      this.violations.push({ kind: 'listed, but not there', key, found: entry.ETag, allowed: [absent] });
    else if (read.sizeBytes !== entry.Size || read.etag !== entry.ETag)
      this.violations.push({
        kind: 'listed as another body than is read',
        key,
        found: `${entry.Size} bytes ${entry.ETag}`,
        allowed: [`${read.sizeBytes} bytes ${read.etag}`],
      });
  }

  /** Lists every bucket and compares with what was read: same keys, sizes and ETags, in order, none twice. */
  async compareLists(signal) {
    for (const bucket of this.buckets) {
      signal.throwIfAborted();
      const listed = await this.#list(bucket);
      if (listed === undefined) continue;
      const names = new Set(listed.map((entry) => `${bucket}/${entry.Key}`));
      for (const [at, entry] of listed.entries()) {
        const key = `${bucket}/${entry.Key}`;
        if (at > 0 && Buffer.compare(Buffer.from(listed[at - 1].Key), Buffer.from(entry.Key)) >= 0)
          this.violations.push({
            kind: 'listed twice or out of order',
            key,
            found: listed[at - 1].Key,
            allowed: ['before'],
          });
        this.#compareEntry(key, entry);
      }
      for (const key of this.#present.keys())
        if (key.startsWith(`${bucket}/`) && !names.has(key) && !this.ledger.isOpen(key))
          this.violations.push({
            kind: 'there, but not listed',
            key,
            found: absent,
            allowed: [this.#present.get(key).etag],
          });
    }
  }
}

export { probeBucket };
