import { z } from 'zod';
import { ERRORS, type ErrorName } from '@holdfast/contracts';
import { ADMIN_ROUTES } from './admin-routes.js';
import { TOO_MANY_REQUESTS } from './problem-filter.js';
import { COMMON_ERRORS, GUARDED_ERRORS, type AdminRoute } from './route.js';
import { COMPONENTS, Problem } from './schemas.js';

type Json = Readonly<Record<string, unknown>>;

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';
/** What the parser of bodies refuses by itself. */
const BODY_REFUSALS: Readonly<Record<number, string>> = {
  413: 'The body is too large.',
  415: 'The body is compressed, or in a charset that is not UTF-8.',
};

/** OpenAPI 3.1 of the admin port, made from the routes and the schemas that requests are held against. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ADMIN_ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  paths['/openapi.json'] = { get: DESCRIPTION_OPERATION };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast admin REST',
      version: '1',
      description: 'Tokens, accounts, users, groups, keys, policies, buckets and the state of the store.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: componentSchemas(),
    },
  };
}

const DESCRIPTION_OPERATION: Json = {
  operationId: 'getOpenApi',
  tags: ['store'],
  summary: 'This document.',
  security: [],
  responses: { 200: { description: 'OK', content: { [JSON_TYPE]: { schema: { type: 'object' } } } } },
};

function operationOf(route: AdminRoute): Json {
  const { id, tag, summary, access, params, query, body } = route;
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(access === 'public' ? { security: [] } : { 'x-action': access.action }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { [JSON_TYPE]: { schema: schemaOf(body) } } } }),
    responses: { [route.status]: successOf(route), ...refusalsOf(route) },
  };
}

function successOf({ answer, text }: AdminRoute): Json {
  if (answer === undefined) return { description: 'Done' };
  if (text !== undefined) return { description: 'OK', content: { 'text/plain': { schema: { type: 'string' } } } };
  return { description: 'OK', content: { [JSON_TYPE]: { schema: schemaOf(answer) } } };
}

/** By status, with the codes that `title` may have. */
function refusalsOf({ access, errors = [], method }: AdminRoute): Json {
  const codes = [...COMMON_ERRORS, ...(access === 'public' ? [] : GUARDED_ERRORS), ...errors];
  const byStatus = new Map<number, string[]>();
  for (const code of codes) addTo(byStatus, statusOf(code), code);
  const bodies = method === 'GET' ? [] : Object.entries(BODY_REFUSALS);
  for (const [status, what] of bodies) addTo(byStatus, Number(status), what);
  const content = { [PROBLEM_TYPE]: { schema: schemaOf(Problem) } };
  return Object.fromEntries(
    [...byStatus].map(([status, whats]) => [status, { description: whats.join(', '), content }]),
  );
}

const statusOf = (code: ErrorName): number => (code === 'SlowDown' ? TOO_MANY_REQUESTS : ERRORS[code].status);

function addTo(byStatus: Map<number, string[]>, status: number, what: string): void {
  byStatus.set(status, [...(byStatus.get(status) ?? []), what]);
}

function parametersOf(shape: z.ZodObject | undefined, place: 'path' | 'query'): Json[] {
  return Object.entries(shape?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: place,
    required: !schema.safeParse(undefined).success,
    // Of a parameter that is a number the number is described, not the text that it arrives as.
    schema: withoutDialect(z.toJSONSchema(schema as z.ZodType, { io: 'output' })),
  }));
}

const reference = (id: string): string => `#/components/schemas/${id}`;

/** A component by its name, anything else as it is. */
function schemaOf(schema: z.ZodType): Json {
  const known = COMPONENTS.get(schema);
  return known === undefined ? withoutDialect(z.toJSONSchema(schema)) : { $ref: reference(known.id) };
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(COMPONENTS, { uri: reference, io: 'input' });
  const named = Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(named.map(([id, schema]) => [id, withoutDialect(schema)]));
}

/** The document names the dialect for all of its schemas, and components are found by their place. */
function withoutDialect(schema: object): Json {
  const { $schema: _dialect, $id: _id, ...rest } = schema as Record<string, unknown>;
  return rest;
}
