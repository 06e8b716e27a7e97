// Installs the packages of the lock file when they are missing. Runs on Node 18 with nothing installed.
// node_modules/.holdfast-install holds the SHA-256 of the lock file that was installed completely.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

const pollMs = 200;

/**
 * The Node of the lock file: `{ path, version }`, or undefined where there is none for this platform or it does not
 * run here (the build is for glibc).
 */
export function pinnedNode(root) {
  const folder = join(root, 'node_modules', `node-${process.platform}-${process.arch}`);
  const path = join(folder, 'bin', 'node');
  if (!existsSync(path)) return undefined;
  if (process.execPath === path) return { path, version: process.version };
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? { path, version: stdout.trim() } : undefined;
}

/**
 * Runs `work` while no other starter of this checkout installs or compiles. On Linux the lock is an abstract socket:
 * it goes with its process, needs no writable folder and holds between users. Elsewhere there is no lock.
 */
export async function underLock(root, work) {
  if (process.platform !== 'linux') return work();
  const name = `\0holdfast-setup-${createHash('sha256').update(root).digest('hex').slice(0, 24)}`;
  let told = false;
  for (;;) {
    const lock = await tryListen(name);
    if (lock !== undefined) {
      try {
        return await work();
      } finally {
        await new Promise((done) => lock.close(done));
      }
    }
    if (!told) console.error('holdfast: another start is setting up this checkout, waiting for it');
    told = true;
    await new Promise((done) => setTimeout(done, pollMs));
  }
}

function tryListen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(name, () => resolve(server));
  });
}

/** Does nothing, and needs no network, when the installed packages are those of the lock file. */
export async function ensureInstalled(root) {
  const lockText = readFileSync(join(root, 'package-lock.json'));
  const stampFile = join(root, 'node_modules', '.holdfast-install');
  const stamp = createHash('sha256').update(lockText).digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8').trim() === stamp) return;
  if (isWhole(root, JSON.parse(lockText.toString('utf8')))) return writeStamp(stampFile, stamp);
  mustBeWritable(root);
  console.error('holdfast: installing the packages of package-lock.json (once, about half a minute)');
  const startedAt = Date.now();
  await runNpmCi(root);
  writeStamp(stampFile, stamp);
  console.error(`holdfast: packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** A checkout of another user can be used when it is complete; the stamp only saves time. */
function writeStamp(stampFile, stamp) {
  try {
    writeFileSync(stampFile, `${stamp}\n`);
  } catch (error) {
    if (error.code !== 'EACCES' && error.code !== 'EROFS') throw error;
  }
}

/** True when npm's own record of node_modules names every package that the lock file wants on this platform. */
function isWhole(root, lock) {
  const recordFile = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(recordFile)) return false;
  const installed = JSON.parse(readFileSync(recordFile, 'utf8')).packages;
  const elsewhere = Object.keys(lock.packages).filter((path) => !isForHere(lock.packages[path]));
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.startsWith('node_modules/')) return true;
    const found = installed[path];
    if (found === undefined) return elsewhere.some((other) => path === other || path.startsWith(`${other}/`));
    return found.version === wanted.version && found.link === wanted.link && existsSync(join(root, path));
  });
}

/** False for the optional packages of other platforms. A libc is not looked at: npm installs one of the two. */
function isForHere({ optional, os, cpu, libc }) {
  const accepts = (list, value) => list === undefined || list.includes(value);
  return optional !== true || (accepts(os, process.platform) && accepts(cpu, process.arch) && libc === undefined);
}

function mustBeWritable(root) {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new Error(
      `packages are missing and ${root} cannot be written by this user: install as its owner, or clone anew`,
    );
  }
}

/** npm replaces node_modules while it runs, so neither it nor its children may run from the Node in there. */
async function runNpmCi(root) {
  const inside = join(root, 'node_modules');
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(inside));
  const env = { ...process.env, PATH: path.join(delimiter) };
  delete env.NODE_ENV; // "production" would leave the compiler out
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const { command, prefix } = npmCommand(path, inside);
  for (let attempt = 1; ; attempt += 1) {
    const code = await runToEnd(command, [...prefix, ...args], { cwd: root, env, stdio: ['ignore', 2, 2] });
    if (code === 0) return;
    if (attempt === 2) throw new Error(`npm ci failed (exit ${code}); its own message stands above`);
    console.error('holdfast: npm ci failed, trying once more');
  }
}

function npmCommand(path, inside) {
  const npmScript = process.env.npm_execpath ?? '';
  if (!/npm-cli\.c?js$/.test(npmScript)) return { command: 'npm', prefix: [] };
  const outside = process.execPath.startsWith(inside)
    ? path.map((folder) => join(folder, 'node')).find((candidate) => existsSync(candidate))
    : process.execPath;
  return outside === undefined ? { command: 'npm', prefix: [] } : { command: outside, prefix: [npmScript] };
}

function runToEnd(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    const pass = (signal) => {
      child.kill(signal);
      child.on('exit', () => process.exit(130));
    };
    process.once('SIGINT', pass).once('SIGTERM', pass);
    child.on('error', (error) => reject(new Error(`cannot run ${command}: ${error.message}`)));
    child.on('exit', (code, signal) => {
      process.removeListener('SIGINT', pass).removeListener('SIGTERM', pass);
      resolve(code ?? signal);
    });
  });
}
