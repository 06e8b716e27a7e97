// Schemathesis in an environment of its own, kept outside of the repository between runs.
import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MissingDependency } from '../../missing-dependency.mjs';

const version = '4.32.5';
const installTimeoutMs = 300_000;
const stopAfterMs = 30_000;
/** What the promise is: no 5xx, and no answer, content type or body that is not documented. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
  'ignored_auth',
  'negative_data_rejection',
];
/** Of one line of what is reported: bodies are long. */
const lineShown = 1500;
const reportShown = 12_000;

const cache = () =>
  process.env.HOLDFAST_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast');

/** The program, installed when it is not there yet. Errors: MissingDependency. */
export async function installed(log) {
  const folder = join(cache(), `schemathesis-${version}`);
  const program = join(folder, 'bin', 'schemathesis');
  // Written last: an environment that was left half-made is made again.
  const whole = join(folder, 'installed');
  if (existsSync(whole)) return program;
  const run = promisify(execFile);
  const python = process.env.PYTHON ?? 'python3';
  await run(python, ['-c', 'import sys, venv; raise SystemExit(sys.version_info < (3, 10))']).catch((cause) => {
    throw new MissingDependency('install Python 3.10 or newer with its venv module, or set PYTHON to one', { cause });
  });
  log(`installing schemathesis ${version} into ${folder}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(cache(), { recursive: true });
  try {
    await run(python, ['-m', 'venv', folder]);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `schemathesis==${version}`];
    await run(join(folder, 'bin', 'python'), install, { timeout: installTimeoutMs });
  } catch (cause) {
    const why = String(cause.stderr || cause.message)
      .trim()
      .split('\n')
      .at(-1);
    const need = 'pip needs the Python package index (PIP_INDEX_URL)';
    throw new MissingDependency(`schemathesis ${version} cannot be installed: ${why}; ${need}`, { cause });
  }
  writeFileSync(whole, '');
  return program;
}

/**
 * The text of a configuration: `parameters` are lines of `"path.name" = "value"`. Any 4xx refuses what violates the schema: the
 * list that schemathesis has by itself lacks 413, which a body gets for its length before anybody reads it. Whether the status
 * is one that the operation may answer is another check.
 */
export const configuration = (parameters = []) =>
  [
    '[checks.negative_data_rejection]',
    'expected-statuses = ["4xx", "5xx"]',
    ...(parameters.length === 0 ? [] : ['[parameters]', ...parameters]),
    '',
  ].join('\n');

/** Of the output of a run: each operation that failed, with what was sent and what was answered. */
export function failuresIn(output) {
  const start = output.search(/^=+ (?:FAILURES|ERRORS) =+$/m);
  const end = output.search(/^=+ SUMMARY =+$/m);
  const report = output.slice(Math.max(start, 0), end > start ? end : undefined);
  const cut = (line) => (line.length <= lineShown ? line : `${line.slice(0, lineShown)} … (${line.length} characters)`);
  const shown = report.split('\n').map(cut).join('\n').trim();
  return shown.length <= reportShown ? shown : `${shown.slice(0, reportShown)}\n… (${shown.length} characters)`;
}

/**
 * One run over `location` (a URL or a file). Resolves to `{ code, output, cases, failed }`: exit code 0 when every check held,
 * 1 when one did not; anything else is no result.
 */
export async function drive(program, { location, url, token, config, seed, seconds, examples, more = [], signal }) {
  const args = ['--config-file', config, 'run', location, '--url', url, '-H', `Authorization: Bearer ${token}`];
  args.push('--checks', checks.join(), '--seed', String(seed), '--max-examples', String(examples), ...more);
  args.push('--max-time', String(seconds), '--continue-on-failure', '--no-color', '--output-truncate', 'true');
  args.push('--generation-database', 'none', '--warnings', 'off');
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: cache(), signal });
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + stopAfterMs);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (status, by) => done(status ?? by));
  }).finally(() => clearTimeout(timer));
  const [, generated = '0'] = /(\d+) generated/.exec(output) ?? [];
  const [, failed = '0'] = /found (\d+) unique failures?/.exec(output) ?? [];
  return { code, output, cases: Number(generated), failed: Number(failed) };
}
