// The servers that stand beside each other: { name, host, port, accessKeyId, secretAccessKey, roots(), remove() }.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials, LaunchedStore } from '../../store-process/launched-store.mjs';

const yardstickFile = fileURLToPath(new URL('yardstick-server.mjs', import.meta.url));
/** Flushes of several files at once hold threads of the pool, and the default four would be the limit. */
const threadPoolSize = 16;

export async function startYardstick() {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-yardstick-'));
  const child = spawn(process.execPath, [yardstickFile, directory], {
    env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: String(threadPoolSize) },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const exited = new Promise((done) => child.once('exit', done));
  const remove = async () => {
    child.kill('SIGKILL');
    await exited;
    await rm(directory, { recursive: true, force: true });
    return [];
  };
  const port = await new Promise((done, failed) => {
    child.stdout.on('data', (text) => done(Number(/\d+/.exec(text)[0])));
    child.once('exit', (code) => failed(new Error(`the yardstick ended (${code})`)));
  }).catch(async (error) => {
    await remove();
    throw error;
  });
  return { name: 'node:http', host: '127.0.0.1', port, ...credentials, roots: () => [child.pid], remove };
}

export async function startHoldfast(deviceBytes, signal) {
  const store = await LaunchedStore.start('standalone', { deviceBytes, signal });
  return {
    name: 'holdfast',
    host: '127.0.0.1',
    port: store.port,
    ...credentials,
    roots: () => store.roots,
    remove: () => store.remove(),
    output: () => store.output,
  };
}

/** `NAME=ENDPOINT,ACCESS,SECRET[,pid=N]`: a server that others run. Without a pid its processor time is not known. */
export function parseAgainst(text) {
  const match = /^([^=]+)=http:\/\/([^:/,]+):(\d+)\/?,([^,]+),([^,]+)(?:,pid=(\d+(?:\+\d+)*))?$/.exec(text);
  if (match === null) throw new Error(`--against ${text}: NAME=http://HOST:PORT,ACCESS,SECRET[,pid=N] is needed`);
  const [, name, host, port, accessKeyId, secretAccessKey, pids] = match;
  return {
    name,
    host,
    port: Number(port),
    accessKeyId,
    secretAccessKey,
    roots: () => (pids === undefined ? [] : pids.split('+').map(Number)),
    remove: async () => [],
  };
}
