/**
 * The one strict profile of HTTP/1.1, for whatever reads a request from outside. What node:http lets through and another
 * parser may read differently is refused: a request that can be understood in two ways is how requests are smuggled. The
 * load balancer and the API apply the same profile, so that both give the same verdict.
 */
import { HoldfastError, LIMITS } from '@holdfast/contracts';
import { HeaderList } from '../headers/header-list.js';

/** Of these a second one is a second meaning; `x-amz-` and internal headers as well. */
const SINGLE = new Set([
  'host',
  'content-length',
  'content-type',
  'authorization',
  'transfer-encoding',
  'expect',
  'date',
  'range',
]);

/** What a load balancer adds or replaces: the bound on the number of headers is for what the client sent. */
const OF_THE_HOP = new Set(['connection', 'expect', 'x-forwarded-for']);
const INTERNAL_PREFIX = 'x-holdfast-';

/** A request's head as `node:http` parsed it. */
export interface ParsedHead {
  readonly method?: string;
  readonly url?: string;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Flat: name, value, name, value … */
  readonly rawHeaders: readonly string[];
}

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
export function readStrictHead(head: ParsedHead): StrictHead {
  if (head.httpVersionMajor !== 1) throw new HoldfastError('InvalidRequest', 'HTTP/1.1 is spoken here.');
  if (head.method === 'TRACE' || head.method === 'CONNECT') throw new HoldfastError('MethodNotAllowed');
  if (head.url?.startsWith('/') !== true) {
    throw new HoldfastError(
      'InvalidRequest',
      'The request target must be a path; absolute and authority forms are refused.',
    );
  }
  const headers = new HeaderList(head.rawHeaders);
  const { distinct, ofTheHop, claimsInternal } = surveyNames(headers);
  if (headers.count - ofTheHop > LIMITS.headerCountMax) throw new HoldfastError('RequestHeaderSectionTooLarge');
  if (distinct !== headers.count) refuseDuplicates(headers);
  const isHttp11 = head.httpVersionMinor === 1;
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

function surveyNames(headers: HeaderList): { distinct: number; ofTheHop: number; claimsInternal: boolean } {
  let distinct = 0;
  let ofTheHop = 0;
  let claimsInternal = false;
  for (const name of headers.names()) {
    distinct += 1;
    if (name.startsWith(INTERNAL_PREFIX)) claimsInternal = true;
    else if (!OF_THE_HOP.has(name)) continue;
    ofTheHop += 1;
  }
  return { distinct, ofTheHop, claimsInternal };
}

function refuseDuplicates(headers: HeaderList): void {
  for (const name of headers.names()) {
    if (!SINGLE.has(name) && !name.startsWith('x-amz-') && !name.startsWith(INTERNAL_PREFIX)) continue;
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
