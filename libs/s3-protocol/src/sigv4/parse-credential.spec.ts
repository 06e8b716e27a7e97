import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { parseRequestTarget } from '../target/request-target.js';
import type { SignedRequest } from './credential.js';
import { parseCredential } from './parse-credential.js';
import { payloadMode } from './payload.js';
import { effectiveHeaders } from './presigned-headers.js';

const code = (name: string) => expect.objectContaining({ code: name });
const expected = { region: 'us-east-1' };
const SIGNATURE = 'a'.repeat(64);
const CREDENTIAL = 'AKIDEXAMPLE/20240524/us-east-1/s3/aws4_request';
const SIGNED = 'host;x-amz-content-sha256;x-amz-date';

function signedRequest(headers: Record<string, string | string[]>, rawUrl = '/bucket/key'): SignedRequest {
  return { method: 'GET', ...parseRequestTarget(rawUrl), headers: HeaderList.from({ host: 'localhost', ...headers }) };
}

function headerRequest(authorization: string | string[], more: Record<string, string | string[]> = {}): SignedRequest {
  return signedRequest({
    authorization,
    'x-amz-date': '20240524T000000Z',
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    ...more,
  });
}

const v4 = (credential = CREDENTIAL, signedHeaders = SIGNED, signature = SIGNATURE): string =>
  `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
const parseHeader = (...request: Parameters<typeof headerRequest>) =>
  parseCredential(headerRequest(...request), expected);

const QUERY: Readonly<Record<string, string>> = {
  'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
  'X-Amz-Credential': CREDENTIAL,
  'X-Amz-Date': '20240524T000000Z',
  'X-Amz-Expires': '3600',
  'X-Amz-SignedHeaders': 'host',
  'X-Amz-Signature': SIGNATURE,
};

function queryRequest(change: Record<string, string | undefined> = {}, headers = {}, more = ''): SignedRequest {
  const merged: Record<string, string | undefined> = { ...QUERY, ...change };
  const query = Object.entries(merged)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value ?? '')}`)
    .join('&');
  return signedRequest(headers, `/bucket/key?${query}${more}`);
}

const parseQuery = (...request: Parameters<typeof queryRequest>) => parseCredential(queryRequest(...request), expected);

describe('parseCredential, the kind', () => {
  it('no proof is anonymous', () => {
    expect(parseCredential(signedRequest({}), expected)).toEqual({ kind: 'anonymous' });
    expect(parseCredential(signedRequest({ 'x-amz-meta-a': 'b' }, '/b/k?versionId=1'), expected).kind).toBe(
      'anonymous',
    );
  });

  it.each(['Bearer abc.def-g_h', 'bearer abc.def-g_h', 'BEARER   abc.def-g_h '])('%j is a bearer token', (value) => {
    expect(parseCredential(signedRequest({ authorization: value }), expected)).toEqual({
      kind: 'bearer',
      token: 'abc.def-g_h',
    });
  });

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', `Bearer ${'a'.repeat(20_000)}`])(
    '%.30j is InvalidToken',
    (value) => {
      expect(() => parseCredential(signedRequest({ authorization: value }), expected)).toThrow(code('InvalidToken'));
    },
  );

  it.each(['', ' '])('XA1: an empty Authorization is AccessDenied: %j', (value) => {
    expect(() => parseHeader(value)).toThrow(code('AccessDenied'));
  });

  it.each(['AWS AKID:c2lnbmF0dXJl', 'AWS4-ECDSA-P256-SHA256 Credential=x'])('refuses the mechanism of %j', (value) => {
    expect(() => parseHeader(value)).toThrow(code('InvalidRequest'));
  });

  it.each(['AWS HAHAHA', 'AWS', 'Basic dXNlcjpwYXNz', 'HAHAHA', 'aws4-hmac-sha256 Credential=x'])(
    '%j is InvalidArgument',
    (value) => {
      expect(() => parseHeader(value)).toThrow(code('InvalidArgument'));
    },
  );

  it.each(['a', 'g'.repeat(64), 'A'.repeat(64), 'a'.repeat(65), 'a'.repeat(4000)])(
    'XA4: a signature that cannot be one is SignatureDoesNotMatch: %.70s',
    (signature) => {
      expect(() => parseHeader(v4(CREDENTIAL, SIGNED, signature))).toThrow(code('SignatureDoesNotMatch'));
      expect(() => parseQuery({ 'X-Amz-Signature': signature })).toThrow(code('SignatureDoesNotMatch'));
    },
  );

  it('XA8: two proofs are refused, whichever they are', () => {
    expect(() => parseHeader([v4(), v4()])).toThrow(code('InvalidArgument'));
    expect(() => parseHeader([v4(), 'Bearer x'])).toThrow(code('InvalidArgument'));
    expect(() => parseQuery({}, { authorization: v4() })).toThrow(code('InvalidArgument'));
    expect(() => parseQuery({}, { authorization: 'Bearer x' })).toThrow(code('InvalidArgument'));
    expect(() =>
      parseCredential(signedRequest({ authorization: 'Bearer x' }, '/b?X-Amz-Signature=x'), expected),
    ).toThrow(code('InvalidArgument'));
  });

  it('version 2 in the query is refused, never anonymous', () => {
    const request = signedRequest({}, '/b/k?AWSAccessKeyId=a&Signature=b&Expires=1');
    expect(() => parseCredential(request, expected)).toThrow(code('InvalidRequest'));
  });
});

describe('parseCredential, header', () => {
  it('what was remembered of one request is judged anew for another scope, header or signature', () => {
    const first = parseHeader(v4());
    const again = parseHeader(v4(CREDENTIAL, SIGNED, 'b'.repeat(64)));
    expect(again).toEqual({ ...first, signature: 'b'.repeat(64) });
    expect(() => parseCredential(headerRequest(v4()), { region: 'eu-west-1' })).toThrow(
      code('AuthorizationHeaderMalformed'),
    );
    expect(() => parseCredential(headerRequest(v4()), { ...expected, service: 'iam' })).toThrow(
      code('AuthorizationHeaderMalformed'),
    );
    expect(() => parseHeader(v4(), { 'x-amz-acl': 'private' })).toThrow(code('AccessDenied'));
    expect(() => parseHeader(`${v4()}, Signature=${SIGNATURE}`)).toThrow(code('AuthorizationHeaderMalformed'));
    expect(() => parseHeader(v4(CREDENTIAL, SIGNED, SIGNATURE.slice(1)))).toThrow(code('SignatureDoesNotMatch'));
  });

  it('reads all parts, with and without spaces, in any order', () => {
    const parsed = parseHeader(v4());
    expect(parsed).toEqual({
      kind: 'header-v4',
      accessKeyId: 'AKIDEXAMPLE',
      scope: { date: '20240524', region: 'us-east-1', service: 's3' },
      signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'],
      signature: SIGNATURE,
      timestamp: '20240524T000000Z',
      timestampMs: Date.UTC(2024, 4, 24),
      payloadHash: 'UNSIGNED-PAYLOAD',
    });
    expect(
      parseHeader(`AWS4-HMAC-SHA256 Signature=${SIGNATURE},Credential=${CREDENTIAL},SignedHeaders=${SIGNED}`),
    ).toEqual(parsed);
    expect(parseHeader(v4(CREDENTIAL, 'x-amz-date;Host;x-amz-content-sha256'))).toEqual(parsed);
  });

  it('an access key may hold slashes', () => {
    expect(parseHeader(v4('a/b/20240524/us-east-1/s3/aws4_request'))).toMatchObject({ accessKeyId: 'a/b' });
  });

  it('carries the session token when it is signed', () => {
    const request = headerRequest(v4(CREDENTIAL, `${SIGNED};x-amz-security-token`), { 'x-amz-security-token': 'tok' });
    expect(parseCredential(request, expected)).toMatchObject({ sessionToken: 'tok' });
  });

  it.each([
    'AWS4-HMAC-SHA256',
    'AWS4-HMAC-SHA256 ',
    'AWS4-HMAC-SHA256 HAHAHA',
    `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=${SIGNED}`,
    `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, Signature=${SIGNATURE}`,
    `${v4()}, Signature=${SIGNATURE}`,
    `${v4()}, Extra=1`,
    `${v4()},`,
    v4(CREDENTIAL, SIGNED, ''),
    v4('AKID'),
    v4('/20240524/us-east-1/s3/aws4_request'),
    v4('20240524/us-east-1/s3/aws4_request'),
    v4('AKID/2024-05-24/us-east-1/s3/aws4_request'),
    v4('AKID/20240524/us-east-1/s3/aws4'),
    v4('AKID/20240524/us-east-1/iam/aws4_request'),
    v4('AKID/20240524/eu-west-1/s3/aws4_request'),
    v4('AKID/20240524//s3/aws4_request'),
    v4(CREDENTIAL, ''),
    v4(CREDENTIAL, 'host;;x-amz-date'),
    v4(CREDENTIAL, `host;${SIGNED}`),
    v4(CREDENTIAL, `${SIGNED};a b`),
    v4(`${'A'.repeat(200)}/20240524/us-east-1/s3/aws4_request`),
  ])('XA2: %.120j is AuthorizationHeaderMalformed', (value) => {
    expect(() => parseHeader(value)).toThrow(code('AuthorizationHeaderMalformed'));
  });

  it('a wrong region says which one is right', () => {
    expect(() => parseHeader(v4('AKID/20240524/eu-west-1/s3/aws4_request'))).toThrow(
      expect.objectContaining({ details: { Region: 'us-east-1' } }),
    );
  });

  it('another service is accepted where it is expected', () => {
    const request = headerRequest(v4('AKID/20240524/us-east-1/iam/aws4_request'));
    expect(parseCredential(request, { region: 'us-east-1', service: 'iam' }).kind).toBe('header-v4');
  });

  it.each([
    'x-amz-copy-source',
    'x-amz-tagging',
    'x-amz-acl',
    'x-amz-meta-a',
    'x-amz-security-token',
    'X-Amz-Object-Lock-Mode',
  ])('XA6: an unsigned %s is AccessDenied', (name) => {
    expect(() => parseHeader(v4(), { [name]: 'v' })).toThrow(
      expect.objectContaining({ code: 'AccessDenied', details: { HeadersNotSigned: name.toLowerCase() } }),
    );
    expect(parseHeader(v4(CREDENTIAL, `${SIGNED};${name}`), { [name]: 'v' }).kind).toBe('header-v4');
  });

  it('XA6: x-amz-content-sha256 alone needs no signature of its own; host and x-amz-date do', () => {
    expect(parseHeader(v4(CREDENTIAL, 'host;x-amz-date')).kind).toBe('header-v4');
    expect(() => parseHeader(v4(CREDENTIAL, 'x-amz-date'))).toThrow(code('AccessDenied'));
    expect(() => parseHeader(v4(CREDENTIAL, 'host'))).toThrow(code('AccessDenied'));
  });

  it('XA5: the day of the credential is the day of the request', () => {
    expect(() => parseHeader(v4('AKID/20240523/us-east-1/s3/aws4_request'))).toThrow(code('SignatureDoesNotMatch'));
  });

  it('takes the Date header where x-amz-date is missing', () => {
    const signed = { authorization: v4(CREDENTIAL, 'host;date'), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const parsed = parseCredential(signedRequest({ ...signed, date: 'Fri, 24 May 2024 01:02:03 GMT' }), expected);
    expect(parsed).toMatchObject({ timestamp: '20240524T010203Z', timestampMs: Date.UTC(2024, 4, 24, 1, 2, 3) });
    expect(() => parseCredential(signedRequest(signed), expected)).toThrow(code('AccessDenied'));
    expect(() => parseCredential(signedRequest({ ...signed, date: 'Bad Date' }), expected)).toThrow(
      code('AccessDenied'),
    );
    expect(() =>
      parseCredential(signedRequest({ ...signed, date: 'Tue, 07 Jul 1950 21:53:04 GMT' }), expected),
    ).toThrow(code('AccessDenied'));
    expect(() => parseCredential(signedRequest({ ...signed, date: '+100000-01-01T00:00:00Z' }), expected)).toThrow(
      code('AccessDenied'),
    );
  });

  it.each([['x'], [''], ['2024-05-24T00:00:00Z'], [['20240524T000000Z', '20240524T000000Z']]])(
    'the x-amz-date %j is AccessDenied',
    (value) => {
      expect(() => parseHeader(v4(), { 'x-amz-date': value })).toThrow(code('AccessDenied'));
    },
  );

  it('the payload hash must be there once and mean something', () => {
    const request = signedRequest({ authorization: v4(), 'x-amz-date': '20240524T000000Z' });
    expect(() => parseCredential(request, expected)).toThrow(code('InvalidRequest'));
    const valid = ['a'.repeat(64), 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'];
    for (const value of valid) {
      expect(parseHeader(v4(), { 'x-amz-content-sha256': value })).toMatchObject({ payloadHash: value });
    }
    for (const value of [
      '',
      'a'.repeat(63),
      'A'.repeat(64),
      'UNSIGNED',
      'STREAMING-X',
      ['UNSIGNED-PAYLOAD', 'a'.repeat(64)],
    ]) {
      expect(() => parseHeader(v4(), { 'x-amz-content-sha256': value })).toThrow(code('InvalidArgument'));
    }
  });
});

describe('parseCredential, query', () => {
  it('reads all parts', () => {
    expect(parseQuery()).toEqual({
      kind: 'query-v4',
      accessKeyId: 'AKIDEXAMPLE',
      scope: { date: '20240524', region: 'us-east-1', service: 's3' },
      signedHeaders: ['host'],
      signature: SIGNATURE,
      timestamp: '20240524T000000Z',
      timestampMs: Date.UTC(2024, 4, 24),
      payloadHash: 'UNSIGNED-PAYLOAD',
      expiresSeconds: 3600,
    });
    expect(parseQuery({ 'X-Amz-Security-Token': 'tok' })).toMatchObject({ sessionToken: 'tok' });
  });

  it.each(Object.keys(QUERY))('XA8: without %s the proof is incomplete', (name) => {
    expect(() => parseQuery({ [name]: undefined })).toThrow(code('AuthorizationQueryParametersError'));
    expect(() => parseQuery({ [name]: '' })).toThrow(code('AuthorizationQueryParametersError'));
  });

  it.each([...Object.keys(QUERY), 'x-amz-signature', 'X-AMZ-CREDENTIAL'])('XB5: a second %s is refused', (name) => {
    expect(() => parseQuery({}, {}, `&${name}=x`)).toThrow(code('AuthorizationQueryParametersError'));
  });

  it.each([
    { 'X-Amz-Algorithm': 'AWS4-HMAC-SHA1' },
    { 'X-Amz-Credential': 'AKID' },
    { 'X-Amz-Credential': 'AKID/20240524/eu-west-1/s3/aws4_request' },
    { 'X-Amz-Credential': 'AKID/20240524/us-east-1/sts/aws4_request' },
    { 'X-Amz-Credential': 'AKID/20240524/us-east-1/s3/aws4' },
    { 'X-Amz-Date': '2024-05-24T00:00:00Z' },
    { 'X-Amz-SignedHeaders': 'host;host' },
    { 'X-Amz-Expires': 'soon' },
    { 'X-Amz-Expires': '1.5' },
    { 'X-Amz-Expires': '+5' },
    { 'X-Amz-Expires': '1e3' },
  ])('%j is AuthorizationQueryParametersError', (change) => {
    expect(() => parseQuery(change)).toThrow(code('AuthorizationQueryParametersError'));
  });

  it.each(['0', '-1', '604801', '99999999999999999999'])('XB2: X-Amz-Expires=%s is AccessDenied', (value) => {
    expect(() => parseQuery({ 'X-Amz-Expires': value })).toThrow(code('AccessDenied'));
  });

  it('a week is the longest', () => {
    expect(parseQuery({ 'X-Amz-Expires': '604800' })).toMatchObject({ expiresSeconds: 604_800 });
  });

  it('XB4, XB5: no x-amz- header may be unsigned, the payload hash included', () => {
    expect(() => parseQuery({}, { 'x-amz-copy-source': '/b/k' })).toThrow(code('AccessDenied'));
    expect(() => parseQuery({}, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })).toThrow(code('AccessDenied'));
    expect(() => parseQuery({ 'X-Amz-SignedHeaders': 'x-amz-meta-a' }, { 'x-amz-meta-a': '1' })).toThrow(
      code('AccessDenied'),
    );
  });

  it('only a signed hash replaces UNSIGNED-PAYLOAD, and never a framed body', () => {
    const hash = 'b'.repeat(64);
    expect(parseQuery({ 'X-Amz-Content-Sha256': hash })).toMatchObject({ payloadHash: hash });
    expect(
      parseQuery({ 'X-Amz-SignedHeaders': 'host;x-amz-content-sha256' }, { 'x-amz-content-sha256': hash }),
    ).toMatchObject({
      payloadHash: hash,
    });
    expect(() => parseQuery({ 'X-Amz-Content-Sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' })).toThrow(
      code('InvalidRequest'),
    );
  });

  it('headers that the signer moved into the query count as headers', () => {
    const request = queryRequest({}, { 'content-type': 'a/b' }, '&x-amz-meta-a=1&X-Amz-Acl=private&other=2');
    const headers = effectiveHeaders(request, parseCredential(request, expected));
    expect(headers.get('x-amz-meta-a')).toBe('1');
    expect(headers.get('x-amz-acl')).toBe('private');
    expect(headers.get('content-type')).toBe('a/b');
    expect([...headers.names()].sort()).toEqual(['content-type', 'host', 'x-amz-acl', 'x-amz-meta-a']);
    expect(effectiveHeaders(request, { kind: 'anonymous' })).toBe(request.headers);
  });

  it('a header outweighs a parameter of its name', () => {
    const request = queryRequest(
      { 'X-Amz-SignedHeaders': 'host;x-amz-acl' },
      { 'x-amz-acl': 'private' },
      '&X-Amz-Acl=public-read',
    );
    expect(effectiveHeaders(request, parseCredential(request, expected)).getAll('x-amz-acl')).toEqual(['private']);
  });

  it('a moved header has the bytes that it would have had as a header', () => {
    const request = queryRequest({}, {}, '&X-Amz-Meta-A=d%C3%A0%20%E2%82%AC');
    expect(effectiveHeaders(request, parseCredential(request, expected)).get('x-amz-meta-a')).toBe(
      'd\u00c3\u00a0 \u00e2\u0082\u00ac',
    );
  });

  it.each(['&X-Amz-Meta-A=%01', '&X-Amz-Meta-A=a%0D%0Ab', '&X-Amz-Meta-%C3%A0=1', '&X-Amz-Meta-a%20b=1'])(
    'refuses what could not have been a header: %s',
    (more) => {
      const request = queryRequest({}, {}, more);
      expect(() => effectiveHeaders(request, parseCredential(request, expected))).toThrow(code('InvalidArgument'));
    },
  );

  it('a checksum in the query is no promise about the body; one in a signed header is', () => {
    const inQuery = queryRequest({}, {}, '&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32');
    expect(effectiveHeaders(inQuery, parseCredential(inQuery, expected))).toBe(inQuery.headers);
    const names = 'host;x-amz-checksum-crc32';
    const inHeader = queryRequest({ 'X-Amz-SignedHeaders': names }, { 'x-amz-checksum-crc32': 'AAAAAA==' });
    expect(effectiveHeaders(inHeader, parseCredential(inHeader, expected)).get('x-amz-checksum-crc32')).toBe(
      'AAAAAA==',
    );
  });
});

describe('payloadMode', () => {
  const bearer = { kind: 'bearer', token: 't' } as const;
  const mode = (value: string | undefined) =>
    payloadMode(bearer, HeaderList.from(value === undefined ? {} : { 'x-amz-content-sha256': value }));

  it('is what the credential covers', () => {
    const credential = parseHeader(v4(), { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER' });
    expect(payloadMode(credential, HeaderList.from({}))).toEqual({ kind: 'chunked', signed: true, trailer: true });
    expect(payloadMode(parseQuery(), HeaderList.from({ 'x-amz-content-sha256': 'a'.repeat(64) }))).toEqual({
      kind: 'unsigned',
    });
  });

  it('without a signature the header says it, but for signed chunks', () => {
    expect(mode(undefined)).toEqual({ kind: 'unsigned' });
    expect(mode('UNSIGNED-PAYLOAD')).toEqual({ kind: 'unsigned' });
    expect(mode('a'.repeat(64))).toEqual({ kind: 'sha256', sha256Hex: 'a'.repeat(64) });
    expect(mode('STREAMING-UNSIGNED-PAYLOAD-TRAILER')).toEqual({ kind: 'chunked', signed: false, trailer: true });
    expect(() => mode('STREAMING-AWS4-HMAC-SHA256-PAYLOAD')).toThrow(code('InvalidRequest'));
    expect(() => mode('x')).toThrow(code('InvalidArgument'));
  });
});
