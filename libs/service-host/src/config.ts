import { z } from 'zod';

/** Read by tools and by starters, not by a service. */
const FOREIGN = new Set(['HOLDFAST_CACHE', 'HOLDFAST_PEERS']);

/**
 * The one reader of the environment. `schema` has the names without the `HOLDFAST_` prefix; a HOLDFAST_ variable that the
 * component does not know is refused, so that a misspelt setting is not silently a default.
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

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

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
  milliseconds: (fallback: number) => z.coerce.number().int().min(0).default(fallback),
  /** Size of a device file: whole blocks of 4 KiB. */
  deviceBytes: z.coerce.number().int().min(4096).multipleOf(4096),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** `true`: the process ends when its standard input does (its starter holds the other end). */
  stopWithStdin: z.stringbool().default(false),
  /** Name of this process in logs and traces. */
  name: (fallback: string) => z.string().min(1).default(fallback),
};
