// The one door of the npm scripts: `node tools/run.mjs NAME [arguments]`. In this order it
//   1 installs what is missing (nothing when the lock file is the one that was installed: works without a network),
//   2 goes on under the Node of the lock file,
//   3 compiles what changed,
//   4 becomes the target, so that signals and the exit code are the target's own.
// Until step 2 this runs on Node 18 with no package installed: only node: imports up here, the rest is loaded later.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ensureInstalled, pinnedNode, underLock } from './install.mjs';
import { nodeFlags } from './node-flags.mjs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const oldestMajor = 24;

/** Targets by name: the file they run, or the tool that serves them, with flags of Node, and whether they need compiled code. */
const targets = {
  standalone: { file: 'apps/standalone/dist/main.js', flags: nodeFlags },
  cluster: { file: 'apps/cluster/dist/main.js' },
  trace: { file: 'apps/cluster/dist/trace.js' },
  device: { file: 'apps/data-node/dist/device.js' },
  test: { file: 'tools/test-slices.mjs' },
  e2e: { file: 'tools/e2e.mjs' },
  prove: { file: 'tools/prove/index.mjs' },
  bench: { file: 'tools/bench/index.mjs' },
  check: { file: 'tools/gates.mjs', compiled: false },
  build: { file: undefined },
  install: { file: undefined, compiled: false },
};

class RunError extends Error {}

/** Children find the same Node and the tools of the lock file first. */
function childEnvironment() {
  const bin = join(root, 'node_modules', '.bin');
  const rest = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '' && folder !== bin);
  return { ...process.env, PATH: [bin, dirname(process.execPath), ...rest].join(delimiter) };
}

/**
 * Replaces this process by Node with `nodeArgs` (a file, and what belongs before it); where the platform or the Node version cannot, runs it as a child,
 * hands every signal on and waits: the child decides when a stop is done.
 */
function become(node, nodeArgs, args) {
  const env = childEnvironment();
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.removeAllListeners('warning'); // "execve is experimental" says nothing to whoever starts a store
    process.execve(node, [node, ...nodeArgs, ...args], env);
  }
  const child = spawn(node, [...nodeArgs, ...args], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

function fail(message) {
  console.error(`holdfast: ${message}`);
  process.exit(1);
}

const majorOf = (version) => Number(version.replace(/^v/, '').split('.')[0]);

/** Undefined when this process already runs a Node that will do. */
function betterNode() {
  const pinned = pinnedNode(root);
  if (pinned !== undefined && process.version !== pinned.version) return pinned.path;
  if (majorOf(process.version) >= oldestMajor) return undefined;
  throw new RunError(
    `needs Node ${oldestMajor} or newer, and this is ${process.version} on ${process.platform}-${process.arch}, for which ` +
      `the lock file brings none. Install Node ${oldestMajor} (https://nodejs.org) and run the command again.`,
  );
}

async function compile() {
  const { build } = await import('./build.mjs');
  const written = await build();
  if (written > 0) console.error(`holdfast: compiled ${written} files`);
}

async function main() {
  const [name = '', ...args] = process.argv.slice(2);
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target === undefined) throw new RunError(`no target '${name}'; there are ${Object.keys(targets).join(', ')}`);
  await underLock(root, () => ensureInstalled(root));
  const node = betterNode();
  if (node !== undefined) return become(node, [fileURLToPath(import.meta.url)], [name, ...args]);
  if (target.compiled !== false) await underLock(root, compile);
  if (target.file === undefined) return undefined;
  const file = join(root, target.file);
  if (!existsSync(file)) throw new RunError(`${target.file} does not exist, so '${name}' cannot run`);
  return become(process.execPath, [...(target.flags ?? []), file], args);
}

main().catch((error) => fail(error instanceof RunError ? error.message : String(error.stack ?? error)));
