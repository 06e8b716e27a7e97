/** The command line of `npm start` and `npm run cluster`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalServiceError } from './local-service-error.js';

export interface StartOptions {
  /** Absolute: everything that is kept lies below it. */
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  /** Absolute device files; empty: made below the data directory. */
  readonly devices: readonly string[];
  /** Absolute file of accounts and users to be there from the start. */
  readonly bootstrapFile?: string;
  /** API services of a cluster. */
  readonly apis: number;
  /** What stands before the options: a command such as `status`. */
  readonly words: readonly string[];
}

export interface StartDefaults {
  readonly command: string;
  readonly dataDirectory: string;
  readonly apis?: number;
  readonly bootstrapFile?: string;
}

function usage(defaults: StartDefaults): string {
  const apis = defaults.apis === undefined ? '' : ' [--apis N]';
  return `${defaults.command} -- [--data DIR] [--port 9000] [--admin-port 9001] [--host 127.0.0.1] [--device FILE]… [--bootstrap FILE]${apis}`;
}

/** @throws LocalServiceError 'BadOption' with the usage */
export function parseStartOptions(args: readonly string[], defaults: StartDefaults): StartOptions {
  const refuse = (why: string): never => {
    throw new LocalServiceError('BadOption', `${why}\nusage: ${usage(defaults)}`);
  };
  const whole = (name: string, text: string | undefined, fallback: number, max: number, min: number): number => {
    if (text === undefined) return fallback;
    const value = Number(text);
    return /^\d+$/.test(text) && value >= min && value <= max
      ? value
      : refuse(`--${name} ${text}: a whole number from ${min} to ${max} is needed`);
  };
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        data: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        'admin-port': { type: 'string' },
        device: { type: 'string', multiple: true },
        bootstrap: { type: 'string' },
        ...(defaults.apis === undefined ? {} : { apis: { type: 'string' as const } }),
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
  const values = parsed.values as {
    data?: string;
    host?: string;
    port?: string;
    'admin-port'?: string;
    device?: string[];
    bootstrap?: string;
    apis?: string;
  };
  const port = whole('port', values.port, 9000, 65_535, 0);
  const adminPort = whole('admin-port', values['admin-port'], 9001, 65_535, 0);
  if (port !== 0 && port === adminPort) refuse(`--port and --admin-port are both ${port}`);
  const bootstrapFile = values.bootstrap ?? defaults.bootstrapFile ?? '';
  return {
    dataDirectory: resolve(values.data ?? defaults.dataDirectory),
    host: values.host ?? '127.0.0.1',
    port,
    adminPort,
    devices: (values.device ?? []).map((file) => resolve(file)),
    ...(bootstrapFile === '' ? {} : { bootstrapFile: resolve(bootstrapFile) }),
    apis: whole('apis', values.apis, defaults.apis ?? 1, 64, 1),
    words: parsed.positionals,
  };
}
