import type { CallContext } from './call-context.js';
import type { Schema } from './schema.js';

/** One method of the control plane: what goes in, what comes out, and whether a caller may repeat it after a lost answer. */
export interface MethodContract<I, O> {
  readonly input: Schema<I>;
  readonly output: Schema<O>;
  /** True when doing it twice is the same as doing it once. */
  readonly idempotent: boolean;
}

/** A service as data: the remote adapter and the rpc controller are both made from it, so they cannot drift. */
export interface ServiceContract<M> {
  readonly name: string;
  readonly methods: M;
}

/** The shape of a port: each method takes the call and one input, and answers one output. */
export type PortOf<M> = {
  [K in keyof M]: M[K] extends MethodContract<infer I, infer O> ? (call: CallContext, input: I) => Promise<O> : never;
};

export const read = <I, O>(input: Schema<I>, output: Schema<O>): MethodContract<I, O> => ({
  input,
  output,
  idempotent: true,
});
export const write = <I, O>(input: Schema<I>, output: Schema<O>): MethodContract<I, O> => ({
  input,
  output,
  idempotent: false,
});

export function defineService<M>(name: string, methods: M): ServiceContract<M> {
  return { name, methods };
}

/** The methods by name, for code that carries any of them. */
export function methodsOf<M>(contract: ServiceContract<M>): [string, MethodContract<unknown, unknown>][] {
  return Object.entries(contract.methods as Record<string, MethodContract<unknown, unknown>>);
}
