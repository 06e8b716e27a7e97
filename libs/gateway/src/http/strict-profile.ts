import type { IncomingMessage } from 'node:http';
import { HoldfastError, LIMITS } from '@holdfast/contracts';
import { HeaderList } from '@holdfast/s3-protocol';

/*
 * What node:http lets through and a proxy may read differently is refused here: a request that two parsers can understand
 * in two ways is how requests are smuggled. After this check the headers have one meaning.
 */
const SINGLE = new Set([
  'host',
  'content-length',
  'content-type',
  'authorization',
  'transfer-encoding',
  'expect',
  'date',
]);

export interface StrictHead {
  readonly headers: HeaderList;
  /** The client waits for 100 Continue before it sends the body. */
  readonly awaitsContinue: boolean;
  readonly expectationRefused: boolean;
  /** Some header claims to be of this cluster. */
  readonly claimsInternal: boolean;
}

/**
 * The headers of a request that has exactly one reading.
 * @throws HoldfastError InvalidRequest, MethodNotAllowed, RequestHeaderSectionTooLarge: the connection is closed after the answer.
 */
export function readStrictHead(raw: IncomingMessage): StrictHead {
  if (raw.httpVersionMajor !== 1) throw new HoldfastError('InvalidRequest', 'HTTP/1.1 is spoken here.');
  if (raw.method === 'TRACE' || raw.method === 'CONNECT') throw new HoldfastError('MethodNotAllowed');
  if (raw.rawHeaders.length > 2 * LIMITS.headerCountMax) throw new HoldfastError('RequestHeaderSectionTooLarge');
  const headers = new HeaderList(raw.rawHeaders);
  let distinct = 0;
  let claimsInternal = false;
  for (const name of headers.names()) {
    distinct += 1;
    if (name.startsWith('x-holdfast-')) claimsInternal = true;
  }
  if (distinct !== headers.count) refuseDuplicates(headers);
  const isHttp11 = raw.httpVersionMinor === 1;
  if (isHttp11 && headers.get('host') === undefined)
    throw new HoldfastError('InvalidRequest', 'The Host header is missing.');
  refuseTransferEncoding(headers, isHttp11);
  const expect = headers.get('expect');
  const awaitsContinue = isHttp11 && expect !== undefined && expect.toLowerCase() === '100-continue';
  return {
    headers,
    awaitsContinue,
    expectationRefused: expect !== undefined && expect !== '' && !awaitsContinue && isHttp11,
    claimsInternal,
  };
}

function refuseDuplicates(headers: HeaderList): void {
  for (const name of headers.names()) {
    if (!SINGLE.has(name) && !name.startsWith('x-amz-') && !name.startsWith('x-holdfast-')) continue;
    if (headers.getAll(name).length > 1) {
      throw new HoldfastError('InvalidRequest', 'A header is given more than once.', { Header: name });
    }
  }
}

function refuseTransferEncoding(headers: HeaderList, isHttp11: boolean): void {
  const encoding = headers.get('transfer-encoding');
  if (encoding === undefined) return;
  if (!isHttp11 || encoding.trim().toLowerCase() !== 'chunked' || headers.has('content-length')) {
    throw new HoldfastError('InvalidRequest', 'The only transfer encoding is chunked, without a Content-Length.');
  }
}
