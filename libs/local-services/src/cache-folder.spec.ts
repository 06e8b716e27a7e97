import { describe, expect, it } from '@jest/globals';
import { homedir } from 'node:os';
import { cacheFolder } from './cache-folder.js';

describe('the cache folder', () => {
  it.each([
    [{ HOLDFAST_CACHE: '/own', XDG_CACHE_HOME: '/shared' }, '/own'],
    [{ HOLDFAST_CACHE: '', XDG_CACHE_HOME: '/shared' }, '/shared/holdfast'],
    [{ XDG_CACHE_HOME: '' }, `${homedir()}/.cache/holdfast`],
    [{}, `${homedir()}/.cache/holdfast`],
  ])('of %j is %s', (environment, expected) => {
    expect(cacheFolder(environment)).toBe(expected);
  });
});
