// One keep-alive connection of the load client: a request goes out as prebuilt buffers, of the answer the status line, the
// length and the body's bytes are looked at, and nothing is kept. It costs a few microseconds per exchange.
import { connect } from 'node:net';

const answerTimeoutMs = 60_000;
const readBufferBytes = 256 * 1024;
const errorBytesKept = 400;
/** Up to here head and body go out as one buffer: a copy is cheaper than a second entry in the write. */
const joinedBytesMax = 16 * 1024;
const headEnd = Buffer.from('\r\n\r\n');

/** What an exchange came to; the same object for each exchange of a connection. `status` 0: no whole answer. */
class Answer {
  status = 0;
  bodyBytes = 0;
  /** True when the body was compared and differs, or has another length than was announced. */
  differs = false;
  text = '';
}

export class Connection {
  #socket;
  #sendBuffer = Buffer.allocUnsafe(joinedBytesMax);
  #readBuffer = Buffer.allocUnsafe(readBufferBytes);
  #answer = new Answer();
  #onDone;
  #expected;
  #head = Buffer.alloc(0);
  #lengthBytes = -1;
  #closeAfter = false;

  constructor(host, port) {
    this.host = host;
    this.port = port;
  }

  #open() {
    const onread = {
      buffer: this.#readBuffer,
      callback: (sizeBytes, buffer) => this.#read(buffer.subarray(0, sizeBytes)),
    };
    const socket = connect({ host: this.host, port: this.port, noDelay: true, onread });
    socket.setTimeout(answerTimeoutMs, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error) => {
      this.#answer.text ||= String(error.message || error.code);
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#lost();
    });
    this.#socket = socket;
  }

  /** Resolves when it is connected. */
  opened() {
    this.#open();
    return new Promise((done, failed) => this.#socket.once('connect', done).once('error', failed));
  }

  /**
   * Sends a request (`body` may be undefined) and calls back with the Answer. `expected`: the body to compare with.
   * One at a time.
   */
  exchange(head, body, expected, onDone) {
    const answer = this.#answer;
    answer.status = 0;
    answer.bodyBytes = 0;
    answer.differs = false;
    answer.text = '';
    this.#expected = expected;
    this.#lengthBytes = -1;
    this.#onDone = onDone;
    if (this.#socket === undefined) this.#open();
    const socket = this.#socket;
    if (body === undefined) {
      socket.write(head);
      return;
    }
    const sizeBytes = head.length + body.length;
    if (sizeBytes <= joinedBytesMax) {
      // Free again: the answer to what it held has come.
      this.#sendBuffer.set(head, 0);
      this.#sendBuffer.set(body, head.length);
      socket.write(this.#sendBuffer.subarray(0, sizeBytes));
      return;
    }
    socket.cork();
    socket.write(head);
    socket.write(body);
    socket.uncork();
  }

  close() {
    this.#socket?.destroy();
  }

  #read(bytes) {
    if (this.#onDone === undefined) {
      this.#socket.destroy(); // Bytes that nobody asked for.
      return true;
    }
    if (this.#lengthBytes >= 0) this.#readBody(bytes);
    else this.#readHead(bytes);
    return true;
  }

  #readHead(bytes) {
    const all = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = all.indexOf(headEnd);
    if (end < 0) {
      this.#head = Buffer.from(all);
      return;
    }
    const head = all.latin1Slice(0, end).toLowerCase();
    this.#head = Buffer.alloc(0);
    const length = /\r\ncontent-length: *(\d+)/.exec(head);
    this.#answer.status = Number(head.slice(9, 12));
    this.#closeAfter = head.includes('\r\nconnection: close');
    if (length === null) {
      this.#answer.text = `no content-length in an answer of status ${this.#answer.status}`;
      this.#answer.status = 0;
      this.#socket.destroy();
      return;
    }
    this.#lengthBytes = Number(length[1]);
    this.#readBody(all.subarray(end + headEnd.length));
  }

  #readBody(bytes) {
    const answer = this.#answer;
    const at = answer.bodyBytes;
    answer.bodyBytes += bytes.length;
    if (answer.status !== 200 && answer.text.length < errorBytesKept)
      answer.text = (answer.text + bytes.latin1Slice()).slice(0, errorBytesKept);
    if (this.#expected !== undefined && bytes.length > 0) {
      const expected = this.#expected.subarray(at, at + bytes.length);
      if (!expected.equals(bytes)) answer.differs = true;
    }
    if (answer.bodyBytes < this.#lengthBytes) return;
    if (answer.bodyBytes > this.#lengthBytes) answer.differs = true;
    this.#done();
  }

  #done() {
    const onDone = this.#onDone;
    this.#onDone = undefined;
    if (this.#closeAfter) {
      this.#socket.destroy();
      this.#socket = undefined;
    }
    onDone(this.#answer);
  }

  #lost() {
    this.#head = Buffer.alloc(0);
    if (this.#onDone === undefined) return;
    this.#answer.status = 0;
    this.#answer.text ||= 'the connection was closed before the answer was whole';
    this.#done();
  }
}
