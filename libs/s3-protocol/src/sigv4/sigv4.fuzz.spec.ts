import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { HeaderList } from '../headers/header-list.js';
import { uriEncode } from '../target/percent-coding.js';
import { parseRequestTarget } from '../target/request-target.js';
import { canonicalRequest } from './canonical-request.js';
import type { SignedRequest } from './credential.js';
import { parseCredential } from './parse-credential.js';
import { deriveSigningKey, signatureMatches, signatureOf, stringToSign } from './signature.js';

/** What the SDK's signer asks of a hash. */
class Sha256 {
  private readonly hash;
  constructor(secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {
    if (secret === undefined) this.hash = createHash('sha256');
    else this.hash = createHmac('sha256', typeof secret === 'string' ? secret : bytesOf(secret));
  }
  update(data: string | Uint8Array | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof data === 'string' ? data : bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }
  reset(): void {
    throw new Error('the signer never resets');
  }
}

function bytesOf(data: Uint8Array | ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

const SECRET = 'a/secret=with+marks';
const signer = new SignatureV4({
  service: 's3',
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKID', secretAccessKey: SECRET },
  sha256: Sha256,
  uriEscapePath: false,
});

interface Plain {
  readonly method: string;
  /** As it goes over the wire. */
  readonly path: string;
  readonly query: Record<string, string | string[]>;
  readonly headers: Record<string, string>;
}

function wireQuery(query: Plain['query'], spaceAsPlus = false): string {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).map((value) => `${uriEncode(name)}=${uriEncode(value)}`),
  );
  const text = pairs.join('&');
  return spaceAsPlus ? text.replaceAll('%20', '+') : text;
}

/** Header values travel as UTF-8 and arrive as byte strings. */
function received(signed: Plain, spaceAsPlus = false): SignedRequest {
  const target = parseRequestTarget(`${signed.path}?${wireQuery(signed.query, spaceAsPlus)}`);
  const onWire = Object.entries(signed.headers).map(([name, value]) => [name, Buffer.from(value).toString('latin1')]);
  return { method: signed.method, ...target, headers: HeaderList.from(Object.fromEntries(onWire)) };
}

function accepts(request: SignedRequest): boolean {
  const credential = parseCredential(request, { region: 'us-east-1' });
  if (credential.kind !== 'header-v4' && credential.kind !== 'query-v4')
    throw new Error('the request has no signature');
  const signingKey = deriveSigningKey(SECRET, credential.scope);
  const text = stringToSign(canonicalRequest(request, credential), credential);
  return signatureMatches(signatureOf(text, signingKey), credential.signature);
}

const base = { protocol: 'http:', hostname: 'localhost', port: 9000 } as const;

async function sign(plain: Plain): Promise<Plain> {
  const headers = { host: 'localhost:9000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...plain.headers };
  return (await signer.sign({ ...base, ...plain, headers })) as unknown as Plain;
}

async function presign(plain: Plain): Promise<Plain> {
  const headers = { host: 'localhost:9000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...plain.headers };
  return (await signer.presign({ ...base, ...plain, headers }, { expiresIn: 60 })) as unknown as Plain;
}

// Pieces that signers are known to disagree on, between arbitrary ones.
const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '..',
    '.',
    '+',
    ' ',
    '%',
    '~',
    '*',
    "'",
    '(',
    ')',
    '!',
    '=',
    '&',
    '%2F',
    '%20',
    ';',
    ':',
    '@',
    ',',
    '$',
    '?',
    '#',
    'é',
    '€',
    '😀',
    '\t',
    '\u007f',
  ),
  fc.string({ maxLength: 3, unit: 'grapheme-ascii' }),
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
const key = text.filter((value) => !value.includes('\0'));
const path = key.map((value) => `/bucket/${value.split('/').map(uriEncode).join('/')}`);
/** Escapes that a client chose by itself: whole keys escaped, slashes included. */
const ownPath = key.map((value) => `/bucket/${uriEncode(value)}`);
const name = fc.stringMatching(/^[a-z][a-zA-Z~+ é-]{0,5}$/);
const query = fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })), { maxKeys: 4 });
const headerValue = fc.stringMatching(/^[ \ta-zA-Z0-9,;:="é-]{0,12}$/);
const headers = fc.dictionary(fc.stringMatching(/^x-amz-meta-[a-z]{1,4}$/), headerValue, { maxKeys: 3 });
const plain = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'DELETE'),
  path: fc.oneof(path, ownPath),
  query,
  headers,
});

describe('signatures of the SDK', () => {
  it('XA12: a signed header request is accepted as it is received', async () => {
    await fc.assert(
      fc.asyncProperty(plain, fc.boolean(), async (request, spaceAsPlus) => {
        expect(accepts(received(await sign(request), spaceAsPlus))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('XA12: a presigned request is accepted as it is received', async () => {
    await fc.assert(
      fc.asyncProperty(plain, async (request) => {
        expect(accepts(received(await presign(request)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('XA4, XB3: one change anywhere is refused', async () => {
    const change = fc.constantFrom<(signed: Plain) => Plain>(
      (signed) => ({ ...signed, method: signed.method === 'GET' ? 'PUT' : 'GET' }),
      (signed) => ({ ...signed, path: `${signed.path}x` }),
      (signed) => ({ ...signed, path: `${signed.path}/` }),
      (signed) => ({ ...signed, path: signed.path.replace('/bucket/', '/bucket//') }),
      (signed) => ({ ...signed, path: signed.path.replace('/bucket/', '/bucket/../bucket/') }),
      (signed) => ({ ...signed, path: signed.path.replace('/bucket/', '/other/') }),
      (signed) => ({ ...signed, query: { ...signed.query, versionId: 'v' } }),
      (signed) => ({ ...signed, query: { ...signed.query, 'response-content-type': 'text/html' } }),
      (signed) => ({ ...signed, headers: { ...signed.headers, host: 'localhost:9001' } }),
    );
    await fc.assert(
      fc.asyncProperty(plain, change, fc.boolean(), async (request, changed, inQuery) => {
        const signed = await (inQuery ? presign(request) : sign(request));
        expect(accepts(received(changed(signed)))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('XA4: a signed header that was taken out is not one that was empty', async () => {
    const signed = await sign({ method: 'GET', path: '/bucket/key', query: {}, headers: { 'x-amz-meta-a': '' } });
    expect(accepts(received(signed))).toBe(true);
    const { 'x-amz-meta-a': _taken, ...headers } = signed.headers;
    expect(() => accepts(received({ ...signed, headers }))).toThrow(
      expect.objectContaining({ code: 'SignatureDoesNotMatch' }),
    );
  });

  it('any Authorization text is answered with an error of the table', () => {
    const mark = fc.constantFrom(
      'AWS4-HMAC-SHA256 ',
      'Credential=',
      'SignedHeaders=',
      'Signature=',
      ',',
      '/',
      ';',
      '=',
      'host',
      'a',
      's3',
      'aws4_request',
      'us-east-1',
      '20240524',
      'Bearer ',
      'AWS ',
      ' ',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(mark, fc.string({ maxLength: 4 })), { maxLength: 20 }), (marks) => {
        const headers = HeaderList.from({ host: 'h', authorization: marks.join(''), 'x-amz-date': '20240524T000000Z' });
        try {
          parseCredential({ method: 'GET', ...parseRequestTarget('/'), headers }, { region: 'us-east-1' });
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
