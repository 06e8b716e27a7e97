// One upload and everything that can happen to it at once. What may come of it follows from the answers alone: `judge` is pure.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const md5 = (bytes) => createHash('md5').update(bytes);
const etagOf = (bytes) => md5(bytes).digest('hex');
const unquoted = (etag) => etag?.replaceAll('"', '');

/** The ETag of a multipart object. */
export function objectEtag(parts) {
  const all = createHash('md5');
  for (const part of parts) all.update(md5(part).digest());
  return `${all.digest('hex')}-${parts.length}`;
}

/** `{ ok, etag }`, or `{ ok, code }` of a refusal; a connection that broke has a code as well, which nobody allows. */
async function answerOf(work) {
  try {
    const answer = await work();
    return { ok: true, etag: unquoted(answer.ETag) };
  } catch (error) {
    return { ok: false, code: `${error.$metadata?.httpStatusCode ?? 'no answer:'} ${error.name}` };
  }
}

/**
 * Which answers cannot stand together. `plan`: { parts, rival } bodies; `answers`: { completes, aborts, parts }.
 * @returns { outcome: 'completed' | 'aborted', violations }
 */
export function judge({ parts, rival }, { completes, aborts, rivals }) {
  const violations = [];
  const completed = completes.filter(({ ok }) => ok);
  const aborted = aborts.filter(({ ok }) => ok);
  const expected = objectEtag(parts);
  if (completed.length > 0 && aborted.length > 0)
    violations.push('Complete and Abort both say that they ended the upload');
  if (completed.length === 0 && aborted.length === 0) violations.push('nobody ended the upload');
  if (aborted.length > 1) violations.push('two Aborts say that they ended the upload');
  for (const { etag } of completed)
    if (etag !== expected) violations.push(`Complete answered ${etag}, not ${expected}`);
  // A rival that was acknowledged has taken the place of part 1: the upload that was named has no such part any more.
  if (completed.length > 0 && rivals.some(({ ok }) => ok)) violations.push('a replaced part was completed');
  for (const { ok, etag } of rivals) if (ok && etag !== etagOf(rival)) violations.push(`a part has the ETag ${etag}`);
  const allowed = {
    completes: ['404 NoSuchUpload', '400 InvalidPart'],
    aborts: ['404 NoSuchUpload'],
    rivals: ['404 NoSuchUpload'],
  };
  for (const [who, answers] of Object.entries({ completes, aborts, rivals })) {
    for (const { ok, code } of answers) if (!ok && !allowed[who].includes(code)) violations.push(`${who}: ${code}`);
  }
  const hasNoPart = completes.filter(({ code }) => code === '400 InvalidPart').length;
  if (hasNoPart > 0 && !rivals.some(({ ok }) => ok)) violations.push('Complete misses a part that nobody replaced');
  return { outcome: completed.length > 0 ? 'completed' : 'aborted', violations };
}

export class Round {
  /** @param parts { clients, commands, bodies, random, bucket, key } */
  constructor(parts) {
    Object.assign(this, parts);
    const { random, bodies } = this;
    const isLarge = random() < 0.08;
    this.parts = isLarge
      ? [bodies.make(5 * 2 ** 20), bodies.make(1 + Math.floor(random() * 200_000))]
      : [bodies.make(1 + Math.floor(random() ** 2 * 400_000))];
    this.rival = bodies.make(isLarge ? 5 * 2 ** 20 : 1 + Math.floor(random() * 100_000));
    this.before = random() < 0.5 ? bodies.make(1 + Math.floor(random() * 50_000)) : undefined;
  }

  get #target() {
    return { Bucket: this.bucket, Key: this.key };
  }

  #client() {
    return this.clients[Math.floor(this.random() * this.clients.length)];
  }

  #send(name, input) {
    return this.#client().send(new this.commands[`${name}Command`]({ ...this.#target, ...input }));
  }

  /** @returns { outcome, violations, answers } */
  async run() {
    const { parts, rival, random } = this;
    if (this.before !== undefined) await this.#send('PutObject', { Body: this.before });
    const { UploadId } = await this.#send('CreateMultipartUpload', {});
    const named = [];
    for (const [index, Body] of parts.entries()) {
      const PartNumber = index + 1;
      const { ETag } = await this.#send('UploadPart', { UploadId, PartNumber, Body });
      named.push({ PartNumber, ETag });
    }
    const complete = () =>
      answerOf(() => this.#send('CompleteMultipartUpload', { UploadId, MultipartUpload: { Parts: named } }));
    const abort = () => answerOf(() => this.#send('AbortMultipartUpload', { UploadId }));
    const replace = () => answerOf(() => this.#send('UploadPart', { UploadId, PartNumber: 1, Body: rival }));
    const later = async (act, laterMsMax) => {
      await sleep(random() * laterMsMax);
      return act();
    };
    // A part takes its time to be stored; whoever ends the upload comes around when it is committed.
    const racing = {
      completes: Array.from({ length: 1 + Math.floor(random() * 2) }, () => later(complete, 30)),
      aborts: Array.from({ length: random() < 0.8 ? 1 : 0 }, () => later(abort, 30)),
      rivals: Array.from({ length: random() < 0.7 ? 1 : 0 }, () => later(replace, 5)),
    };
    const answers = {};
    for (const [who, some] of Object.entries(racing)) answers[who] = await Promise.all(some);
    const ended = [...answers.completes, ...answers.aborts].some(({ ok }) => ok);
    if (!ended) answers.aborts.push(await abort());
    const judged = judge({ parts, rival }, answers);
    // Whoever lost is told so again, and a completed upload is completed for ever.
    if (judged.outcome === 'completed') {
      const again = await complete();
      if (again.etag !== objectEtag(parts)) judged.violations.push(`a repeated Complete: ${again.etag ?? again.code}`);
      const late = await abort();
      if (late.ok) judged.violations.push('a completed upload was aborted');
    } else {
      const late = await complete();
      if (late.ok) judged.violations.push('an aborted upload was completed');
    }
    this.content = judged.outcome === 'completed' ? Buffer.concat(parts) : this.before;
    return { ...judged, answers };
  }

  /** The bytes under the key are those that were acknowledged. @returns violations */
  async verify() {
    try {
      return this.#compare(await this.#read());
    } catch (error) {
      return [`the object cannot be read: ${error.name}`];
    }
  }

  #compare(found) {
    if (this.content === undefined) return found === undefined ? [] : ['there is an object that nobody made'];
    if (found === undefined) return ['an acknowledged object is gone'];
    return found.equals(this.content) ? [] : ['an acknowledged object has other bytes'];
  }

  async #read() {
    try {
      const { Body } = await this.#send('GetObject', {});
      return Buffer.from(await Body.transformToByteArray());
    } catch (error) {
      if (error.name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  remove() {
    return this.#send('DeleteObject', {});
  }
}
