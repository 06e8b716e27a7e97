import type { z } from 'zod';
import { HoldfastError } from '@holdfast/contracts';

/** Holds what came against a schema. Errors: InvalidArgument naming the fields, never their values. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown, place: 'path' | 'query' | 'body'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const field = [place, ...issue.path.map(String)].join('.').slice(0, 200);
    if (issue.code !== 'unrecognized_keys') return `${field}: ${issue.message}`;
    return `${field}: unknown ${issue.keys.map((key) => key.slice(0, 64)).join(', ')}`;
  });
  throw new HoldfastError('InvalidArgument', problems.join('; ').slice(0, 1000));
}
