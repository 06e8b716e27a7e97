import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HeaderList } from '../headers/header-list.js';
import type { SignedRequest } from '../sigv4/credential.js';
import { parseCredential } from '../sigv4/parse-credential.js';
import { effectiveHeaders } from '../sigv4/presigned-headers.js';
import { parseRequestTarget } from '../target/request-target.js';
import { stringToSignV2 } from './string-to-sign.js';

const SECRET = 'a/secret=with+marks';
const accepting = { region: 'us-east-1', signatureV2: 'presigned' } as const;

function requestOf(method: string, rawUrl: string, headers: Record<string, string>): SignedRequest {
  return { method, ...parseRequestTarget(rawUrl), headers: HeaderList.from({ host: 'h', ...headers }) };
}

function signatureOf(text: string): string {
  return createHmac('sha1', SECRET).update(text).digest('base64');
}

function accepts(request: SignedRequest): boolean {
  const credential = parseCredential(request, accepting);
  if (credential.kind !== 'query-v2') throw new Error('the request has no signature');
  const text = stringToSignV2(request, credential);
  return createHmac('sha1', SECRET).update(text, 'latin1').digest('base64') === credential.signature;
}

/** Presigns as AWS describes it, in its own words: every header moved into the query. */
function presign(plain: Plain): { url: string; method: string } {
  const { method, key, parameters, headers } = plain;
  const path = `/bucket/${key.split('/').map(encodeURIComponent).join('/')}`;
  const names = Object.keys(parameters).sort();
  const resource = names.map((name) => (parameters[name] === '' ? name : `${name}=${parameters[name]}`)).join('&');
  const amz = Object.keys(headers).sort();
  const lines = amz.map((name) => `${name}:${headers[name].replace(/^[ \t]+|[ \t]+$/g, '')}\n`).join('');
  const text = `${method}\n\n\n2000000000\n${lines}${path}${names.length === 0 ? '' : `?${resource}`}`;
  const query = { ...parameters, ...headers, AWSAccessKeyId: 'A', Expires: '2000000000', Signature: signatureOf(text) };
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return { method, url: `${path}?${pairs.join('&')}` };
}

interface Plain {
  readonly method: string;
  readonly key: string;
  readonly parameters: Record<string, string>;
  readonly headers: Record<string, string>;
}

const piece = fc.constantFrom(
  ...['/', '..', '+', ' ', '%', '~', '*', '=', '&', '?', '#', 'é', '😀', 'a', 'x-amz-a:b', ';'],
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
const parameter = fc.constantFrom('versionId', 'uploadId', 'response-content-type', 'response-content-disposition');
const plain: fc.Arbitrary<Plain> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'DELETE'),
  key: text.map((value) => `k${value}`),
  parameters: fc.dictionary(parameter, text, { maxKeys: 3 }),
  headers: fc.dictionary(fc.stringMatching(/^x-amz-meta-[a-z]{1,4}$/), text, { maxKeys: 3 }),
});

describe('version 2, by chance', () => {
  it('XA12: what was presigned is accepted as it is received', () => {
    fc.assert(
      fc.property(plain, (request) => {
        const { method, url } = presign(request);
        expect(accepts(requestOf(method, url, {}))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('XB3: one change of what an operation obeys is refused', () => {
    const change = fc.constantFrom<(method: string, url: string) => SignedRequest>(
      (method, url) => requestOf(method === 'GET' ? 'PUT' : 'GET', url, {}),
      (method, url) => requestOf(method, url.replace('/bucket/', '/bucket//'), {}),
      (method, url) => requestOf(method, url.replace('/bucket/', '/other/'), {}),
      (method, url) => requestOf(method, url.replace('?', 'x?'), {}),
      (method, url) => requestOf(method, `${url}&uploads`, {}),
      (method, url) => requestOf(method, `${url}&response-expires=0`, {}),
      (method, url) => requestOf(method, `${url}&x-amz-acl=public-read`, {}),
      (method, url) => requestOf(method, `${url}&content-type=text%2Fhtml`, {}),
      (method, url) => requestOf(method, url, { 'x-amz-acl': 'public-read' }),
      (method, url) => requestOf(method, url, { 'content-type': 'text/html' }),
      (method, url) => requestOf(method, url.replace('Expires=2', 'Expires=3'), {}),
    );
    fc.assert(
      fc.property(plain, change, (request, changed) => {
        const { method, url } = presign(request);
        expect(accepts(changed(method, url))).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('any query is answered with an error of the table', () => {
    const mark = fc.constantFrom(
      ...[
        'AWSAccessKeyId=a',
        'Signature=',
        'Signature=b',
        'Expires=1',
        'Expires=x',
        '&',
        '=',
        'acl',
        'versionId=%26acl',
      ],
      ...[
        'x-amz-meta-a',
        '=%0A',
        'X-Amz-Security-Token=t',
        'content-type=%C3%A9',
        'x-amz-%3A',
        'X-Amz-Signature=s',
        '+',
      ],
    );
    const proof = `AWSAccessKeyId=a&Expires=1&Signature=${'a'.repeat(27)}%3D`;
    fc.assert(
      fc.property(fc.array(mark, { maxLength: 12 }), fc.constantFrom('', `&${proof}`), (marks, end) => {
        try {
          const request = requestOf('GET', `/b/k?${marks.join('&')}${end}`, {});
          const credential = parseCredential(request, accepting);
          effectiveHeaders(request, credential);
          if (credential.kind === 'query-v2') stringToSignV2(request, credential);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
