// A standalone store or a cluster as a process of its own on a directory of its own, for proofs and benchmarks. Whatever
// happens, `remove` leaves no process and no file behind, and says what it had to force.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MissingDependency } from '../missing-dependency.mjs';
import { nodeFlags } from '../node-flags.mjs';
import { commandOf, postmasterOf, processTree, stillRuns } from './process-tree.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const startWaitMs = 120_000;
const stopWaitMs = 60_000;
const goneWaitMs = 5_000;
const outputKept = 20_000;
const logShown = 4000;

export const credentials = { accessKeyId: 'evidence-root', secretAccessKey: 'evidence-root-password' };

/** Ports below those that systems give to outgoing connections: one that is free now stays free until it is listened on. */
const lowestPort = 20_000;
const highestPort = 32_000;

function isFree(port) {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

async function freePort() {
  for (;;) {
    const port = randomInt(lowestPort, highestPort);
    if (await isFree(port)) return port;
  }
}

export class LaunchedStore {
  output = '';
  #child;
  #seen = new Map();

  constructor(app, directory, ports) {
    this.app = app;
    this.directory = directory;
    this.port = ports.s3;
    this.adminPort = ports.admin;
    this.mainFile = join(root, 'apps', app, 'dist', 'main.js');
  }

  /** Starts it and waits until it says that it is ready. Errors: MissingDependency; it ended before, with its output. */
  static async start(app, { deviceBytes, env = {}, signal }) {
    const directory = await mkdtemp(join(tmpdir(), `holdfast-${app}-`));
    const store = new LaunchedStore(app, directory, { s3: await freePort(), admin: await freePort() });
    if (!existsSync(store.mainFile)) {
      await rm(directory, { recursive: true });
      throw new MissingDependency(`${store.mainFile} does not exist: npm run build`);
    }
    try {
      await store.#launch({ HOLDFAST_DEVICE_BYTES: String(deviceBytes), ...env }, signal);
    } catch (error) {
      await store.remove();
      throw error;
    }
    return store;
  }

  get endpoint() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The processes to count: the one that was started, and Postgres also when it is nobody's child any more. */
  get roots() {
    return [this.#child?.pid, postmasterOf(join(this.directory, 'postgres'))].filter((pid) => pid !== undefined);
  }

  /** The environment of the store and of commands given to it: nothing of ours but what finding programs needs. */
  environment(extra = {}) {
    const { PATH, HOME, JAVA_HOME } = process.env;
    return { PATH, HOME, ...(JAVA_HOME === undefined ? {} : { JAVA_HOME }), ...extra };
  }

  async #launch(env, signal) {
    const ports = ['--port', String(this.port), '--admin-port', String(this.adminPort)];
    const child = spawn(process.execPath, [...nodeFlags, this.mainFile, '--data', this.directory, ...ports], {
      cwd: root,
      env: this.environment({
        HOLDFAST_ROOT_USER: credentials.accessKeyId,
        HOLDFAST_ROOT_PASSWORD: credentials.secretAccessKey,
        ...env,
      }),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in a terminal reaches the proof alone, which stops the store itself.
      detached: true,
    });
    this.#child = child;
    const ready = new Promise((done) => {
      const note = (chunk) => {
        this.output = (this.output + chunk).slice(-outputKept);
        if (this.output.includes('Holdfast is ready.')) done('ready');
      };
      child.stdout.on('data', note);
      child.stderr.on('data', note);
    });
    const ended = new Promise((done) => child.once('close', (code, by) => done(`ended (${code ?? by})`)));
    const waits = new AbortController();
    const late = sleep(startWaitMs, `not ready after ${startWaitMs / 1000} s`, { signal: waits.signal }).catch(
      () => '',
    );
    signal?.throwIfAborted();
    const aborted = new Promise((done) => signal?.addEventListener('abort', () => done('interrupted'), { once: true }));
    const outcome = await Promise.race([ready, ended, late, aborted]);
    waits.abort();
    this.noteProcesses();
    if (outcome === 'interrupted') throw new Error(outcome);
    if (outcome !== 'ready') throw new Error(`${this.app}: ${outcome}\n${this.output}${this.#namedLog()}`);
  }

  /** The end of the log that the output sends the reader to: the folder is gone when he gets there. */
  #namedLog() {
    const file = /see (\S+\.log)/.exec(this.output)?.[1];
    return file === undefined || !existsSync(file) ? '' : `${file}:\n${readFileSync(file, 'utf8').slice(-logShown)}`;
  }

  /** Copies the logs of its processes, to be read after `remove`. */
  async copyLogs(target) {
    const folder = join(this.directory, 'logs');
    if (existsSync(folder)) await cp(folder, target, { recursive: true });
  }

  /** Remembers what runs below the store now, so that `remove` can find it also when it has lost its parent. */
  noteProcesses() {
    for (const one of processTree(this.roots)) this.#seen.set(`${one.pid}/${one.startedAt}`, one);
  }

  #survivors() {
    return [...this.#seen.values()].filter((one) => stillRuns(one));
  }

  async #waitForNone(waitMs) {
    const untilMs = performance.now() + waitMs;
    while (this.#survivors().length > 0 && performance.now() < untilMs) await sleep(50);
    return this.#survivors();
  }

  /** Ctrl-C, as a person does it. Resolves to what does not stop by itself: a list of command lines, empty when all is well. */
  async stop() {
    const child = this.#child;
    if (child === undefined) return [];
    this.noteProcesses();
    const left = [];
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((done) => child.once('exit', () => done('exited')));
      child.kill('SIGINT');
      const waits = new AbortController();
      const late = sleep(stopWaitMs, 'late', { signal: waits.signal }).catch(() => 'late');
      if ((await Promise.race([exited, late])) === 'late')
        left.push(`${this.app} does not stop within ${stopWaitMs / 1000} s`);
      waits.abort();
      child.kill('SIGKILL');
    }
    for (const one of await this.#waitForNone(goneWaitMs)) {
      left.push(`left behind: ${one.pid} ${commandOf(one.pid).slice(0, 200)}`);
      try {
        process.kill(one.pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    await this.#waitForNone(goneWaitMs);
    this.#child = undefined;
    return left;
  }

  /** Stops it and removes its directory. Resolves to what `stop` says. */
  async remove() {
    const left = await this.stop();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    return left;
  }
}
