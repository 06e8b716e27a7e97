// One command at a time, its output in full only when it fails.
import { spawn } from 'node:child_process';

const shownBytes = 6000;

export class CommandFailed extends Error {
  name = 'CommandFailed';
}

/**
 * Runs a command to its end and answers what it wrote to standard output (`{ stdout, output }`; `output` has standard error
 * too). `input` is a readable stream for its standard input. @throws CommandFailed with the last of its output
 */
export function runCommand(file, args, { env = {}, cwd, input, signal, timeoutMs = 600_000 } = {}) {
  return new Promise((resolve, reject) => {
    const limit = AbortSignal.timeout(timeoutMs);
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    let stdout = '';
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
    input?.pipe(child.stdin).on('error', () => undefined);
    const refuse = (why) =>
      reject(new CommandFailed(`${[file, ...args].join(' ')} ${why}:\n${output.slice(-shownBytes)}`));
    child.on('error', (error) => refuse(`cannot be run (${error.message})`));
    child.on('close', (code, killedBy) =>
      code === 0 ? resolve({ stdout, output }) : refuse(`ended with ${code ?? killedBy}`),
    );
  });
}
