export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

let threshold: LogLevel = 'info';
let service = 'holdfast';

/** Names the process in each line and sets the level below which nothing is written. */
export function configureLog(options: { service: string; level: LogLevel }): void {
  service = options.service;
  threshold = options.level;
}

function plain(value: unknown): unknown {
  if (value instanceof Error)
    return {
      name: value.name,
      message: value.message,
      stack: value.stack,
      ...(value.cause ? { cause: plain(value.cause) } : {}),
    };
  return typeof value === 'bigint' ? value.toString() : value;
}

function write(level: LogLevel, message: string, facts: Readonly<Record<string, unknown>> = {}): void {
  if (RANK[level] < RANK[threshold]) return;
  const shown = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, plain(value)]));
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, service, message, ...shown })}\n`);
}

/** One JSON line per event on standard error. Never a secret: pass ids and outcomes. */
export const log = {
  debug: (message: string, facts?: Readonly<Record<string, unknown>>) => write('debug', message, facts),
  info: (message: string, facts?: Readonly<Record<string, unknown>>) => write('info', message, facts),
  warn: (message: string, facts?: Readonly<Record<string, unknown>>) => write('warn', message, facts),
  error: (message: string, facts?: Readonly<Record<string, unknown>>) => write('error', message, facts),
};
