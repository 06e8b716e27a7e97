// Request heads with SigV4 in the header, made before the clock runs. Valid for 15 minutes from `now`.
import { createHash, createHmac } from 'node:crypto';

const region = 'us-east-1';
const signedHeaders = 'host;x-amz-content-sha256;x-amz-date';
const emptySha256 = sha256Hex('');

export function sha256Hex(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

/** Signs for one server and one day: the derived key is made once. */
export class Signer {
  #day = '';
  #key;

  /** @param server { host: 'HOST:PORT', accessKeyId, secretAccessKey } */
  constructor(server) {
    this.server = server;
  }

  #keyOf(day) {
    if (day !== this.#day) {
      const dated = hmac(hmac(`AWS4${this.server.secretAccessKey}`, day), region);
      this.#key = hmac(hmac(dated, 's3'), 'aws4_request');
      this.#day = day;
    }
    return this.#key;
  }

  /** The head of a request as it goes over the wire. `path` must need no percent-encoding. */
  head(method, path, { sha256 = emptySha256, sizeBytes = 0, now = new Date() } = {}) {
    const { host, accessKeyId } = this.server;
    const date = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
    const headers = `host:${host}\nx-amz-content-sha256:${sha256}\nx-amz-date:${date}\n`;
    const canonical = `${method}\n${path}\n\n${headers}\n${signedHeaders}\n${sha256}`;
    const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256Hex(canonical)}`;
    const signature = hmac(this.#keyOf(date.slice(0, 8)), toSign).toString('hex');
    return Buffer.from(
      `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nx-amz-date: ${date}\r\nx-amz-content-sha256: ${sha256}\r\n` +
        `authorization: AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}\r\n` +
        (method === 'PUT' ? `content-length: ${sizeBytes}\r\n` : '') +
        '\r\n',
      'latin1',
    );
  }
}
