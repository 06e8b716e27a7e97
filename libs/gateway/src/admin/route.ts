import type { z } from 'zod';
import type { CallContext, Caller, ErrorName } from '@holdfast/contracts';
import type { RouteAccess } from './access.js';
import type { AdminPorts } from './admin-ports.js';

/** What a handler is given: parameters and body as the schemas made them, and who asks. */
export interface RouteInput<P, Q, B> {
  readonly ports: AdminPorts;
  readonly call: CallContext;
  readonly path: P;
  readonly query: Q;
  readonly body: B;
  /** The body's text as it came; empty without one. */
  readonly rawBody: string;
  /** Nobody on a public route. */
  readonly caller: Caller | undefined;
}

type Shape = z.ZodObject;

interface RouteDefinition<P extends Shape, Q extends Shape, B extends z.ZodType, A extends z.ZodType> {
  /** Name of the operation in the OpenAPI document and in clients made from it. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/admin/v1/accounts/{accountId}` */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: 'public' | RouteAccess;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** The answer when all went well; without a schema it has no body, with `text` it is plain text. */
  readonly status: 200 | 201 | 204;
  readonly answer?: A;
  readonly text?: string;
  /** Never kept by anybody on the way. */
  readonly noStore?: boolean;
  /** Beside those that every route may answer. */
  readonly errors?: readonly ErrorName[];
  handle(input: RouteInput<z.infer<P>, z.infer<Q>, z.infer<B>>): Promise<z.input<A>>;
}

/** One request of the admin REST as data: its router, guard, checks and documentation are made from it. */
export interface AdminRoute extends Omit<RouteDefinition<Shape, Shape, z.ZodType, z.ZodType>, 'handle'> {
  handle(input: RouteInput<unknown, unknown, unknown>): Promise<unknown>;
}

/** The types of a definition hold its handler to its schemas; whoever calls it has parsed by them. */
export function route<P extends Shape, Q extends Shape, B extends z.ZodType, A extends z.ZodType = z.ZodVoid>(
  definition: RouteDefinition<P, Q, B, A>,
): AdminRoute {
  return definition as unknown as AdminRoute;
}

/** What any route may answer: the request, who sends it, what it is too large or too strange for, and no answer of a service. */
export const COMMON_ERRORS: readonly ErrorName[] = [
  'InvalidArgument',
  'InvalidRequest',
  'ServiceUnavailable',
  'SlowDown',
  'InternalError',
];
export const GUARDED_ERRORS: readonly ErrorName[] = ['InvalidToken', 'ExpiredToken', 'AccessDenied'];
