import { describe, expect, it } from '@jest/globals';
import { QueryParameters } from '../target/query-parameters.js';
import { HeaderList } from './header-list.js';
import { extractObjectHeaders, parseContentMd5, responseOverrides } from './object-headers.js';

const extract = (record: Record<string, string | string[]>) => extractObjectHeaders(HeaderList.from(record));
const code = (name: string) => expect.objectContaining({ code: name });

describe('extractObjectHeaders', () => {
  it('seed-1.1: keeps the standard headers and the metadata, and nothing else', () => {
    const { standard, user } = extract({
      'Content-Type': 'text/plain',
      'Cache-Control': 'no-cache',
      'Content-Disposition': 'attachment',
      'Content-Language': 'de',
      Expires: 'Thu, 01 Dec 1994 16:00:00 GMT',
      'Content-Length': '5',
      'X-Amz-Meta-Colour': 'green',
      'x-amz-acl': 'private',
    });
    expect(standard).toEqual({
      'content-type': 'text/plain',
      'cache-control': 'no-cache',
      'content-disposition': 'attachment',
      'content-language': 'de',
      expires: 'Thu, 01 Dec 1994 16:00:00 GMT',
    });
    expect({ ...user }).toEqual({ colour: 'green' });
  });

  it.each([
    ['aws-chunked', undefined],
    ['gzip, aws-chunked', 'gzip'],
    ['aws-chunked,gzip', 'gzip'],
    ['AWS-Chunked, gzip , br', 'gzip, br'],
    ['gzip', 'gzip'],
    ['', undefined],
  ])('stores Content-Encoding %p as %p', (sent, stored) => {
    expect(extract({ 'content-encoding': sent }).standard['content-encoding']).toBe(stored);
  });

  it('joins repeated metadata lines', () => {
    expect(extract({ 'x-amz-meta-a': ['1', '2'] }).user['a']).toBe('1,2');
  });

  it('takes 2048 bytes of metadata and refuses one more', () => {
    expect(extract({ 'x-amz-meta-abcd': 'v'.repeat(2044) }).user['abcd']).toHaveLength(2044);
    expect(() => extract({ 'x-amz-meta-abcd': 'v'.repeat(2045) })).toThrow(code('MetadataTooLarge'));
    expect(() => extract({ 'x-amz-meta-a': 'v'.repeat(1024), 'x-amz-meta-b': 'v'.repeat(1023) })).toThrow(
      code('MetadataTooLarge'),
    );
  });

  it('takes 8192 bytes of standard headers and refuses one more: all of them come back in one answer', () => {
    expect(extract({ 'content-type': 'v'.repeat(8192) }).standard['content-type']).toHaveLength(8192);
    expect(() => extract({ 'content-type': 'v'.repeat(8193) })).toThrow(code('RequestHeaderSectionTooLarge'));
    expect(() => extract({ 'content-type': 'v'.repeat(8000), 'cache-control': 'v'.repeat(193) })).toThrow(
      code('RequestHeaderSectionTooLarge'),
    );
  });

  it('keeps bytes above ASCII as they came', () => {
    expect(extract({ 'x-amz-meta-a': 'd\u00c3\u00a0' }).user['a']).toBe('d\u00c3\u00a0');
  });

  it.each(['a\rb', 'a\nb', 'a\0b', 'a\x01b', 'a\x7f'])('refuses a value that no answer can carry: %j', (value) => {
    expect(() => extract({ 'x-amz-meta-a': value })).toThrow(code('InvalidArgument'));
    expect(() => extract({ 'content-type': value })).toThrow(code('InvalidArgument'));
  });

  it('a metadata header named __proto__ is a name like any other', () => {
    const { user } = extractObjectHeaders(new HeaderList(['x-amz-meta-__proto__', 'x']));
    expect(Object.entries(user)).toEqual([['__proto__', 'x']]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('refuses a metadata header without a name', () => {
    expect(() => extract({ 'x-amz-meta-': 'x' })).toThrow(code('InvalidArgument'));
  });
});

describe('parseContentMd5', () => {
  it('decodes 16 bytes', () => {
    expect(parseContentMd5(HeaderList.from({ 'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==' }))?.toString('hex')).toBe(
      'd41d8cd98f00b204e9800998ecf8427e',
    );
    expect(parseContentMd5(HeaderList.from({}))).toBeUndefined();
  });

  it.each(['', 'short', 'YWJj', '1B2M2Y8AsgTpgAmY7PhCfg', '1B2M2Y8AsgTpgAmY7PhC_w==', '1B2M2Y8AsgTpgAmY7PhCfg==A'])(
    'seed-1.1: a malformed Content-MD5 is InvalidDigest: %p',
    (value) => {
      expect(() => parseContentMd5(HeaderList.from({ 'content-md5': value }))).toThrow(code('InvalidDigest'));
    },
  );
});

describe('responseOverrides', () => {
  it('maps the six parameters to headers and no other', () => {
    const query = QueryParameters.parse('response-content-type=a%2Fb&response-expires=x&response-etag=y&prefix=z');
    expect(responseOverrides(query)).toEqual({ 'content-type': 'a/b', expires: 'x' });
  });

  it('makes byte strings of texts', () => {
    const query = QueryParameters.parse('response-content-disposition=%C3%A0%20%E2%82%AC');
    expect(responseOverrides(query)).toEqual({ 'content-disposition': '\u00c3\u00a0 \u00e2\u0082\u00ac' });
  });

  it.each(['a%0d%0aSet-Cookie:%20b', '%01', '%7f'])('refuses a control character: %s', (value) => {
    const query = QueryParameters.parse(`response-content-type=${value}`);
    expect(() => responseOverrides(query)).toThrow(code('InvalidArgument'));
  });
});
