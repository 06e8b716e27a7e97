// The cluster as an operator has it: its table of processes, `kill` and `start` by name; and SIGKILL behind its back.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const commandWaitMs = 95_000;
const pollMs = 200;
const tableRow = /^ {2}(\S+)\s+(not ready|\S+)\s+(\d+|-)(?:\s+(\d+) restarts)?/;

function isReady(port) {
  return new Promise((done) => {
    const request = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false, timeout: 1000 }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => done(false));
  });
}

export class ClusterControl {
  #healthPorts;
  #rows;

  constructor(store) {
    this.store = store;
  }

  /** `npm run cluster -- WORDS`: the rows of the table it prints. Errors: what it says. */
  async command(...words) {
    const args = [this.store.mainFile, ...words, '--data', this.store.directory];
    const options = { env: this.store.environment(), timeout: commandWaitMs };
    const { stdout } = await run(process.execPath, args, options).catch((error) => {
      throw new Error(`npm run cluster -- ${words.join(' ')}: ${(error.stderr || error.message).trim()}`);
    });
    return stdout
      .split('\n')
      .slice(1)
      .map((line) => tableRow.exec(line))
      .filter((match) => match !== null)
      .map(([, name, state, pid, restarts]) => ({
        name,
        state,
        pid: Number(pid) || 0,
        restarts: Number(restarts ?? 0),
      }));
  }

  async status() {
    this.#rows = await this.command('status');
    return this.#rows;
  }

  /** Ends one process the hard way. @returns the id that it had */
  async kill({ name, byName }) {
    // Every command is a process and a second of a busy machine: the table was asked when all became ready.
    const before = (this.#rows ?? (await this.status())).find((row) => row.name === name);
    if (before === undefined || before.pid === 0) throw new Error(`${name} has no process to kill`);
    if (byName) await this.command('kill', name);
    else process.kill(before.pid, 'SIGKILL');
    return before.pid;
  }

  async #servicesAreReady() {
    this.#healthPorts ??= Object.values(
      JSON.parse(await readFile(join(this.store.directory, 'cluster.json'), 'utf8')).ports,
    ).map((ports) => ports.http);
    const ready = await Promise.all(this.#healthPorts.map(isReady));
    return ready.every(Boolean);
  }

  /** Resolves when each process is ready and the killed one is another process than before. Errors: which are not, in time. */
  async waitUntilReady({ name, killedPid, waitMs, signal }) {
    const untilMs = performance.now() + waitMs;
    let rows = [];
    while (performance.now() < untilMs) {
      signal.throwIfAborted();
      if (await this.#servicesAreReady()) {
        rows = await this.status();
        const replaced = rows.every((row) => row.name !== name || row.pid !== killedPid);
        if (replaced && rows.every((row) => row.state === 'ready')) return;
      }
      await sleep(pollMs);
    }
    rows = await this.status();
    const notReady = rows.filter((row) => row.state !== 'ready').map((row) => `${row.name} ${row.state}`);
    throw new Error(`not ready ${waitMs / 1000} s after the kill of ${name}: ${notReady.join(', ') || 'health ports'}`);
  }
}
