import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import type { SignedRequest } from '../sigv4/credential.js';
import { parseCredential } from '../sigv4/parse-credential.js';
import { parseRequestTarget } from '../target/request-target.js';
import { stringToSignV2 } from './string-to-sign.js';

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const accepting = { region: 'us-east-1', signatureV2: 'all' } as const;

function requestOf(method: string, rawUrl: string, headers: Record<string, string | string[]>): SignedRequest {
  return { method, ...parseRequestTarget(rawUrl), headers: HeaderList.from({ host: 'localhost', ...headers }) };
}

function textOf(request: SignedRequest): string {
  const credential = parseCredential(request, accepting);
  if (credential.kind !== 'header-v2') throw new Error(`the request is ${credential.kind}`);
  return stringToSignV2(request, credential);
}

function signatureOf(request: SignedRequest): string {
  return createHmac('sha1', SECRET).update(textOf(request), 'latin1').digest('base64');
}

describe('version 2 in the Authorization header', () => {
  // The examples that AWS publishes, with the bucket in the path.
  it.each([
    ['GET', '/johnsmith/photos/puppy.jpg', 'Tue, 27 Mar 2007 19:36:42 +0000', '', 'bWq2s1WEIj+Ydj0vQ697zp+IXMU='],
    [
      'PUT',
      '/johnsmith/photos/puppy.jpg',
      'Tue, 27 Mar 2007 21:15:45 +0000',
      'image/jpeg',
      'MyyxeRY7whkBe+bq8fHCL/2kKUg=',
    ],
    [
      'GET',
      '/johnsmith/?prefix=photos&max-keys=50&marker=puppy',
      'Tue, 27 Mar 2007 19:42:41 +0000',
      '',
      'htDYFYduRNen8P9ZfE/s9SuKy0U=',
    ],
    ['GET', '/johnsmith/?acl', 'Tue, 27 Mar 2007 19:44:46 +0000', '', 'c2WLPFtWHVgbEmeEG93a4cG37dM='],
    ['GET', '/', 'Wed, 28 Mar 2007 01:29:59 +0000', '', 'qGdzdERIC03wnaRNKh6OqZehG9s='],
    [
      'GET',
      '/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re',
      'Wed, 28 Mar 2007 01:49:49 +0000',
      '',
      'DNEZGsoieTZ92F3bUfSPQcbGmlM=',
    ],
  ])('%s %s has the signature that AWS publishes', (method, url, date, contentType, signature) => {
    const authorization = `AWS AKIAIOSFODNN7EXAMPLE:${signature}`;
    const headers = { date, authorization, ...(contentType === '' ? {} : { 'content-type': contentType }) };
    expect(signatureOf(requestOf(method, url, headers))).toBe(signature);
  });

  it('the bucket of the Host is signed in front of the path', () => {
    const authorization = 'AWS AKIAIOSFODNN7EXAMPLE:bWq2s1WEIj+Ydj0vQ697zp+IXMU=';
    const request = requestOf('GET', '/photos/puppy.jpg', { date: 'Tue, 27 Mar 2007 19:36:42 +0000', authorization });
    expect(signatureOf({ ...request, hostBucket: 'johnsmith' })).toBe('bWq2s1WEIj+Ydj0vQ697zp+IXMU=');
    expect(
      textOf({
        ...requestOf('GET', '/?acl', { date: 'Tue, 27 Mar 2007 19:36:42 +0000', authorization }),
        hostBucket: 'b',
      }),
    ).toMatch(/\n\/b\/\?acl$/);
  });

  it('x-amz- headers are signed in the order of their names, repeated ones joined, and empty the date line', () => {
    const headers = {
      authorization: 'AWS AKID:bWq2s1WEIj+Ydj0vQ697zp+IXMU=',
      'x-amz-date': 'Tue, 27 Mar 2007 21:20:26 +0000',
      date: 'ignored',
      'X-Amz-Meta-ReviewedBy': ['joe@johnsmith.net', ' jane@johnsmith.net '],
      'content-md5': '4gJE4saaMU4BqNR0kLY+lw==',
    };
    expect(textOf(requestOf('PUT', '/b/k', headers))).toBe(
      'PUT\n4gJE4saaMU4BqNR0kLY+lw==\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n' +
        'x-amz-meta-reviewedby:joe@johnsmith.net,jane@johnsmith.net\n/b/k',
    );
  });

  it('is refused unless it is switched on, malformed ones in any case', () => {
    const headers = { authorization: 'AWS AKID:bWq2s1WEIj+Ydj0vQ697zp+IXMU=', date: 'Tue, 27 Mar 2007 19:36:42 +0000' };
    for (const signatureV2 of ['presigned', 'off', undefined] as const) {
      const parse = () => parseCredential(requestOf('GET', '/b/k', headers), { region: 'r', signatureV2 });
      expect(parse).toThrow(expect.objectContaining({ code: 'InvalidRequest' }));
    }
  });

  it('a session token, a parameter that is not covered and a date given twice are refused', () => {
    const authorization = 'AWS AKID:bWq2s1WEIj+Ydj0vQ697zp+IXMU=';
    const date = 'Tue, 27 Mar 2007 19:36:42 +0000';
    const parse = (url: string, headers: Record<string, string | string[]>) => () =>
      parseCredential(requestOf('GET', url, { authorization, ...headers }), accepting);
    expect(parse('/b/k', { date, 'x-amz-security-token': 't' })).toThrow(
      expect.objectContaining({ code: 'InvalidToken' }),
    );
    expect(parse('/b/k?retention', { date })).toThrow(expect.objectContaining({ code: 'AccessDenied' }));
    expect(parse('/b/k', { 'x-amz-date': [date, date] })).toThrow(expect.objectContaining({ code: 'AccessDenied' }));
    expect(parse('/b/k', {})).toThrow(expect.objectContaining({ code: 'AccessDenied' }));
  });
});
