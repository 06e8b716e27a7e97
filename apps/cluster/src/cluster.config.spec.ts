import { describe, expect, it } from '@jest/globals';
import { clusterConfig } from './cluster.config.js';

describe('configuration of the starter of a cluster', () => {
  it('knows what it hands on, and reads the size of devices', () => {
    const names = [
      'LOG_LEVEL',
      'REGION',
      'SIGNATURE_V2',
      'COLLECT_GRACE_MS',
      'COLLECT_INTERVAL_MS',
      'FREE_DELAY_MS',
      'SCRUB_BYTES_PER_SECOND',
    ];
    const values = ['warn', 'eu-west-1', 'off', '1', '2', '3', '4'];
    const env = Object.fromEntries(names.map((name, i) => [`HOLDFAST_${name}`, values[i]]));
    const config = clusterConfig({ ...env, HOLDFAST_DEVICE_BYTES: '1048576', HOLDFAST_CACHE: '/cache', HOME: '/' });
    expect([config.DEVICE_BYTES, config.REGION]).toEqual([1_048_576, 'eu-west-1']);
  });

  it.each([
    [
      'a misspelt name',
      { HOLDFAST_DEVICE_BYTE: '1048576' },
      /unknown HOLDFAST_DEVICE_BYTE \(known: .*HOLDFAST_DEVICE_BYTES/,
    ],
    ['a size that is no number', { HOLDFAST_DEVICE_BYTES: '1G' }, /HOLDFAST_DEVICE_BYTES/],
    ['a size that is no whole number of blocks', { HOLDFAST_DEVICE_BYTES: '1048577' }, /HOLDFAST_DEVICE_BYTES/],
    ['no size at all', { HOLDFAST_DEVICE_BYTES: '0' }, /HOLDFAST_DEVICE_BYTES/],
    ['a level that is none', { HOLDFAST_LOG_LEVEL: 'loud' }, /HOLDFAST_LOG_LEVEL/],
    ['a time below zero', { HOLDFAST_FREE_DELAY_MS: '-1' }, /HOLDFAST_FREE_DELAY_MS/],
  ])('refuses %s', (_what, env, message) => {
    expect(() => clusterConfig(env)).toThrow(message);
  });
});
