// One request on a connection of its own: a body goes out piece by piece, an answer is hashed as it comes, nothing is kept.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const readBufferBytes = 64 * 1024;
const answerTimeoutMs = 120_000;
const errorBytesKept = 400;
const headEnd = Buffer.from('\r\n\r\n');

/** The answer to one request: its head, then its body into a hash. */
class Answer {
  head = Buffer.alloc(0);
  status = 0;
  bodyBytes = 0;
  text = '';
  #lengthBytes = -1;
  #hash = createHash('sha256');

  take(bytes) {
    if (this.#lengthBytes >= 0) return this.#takeBody(bytes);
    this.head = Buffer.concat([this.head, bytes]);
    const end = this.head.indexOf(headEnd);
    if (end < 0) return undefined;
    const text = this.head.latin1Slice(0, end).toLowerCase();
    this.status = Number(text.slice(9, 12));
    this.#lengthBytes = Number(/\r\ncontent-length: *(\d+)/.exec(text)?.[1] ?? 0);
    return this.#takeBody(this.head.subarray(end + headEnd.length));
  }

  #takeBody(bytes) {
    this.#hash.update(bytes);
    this.bodyBytes += bytes.length;
    if (this.status !== 200 && this.text.length < errorBytesKept) this.text += bytes.latin1Slice();
  }

  get isWhole() {
    return this.#lengthBytes >= 0 && this.bodyBytes >= this.#lengthBytes;
  }

  get sha256() {
    return this.#hash.digest('hex');
  }
}

/**
 * Sends a request and resolves to its whole answer. Nothing of it is read for `stillMs`.
 * @throws when there is no whole answer
 */
async function exchange(server, head, { pieces = [], stillMs = 0 } = {}) {
  const answer = new Answer();
  let done;
  const whole = new Promise((resolve) => (done = resolve));
  const callback = (sizeBytes, buffer) => {
    answer.take(buffer.subarray(0, sizeBytes));
    if (answer.isWhole) done(undefined);
    return true;
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(readBufferBytes), callback };
  const socket = connect({ host: server.host, port: server.port, noDelay: true, onread });
  let failure;
  socket.on('error', (error) => (failure = error));
  socket.on('close', () => done(failure ?? new Error('the connection was closed before the answer was whole')));
  socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('no answer in time')));
  try {
    if (stillMs > 0) socket.pause();
    socket.write(head);
    for (const piece of pieces) {
      if (socket.destroyed || answer.isWhole) break;
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), whole]);
    }
    if (stillMs > 0) await sleep(stillMs);
    socket.resume();
    const error = await whole;
    if (error !== undefined) throw error;
    return answer;
  } finally {
    socket.destroy();
  }
}

function refuseUnless200(what, { status, text }) {
  if (status !== 200) throw new Error(`${what}: status ${status} ${text}`);
}

export async function putBucket(server, signer, path) {
  refuseUnless200(`PUT ${path}`, await exchange(server, signer.head('PUT', path)));
}

export async function put(server, signer, path, { sizeBytes, sha256, pieces }) {
  const head = signer.head('PUT', path, { sha256, sizeBytes });
  refuseUnless200(`PUT ${path}`, await exchange(server, head, { pieces: pieces() }));
}

/** @throws when the bytes are not those of the body */
export async function get(server, signer, path, { sizeBytes, sha256 }, stillMs) {
  const answer = await exchange(server, signer.head('GET', path), { stillMs });
  refuseUnless200(`GET ${path}`, answer);
  if (answer.bodyBytes !== sizeBytes || answer.sha256 !== sha256)
    throw new Error(`GET ${path}: ${answer.bodyBytes} bytes that are not those that were stored`);
}
