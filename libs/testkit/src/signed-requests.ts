import { createHash, createHmac } from 'node:crypto';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export interface SigningKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request as it goes over the wire: the path is encoded, the query belongs to it. */
export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface SigningOptions {
  readonly host: string;
  /** Now unless given. */
  readonly atMs?: number;
  /** The day of the scope: that of `atMs` unless given. */
  readonly scopeDate?: string;
  /** SHA-256 of the body unless given. */
  readonly payloadHash?: string;
}

export interface PlainAnswer {
  readonly status: number;
  /** Of an error document, '' otherwise. */
  readonly code: string;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

function timestampOf({ atMs }: SigningOptions): string {
  return new Date(atMs ?? Date.now()).toISOString().replace(/[:-]|\.\d{3}/g, '');
}

function signatureKey(keys: SigningKeys, scope: string): Buffer {
  let key: Buffer = Buffer.from(`AWS4${keys.secretAccessKey}`);
  for (const part of scope.split('/')) key = hmac(key, part);
  return key;
}

function canonicalOf(
  { method, path }: PlainRequest,
  headers: Readonly<Record<string, string>>,
  payload: string,
): { text: string; names: string } {
  const names = Object.keys(headers).sort();
  const [rawPath, query = ''] = path.split('?');
  const pairs = query.split('&').filter((pair) => pair !== '');
  const sorted = pairs.map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort();
  const lines = names.map((name) => `${name}:${headers[name].trim().replace(/ +/g, ' ')}\n`).join('');
  const text = `${method}\n${rawPath}\n${sorted.join('&')}\n${lines}\n${names.join(';')}\n${payload}`;
  return { text, names: names.join(';') };
}

/** Signs as AWS describes Version 4, in its own words: the oracle of what the server recomputes. All headers are signed. */
export function signRequest(
  request: PlainRequest,
  keys: SigningKeys,
  options: SigningOptions,
): Record<string, string> & { authorization: string } {
  const at = timestampOf(options);
  const payload = options.payloadHash ?? sha256(request.body ?? '');
  const headers = {
    host: options.host,
    'x-amz-content-sha256': payload,
    'x-amz-date': at,
    ...request.headers,
  };
  const scope = `${options.scopeDate ?? at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const { text, names } = canonicalOf(request, headers, payload);
  const signature = hmac(signatureKey(keys, scope), `${ALGORITHM}\n${at}\n${scope}\n${sha256(text)}`).toString('hex');
  const authorization = `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const { host: _host, ...sent } = headers;
  return { ...sent, authorization };
}

/** The path with the query of a presigned URL; `request.headers` are signed and have to be sent. */
export function presignRequest(
  request: PlainRequest,
  keys: SigningKeys,
  options: SigningOptions & { readonly expires?: string },
): string {
  const at = timestampOf(options);
  const scope = `${options.scopeDate ?? at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const headers = { host: options.host, ...request.headers };
  const proof = [
    `X-Amz-Algorithm=${ALGORITHM}`,
    `X-Amz-Credential=${encodeURIComponent(`${keys.accessKeyId}/${scope}`)}`,
    `X-Amz-Date=${at}`,
    `X-Amz-Expires=${options.expires ?? '60'}`,
    `X-Amz-SignedHeaders=${encodeURIComponent(Object.keys(headers).sort().join(';'))}`,
  ];
  const path = `${request.path}${request.path.includes('?') ? '&' : '?'}${proof.join('&')}`;
  const { text } = canonicalOf({ ...request, path }, headers, options.payloadHash ?? 'UNSIGNED-PAYLOAD');
  const signature = hmac(signatureKey(keys, scope), `${ALGORITHM}\n${at}\n${scope}\n${sha256(text)}`).toString('hex');
  return `${path}&X-Amz-Signature=${signature}`;
}

/** The frames of a body in signed chunks, chained to the signature of `signed`; the last one is the end. */
export function signedChunkFrames(
  pieces: readonly string[],
  signed: Readonly<Record<string, string>>,
  keys: SigningKeys,
): string[] {
  const at = signed['x-amz-date'];
  const scope = `${at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const key = signatureKey(keys, scope);
  let signature = /Signature=([0-9a-f]{64})/.exec(signed['authorization'])?.[1] ?? '';
  return [...pieces, ''].map((piece) => {
    const text = `${ALGORITHM}-PAYLOAD\n${at}\n${scope}\n${signature}\n${sha256('')}\n${sha256(piece)}`;
    signature = hmac(key, text).toString('hex');
    return `${piece.length.toString(16)};chunk-signature=${signature}\r\n${piece}\r\n`;
  });
}

/** Sends on a connection of its own, with the path as it is. A body has its length announced unless the headers say chunked. */
export function sendRequest(port: number, request: PlainRequest): Promise<PlainAnswer> {
  const { method, path, headers = {}, body } = request;
  const announced =
    body === undefined || headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
  const length = announced ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers: { ...length, ...headers }, agent: false };
    const sent = httpRequest(options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '';
        resolve({ status: answer.statusCode ?? 0, code, text, headers: answer.headers });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
