import { describe, expect, it } from '@jest/globals';
import { parseRequestTarget } from './request-target.js';
import { uriEncode } from './percent-coding.js';

const code = (name: string) => expect.objectContaining({ code: name });

describe('parseRequestTarget', () => {
  it.each([
    ['/', undefined, undefined],
    ['/bucket', 'bucket', undefined],
    ['/bucket/', 'bucket', undefined],
    ['/bucket/key', 'bucket', 'key'],
    ['/bucket/a/b/c', 'bucket', 'a/b/c'],
    ['/bucket//', 'bucket', '/'],
    ['/bucket//a//b/', 'bucket', '/a//b/'],
    ['/bucket/../other/key', 'bucket', '../other/key'],
    ['/bucket/.', 'bucket', '.'],
    ['/bucket/%2e%2e/x', 'bucket', '../x'],
    ['/bucket/a%2Fb', 'bucket', 'a/b'],
    ['/bucket/a+b', 'bucket', 'a+b'],
    ['/bucket/a%20b', 'bucket', 'a b'],
    ['/bucket/a%2520b', 'bucket', 'a%20b'],
    ['/bucket/%E2%82%AC', 'bucket', '€'],
    ['/bucket/%F0%9F%98%80', 'bucket', '😀'],
    ['/bucket/%0d%0a', 'bucket', '\r\n'],
    ['/%62ucket/key', 'bucket', 'key'],
    ['/bucket%2Fkey', 'bucket/key', undefined],
  ])('seed-3.18: %s names bucket %p and key %p', (rawUrl, bucket, key) => {
    const target = parseRequestTarget(rawUrl);
    expect(target.bucket).toBe(bucket);
    expect(target.key).toBe(key);
  });

  it('seed-3.18: composed and decomposed letters stay different keys', () => {
    expect(parseRequestTarget('/b/%C3%A9').key).not.toBe(parseRequestTarget('/b/e%CC%81').key);
  });

  it('takes unescaped UTF-8 bytes as their escapes', () => {
    const target = parseRequestTarget(`/bucket/${Buffer.from('€', 'utf8').toString('latin1')}`);
    expect(target.key).toBe('€');
    expect(target.rawPath).toBe('/bucket/%E2%82%AC');
  });

  it.each([
    '/b/%00',
    '/b/a%00b',
    '/b/%',
    '/b/%2',
    '/b/%zz',
    '/b/%ff',
    '/b/%C3',
    '/b/%ED%A0%80',
    '/b/a b',
    '/b/a\tb',
    '/b/\x80',
    '/b/#x',
    '/%00/k',
    '/b/k?x=%00',
    '/b/k?x=%zz',
    '/b/€',
  ])('refuses %j as InvalidURI', (rawUrl) => {
    expect(() => parseRequestTarget(rawUrl)).toThrow(code('InvalidURI'));
  });

  it.each(['http://host/bucket/key', 'host:443', '*', '', 'bucket/key'])('refuses the form %j', (rawUrl) => {
    expect(() => parseRequestTarget(rawUrl)).toThrow(code('InvalidRequest'));
  });

  it.each(['//', '//key', '//bucket/key'])('an empty first segment is no bucket: %s', (rawUrl) => {
    expect(() => parseRequestTarget(rawUrl)).toThrow(code('InvalidBucketName'));
  });

  it('counts the bytes of the decoded key: 1024 pass, 1025 do not', () => {
    expect(parseRequestTarget(`/b/${'k'.repeat(1024)}`).key).toHaveLength(1024);
    expect(() => parseRequestTarget(`/b/${'k'.repeat(1025)}`)).toThrow(code('KeyTooLongError'));
    expect(parseRequestTarget(`/b/${uriEncode('é'.repeat(512))}`).key).toHaveLength(512);
    expect(() => parseRequestTarget(`/b/${uriEncode('é'.repeat(512))}k`)).toThrow(code('KeyTooLongError'));
    expect(() => parseRequestTarget(`/b/${uriEncode('€'.repeat(342))}`)).toThrow(code('KeyTooLongError'));
  });

  it('splits at the first question mark and keeps the raw query', () => {
    const target = parseRequestTarget('/b/k?a=1?2&b');
    expect(target.rawPath).toBe('/b/k');
    expect(target.rawQuery).toBe('a=1?2&b');
    expect(target.query.get('a')).toBe('1?2');
    expect(target.query.get('b')).toBe('');
    expect(target.query.has('c')).toBe(false);
  });

  it('in a query a plus is a space, and parameters keep order and repetition', () => {
    const { query } = parseRequestTarget('/b?x=a+b&x=c%2Bd&&%78=e%20f&y==');
    expect(query.getAll('x')).toEqual(['a b', 'c+d', 'e f']);
    expect(query.get('x')).toBe('a b');
    expect(query.get('y')).toBe('=');
    expect(query.pairs.map((pair) => pair.rawName)).toEqual(['x', 'x', '%78', 'y']);
    expect(query.pairs[0].rawValue).toBe('a+b');
  });
});
