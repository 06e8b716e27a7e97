// `npm run e2e [-- OPTIONS] [PATTERN] [jest options]`: the end-to-end tests, on stores that they start themselves or on one
// that runs:
//   --endpoint URL [--admin URL]     any store: the tests that need nothing but its two ports (admin: the port after S3's)
//   --compose PROJECT [the above]    a cluster that `docker compose -p PROJECT up` runs: all of them, also those that kill
// The root credentials of a store that runs come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
import { execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const testSlices = fileURLToPath(new URL('test-slices.mjs', import.meta.url));
/** Names of what a store behind an endpoint can be asked; the rest touches processes. */
const overTheEndpoint = ['standalone.e2e.ts', '--testNamePattern', '^standalone, (through the AWS SDK|with a token)'];

class Refused extends Error {}

/** Takes `--name VALUE` out of the arguments. */
function take(args, name) {
  const at = args.indexOf(`--${name}`);
  if (at === -1) return undefined;
  const [, value] = args.splice(at, 2);
  if (value === undefined) throw new Refused(`--${name} wants a value`);
  return value;
}

function portAfter(endpoint) {
  const url = new URL(endpoint);
  url.port = String(Number(url.port || (url.protocol === 'https:' ? 443 : 80)) + 1);
  return url.origin;
}

/** Where the containers of a project are reached from this machine. */
function publishedPort(project, port) {
  const filters = [`label=com.docker.compose.project=${project}`, 'label=com.docker.compose.service=load-balancer'];
  const wanted = filters.flatMap((filter) => ['--filter', filter]);
  const [id] = execFileSync('docker', ['ps', '--quiet', ...wanted], { encoding: 'utf8' }).split('\n');
  if (id === '') throw new Refused(`no load-balancer of a Compose project '${project}' runs`);
  const [address] = execFileSync('docker', ['port', id, String(port)], { encoding: 'utf8' }).split('\n');
  return `http://${address.replace(/^0\.0\.0\.0/, '127.0.0.1')}`;
}

function main() {
  const args = process.argv.slice(2);
  const project = take(args, 'compose');
  const endpoint = take(args, 'endpoint') ?? (project && publishedPort(project, 9000));
  const admin = take(args, 'admin') ?? (project ? publishedPort(project, 9001) : endpoint && portAfter(endpoint));
  const env = { ...process.env };
  if (endpoint !== undefined) {
    if (!env.AWS_ACCESS_KEY_ID || !env.AWS_SECRET_ACCESS_KEY)
      throw new Refused('set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the root credentials of that store');
    Object.assign(env, { E2E_ENDPOINT: endpoint, E2E_ADMIN_ENDPOINT: admin });
    if (project !== undefined) env.E2E_COMPOSE_PROJECT = project;
    else args.unshift(...overTheEndpoint);
  }
  const child = spawn(process.execPath, [testSlices, '--slice', 'e2e', ...args], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('close', (code) => (process.exitCode = code ?? 1));
}

try {
  main();
} catch (error) {
  console.error(`e2e: ${error.message}`);
  process.exitCode = 2;
}
