import { describe, expect, it } from '@jest/globals';
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
