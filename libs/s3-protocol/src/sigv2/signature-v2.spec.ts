import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import type { SignedRequest } from '../sigv4/credential.js';
import { parseCredential } from '../sigv4/parse-credential.js';
import { payloadMode } from '../sigv4/payload.js';
import { effectiveHeaders } from '../sigv4/presigned-headers.js';
import { parseRequestTarget } from '../target/request-target.js';
import { checkExpiryV2 } from './parse-presigned.js';
import { stringToSignV2 } from './string-to-sign.js';

const code = (name: string) => expect.objectContaining({ code: name });
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const accepting = { region: 'us-east-1', signatureV2: 'presigned' } as const;
const SIGNATURE = encodeURIComponent(`${'a'.repeat(27)}=`);
const PROOF = `AWSAccessKeyId=AKID&Signature=${SIGNATURE}&Expires=1175139620`;

type Headers = Record<string, string | string[]>;

function requestOf(rawUrl: string, method = 'GET', headers: Headers = {}): SignedRequest {
  return { method, ...parseRequestTarget(rawUrl), headers: HeaderList.from({ host: 'localhost', ...headers }) };
}

function credentialOf(request: SignedRequest) {
  const credential = parseCredential(request, accepting);
  if (credential.kind !== 'query-v2') throw new Error(`the request is ${credential.kind}`);
  return credential;
}

const textOf = (request: SignedRequest): string => stringToSignV2(request, credentialOf(request));
const parse = (query: string, headers: Headers = {}) => credentialOf(requestOf(`/b/k?${query}`, 'GET', headers));

function accepts(request: SignedRequest, secret = SECRET): boolean {
  const expected = createHmac('sha1', secret).update(textOf(request), 'latin1').digest('base64');
  return expected === credentialOf(request).signature;
}

describe('a URL presigned with version 2', () => {
  it.each([
    // The published signature is that of the bucket johnsmith, which the example had before it was renamed.
    ['/johnsmith/photos/puppy.jpg', 'NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D'],
    ['/awsexamplebucket1/photos/puppy.jpg', '1No4mq5ETf02z8aet9voy6gui6E%3D'],
  ])('the example that AWS publishes is accepted: %s', (path, signature) => {
    const url = `${path}?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=${signature}&Expires=1175139620`;
    expect(parseCredential(requestOf(url), accepting)).toEqual({
      kind: 'query-v2',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      signature: decodeURIComponent(signature),
      expires: '1175139620',
      expiresAtMs: 1_175_139_620_000,
      payloadHash: 'UNSIGNED-PAYLOAD',
    });
    expect(textOf(requestOf(url))).toBe(`GET\n\n\n1175139620\n${path}`);
    expect(accepts(requestOf(url))).toBe(true);
    expect(accepts(requestOf(url), `${SECRET}x`)).toBe(false);
    expect(accepts(requestOf(url, 'PUT'))).toBe(false);
    expect(accepts(requestOf(url.replace('puppy', 'kitten')))).toBe(false);
    expect(accepts(requestOf(url.replace('1175139620', '1175139621')))).toBe(false);
    expect(accepts(requestOf(`${url}&versionId=1`))).toBe(false);
    expect(accepts(requestOf(`${url}&response-content-type=text%2Fhtml`))).toBe(false);
  });

  it('the method, the types and the x-amz- headers of the published header examples stand where they should', () => {
    const headers = {
      'content-md5': '4gJE4saaMU4BqNR0kLY+lw==',
      'content-type': 'application/x-download',
      'x-amz-acl': 'public-read',
      'X-Amz-Meta-ReviewedBy': ['joe@johnsmith.net', 'jane@johnsmith.net'],
      'X-Amz-Meta-FileChecksum': '0x02661779',
    };
    expect(textOf(requestOf(`/static/db-backup.dat.gz?${PROOF}`, 'PUT', headers))).toBe(
      'PUT\n4gJE4saaMU4BqNR0kLY+lw==\napplication/x-download\n1175139620\nx-amz-acl:public-read\n' +
        'x-amz-meta-filechecksum:0x02661779\nx-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n' +
        '/static/db-backup.dat.gz',
    );
  });

  const PRESIGNED = 'AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1700003600&Signature=';
  it.each([
    ['GET', '/bucket/key?', '8zgKSfd4AuHZ%2FvC2UYjplzIE084%3D'],
    [
      'GET',
      '/bucket/a%20b/%C3%A9%2B~%27%28%29%2A%21%26%3D%252F.txt?versionId=v%201&response-content-disposition=' +
        'attachment%3B%20filename%3D%22Q%26A%20%C3%A9.pdf%22&response-content-type=text%2Fplain&',
      'KqWWgpWi0nnEHOAVqKi%2BLRNDtSQ%3D',
    ],
    ['PUT', '/bucket/key?', 'Qpq0p%2BjGyj22rZjvrYktfOslQ%2FM%3D'],
    [
      'PUT',
      '/bucket/key?content-type=text%2Fplain%3B%20charset%3Dutf-8&x-amz-meta-b=2%20%20x&x-amz-meta-a=%201%20&x-amz-acl=private&',
      'mxOe4RUA8g%2BYtj8TS74cV%2BDKgXo%3D',
    ],
    ['PUT', '/bucket/key?partNumber=2&uploadId=up%2F%2B%3D%201&', '833kOLAiLTtF%2FmDEmQNG3nK8Y8E%3D'],
    ['POST', '/bucket/key?uploads&content-type=a%2Fb&', 'LqCZgD8j1EmOhRI0Z46eqIkD%2Fqk%3D'],
    ['GET', '/bucket?list-type=2&prefix=a%2F&encoding-type=url&', 'YYcnqA5G0YX6MlWKoOcxF2CPXyg%3D'],
    ['PUT', '/bucket/key?x-amz-sdk-checksum-algorithm=CRC32&', 'jHUuD7V%2FJFr7ap0MQ3IIhiNqSd0%3D'],
    ['GET', '/bucket/key?x-amz-checksum-mode=ENABLED&', 'cuMWhkCelZRZ9Dh6%2BP8KyI0ph%2BI%3D'],
  ])('what boto3 presigns is accepted: %s %s', (method, start, signature) => {
    const url = start + PRESIGNED + signature;
    expect(accepts(requestOf(url, method))).toBe(true);
    expect(accepts(requestOf(url, 'DELETE'))).toBe(false);
    expect(accepts(requestOf(`${url}&x-amz-tagging=a%3Db`, method))).toBe(false);
    expect(accepts(requestOf(url, method, { 'x-amz-meta-more': '1' }))).toBe(false);
  });

  it('a Content-MD5 that was signed has to come as a header', () => {
    const url = `/bucket/key?content-md5=4gJE4saaMU4BqNR0kLY%2Blw%3D%3D&${PRESIGNED}SifLQplc8a56eEHaoIEJa0syZFA%3D`;
    expect(accepts(requestOf(url, 'PUT', { 'content-md5': '4gJE4saaMU4BqNR0kLY+lw==' }))).toBe(true);
    expect(accepts(requestOf(url, 'PUT', { 'content-md5': 'other' }))).toBe(false);
    expect(() => textOf(requestOf(url, 'PUT'))).toThrow(code('InvalidRequest'));
  });
});

describe('the string to sign of version 2', () => {
  it('has the signed parameters in the order of their names, decoded, and no others', () => {
    const query = `uploads&b=2&versionId=a%20b&acl=&X=1&response-expires=x%3Dy&prefix=p&acl=z&${PROOF}`;
    expect(
      textOf(requestOf(`/b/k%20%2f?${query}`))
        .split('\n')
        .at(-1),
    ).toBe('/b/k%20%2f?acl&acl=z&response-expires=x=y&uploads&versionId=a b');
  });

  it.each([
    ['/', '/'],
    ['/b', '/b/'],
    ['/b/', '/b/'],
    ['/b/k/', '/b/k/'],
    ['/b//k%2F..', '/b//k%2F..'],
  ])('has the path as sent, a bucket with its slash: %s', (path, resource) => {
    expect(textOf(requestOf(`${path}?${PROOF}`))).toBe(`GET\n\n\n1175139620\n${resource}`);
    expect(textOf(requestOf(`${path}?acl&${PROOF}`))).toBe(`GET\n\n\n1175139620\n${resource}?acl`);
  });

  it('is bytes: UTF-8 of the query and of the headers', () => {
    const headers = { 'x-amz-meta-a': Buffer.from('voilà').toString('latin1') };
    const text = textOf(requestOf(`/b/k?response-content-type=%C3%A9&x-amz-meta-b=%C3%A0&${PROOF}`, 'GET', headers));
    expect(Buffer.from(text, 'latin1').toString()).toBe(
      'GET\n\n\n1175139620\nx-amz-meta-a:voilà\nx-amz-meta-b:à\n/b/k?response-content-type=é',
    );
  });

  it('takes a header for a parameter of its name', () => {
    const request = requestOf(`/b/k?Content-Type=a%2Fb&X-Amz-Acl=private&${PROOF}`, 'PUT', {
      'content-type': 'c/d',
      'x-amz-acl': 'public-read',
    });
    expect(textOf(request)).toBe('PUT\n\nc/d\n1175139620\nx-amz-acl:public-read\n/b/k');
    expect(effectiveHeaders(request, credentialOf(request))).toBe(request.headers);
  });

  it('is at most 16 KiB', () => {
    const headers = { 'x-amz-meta-a': 'a'.repeat(16_384) };
    expect(() => textOf(requestOf(`/b/k?${PROOF}`, 'GET', headers))).toThrow(code('RequestHeaderSectionTooLarge'));
  });

  it('XB3: a value that hides a signed parameter is refused, another one with an ampersand is not', () => {
    for (const hidden of ['versionId%3D1', 'acl', 'x%26uploadId%3Du']) {
      const request = requestOf(`/b/k?response-expires=x%26${hidden}&${PROOF}`);
      expect(() => textOf(request)).toThrow(code('AccessDenied'));
    }
    expect(textOf(requestOf(`/b/k?response-expires=Q%26A%26versionIds%3D1&${PROOF}`))).toMatch(/Q&A&versionIds=1$/);
  });
});

describe('headers that version 2 moved into the query', () => {
  it('count as headers, the content type included; a checksum does not', () => {
    const query = `content-type=a%2Fb&x-amz-meta-a=%20%C3%A9%20&x-amz-checksum-crc32=AAAAAA%3D%3D&${PROOF}`;
    const request = requestOf(`/b/k?${query}`, 'PUT', { 'cache-control': 'no-cache' });
    const headers = effectiveHeaders(request, credentialOf(request));
    expect(headers.get('content-type')).toBe('a/b');
    expect(headers.get('x-amz-meta-a')).toBe(Buffer.from('é').toString('latin1'));
    expect([...headers.names()].sort()).toEqual(['cache-control', 'content-type', 'host', 'x-amz-meta-a']);
    expect(textOf(request)).toContain('x-amz-checksum-crc32:AAAAAA==\n');
  });

  it.each([
    'x-amz-meta-a=1&X-Amz-Meta-A=2',
    'content-type=a&Content-Type=b',
    'x-amz-meta-a=1%0Ax-amz-acl%3Apublic-read',
    'content-type=a%0D',
    'x-amz-meta-a%3A1%0Ax-amz-acl=b',
  ])('XB5: %s is InvalidArgument', (query) => {
    expect(() => parse(`${query}&${PROOF}`)).toThrow(code('InvalidArgument'));
  });

  it('XB4: a copy source in the query is refused; the header of a copy is signed', () => {
    expect(() => parse(`x-amz-copy-source=b%2Fk2&${PROOF}`)).toThrow(code('NotImplemented'));
    expect(textOf(requestOf(`/b/k?${PROOF}`, 'PUT', { 'x-amz-copy-source': 'b/k2' }))).toContain(
      '\nx-amz-copy-source:b/k2\n',
    );
  });

  it('a signed payload hash is kept to, a framed body refused', () => {
    const sha256Hex = 'b'.repeat(64);
    for (const request of [
      requestOf(`/b/k?x-amz-content-sha256=${sha256Hex}&${PROOF}`),
      requestOf(`/b/k?${PROOF}`, 'PUT', { 'x-amz-content-sha256': sha256Hex }),
    ]) {
      expect(payloadMode(credentialOf(request), request.headers)).toEqual({ kind: 'sha256', sha256Hex });
      expect(textOf(request)).toContain(`\nx-amz-content-sha256:${sha256Hex}\n`);
    }
    expect(payloadMode(parse(PROOF), requestOf('/').headers)).toEqual({ kind: 'unsigned' });
    for (const mode of ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']) {
      expect(() => parse(PROOF, { 'x-amz-content-sha256': mode })).toThrow(code('InvalidRequest'));
    }
  });
});

describe('what is no proof of version 2', () => {
  it('is refused when the setting is off, never anonymous', () => {
    const request = requestOf(`/b/k?${PROOF}`);
    for (const signatureV2 of ['off', undefined] as const) {
      expect(() => parseCredential(request, { region: 'us-east-1', signatureV2 })).toThrow(code('InvalidRequest'));
    }
  });

  it('stays refused in the Authorization header', () => {
    const request = requestOf('/b/k', 'GET', { authorization: 'AWS AKID:c2lnbmF0dXJl', date: 'x' });
    expect(() => parseCredential(request, accepting)).toThrow(code('InvalidRequest'));
  });

  it.each([
    'AWSAccessKeyId=a',
    'Signature=s',
    'AWSAccessKeyId=a&Expires=1',
    'Signature=s&Expires=1',
    'AWSAccessKeyId=a&Signature=s',
    'AWSAccessKeyId=&Signature=s&Expires=1',
    'AWSAccessKeyId=a&Signature=&Expires=1',
    'AWSAccessKeyId=a&Signature=s&Expires=',
    `${PROOF}&AWSAccessKeyId=b`,
    `${PROOF}&Signature=b`,
    `${PROOF}&Expires=2`,
  ])('incomplete or given twice: %s is AccessDenied', (query) => {
    expect(() => parse(query)).toThrow(code('AccessDenied'));
  });

  it.each(['soon', '1.5', '-1', '+1', '1e9', ' 1', '1 ', '1%0A', '1234567890123'])(
    'Expires=%s is AccessDenied',
    (expires) => {
      const query = `AWSAccessKeyId=a&Signature=${SIGNATURE}&Expires=${encodeURIComponent(expires)}`;
      expect(() => parse(query)).toThrow(code('AccessDenied'));
    },
  );

  it('Expires alone is a parameter like any other', () => {
    expect(parseCredential(requestOf('/b/k?Expires=1'), accepting)).toEqual({ kind: 'anonymous' });
  });

  it('XA8: two proofs are InvalidArgument, whatever the setting', () => {
    for (const signatureV2 of ['presigned', 'off'] as const) {
      for (const request of [
        requestOf(`/b/k?${PROOF}&X-Amz-Signature=x`),
        requestOf(`/b/k?AWSAccessKeyId=a&X-Amz-Credential=x`),
        requestOf(`/b/k?${PROOF}`, 'GET', { authorization: 'Bearer x' }),
        requestOf(`/b/k?${PROOF}`, 'GET', { authorization: 'AWS AKID:c2lnbmF0dXJl' }),
      ]) {
        expect(() => parseCredential(request, { region: 'us-east-1', signatureV2 })).toThrow(code('InvalidArgument'));
      }
    }
  });

  it.each(['x-amz-security-token', 'X-Amz-Security-Token'])('a session token is InvalidToken: %s', (name) => {
    expect(() => parse(`${PROOF}&${name}=t`)).toThrow(code('InvalidToken'));
    expect(() => parse(PROOF, { [name]: 't' })).toThrow(code('InvalidToken'));
  });

  it('a malformed key or signature is refused as a wrong one', () => {
    expect(() => parse(PROOF.replace('AKID', 'A'.repeat(129)))).toThrow(code('InvalidAccessKeyId'));
    for (const signature of ['s', 'a'.repeat(28), 'a'.repeat(200), `${'-'.repeat(27)}=`]) {
      const query = `AWSAccessKeyId=a&Expires=1&Signature=${encodeURIComponent(signature)}`;
      expect(() => parse(query)).toThrow(code('SignatureDoesNotMatch'));
    }
  });

  it.each(['retention', 'legal-hold', 'attributes', 'encryption', 'x-id=ListDirectoryBuckets', 'renameObject'])(
    'XB3: %s would be another operation under the same signature, and is AccessDenied',
    (choice) => {
      expect(() => parse(`${choice}&${PROOF}`)).toThrow(code('AccessDenied'));
    },
  );
});

describe('the expiry of version 2', () => {
  it('is the last second, however far ahead', () => {
    const credential = parse(PROOF);
    expect(() => checkExpiryV2(credential, 1_175_139_620_000)).not.toThrow();
    expect(() => checkExpiryV2(credential, 0)).not.toThrow();
    expect(() => checkExpiryV2(credential, 1_175_139_620_001)).toThrow(
      expect.objectContaining({ code: 'AccessDenied', message: 'Request has expired' }),
    );
    expect(() => checkExpiryV2(parse(PROOF.replace('1175139620', '999999999999')), Date.now())).not.toThrow();
    expect(() => checkExpiryV2(parse(PROOF.replace('1175139620', '0')), 1)).toThrow(code('AccessDenied'));
  });
});
