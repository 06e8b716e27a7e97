import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseRequestTarget } from './request-target.js';
import { bucketOfHost } from './virtual-host.js';

const code = (name: string) => expect.objectContaining({ code: name });
const DOMAINS = ['s3.example.com', 'eu.s3.example.com'];

describe('the bucket of a Host', () => {
  it.each([
    ['photos.s3.example.com', 'photos'],
    ['photos.s3.example.com:9000', 'photos'],
    ['Photos.S3.EXAMPLE.com.', 'photos'],
    ['my.photos.s3.example.com', 'my.photos'],
    ['photos.eu.s3.example.com', 'photos'],
    ['.s3.example.com', ''],
    ['a..b.s3.example.com', 'a..b'],
    ['s3.example.com', undefined],
    ['eu.s3.example.com:80', undefined],
    ['example.com', undefined],
    ['photoss3.example.com', undefined],
    ['photos.s3.example.com.evil', undefined],
    ['127.0.0.1:9000', undefined],
    ['[::1]:9000', undefined],
    ['[::ffff:127.0.0.1]', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s: %s', (host, bucket) => {
    expect(bucketOfHost(host, DOMAINS)).toBe(bucket);
  });

  it('without a base domain no Host names a bucket, and none is refused', () => {
    for (const host of ['photos.s3.example.com', 'a b', 'x:y']) expect(bucketOfHost(host, [])).toBeUndefined();
  });

  it.each([
    'a b.s3.example.com',
    'a:b',
    'a@s3.example.com',
    'a/b.s3.example.com',
    '[x]',
    'a:1:2',
    'a:999999',
    'é.s3.example.com',
    'a\\b',
  ])('%s is no host: 400 InvalidRequest', (host) => {
    expect(() => bucketOfHost(host, DOMAINS)).toThrow(code('InvalidRequest'));
  });

  it('by chance: a bucket or none or an error of the table, in no time', () => {
    const piece = fc.constantFrom(
      'a',
      '.',
      's3',
      '.s3.example.com',
      'example',
      ':',
      '80',
      '[',
      ']',
      '-',
      ' ',
      '%41',
      'É',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        try {
          expect(['string', 'undefined']).toContain(typeof bucketOfHost(pieces.join(''), DOMAINS));
        } catch (error) {
          expect(error).toMatchObject({ code: 'InvalidRequest' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a target below the Host of a bucket', () => {
  it.each([
    ['/', undefined],
    ['/key', 'key'],
    ['/a/b%20c', 'a/b c'],
    ['//', '/'],
    ['/../theirs/key', '../theirs/key'],
    ['/key?versions', 'key'],
  ])('%s has the key %s', (rawUrl, key) => {
    expect(parseRequestTarget(rawUrl, 'photos')).toMatchObject({
      bucket: 'photos',
      hostBucket: 'photos',
      ...(key === undefined ? {} : { key }),
    });
    expect(parseRequestTarget(rawUrl, 'photos').key).toBe(key);
  });

  it('an empty name and a key that is too long are refused', () => {
    expect(() => parseRequestTarget('/key', '')).toThrow(code('InvalidBucketName'));
    expect(() => parseRequestTarget(`/${'k'.repeat(1025)}`, 'photos')).toThrow(code('KeyTooLongError'));
    expect(parseRequestTarget(`/${'k'.repeat(1024)}`, 'photos').key).toHaveLength(1024);
  });
});
