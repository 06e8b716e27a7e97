// The door of proofs and benchmarks: `NAME [--size quick|full] [--seed N] [options of NAME]` or `--list`.
// Each NAME is a module beside the door's index.mjs that exports
//   description: string
//   options (if it has any of its own): as node:util's parseArgs has them, each with a `hint` of what it takes
//   quickSeed (if a quick run is to be the same each time): its seed unless one is given. Other runs draw theirs.
//   run({ size, seed, log, signal, options }): an object of facts; it throws MissingDependency when it cannot be run here.
// It ends by itself on `signal` (an AbortSignal: Ctrl-C or SIGTERM) and leaves nothing behind.
// The last line of stdout is one line of JSON with at least name, size, seed, commit, seconds and what run answered.
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { MissingDependency } from './missing-dependency.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const sizes = ['quick', 'full'];

function git(...args) {
  // A checkout may belong to another user than the one who asks.
  return execFileSync('git', ['-c', 'safe.directory=*', ...args], {
    cwd: root,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

/** The commit that was measured, with -dirty when tracked files differ from it; 'unknown' outside a repository. */
function commitOf() {
  try {
    const dirty = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '-dirty';
    return git('rev-parse', 'HEAD') + dirty;
  } catch {
    return 'unknown';
  }
}

function namesIn(folder) {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.mjs') && file !== 'index.mjs')
    .map((file) => file.slice(0, -'.mjs'.length))
    .sort();
}

async function load(folder, name) {
  try {
    return await import(pathToFileURL(join(folder, `${name}.mjs`)).href);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MissingDependency(error.message, { cause: error });
  }
}

async function list(folder) {
  for (const name of namesIn(folder)) {
    const description = await load(folder, name).then(
      (module) => module.description,
      (error) => `cannot be loaded: ${error.message}`,
    );
    console.log(`${name.padEnd(24)} ${description}`);
    for (const [option, { hint }] of Object.entries(await optionsOf(folder, name)))
      console.log(`${''.padEnd(24)}   --${option} ${hint}`);
  }
}

const ownOptions = {
  list: { type: 'boolean' },
  size: { type: 'string', default: 'quick' },
  seed: { type: 'string' },
};

/** The name is looked for before the options are known that come with it: it is the first word that is a name. */
function nameIn(argv, folder) {
  const names = namesIn(folder);
  return argv.find((word) => names.includes(word));
}

/** What a module exports; nothing when it cannot be loaded: running it says why. */
async function exportsOf(folder, name) {
  if (name === undefined) return {};
  return load(folder, name).catch(() => ({}));
}

const optionsOf = async (folder, name) => (await exportsOf(folder, name)).options ?? {};

function seedOf(text, size, quickSeed) {
  if (text === undefined) return size === 'quick' && quickSeed !== undefined ? quickSeed : randomInt(2 ** 32 - 1);
  if (!/^\d{1,10}$/.test(text)) throw new Error('--seed is a whole number');
  return Number(text);
}

async function parse(argv, folder) {
  const { options: moduleOptions, quickSeed } = await exportsOf(folder, nameIn(argv, folder));
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: { ...moduleOptions, ...ownOptions },
  });
  const { list: wantsList, size, seed: seedText, ...options } = values;
  if (wantsList === true) return { list: true };
  if (positionals.length !== 1) throw new Error('give one NAME, or --list');
  if (!sizes.includes(size)) throw new Error(`--size is ${sizes.join(' or ')}, not '${size}'`);
  return { list: false, name: positionals[0], size, seed: seedOf(seedText, size, quickSeed), options };
}

/** Prints rows (objects of the same keys) as an aligned table. */
function printTable(rows) {
  const columns = Object.keys(rows[0]);
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index].length)));
  for (const line of lines)
    console.log(
      line
        .map((cell, index) => cell.padEnd(widths[index]))
        .join('  ')
        .trimEnd(),
    );
}

function printJson(facts) {
  return new Promise((done) => process.stdout.write(`${JSON.stringify(facts)}\n`, done));
}

function abortOnSignals() {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => abort.abort(new Error('interrupted')));
  return abort.signal;
}

/** Runs one module and answers its facts; whatever goes wrong is a fact too (`error`, `missing`). */
async function attempt(folder, { name, size, seed, options }, signal) {
  const log = (...parts) => console.log(...parts);
  try {
    if (!existsSync(join(folder, `${name}.mjs`)))
      throw new Error(`no such name; there are ${namesIn(folder).join(', ')}`);
    const module = await load(folder, name);
    const facts = await module.run({ size, seed, log, signal, options });
    return signal.aborted ? { ...facts, error: 'interrupted' } : facts;
  } catch (error) {
    console.error(`${name}: ${error instanceof MissingDependency ? error.message : (error.stack ?? error)}`);
    return error instanceof MissingDependency
      ? { error: error.message, missing: true }
      : { error: String(error.message ?? error) };
  }
}

/**
 * Runs what the command line asks for and ends the process. `judge(facts)` answers the facts to print (it may add
 * defaults) and why they are no success, or undefined when they are.
 */
export async function openDoor({ folder, judge }) {
  let wanted;
  try {
    wanted = await parse(process.argv.slice(2), folder);
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
  if (wanted.list) {
    await list(folder);
    process.exit(0);
  }
  const startedAtMs = performance.now();
  const { facts, refusal } = judge(await attempt(folder, wanted, abortOnSignals()));
  const { rows, ...rest } = facts;
  if (Array.isArray(rows) && rows.length > 0) printTable(rows);
  const seconds = Math.round(performance.now() - startedAtMs) / 1000;
  if (refusal !== undefined) console.error(`${wanted.name}: ${refusal}`);
  const { name, size, seed } = wanted;
  await printJson({ name, ...rest, ...(rows === undefined ? {} : { rows }), size, seed, commit: commitOf(), seconds });
  // What a module has left open does not keep the door open.
  process.exit(refusal === undefined ? 0 : 1);
}
