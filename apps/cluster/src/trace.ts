/** `npm run trace -- REQUEST_ID [--data DIR]`: the steps of one request, collected from every process, as a sequence. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SEED_FLOWS, type TraceEvent } from '@holdfast/contracts';
import { InternalAuthenticator } from '@holdfast/service-host';
import { askJson, type InternalPort } from './control.js';
import { hostOf, readPlan } from './cluster-plan.js';

interface Asked extends InternalPort {
  readonly name: string;
}

/** The processes to ask: those of a cluster, or the one of a standalone store. */
async function processesOf(dataDirectory: string): Promise<Asked[]> {
  const plan = await readPlan(dataDirectory);
  if (plan)
    return Object.entries(plan.ports).map(([name, ports]) => ({ name, host: hostOf(plan, name), port: ports.http }));
  const text = await readFile(join(dataDirectory, 'standalone.json'), 'utf8').catch(() => undefined);
  if (text === undefined)
    throw new Error(`neither a cluster nor a standalone store runs on ${dataDirectory}: say --data DIR`);
  return [{ name: 'standalone', host: '127.0.0.1', port: (JSON.parse(text) as { httpPort: number }).httpPort }];
}

/** The steps of the request's flow with the events that were found for each; a step without events says so. */
export function sequenceText(events: readonly TraceEvent[], silent: readonly string[]): string {
  if (events.length === 0)
    return `no step is known of this request${silent.length === 0 ? '' : ` (no answer from ${silent.join(', ')})`}`;
  const flow = events[0].flow;
  const startUs = Math.min(...events.map((event) => event.atUs));
  const lines = [`${events[0].requestId}  ${flow}`];
  for (const step of SEED_FLOWS[flow]) {
    const seen = events.filter((event) => event.step === step.step).sort((a, b) => a.atUs - b.atUs);
    const head = `${String(step.step).padStart(3)}  ${`${step.from} -> ${step.to}`.padEnd(48)} ${step.what}`;
    lines.push(seen.length === 0 ? `${head}   (not seen)` : head);
    for (const event of seen)
      lines.push(`       +${String(event.atUs - startUs).padStart(8)} us  ${event.process}  ${event.detail}`);
  }
  if (silent.length > 0) lines.push(`no answer from: ${silent.join(', ')}`);
  return lines.join('\n');
}

export async function collectTrace(
  dataDirectory: string,
  requestId: string,
): Promise<{ events: TraceEvent[]; silent: string[] }> {
  const secret = (await readFile(join(dataDirectory, 'cluster-secret'), 'utf8')).trim();
  const auth = new InternalAuthenticator(Buffer.from(secret, 'hex'));
  const silent: string[] = [];
  const answers = await Promise.all(
    (await processesOf(dataDirectory)).map(({ name, ...port }) =>
      askJson<{ events: TraceEvent[] }>(auth, port, 'GET', `/trace/${requestId}`).then(
        (answer) => answer.events,
        () => {
          silent.push(name);
          return [];
        },
      ),
    ),
  );
  return { events: answers.flat(), silent };
}

async function traceCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { data: { type: 'string' } },
  });
  const requestId = (positionals[0] ?? '').toUpperCase();
  if (!/^[0-9A-F]{16}$/.test(requestId)) {
    console.error('usage: npm run trace -- REQUEST_ID [--data DIR]   (the 16 digits of x-amz-request-id)');
    return 2;
  }
  const directories = values.data === undefined ? ['data/cluster', 'data/standalone'] : [values.data];
  for (const directory of directories) {
    const found = await collectTrace(directory, requestId).catch((error: unknown) => error as Error);
    if (found instanceof Error) {
      if (directory === directories.at(-1)) console.error(found.message);
      continue;
    }
    console.log(sequenceText(found.events, found.silent));
    if (found.events.length > 0) return 0;
  }
  return 1;
}

process.exitCode = await traceCommand(process.argv.slice(2));
