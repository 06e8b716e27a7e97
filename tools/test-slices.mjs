// `npm test [-- PATTERN] [jest options] [--slice unit]`: every slice of the tests, one jest run per group, one sum.
// Unit and contract tests share two workers; integration and e2e own processes, ports and devices and run one by one.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
/** A run that has written its results and does not end holds something open: that is a failure, not a wait. */
const lingerMs = 30_000;
const pollMs = 250;

const groups = [
  { slices: ['unit', 'contract'], args: ['--maxWorkers=2', '--workerIdleMemoryLimit=700MB', '--testTimeout=30000'] },
  { slices: ['integration', 'e2e'], args: ['--runInBand', '--testTimeout=180000'] },
];

let running;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    running?.kill(signal);
  });
}

function runJest(args, resultFile) {
  return new Promise((resolve) => {
    const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
    running = spawn(process.execPath, [...flags, jest, ...args], { cwd: root, stdio: 'inherit' });
    let writtenAtMs;
    const watch = setInterval(() => {
      if (!existsSync(resultFile)) return;
      writtenAtMs ??= Date.now();
      if (Date.now() - writtenAtMs > lingerMs) running.kill('SIGKILL');
    }, pollMs);
    running.on('error', (error) => console.error(`cannot start jest: ${error.message}`));
    running.on('close', (code, signal) => {
      clearInterval(watch);
      resolve({ code, lingered: signal === 'SIGKILL' && writtenAtMs !== undefined });
    });
  });
}

/** Counts of one jest run. A file that could not be run counts as one failure. */
function countsOf(resultFile) {
  const result = JSON.parse(readFileSync(resultFile, 'utf8'));
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

async function runGroup(slices, groupArgs, userArgs, folder) {
  const name = slices.join('+');
  const resultFile = join(folder, `${name}.json`);
  const args = [...userArgs, ...groupArgs, '--passWithNoTests', '--json', `--outputFile=${resultFile}`];
  console.log(`\n== ${name}`);
  const { code, lingered } = await runJest([...args, '--selectProjects', ...slices], resultFile);
  if (!existsSync(resultFile)) {
    console.error(`${name}: jest ended (exit ${code}) without results`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const counts = countsOf(resultFile);
  if (lingered) console.error(`${name}: still alive ${lingerMs / 1000} s after its last test: something was left open`);
  const unexplained = counts.failed === 0 && code !== 0;
  if (unexplained && !lingered) console.error(`${name}: no test failed, but jest ended with exit ${code}`);
  return unexplained ? { ...counts, failed: 1 } : counts;
}

function parseArgs(args) {
  const at = args.indexOf('--slice');
  if (at === -1) return { wanted: groups.flatMap((group) => group.slices), userArgs: args };
  const wanted = (args[at + 1] ?? '').split(',');
  const unknown = wanted.filter((slice) => !groups.some((group) => group.slices.includes(slice)));
  if (unknown.length > 0)
    throw new Error(`--slice wants some of unit,contract,integration,e2e, not '${unknown.join(',')}'`);
  return { wanted, userArgs: args.toSpliced(at, 2) };
}

async function main() {
  const { wanted, userArgs } = parseArgs(process.argv.slice(2));
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const group of groups) {
      const slices = group.slices.filter((slice) => wanted.includes(slice));
      if (slices.length === 0 || interrupted) continue;
      const counts = await runGroup(slices, group.args, userArgs, folder);
      for (const key of Object.keys(sum)) sum[key] += counts[key];
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (interrupted) console.error('interrupted');
  const none = sum.passed + sum.failed === 0;
  if (none) console.error('no test was run');
  process.exitCode = sum.failed > 0 || none || interrupted ? 1 : 0;
  const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : '';
  console.log(`\n${sum.passed} passed, ${sum.failed} failed${skipped}`);
}

await main();
