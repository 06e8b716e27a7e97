import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where fetched and copied programs are kept: HOLDFAST_CACHE, else `${XDG_CACHE_HOME:-~/.cache}/holdfast`. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { HOLDFAST_CACHE: own, XDG_CACHE_HOME: shared } = environment;
  if (own !== undefined && own !== '') return own;
  return join(shared !== undefined && shared !== '' ? shared : join(homedir(), '.cache'), 'holdfast');
}
