// `npm run check [-- GATE…]`: the gates that need no running service, two at a time. Each is an Nx target, and `build` looks
// at the pages that speak of the code. Prints one line per gate and what a failed one said; exit 1 when any failed.
// `.ci/run` calls the same.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const nx = join(root, 'node_modules', '.bin', 'nx');

const target = (...args) => [nx, ...args, '--outputStyle=static'];

/** The steps of each gate, of which the first that fails is the last. Slowest gates first: they overlap with the rest. */
const gates = {
  lint: [target('run', 'holdfast:lint')],
  boundaries: [target('run', 'holdfast:boundaries')],
  typecheck: [target('run', 'holdfast:typecheck')],
  format: [target('run', 'holdfast:format')],
  // The pages are held against the tables of operations and routes as compiled, and against the tests that they name; the WebAssembly in the
  // repository against its source.
  build: [
    target('run-many', '-t', 'build'),
    [join(root, 'tools', 'compatibility-page.mjs'), '--check'],
    [join(root, 'tools', 'openapi-page.mjs'), '--check'],
    [join(root, 'tools', 'promises-page.mjs')],
    [join(root, 'tools', 'galois-kernel.mjs'), '--check'],
  ],
  'dead-code': [target('run', 'holdfast:dead-code')],
};

const env = { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', NX_TUI: 'false', NX_PERF_LOGGING: 'false' };
const running = new Set();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal);
    process.exitCode = 1;
    waiting.length = 0;
  });
}

/** Without colour codes and the frame that Nx draws around a command. */
function plain(text) {
  const lines = text.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n');
  const frame =
    /^\s*(> nx run .*|NX {2,}.*|Run duration:.*|Cache:.*|Critical path:.*|Recoverable time:.*|Failed tasks:|- .*:[a-z-]+|Hint: .*|Warning: command .*)$/;
  return lines
    .filter((line) => !frame.test(line))
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
}

function runStep(step) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, step, { cwd: root, env });
    running.add(child);
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => chunks.push(Buffer.from(`cannot start ${step[0]}: ${error.message}`)));
    child.on('close', (code) => {
      running.delete(child);
      resolve({ passed: code === 0, output: plain(Buffer.concat(chunks).toString('utf8')) });
    });
  });
}

async function runGate(name) {
  const startedAtMs = performance.now();
  let result;
  for (const step of gates[name]) {
    result = await runStep(step);
    if (!result.passed) break;
  }
  return { name, ...result, seconds: ((performance.now() - startedAtMs) / 1000).toFixed(1) };
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(gates, name));
if (unknown.length > 0) {
  console.error(`no gate '${unknown.join(' ')}'; there are ${Object.keys(gates).join(', ')}`);
  process.exit(2);
}
const waiting = asked.length > 0 ? [...new Set(asked)] : Object.keys(gates);
const failed = [];

async function drain() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const result = await runGate(name);
    console.log(`${result.passed ? 'ok    ' : 'FAILED'} ${name.padEnd(11)} ${result.seconds.padStart(6)} s`);
    if (!result.passed) failed.push(result);
  }
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, drain));
for (const { name, output } of failed) console.log(`\n== ${name}\n${output}`);
console.log(failed.length === 0 ? '\nno gate failed' : `\nfailed: ${failed.map(({ name }) => name).join(', ')}`);
if (failed.length > 0) process.exitCode = 1;
