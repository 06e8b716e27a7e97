// Docker as this machine has it: the client, an engine that answers, and Compose.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MissingDependency } from '../../missing-dependency.mjs';
import { runCommand } from './run-command.mjs';

const composeVersion = 'v2.40.3';
const composeModule = `github.com/docker/compose/v2@${composeVersion}`;

/** What every call of docker gets: the builder that needs no further plugin. */
export const dockerEnv = {
  DOCKER_BUILDKIT: '0',
  BUILDKIT_PROGRESS: 'plain',
  COMPOSE_PROGRESS: 'plain',
  COMPOSE_BAKE: 'false',
};

export const docker = (args, options = {}) =>
  runCommand('docker', args, { ...options, env: { ...dockerEnv, ...options.env } });

/** @throws MissingDependency when there is no client or no engine answers it */
export async function checkEngine() {
  await docker(['version', '--format', '{{.Server.Version}}'], { timeoutMs: 20_000 }).catch((error) => {
    throw new MissingDependency(
      'no Docker engine answers. Install and start one (Debian: apt-get install docker.io iptables; dockerd &) ' +
        `and run this again. docker says: ${error.message}`,
      { cause: error },
    );
  });
}

const cacheFolder = () =>
  process.env.HOLDFAST_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast');

/** Compose from its Go module, where a machine has Go and no Compose: kept in the cache. */
async function buildCompose(log) {
  const folder = join(cacheFolder(), 'docker-compose');
  const program = join(folder, composeVersion);
  if (existsSync(program)) return program;
  log(`building Docker Compose ${composeVersion} from its Go module into ${folder} (once, some minutes)`);
  mkdirSync(folder, { recursive: true });
  const { stdout } = await runCommand('go', ['mod', 'download', '-json', composeModule]);
  const source = join(folder, 'source');
  rmSync(source, { recursive: true, force: true });
  await runCommand('cp', ['-r', '--no-preserve=mode', JSON.parse(stdout).Dir, source]);
  const flags = [
    '-trimpath',
    '-buildvcs=false',
    '-ldflags',
    `-s -w -X github.com/docker/compose/v2/internal.Version=${composeVersion}`,
  ];
  await runCommand('go', ['build', ...flags, '-o', `${program}.new`, './cmd'], { cwd: source, timeoutMs: 900_000 });
  rmSync(source, { recursive: true, force: true });
  renameSync(`${program}.new`, program);
  return program;
}

/** The words that run Compose here. @throws MissingDependency */
export async function findCompose(log) {
  const version = await docker(['compose', 'version', '--short']).catch(() => undefined);
  if (version !== undefined && /^v?2\./.test(version.stdout)) return ['docker', 'compose'];
  return buildCompose(log).then(
    (program) => [program],
    (error) => {
      throw new MissingDependency(
        `docker compose (version 2) is not installed, and it cannot be built from its Go module: ${error.message}`,
        { cause: error },
      );
    },
  );
}
