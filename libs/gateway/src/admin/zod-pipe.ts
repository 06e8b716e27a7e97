import type { PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { HoldfastError } from '@holdfast/contracts';

/** Holds a body or the parameters of a path against a schema. Errors: InvalidArgument naming the fields, never their values. */
export class ZodPipe<T> implements PipeTransform<unknown, T> {
  constructor(private readonly schema: z.ZodType<T>) {}

  transform(value: unknown): T {
    const parsed = this.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues.map((issue) => {
      const path = issue.path.join('.') || 'the body';
      return issue.code === 'unrecognized_keys'
        ? `${path}: unknown ${issue.keys.join(', ')}`
        : `${path}: ${issue.message}`;
    });
    throw new HoldfastError('InvalidArgument', problems.join('; ').slice(0, 1000));
  }
}
