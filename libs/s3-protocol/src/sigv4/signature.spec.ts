import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { parseRequestTarget } from '../target/request-target.js';
import { canonicalPath, canonicalQuery, canonicalRequest } from './canonical-request.js';
import type { SignedRequest } from './credential.js';
import { parseCredential } from './parse-credential.js';
import { deriveSigningKey, signatureMatches, signatureOf, stringToSign } from './signature.js';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' };
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** The published example of a GET with a range. */
function exampleRequest(
  change: { signature?: string; rawUrl?: string; method?: string; host?: string } = {},
): SignedRequest {
  const signature = change.signature ?? 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41';
  const headers = HeaderList.from({
    Host: change.host ?? 'examplebucket.s3.amazonaws.com',
    Range: 'bytes=0-9',
    'x-amz-content-sha256': EMPTY,
    'x-amz-date': '20130524T000000Z',
    Authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
      `SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=${signature}`,
  });
  return { method: change.method ?? 'GET', ...parseRequestTarget(change.rawUrl ?? '/test.txt'), headers };
}

function accepts(request: SignedRequest, secret = SECRET): boolean {
  const credential = parseCredential(request, { region: 'us-east-1' });
  if (credential.kind !== 'header-v4' && credential.kind !== 'query-v4') throw new Error('no signature');
  const signingKey = deriveSigningKey(secret, credential.scope);
  const text = stringToSign(canonicalRequest(request, credential), credential);
  return signatureMatches(signatureOf(text, signingKey), credential.signature);
}

describe('a signature', () => {
  it.each([
    ['UTF-8 that ends in the byte A0', 'd\u00c3\u00a0', 'd\u00c3\u00a0'],
    ['blanks around and runs of them', ' \ta  b\t c ', 'a b c'],
  ])('covers the bytes of a header value: %s', (_name, sent, covered) => {
    const headers = HeaderList.from({
      host: 'h',
      'x-amz-date': '20130524T000000Z',
      'x-amz-content-sha256': EMPTY,
      'x-amz-meta-a': sent,
      authorization:
        'AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request,' +
        `SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a,Signature=${'0'.repeat(64)}`,
    });
    const request: SignedRequest = { method: 'PUT', ...parseRequestTarget('/b/k'), headers };
    const credential = parseCredential(request, { region: 'us-east-1' });
    if (credential.kind !== 'header-v4') throw new Error('no header signature');
    expect(canonicalRequest(request, credential).split('\n')).toContain(`x-amz-meta-a:${covered}`);
  });

  it('accepts the published example and its intermediate texts', () => {
    const request = exampleRequest();
    const credential = parseCredential(request, { region: 'us-east-1' });
    if (credential.kind !== 'header-v4') throw new Error('no header signature');
    expect(canonicalRequest(request, credential)).toBe(
      'GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n' +
        `x-amz-content-sha256:${EMPTY}\nx-amz-date:20130524T000000Z\n\n` +
        `host;range;x-amz-content-sha256;x-amz-date\n${EMPTY}`,
    );
    expect(stringToSign(canonicalRequest(request, credential), credential)).toBe(
      'AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n' +
        '7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972',
    );
    expect(accepts(request)).toBe(true);
  });

  it('accepts the published example of a presigned URL', () => {
    const rawUrl =
      '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
      '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
      '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
    const headers = HeaderList.from({ host: 'examplebucket.s3.amazonaws.com' });
    expect(accepts({ method: 'GET', ...parseRequestTarget(rawUrl), headers })).toBe(true);
    const other = rawUrl.replace('86400', '86401');
    expect(accepts({ method: 'GET', ...parseRequestTarget(other), headers })).toBe(false);
    const more = `${rawUrl}&versionId=1`;
    expect(accepts({ method: 'GET', ...parseRequestTarget(more), headers })).toBe(false);
  });

  it.each([
    [{ signature: '00e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41' }],
    [{ rawUrl: '/test.tx' }],
    [{ rawUrl: '/test.txt/' }],
    [{ rawUrl: '/./test.txt' }],
    [{ rawUrl: '/test.txt?acl' }],
    [{ method: 'PUT' }],
    [{ host: 'other' }],
  ])('XA4: %j is another signature', (change) => {
    expect(accepts(exampleRequest(change))).toBe(false);
  });

  it('XA4: another secret is another signature', () => {
    expect(accepts(exampleRequest(), `${SECRET}x`)).toBe(false);
  });
});

describe('signatureMatches', () => {
  it('compares whole texts', () => {
    const signature = signatureOf('text', deriveSigningKey(SECRET, SCOPE));
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    expect(signatureMatches(signature, signature)).toBe(true);
    expect(signatureMatches(signature, signature.slice(1))).toBe(false);
    expect(signatureMatches(signature, `${signature}0`)).toBe(false);
    expect(signatureMatches(signature, '')).toBe(false);
  });
});

describe('canonical forms', () => {
  it.each([
    ['/', '/'],
    ['//a//b/', '//a//b/'],
    ['/a/../b/.', '/a/../b/.'],
    ['/a%2Fb', '/a%2Fb'],
    ['/a%2fb', '/a%2Fb'],
    ['/a+b', '/a%2Bb'],
    ['/a%20b', '/a%20b'],
    ['/a~b', '/a~b'],
    ['/a%7Eb', '/a~b'],
    ['/a%2520b', '/a%2520b'],
    ["/!'()*", '/%21%27%28%29%2A'],
    ['/%e2%82%ac', '/%E2%82%AC'],
    ['/a=b&c@d:e,f;g', '/a%3Db%26c%40d%3Ae%2Cf%3Bg'],
  ])('path %s -> %s', (raw, canonical) => {
    expect(canonicalPath(raw)).toBe(canonical);
  });

  it.each([
    ['', ''],
    ['acl', 'acl='],
    ['b=2&a=1', 'a=1&b=2'],
    ['a=2&a=1&a=10', 'a=1&a=10&a=2'],
    ['a-b=1&a=1', 'a=1&a-b=1'],
    ['a=&b', 'a=&b='],
    ['a=x+y&b=x%2By', 'a=x%20y&b=x%2By'],
    ['a=%7e~', 'a=~~'],
    ['a=b=c', 'a=b%3Dc'],
    ['A=1&a=2&B=3', 'A=1&B=3&a=2'],
    ['X-Amz-Signature=s&a=1', 'a=1'],
    ['%C3%A9=1&z=1', '%C3%A9=1&z=1'],
  ])('query %s -> %s', (raw, canonical) => {
    expect(canonicalQuery(parseRequestTarget(`/?${raw}`).query)).toBe(canonical);
  });
});
