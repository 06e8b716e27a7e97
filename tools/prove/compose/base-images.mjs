// The base images of docker/Dockerfile and docker/compose.yaml: those that are configured where they can be had, else
// stand-ins of the same kind, made here from Debian's packages, the Node of the lock file and npm.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MissingDependency } from '../../missing-dependency.mjs';
import { docker } from './engine.mjs';
import { runCommand } from './run-command.mjs';

const recipes = fileURLToPath(new URL('bases', import.meta.url));
const composeFile = fileURLToPath(new URL('../../../docker/compose.yaml', import.meta.url));
/** Where an administrator puts the certificates that this machine trusts besides the usual ones. */
const ownCertificates = '/usr/local/share/ca-certificates';
const debianImage = 'holdfast-local/debian:bookworm';
const pullTimeoutMs = 120_000;

/** Variable of compose.yaml -> target in bases/Dockerfile. */
const targets = { NODE_IMAGE: 'node', JAVA_IMAGE: 'java', MAVEN_IMAGE: 'maven', POSTGRES_IMAGE: 'postgres' };

/** The image that compose.yaml takes for this variable: the environment's, else the default that the file names. */
function configured(variable) {
  const named = new RegExp(`\\$\\{${variable}:-([^}]+)\\}`).exec(readFileSync(composeFile, 'utf8'));
  return process.env[variable] || named[1];
}

async function canBeHad(image) {
  const inspected = docker(['image', 'inspect', image]).then(
    () => true,
    () => false,
  );
  if (await inspected) return true;
  return docker(['pull', '--quiet', image], { timeoutMs: pullTimeoutMs }).then(
    () => true,
    () => false,
  );
}

/** A root file system of Debian as an image. */
async function importDebian(folder, signal) {
  if (
    await docker(['image', 'inspect', debianImage]).then(
      () => true,
      () => false,
    )
  )
    return;
  const rootfs = join(folder, 'rootfs');
  await runCommand('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', rootfs], {
    signal,
  }).catch((error) => {
    throw new MissingDependency(
      `the base images cannot be pulled, and making them here wants debootstrap and root (Debian: apt-get install debootstrap): ${error.message}`,
      { cause: error },
    );
  });
  const tar = spawn('tar', ['-C', rootfs, '--exclude=./var/cache/apt/archives/*.deb', '--exclude=./dev/*', '-c', '.'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await docker(['import', '-', debianImage], { input: tar.stdout, signal });
}

function npmFolder() {
  const beside = join(dirname(dirname(process.execPath)), 'lib', 'node_modules', 'npm');
  const ofCaller = process.env.npm_execpath === undefined ? beside : dirname(dirname(process.env.npm_execpath));
  const found = [ofCaller, beside, '/usr/lib/node_modules/npm', '/usr/local/lib/node_modules/npm'].find((one) =>
    existsSync(join(one, 'bin', 'npm-cli.js')),
  );
  if (found === undefined) throw new MissingDependency('npm is not found on this machine: run this by npm run prove');
  return found;
}

function fillContext(folder) {
  cpSync(recipes, folder, { recursive: true });
  mkdirSync(join(folder, 'certificates'));
  if (existsSync(ownCertificates))
    for (const name of readdirSync(ownCertificates))
      cpSync(join(ownCertificates, name), join(folder, 'certificates', name), { recursive: true });
  mkdirSync(join(folder, 'node'));
  cpSync(process.execPath, join(folder, 'node', 'node'));
  cpSync(npmFolder(), join(folder, 'npm'), { recursive: true, dereference: true });
}

/**
 * The environment for Compose that names base images which are there; the stand-ins are made when one cannot be pulled.
 * @throws MissingDependency, CommandFailed
 */
export async function prepareBaseImages(log, signal) {
  const images = Object.fromEntries(Object.keys(targets).map((variable) => [variable, configured(variable)]));
  const missing = [];
  for (const [variable, image] of Object.entries(images)) if (!(await canBeHad(image))) missing.push(variable);
  if (missing.length === 0) return images;
  log(
    `no registry gives ${missing.map((variable) => images[variable]).join(', ')}: making stand-ins from Debian's packages`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bases-'));
  try {
    await importDebian(folder, signal);
    const context = join(folder, 'context');
    fillContext(context);
    for (const variable of missing) {
      const image = `holdfast-local/${targets[variable]}`;
      await docker(
        ['build', '--target', targets[variable], '--build-arg', `DEBIAN=${debianImage}`, '--tag', image, context],
        { signal },
      );
      images[variable] = image;
      log(`made ${image}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return images;
}
