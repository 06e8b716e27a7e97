// The admin REST of a real store under schemathesis, by the OpenAPI document that the store serves: no 5xx, and no answer that
// the document does not know.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configuration, drive, failuresIn, installed } from './admin-rest/schemathesis.mjs';
import { credentials, LaunchedStore } from '../store-process/launched-store.mjs';

export const description =
  'schemathesis on the admin REST of a store: no 5xx, no answer that OpenAPI does not document';

const MIB = 1024 * 1024;
const extents = {
  quick: { seconds: 25, examples: 5 },
  full: { seconds: 300, examples: 50 },
};

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

/** What the document of the store is changed to, and what schemathesis must say of `operation` then. */
const lies = [
  {
    what: 'an undocumented answer',
    operation: 'getAccount',
    tell: ({ paths }) => delete paths['/admin/v1/accounts/{accountId}'].get.responses['200'],
    verdict: 'Undocumented status code',
  },
  {
    what: 'an accepted request that violates the schema',
    operation: 'simulateUser',
    tell: ({ components }) => (components.schemas.Simulation.properties.action.maxLength = 1),
    verdict: 'Schema-violating request accepted',
  },
];

/** A proof that cannot fail is none: each lie about the store must be found, at its operation. */
async function findsLies(program, folder, endpoint, common, token) {
  for (const { what, operation, tell, verdict } of lies) {
    const document = await (await fetch(`${endpoint}/openapi.json`)).json();
    tell(document);
    const location = join(folder, 'lie.json');
    await writeFile(location, JSON.stringify(document));
    // The phase that ends by itself: on a slow machine it takes longer and finds the same.
    const more = ['--include-operation-id', operation, '--phases', 'coverage'];
    const { code, output } = await drive(program, { ...common, token: await token(), location, more, seconds: 60 });
    if (code !== 0 && code !== 1) throw new Error(`schemathesis gave no result (${code}):\n${failuresIn(output)}`);
    if (code === 0 || !failuresIn(output).includes(verdict)) throw new Error(`schemathesis does not see ${what}`);
  }
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
    await writeFile(anyone, configuration());
    await writeFile(known, configuration(await prepare(rest, await rest.token())));
    const common = { url: endpoint, location: `${endpoint}/openapi.json`, seed, examples, signal };
    await findsLies(program, folder, endpoint, { ...common, config: known }, rest.token);
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
      if (result.code !== 0) log(failuresIn(result.output));
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
