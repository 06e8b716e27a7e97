import { configureLog, log, type LogLevel } from './log.js';
import { ConfigError } from './config.js';

export interface RunningService {
  /** Stops taking work, finishes what is under way, closes. */
  stop(): Promise<void>;
}

/** What a stop may take besides the requests that it waits for. */
const STOP_SPARE_MS = 5000;
const DRAIN_MS = 10_000;

/**
 * The life of a service process: starts it, stops it cleanly on SIGTERM and SIGINT (and when standard input ends, if
 * `stopWithStdin`: its starter has died), ends at once on a signal that comes later again. A broken invariant or any other uncaught failure
 * ends the process with its facts in the log: going on wrong is worse than a restart. A stop that takes 5 s longer than `drainMs`
 * (10 s unless given), in which requests under way may finish, is cut off.
 */
export async function runService(
  options: { name: string; logLevel: LogLevel; stopWithStdin: boolean; drainMs?: number },
  start: () => Promise<RunningService>,
): Promise<void> {
  configureLog({ service: options.name, level: options.logLevel });
  process.on('uncaughtException', (error) => die('uncaught exception', error));
  process.on('unhandledRejection', (error) => die('unhandled rejection', error));
  let service: RunningService | undefined;
  const stop = onStopSignal((why) => {
    log.info('stopping', { why });
    setTimeout(() => process.exit(1), (options.drainMs ?? DRAIN_MS) + STOP_SPARE_MS).unref();
    void (service?.stop() ?? Promise.resolve()).then(
      () => process.exit(0),
      (error: unknown) => die('stop failed', error),
    );
  });
  if (options.stopWithStdin) process.stdin.resume().once('end', () => stop('the starter has gone'));
  try {
    service = await start();
    log.info('started');
  } catch (error) {
    die('start failed', error);
  }
}

/** A terminal's Ctrl-C reaches a process twice when npm stands in between: only a later one means "at once". */
const FORCE_AFTER_MS = 2000;

/** Calls `stop` at the first SIGTERM or SIGINT, or when the returned function is called; ends the process at a later one. */
export function onStopSignal(stop: (why: string) => void): (why: string) => void {
  let firstMs: number | undefined;
  const begin = (why: string): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      stop(why);
    } else if (performance.now() - firstMs > FORCE_AFTER_MS) process.exit(1);
  };
  process.on('SIGTERM', () => begin('SIGTERM'));
  process.on('SIGINT', () => begin('SIGINT'));
  return begin;
}

function die(message: string, error: unknown): void {
  log.error(message, { error });
  process.exitCode = 1;
  process.exit(1);
}

/** For main files: reads the configuration or says in one line what is wrong with it, without a stack. */
export function orExplain<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`holdfast: ${error.message}\n`);
    process.exit(2);
  }
}
