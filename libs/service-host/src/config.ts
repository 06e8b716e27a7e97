import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { TrustedProxies } from './http/client-address.js';

/** Read by tools and by starters, not by a service. */
const FOREIGN = new Set(['HOLDFAST_CACHE', 'HOLDFAST_PEERS']);

const FROM_FILE = '_FILE';

/**
 * The one reader of the environment. `schema` has the names without the `HOLDFAST_` prefix; a HOLDFAST_ variable that the
 * component does not know is refused, so that a misspelt setting is not silently a default. `HOLDFAST_NAME_FILE` gives the
 * path of a file that holds the value of `HOLDFAST_NAME`, without the line's end: what a container mounts as a secret.
 */
export function readConfig<S extends z.ZodRawShape>(
  shape: S,
  env: NodeJS.ProcessEnv = process.env,
): z.infer<z.ZodObject<S>> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (name.startsWith('HOLDFAST_') && !FOREIGN.has(name) && value !== undefined && value !== '')
      given[name.slice('HOLDFAST_'.length)] = value;
  }
  readFiles(given, Object.keys(shape));
  const parsed = z.strictObject(shape).safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `unknown ${issue.keys.map((key) => `HOLDFAST_${key}`).join(', ')} (known: ${Object.keys(shape)
          .map((key) => `HOLDFAST_${key}`)
          .join(', ')})`
      : `HOLDFAST_${issue.path.join('.')}: ${issue.message}`,
  );
  throw new ConfigError(`the configuration is not valid: ${problems.join('; ')}`);
}

/** Puts the value of each known name that is given as NAME_FILE in its place. */
function readFiles(given: Record<string, string>, known: readonly string[]): void {
  for (const name of known) {
    const path = given[name + FROM_FILE];
    if (path === undefined || known.includes(name + FROM_FILE)) continue;
    if (given[name] !== undefined)
      throw new ConfigError(`HOLDFAST_${name} and HOLDFAST_${name}${FROM_FILE} are both given: leave one out`);
    delete given[name + FROM_FILE];
    try {
      given[name] = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw new ConfigError(`HOLDFAST_${name}${FROM_FILE}: ${(error as Error).message}`, { cause: error });
    }
  }
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const DOMAIN_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const ENDS_IN_NUMBER = /(^|\.)\d+$/;

/** Shapes of settings that several components have. */
export const setting = {
  port: (fallback?: number) =>
    fallback === undefined
      ? z.coerce.number().int().min(0).max(65_535)
      : z.coerce.number().int().min(0).max(65_535).default(fallback),
  host: z.string().default('127.0.0.1'),
  /** host:port */
  address: z.string().regex(/^[^:]+:\d+$/, 'must be host:port'),
  /** host:port, comma separated. */
  addresses: z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .pipe(z.array(z.string().regex(/^[^:]+:\d+$/, 'must be host:port, comma separated')).min(1)),
  /**
   * Age from which a unit that no record names is collected. Metadata refuses attempts older than half of it and the data
   * service collects by it: both must have the same value.
   */
  collectGraceMs: 24 * 3_600_000,
  secret: z
    .string({ error: 'is needed: 64 hex digits, the same for every service of the cluster (openssl rand -hex 32)' })
    .regex(/^[0-9a-f]{64,}$/, 'must be at least 64 hex digits (openssl rand -hex 32)')
    .transform((text) => Buffer.from(text, 'hex')),
  /** Addresses and CIDR ranges, comma separated; none unless given. */
  trustedProxies: z
    .string()
    .default('')
    .transform((text, context) => {
      const ranges = text.split(',').map((one) => one.trim());
      try {
        return new TrustedProxies(ranges.filter((range) => range !== ''));
      } catch (error) {
        context.addIssue({ code: 'custom', message: `${(error as Error).message}: give addresses or CIDR ranges` });
        return z.NEVER;
      }
    }),
  /** Domain names, comma separated and in any case; none unless given. An address is none: nothing can stand in front of it. */
  domains: z
    .string()
    .default('')
    .transform((text) =>
      text
        .toLowerCase()
        .split(',')
        .map((one) => one.trim()),
    )
    .transform((names) => names.filter((name) => name !== ''))
    .refine((names) => names.every((name) => DOMAIN_NAME.test(name) && !ENDS_IN_NUMBER.test(name)), {
      error: 'must be domain names such as s3.example.com, comma separated',
    }),
  /** How many connections a port for clients holds at once, together or of one address. */
  connections: (fallback: number) => z.coerce.number().int().min(1).default(fallback),
  milliseconds: (fallback: number) => z.coerce.number().int().min(0).default(fallback),
  /** Size of a device file: whole blocks of 4 KiB. */
  deviceBytes: z.coerce.number().int().min(4096).multipleOf(4096),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** `true`: the process ends when its standard input does (its starter holds the other end). */
  stopWithStdin: z.stringbool().default(false),
  /** Name of this process in logs and traces. */
  name: (fallback: string) => z.string().min(1).default(fallback),
};
