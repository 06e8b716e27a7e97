// Runs one step of load against one server: prepared requests over a fixed number of connections, for a time.
import { cpuMsOf } from '../../store-process/process-tree.mjs';
import { Connection } from './connection.mjs';

const compareEvery = 16;
const errorsKept = 3;

/** One worker: sends its requests one after the other until the time is over or, for a PUT, until they are used up. */
class Worker {
  latenciesMs = [];
  /** Indices of requests that were answered as they should be. */
  succeeded = [];
  errors = [];
  errorCount = 0;

  constructor(server, step, plan) {
    this.step = step;
    this.plan = plan;
    this.connection = new Connection(server.host, server.port);
  }

  run(untilMs) {
    const { connection, step, plan } = this;
    const { heads, body } = plan;
    const isPut = step.method === 'PUT';
    let sent = 0;
    return new Promise((done) => {
      let startedAtMs = 0;
      const next = () => {
        startedAtMs = performance.now();
        if (startedAtMs >= untilMs || heads.length === 0 || (isPut && sent === heads.length))
          return void done(startedAtMs);
        const expected = !isPut && sent % compareEvery === 0 ? body : undefined;
        connection.exchange(heads[sent % heads.length], isPut ? body : undefined, expected, onAnswer);
      };
      const onAnswer = (answer) => {
        this.latenciesMs.push(performance.now() - startedAtMs);
        const goodLength = answer.bodyBytes === (isPut ? 0 : step.sizeBytes);
        if (answer.status === 200 && !answer.differs && goodLength) this.succeeded.push(sent % heads.length);
        else this.fail(answer);
        sent += 1;
        next();
      };
      next();
    });
  }

  fail(answer) {
    this.errorCount += 1;
    if (this.errors.length >= errorsKept) return;
    const why = answer.differs ? 'another body than was stored' : `${answer.bodyBytes} bytes of body`;
    this.errors.push(`status ${answer.status}, ${answer.text || why}`);
  }
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/**
 * @param step { method, sizeBytes }
 * @param plans one per connection: { heads, body }
 * @returns what was measured, and per connection the indices of the requests that succeeded
 */
export async function runStep(server, step, plans, seconds) {
  const workers = plans.map((plan) => new Worker(server, step, plan));
  try {
    await Promise.all(workers.map((worker) => worker.connection.opened()));
    const roots = server.roots();
    const serverCpuMs = cpuMsOf(roots);
    const clientCpu = process.cpuUsage();
    const startedAtMs = performance.now();
    const ends = await Promise.all(workers.map((worker) => worker.run(startedAtMs + seconds * 1000)));
    const elapsedMs = Math.max(...ends) - startedAtMs;
    const { user, system } = process.cpuUsage(clientCpu);
    const latencies = Float64Array.from(workers.flatMap((worker) => worker.latenciesMs)).sort();
    const operations = latencies.length;
    return {
      operations,
      perSecond: (operations / elapsedMs) * 1000,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuUsPerOperation: roots.length === 0 ? undefined : ((cpuMsOf(roots) - serverCpuMs) * 1000) / operations,
      clientCores: (user + system) / 1000 / elapsedMs,
      errorCount: workers.reduce((sum, worker) => sum + worker.errorCount, 0),
      errors: workers.flatMap((worker) => worker.errors).slice(0, errorsKept),
      succeeded: workers.map((worker) => worker.succeeded),
    };
  } finally {
    for (const worker of workers) worker.connection.close();
  }
}
