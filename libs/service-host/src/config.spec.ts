import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { readConfig, setting } from './config.js';

const shape = { HTTP_PORT: setting.port(7000), CLUSTER_SECRET: setting.secret, APIS: setting.address.optional() };
const secret = 'ab'.repeat(32);

describe('configuration', () => {
  it('reads the variables of a component and has defaults', () => {
    const config = readConfig(shape, { HOLDFAST_CLUSTER_SECRET: secret, PATH: '/bin', HOLDFAST_CACHE: '/cache' });
    expect([config.HTTP_PORT, config.CLUSTER_SECRET.length]).toEqual([7000, 32]);
  });

  it.each([
    ['a missing secret', {}, /HOLDFAST_CLUSTER_SECRET: is needed/],
    ['a short secret', { HOLDFAST_CLUSTER_SECRET: 'abcd' }, /at least 64 hex digits/],
    [
      'an unknown name',
      { HOLDFAST_CLUSTER_SECRET: secret, HOLDFAST_HTTP_PROT: '1' },
      /unknown HOLDFAST_HTTP_PROT \(known: HOLDFAST_HTTP_PORT/,
    ],
    ['a port that is none', { HOLDFAST_CLUSTER_SECRET: secret, HOLDFAST_HTTP_PORT: '99999' }, /HOLDFAST_HTTP_PORT/],
    [
      'an address without a port',
      { HOLDFAST_CLUSTER_SECRET: secret, HOLDFAST_APIS: 'host' },
      /HOLDFAST_APIS: must be host:port/,
    ],
  ])('refuses %s by its name', (_what, env, message) => {
    expect(() => readConfig(shape, env)).toThrow(message);
  });
});

describe('base domains', () => {
  const read = (HOLDFAST_DOMAIN?: string) => readConfig({ DOMAIN: setting.domains }, { HOLDFAST_DOMAIN }).DOMAIN;

  it('are names in lower case; none unless given', () => {
    expect(read('S3.Example.com, s3.internal,,localhost')).toEqual(['s3.example.com', 's3.internal', 'localhost']);
    expect([read(), read('')]).toEqual([[], []]);
  });

  it.each([
    '.example.com',
    'example.com.',
    'a..b',
    '*.example.com',
    's3.example.com:9000',
    'http://s3',
    '127.0.0.1',
    '-a',
    'a b',
    'ü.de',
  ])('%s is none', (text) => {
    expect(() => read(text)).toThrow(/HOLDFAST_DOMAIN: must be domain names/);
  });
});

describe('a setting in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'));
  const file = join(folder, 'secret');
  writeFileSync(file, `${secret}\n`);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is its text without the end of the line', () => {
    const config = readConfig(shape, { HOLDFAST_CLUSTER_SECRET_FILE: file });
    expect(config.CLUSTER_SECRET.toString('hex')).toBe(secret);
  });

  it.each([
    [
      'given twice',
      { HOLDFAST_CLUSTER_SECRET: secret, HOLDFAST_CLUSTER_SECRET_FILE: file },
      /both given: leave one out/,
    ],
    ['not there', { HOLDFAST_CLUSTER_SECRET_FILE: join(folder, 'none') }, /HOLDFAST_CLUSTER_SECRET_FILE: ENOENT/],
    [
      'of a setting that is not known',
      { HOLDFAST_CLUSTER_SECRET: secret, HOLDFAST_SECRET_FILE: file },
      /unknown HOLDFAST_SECRET_FILE/,
    ],
  ])('is refused when it is %s', (_what, env, message) => {
    expect(() => readConfig(shape, env)).toThrow(message);
  });
});
