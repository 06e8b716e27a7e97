/** The store under test: one of its own for each file, unless the command line of `npm run e2e` named one that runs. */
import { ComposedStore } from './composed-store.js';
import { GivenStore } from './given-store.js';
import { RunningStore } from './running-store.js';
import type { TestedStore } from './tested-store.js';

/** Set by tools/e2e.mjs. */
function given(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is needed with E2E_ENDPOINT`);
  return value;
}

export async function startStore(app: 'standalone' | 'cluster'): Promise<TestedStore> {
  const endpoint = process.env['E2E_ENDPOINT'];
  if (endpoint === undefined) return RunningStore.start(app);
  const admin = given('E2E_ADMIN_ENDPOINT');
  const root = { accessKeyId: given('AWS_ACCESS_KEY_ID'), secretAccessKey: given('AWS_SECRET_ACCESS_KEY') };
  const project = process.env['E2E_COMPOSE_PROJECT'];
  return project === undefined
    ? new GivenStore(endpoint, admin, root)
    : new ComposedStore({ endpoint, admin, root, project });
}
