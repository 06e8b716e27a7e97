import { describe, expect, it } from '@jest/globals';
import { validateBucketName } from './bucket-name.js';

describe('validateBucketName', () => {
  it.each([
    'abc',
    'a.b',
    'a-b',
    '1ab',
    '123',
    'my.bucket-1',
    'a'.repeat(63),
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.x',
    'xn-a',
    'miniox',
  ])('seed-3.5: %s is a name', (name) => {
    expect(() => validateBucketName(name)).not.toThrow();
  });

  it.each([
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    '_holdfast',
    '-ab',
    'ab-',
    '.ab',
    'ab.',
    'a..b',
    '192.168.5.4',
    'xn--abc',
    'sthree-abc',
    'amzn-s3-demo-x',
    'abc-s3alias',
    'abc--ol-s3',
    'abc--x-s3',
    'abc.mrap',
    'abc--table-s3',
    'minio',
    'a/b',
    'a b',
    'abc\n',
    'äbc',
    '..',
    '../x',
  ])('seed-3.5, XE7: %j is InvalidBucketName', (name) => {
    expect(() => validateBucketName(name)).toThrow(expect.objectContaining({ code: 'InvalidBucketName' }));
  });
});
