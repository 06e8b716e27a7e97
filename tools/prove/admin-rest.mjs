// The admin REST of a real store under schemathesis, by the OpenAPI document that the store serves: no 5xx, and no answer that
// the document does not know.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drive, installed } from './admin-rest/schemathesis.mjs';
import { credentials, LaunchedStore } from '../store-process/launched-store.mjs';

export const description =
  'schemathesis on the admin REST of a store: no 5xx, no answer that OpenAPI does not document';

const MIB = 1024 * 1024;
const extents = {
  quick: { seconds: 25, examples: 5 },
  full: { seconds: 300, examples: 50 },
};
const outputShown = 6000;

/** A client for what the proof needs itself. */
function restOf(endpoint) {
  const ask = async (method, path, body, token) => {
    const answer = await fetch(`${endpoint}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  };
  return { ask, token: async () => (await ask('POST', '/auth/token', credentials)).access_token };
}

/** Something of each kind, so that requests also reach what lies behind "there is no such". */
async function prepare(rest, token) {
  const { accountId } = await rest.ask('POST', '/admin/v1/accounts', { name: 'probed', email: '' }, token);
  const base = `/admin/v1/accounts/${accountId}`;
  const document = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } };
  await rest.ask('POST', `${base}/users`, { userName: 'probed' }, token);
  await rest.ask('POST', `${base}/groups`, { groupName: 'probed' }, token);
  await rest.ask('POST', `${base}/policies`, { policyName: 'probed', document }, token);
  const known = { accountId, userName: 'probed', groupName: 'probed', policyName: 'probed' };
  return Object.entries(known).map(([name, value]) => `"path.${name}" = "${value}"`);
}

/** With 404 taken out of the document, an account that nobody has must be an answer that it does not know. */
async function isBlind(program, folder, endpoint, common) {
  const document = await (await fetch(`${endpoint}/openapi.json`)).json();
  delete document.paths['/admin/v1/accounts/{accountId}'].get.responses['404'];
  const location = join(folder, 'without-404.json');
  await writeFile(location, JSON.stringify(document));
  const more = ['--include-operation-id', 'getAccount', '--phases', 'fuzzing'];
  const { code, output } = await drive(program, { ...common, location, more, seconds: 3, examples: 5 });
  if (code === 0) return true;
  if (code === 1 && output.includes('Undocumented status code')) return false;
  throw new Error(`schemathesis gave no result (${code}):\n${output.slice(-outputShown)}`);
}

export async function run({ size, seed, log, signal }) {
  const program = await installed(log);
  const { seconds, examples } = extents[size];
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-admin-rest-'));
  const store = await LaunchedStore.start('standalone', { deviceBytes: 256 * MIB, signal });
  const passes = [];
  try {
    const endpoint = `http://127.0.0.1:${store.adminPort}`;
    const rest = restOf(endpoint);
    const [anyone, known] = [join(folder, 'anyone.toml'), join(folder, 'known.toml')];
    await writeFile(anyone, '');
    await writeFile(known, ['[parameters]', ...(await prepare(rest, await rest.token())), ''].join('\n'));
    const common = { url: endpoint, location: `${endpoint}/openapi.json`, seed, examples, signal };
    if (await isBlind(program, folder, endpoint, { ...common, token: await rest.token(), config: anyone }))
      throw new Error('schemathesis does not see an undocumented answer');
    // Rotation ends tokens, that of the run too: by itself, and last.
    const rotation = 'rotateTokenKey';
    const all = ['--exclude-operation-id', rotation];
    for (const [name, config, share, more] of [
      ['anything', anyone, 0.6, all],
      ['what is there', known, 0.4, all],
      [rotation, anyone, 0.2, ['--include-operation-id', rotation, '--phases', 'coverage,fuzzing']],
    ]) {
      const time = Math.ceil(seconds * share);
      const result = await drive(program, { ...common, token: await rest.token(), config, more, seconds: time });
      log(`${name}: ${result.cases} requests, ${result.failed} failures (exit ${result.code})`);
      if (result.code !== 0) log(result.output.slice(-outputShown));
      if (result.code !== 0 && result.code !== 1) throw new Error(`schemathesis gave no result (${result.code})`);
      passes.push(result);
    }
    const alive = await fetch(`${endpoint}/health/ready`);
    if (!alive.ok) throw new Error(`the store is not ready afterwards: ${alive.status}`);
  } finally {
    const left = await store.remove();
    await rm(folder, { recursive: true, force: true });
    for (const one of left) log(one);
  }
  const trials = passes.reduce((sum, { cases }) => sum + cases, 0);
  const failures = passes.reduce((sum, { code, failed }) => sum + (code === 0 ? 0 : Math.max(1, failed)), 0);
  return { trials, failures };
}
