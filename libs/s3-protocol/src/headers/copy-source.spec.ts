import { describe, expect, it } from '@jest/globals';
import { copyConditionsHold, parseCopyRange, parseCopySource } from './copy-source.js';
import { HeaderList } from './header-list.js';

const sourceOf = (value: string) => parseCopySource(HeaderList.from({ 'x-amz-copy-source': value }));
/** As a client that sends UTF-8 unescaped puts it on the wire. */
const raw = (text: string): string => Buffer.from(text).toString('latin1');
const refusedAs = (code: string) => expect.objectContaining({ code });

describe('x-amz-copy-source', () => {
  it.each([
    ['bucket/key', 'key'],
    ['/bucket/key', 'key'],
    ['bucket/a/b//c', 'a/b//c'],
    ['/bucket//key', '/key'],
    ['bucket/a%20b%2Fc', 'a b/c'],
    ['bucket%2Fkey', 'key'],
    ['bucket/a+b', 'a+b'],
    ['bucket/a%2Bb', 'a+b'],
    ['bucket/a b', 'a b'],
    ['bucket/%3FversionId', '?versionId'],
    ['bucket/?versionId', '?versionId'],
    ['bucket/key?colour=red', 'key?colour=red'],
    ['bucket/100%25', '100%'],
    ['bucket/100%', '100%'],
    ['bucket/anyfilename%2525.txt', 'anyfilename%25.txt'],
    ['bucket/%C3%BC%F0%9F%98%80', 'ü\u{1f600}'],
    [raw('bucket/ü\u{1f600}'), 'ü\u{1f600}'],
    ['bucket/..', '..'],
    [`bucket/${'k'.repeat(1024)}`, 'k'.repeat(1024)],
  ])('%j names the key %j', (value, key) => {
    expect(sourceOf(value)).toEqual({ bucket: 'bucket', key });
  });

  it.each([
    ['bucket/key?versionId=null', 'key', 'null'],
    ['bucket/%3FversionId%3Dx?versionId=00ff', '?versionId=x', '00ff'],
    ['bucket/k?versionId=a?versionId=b', 'k?versionId=a', 'b'],
    ['bucket/key?versionId=', 'key', ''],
  ])('%j names a version', (value, key, versionId) => {
    expect(sourceOf(value)).toEqual({ bucket: 'bucket', key, versionId });
  });

  it.each([
    ['', 'InvalidArgument'],
    ['/', 'InvalidArgument'],
    ['bucket', 'InvalidArgument'],
    ['bucket/', 'InvalidArgument'],
    ['/bucket/', 'InvalidArgument'],
    ['bucket/?versionId=x', 'InvalidArgument'],
    ['bucket/%00', 'InvalidArgument'],
    ['bucket/%FF', 'InvalidArgument'],
    ['bucket/\xff', 'InvalidArgument'],
    ['arn:aws:s3:us-east-1:123456789012:accesspoint/name/object/key', 'InvalidArgument'],
    ['//key', 'InvalidBucketName'],
    ['UPPER/key', 'InvalidBucketName'],
    [`bucket/${'k'.repeat(1025)}`, 'KeyTooLongError'],
  ])('%j is %s', (value, code) => {
    expect(() => sourceOf(value)).toThrow(refusedAs(code));
  });

  it('is undefined when it was not sent', () => {
    expect(parseCopySource(HeaderList.from({}))).toBeUndefined();
  });
});

describe('x-amz-copy-source-range', () => {
  const rangeOf = (value: string) => parseCopyRange(HeaderList.from({ 'x-amz-copy-source-range': value }));

  it('is exactly bytes=first-last', () => {
    expect(rangeOf('bytes=0-0')).toEqual({ first: 0, last: 0 });
    expect(rangeOf('bytes=5-1234567890123')).toEqual({ first: 5, last: 1_234_567_890_123 });
    expect(parseCopyRange(HeaderList.from({}))).toBeUndefined();
  });

  it.each([
    '0-2',
    'bytes=0',
    'bytes=0-',
    'bytes=-2',
    'bytes=2-1',
    'bytes=0-2,3-5',
    'bytes=a-b',
    'bytes=0-bar',
    'BYTES=0-1',
    ' bytes=0-1',
    'bytes 0-1',
    '',
  ])('%j is InvalidArgument', (value) => {
    expect(() => rangeOf(value)).toThrow(refusedAs('InvalidArgument'));
  });
});

describe('x-amz-copy-source-if-…', () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5, 600);
  const holds = (headers: Record<string, string>) =>
    copyConditionsHold(HeaderList.from(headers), { etag: 'abc', lastModifiedMs: at });
  const before = new Date(at - 60_000).toUTCString();
  const after = new Date(at + 60_000).toUTCString();

  it.each([
    [{}, true],
    [{ 'if-match': 'other', 'if-none-match': 'abc' }, true],
    [{ 'x-amz-copy-source-if-match': '"abc"' }, true],
    [{ 'x-amz-copy-source-if-match': 'abc' }, true],
    [{ 'x-amz-copy-source-if-match': 'other' }, false],
    [{ 'x-amz-copy-source-if-none-match': 'other' }, true],
    [{ 'x-amz-copy-source-if-none-match': '"abc"' }, false],
    [{ 'x-amz-copy-source-if-modified-since': before }, true],
    [{ 'x-amz-copy-source-if-modified-since': after }, false],
    [{ 'x-amz-copy-source-if-unmodified-since': after }, true],
    [{ 'x-amz-copy-source-if-unmodified-since': before }, false],
    // As S3 documents: the entity tag decides where both are there.
    [{ 'x-amz-copy-source-if-match': 'abc', 'x-amz-copy-source-if-unmodified-since': before }, true],
    [{ 'x-amz-copy-source-if-none-match': 'abc', 'x-amz-copy-source-if-modified-since': before }, false],
  ])('%j: %s', (headers, verdict) => {
    expect(holds(headers)).toBe(verdict);
  });
});
