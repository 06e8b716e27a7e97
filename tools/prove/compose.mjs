// `docker compose up` from nothing: base images (made here where no registry gives them), build, start, clients, tests, a
// `down` and `up` that keeps the data, and everything removed again.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareBaseImages } from './compose/base-images.mjs';
import { checkEngine, docker, dockerEnv, findCompose } from './compose/engine.mjs';
import { runCommand } from './compose/run-command.mjs';

export const description =
  'docker compose up --wait, aws s3 through it, the e2e tests against it, down and up keep the data';

const root = fileURLToPath(new URL('../..', import.meta.url));
const composeFile = join(root, 'docker', 'compose.yaml');
const MIB = 1024 ** 2;
const bucket = 'proof';
const secretFiles = ['cluster/cluster-secret', 'database/password', 'root/user', 'root/password'];

/** What of the e2e suite is run: without and with the tests that kill containers. */
const suites = {
  quick: ({ endpoint, admin }) => ['--endpoint', endpoint, '--admin', admin],
  full: ({ project }) => ['--compose', project],
};

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** One Compose project of its own: names, ports and images that nothing else uses. */
async function openProject(words, bases, signal) {
  const project = `holdfast-proof-${process.pid}`;
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    ...dockerEnv,
    ...bases,
    HOLDFAST_PORT: String(port),
    HOLDFAST_ADMIN_PORT: String(adminPort),
    HOLDFAST_BIND: '127.0.0.1',
    HOLDFAST_ROOT_USER: '',
    HOLDFAST_ROOT_PASSWORD: '',
    HOLDFAST_DEVICE_BYTES: String(1536 * MIB),
    HOLDFAST_IMAGE: `${project}/service`,
    HOLDFAST_KAFKA_IMAGE: `${project}/kafka`,
  };
  const [file, ...first] = words;
  const compose = (args, options = {}) =>
    runCommand(file, [...first, '--project-name', project, '--file', composeFile, ...args], {
      env,
      ...options,
    });
  return {
    project,
    endpoint: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${adminPort}`,
    build: () => compose(['build'], { signal, timeoutMs: 1_200_000 }),
    up: () => compose(['up', '--wait', '--wait-timeout', '240', '--no-build'], { signal }),
    down: () => compose(['down'], { signal }),
    remove: () => compose(['down', '--volumes', '--remove-orphans', '--rmi', 'all', '--timeout', '20']),
    read: async (name) =>
      (await compose(['exec', '-T', 'iam', 'cat', `/run/holdfast/${name}`], { signal })).stdout.trim(),
    logs: async () => (await compose(['logs', '--tail', '20'])).output,
  };
}

async function containersOf(project) {
  const label = `label=com.docker.compose.project=${project}`;
  const { stdout } = await docker(['ps', '--all', '--quiet', '--filter', label]);
  return JSON.parse((await docker(['inspect', ...stdout.trim().split('\n')])).stdout);
}

const serviceOf = (container) => container.Config.Labels['com.docker.compose.service'];

function checkHealthy(containers) {
  const services = containers.filter((one) => serviceOf(one) !== 'prepare');
  const ill = services.filter((one) => one.State.Health?.Status !== 'healthy').map(serviceOf);
  if (services.length !== 14 || ill.length > 0)
    throw new Error(`${services.length} services of 14; not healthy: ${ill.join(', ') || 'none'}`);
}

/** Nobody is root, and no secret stands where `docker inspect` shows it or in a file of the repository. */
function checkSecrets(containers, secrets) {
  const asRoot = containers.filter((one) => /^(0|root|)(:|$)/.test(one.Config.User)).map(serviceOf);
  if (asRoot.length > 0) throw new Error(`run as root: ${asRoot.join(', ')}`);
  const shown = JSON.stringify(containers) + readFileSync(composeFile, 'utf8');
  const told = secrets.filter((secret) => secret.length < 8 || shown.includes(secret));
  if (told.length > 0) throw new Error(`${told.length} secrets are empty or can be seen from outside`);
}

/** PUT, list and GET with the AWS command line, or with the SDK where there is none. */
async function transfers(store, credentials, log) {
  const env = { ...credentials, AWS_DEFAULT_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true' };
  const aws = (...words) =>
    runCommand('aws', ['--endpoint-url', store.endpoint, 's3', ...words], { env, timeoutMs: 120_000 });
  const hasAws = await runCommand('aws', ['--version'], { timeoutMs: 60_000 }).then(
    () => true,
    () => false,
  );
  if (hasAws)
    return {
      make: () => aws('mb', `s3://${bucket}`),
      put: (key, file) => aws('cp', '--no-progress', file, `s3://${bucket}/${key}`),
      get: (key, file) => aws('cp', '--no-progress', `s3://${bucket}/${key}`, file),
      keys: async () => (await aws('ls', `s3://${bucket}`)).stdout,
    };
  log('no aws command line here: the AWS SDK stands in for it');
  const sdk = await import('@aws-sdk/client-s3');
  const s3 = new sdk.S3Client({
    endpoint: store.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.AWS_ACCESS_KEY_ID, secretAccessKey: credentials.AWS_SECRET_ACCESS_KEY },
  });
  return {
    make: () => s3.send(new sdk.CreateBucketCommand({ Bucket: bucket })),
    put: (key, file) => s3.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: readFileSync(file) })),
    get: async (key, file) => {
      const { Body } = await s3.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key }));
      writeFileSync(file, await Body.transformToByteArray());
    },
    keys: async () => {
      const { Contents = [] } = await s3.send(new sdk.ListObjectsV2Command({ Bucket: bucket }));
      return Contents.map(({ Key }) => Key).join('\n');
    },
  };
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Three bodies of which each client cuts some into parts; `checkKept` reads them back. */
async function sampleData(client, folder) {
  const sums = new Map();
  await client.make();
  for (const sizeBytes of [1, 70_000, 20 * MIB]) {
    const body = randomBytes(sizeBytes);
    const file = join(folder, 'body');
    writeFileSync(file, body);
    await client.put(`size-${sizeBytes}`, file);
    sums.set(`size-${sizeBytes}`, sha256(body));
  }
  return sums;
}

async function checkKept(client, folder, sums) {
  const listed = await client.keys();
  for (const [key, sum] of sums) {
    if (!listed.includes(key)) throw new Error(`${key} is not listed`);
    const file = join(folder, 'read');
    await client.get(key, file);
    if (sha256(readFileSync(file)) !== sum) throw new Error(`${key} has other bytes`);
  }
}

async function runSuite(store, size, credentials, log) {
  const { output } = await runCommand('npm', ['run', '--silent', 'e2e', '--', ...suites[size](store)], {
    cwd: root,
    env: { ...credentials, HOLDFAST_ROOT_USER: '', HOLDFAST_ROOT_PASSWORD: '' },
    timeoutMs: 900_000,
  });
  const [, passed] = /(\d+) passed, 0 failed/.exec(output) ?? [];
  if (!(Number(passed) > 0)) throw new Error('no e2e test was run');
  log(`e2e: ${passed} passed`);
  return Number(passed);
}

async function checkStore(store, { size, folder, log }) {
  const facts = { trials: 0, failures: 0 };
  const trial = async (name, work) => {
    facts.trials += 1;
    const startedAtMs = performance.now();
    try {
      const value = await work();
      log(`ok      ${name}  ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
      return value;
    } catch (error) {
      facts.failures += 1;
      log(`FAILED  ${name}: ${error.message}`);
      // What follows stands on it.
      throw error;
    }
  };
  try {
    await trial('the images are built', store.build);
    const startedAtMs = performance.now();
    await trial('up --wait', store.up);
    facts.upSeconds = Math.round((performance.now() - startedAtMs) / 1000);
    const secrets = await Promise.all(secretFiles.map(store.read));
    const credentials = { AWS_ACCESS_KEY_ID: secrets[2], AWS_SECRET_ACCESS_KEY: secrets[3] };
    await trial('every service is healthy', async () => checkHealthy(await containersOf(store.project)));
    await trial('no root, no secret to be seen', async () => checkSecrets(await containersOf(store.project), secrets));
    const client = await transfers(store, credentials, log);
    const sums = await trial('aws s3 puts', () => sampleData(client, folder));
    await trial('aws s3 gets', () => checkKept(client, folder, sums));
    facts.e2ePassed = await trial('e2e tests', () => runSuite(store, size, credentials, log));
    await trial('down and up --wait', () => store.down().then(store.up));
    await trial('the data is kept', () => checkKept(client, folder, sums));
    await trial('the secrets are kept', async () => {
      const now = await Promise.all(secretFiles.map(store.read));
      if (now.join() !== secrets.join()) throw new Error('a secret was drawn anew');
    });
  } catch (error) {
    if (facts.failures === 0) throw error;
    log(await store.logs().catch(() => ''));
  }
  return facts;
}

export async function run({ size, log, signal }) {
  await checkEngine();
  const words = await findCompose(log);
  const bases = await prepareBaseImages(log, signal);
  const store = await openProject(words, bases, signal);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-compose-'));
  try {
    return { ...(await checkStore(store, { size, folder, log })), bases };
  } finally {
    await store.remove().catch((error) => log(error.message));
    rmSync(folder, { recursive: true, force: true });
  }
}
