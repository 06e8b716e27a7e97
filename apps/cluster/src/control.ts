/** The starter's own door on 127.0.0.1: states, and stop, kill and start of one process by name. */
import { request as httpRequest } from 'node:http';
import { backgroundCall, HoldfastError } from '@holdfast/contracts';
import { answerJson, type InternalAuthenticator, type InternalHttpServer } from '@holdfast/service-host';
import type { Managed, ProcessView } from './managed-process.js';

export const ACTIONS = ['stop', 'kill', 'start'] as const;
export type Action = (typeof ACTIONS)[number];

export function serveControl(server: InternalHttpServer, members: readonly Managed[]): void {
  server.route('GET', /^\/processes$/, async (_request, response) => {
    answerJson(response, 200, { processes: members.map((member) => member.view()) });
  });
  server.route('POST', /^\/processes\/([a-z0-9-]+)\/(stop|kill|start)$/, async (_request, response, _call, match) => {
    const member = members.find((one) => one.name === match[1]);
    if (!member)
      throw new HoldfastError(
        'InvalidArgument',
        `no process ${match[1]}: there are ${members.map((one) => one.name).join(', ')}`,
      );
    await member[match[2] as Action]();
    answerJson(response, 200, { processes: [member.view()] });
  });
}

/** Asks a running starter. Errors: what it answered, or that none runs. */
export function askControl(
  auth: InternalAuthenticator,
  port: number,
  method: 'GET' | 'POST',
  path: string,
): Promise<ProcessView[]> {
  return askJson<{ processes: ProcessView[] }>(auth, { host: '127.0.0.1', port }, method, path).then(
    (answer) => answer.processes,
  );
}

export interface InternalPort {
  readonly host: string;
  readonly port: number;
}

/** One authenticated request to an internal port, answered in JSON. */
export function askJson<T>(
  auth: InternalAuthenticator,
  { host, port }: InternalPort,
  method: 'GET' | 'POST',
  path: string,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = auth.headers(backgroundCall(90_000), method, path);
    const request = httpRequest({ host, port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const answer = JSON.parse(text) as T & { message?: string };
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(answer.message ?? `status ${response.statusCode}`));
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
}

/** One line per process. */
export function processTable(processes: readonly ProcessView[]): string {
  const width = Math.max(...processes.map((one) => one.name.length));
  const rows = processes.map(
    (one) =>
      `  ${one.name.padEnd(width)}  ${one.state.padEnd(9)}  ${String(one.pid ?? '-').padStart(7)}  ${one.restarts === 0 ? '' : `${one.restarts} restarts  `}${one.where}`,
  );
  return [`  ${'process'.padEnd(width)}  ${'state'.padEnd(9)}  ${'pid'.padStart(7)}`, ...rows].join('\n');
}
