import { z } from 'zod';
import { ERRORS, type ErrorName } from '@holdfast/contracts';
import { assert, JSON_DEPTH_MAX } from '@holdfast/stdx';
import { ADMIN_ROUTES } from './admin-routes.js';
import { BODY_BYTES_MAX } from './json-body.js';
import { FRAMEWORK_REFUSALS, TOO_MANY_REQUESTS } from './problem-filter.js';
import { COMMON_ERRORS, GUARDED_ERRORS, route, type AdminRoute } from './route.js';
import { COMPONENTS, Problem } from './schemas.js';

type Json = Readonly<Record<string, unknown>>;

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';
/** What any route may answer to a body before it is read. */
const BODY_REFUSALS = [413, 415];
const DESCRIPTION = `Tokens, accounts, users, groups, keys, policies, buckets and the state of the store.

A body is JSON in UTF-8 of at most ${BODY_BYTES_MAX} bytes and ${JSON_DEPTH_MAX} levels. A name that stands twice in an object, is not known or is \`__proto__\` is refused.`;

/** OpenAPI 3.1 of the admin port, made from the routes and the schemas that requests are held against. */
export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const served of SERVED_ROUTES) {
    paths[served.path] = { ...paths[served.path], [served.method.toLowerCase()]: operationOf(served) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast admin REST',
      version: '1',
      description: DESCRIPTION,
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

let document: Json | undefined;

/** Everything that the admin port answers, this document too. */
export const SERVED_ROUTES: readonly AdminRoute[] = [
  ...ADMIN_ROUTES,
  route({
    id: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    tag: 'store',
    summary: 'This document.',
    access: 'public',
    status: 200,
    answer: z.record(z.string(), z.unknown()),
    handle: async () => (document ??= openApiDocument()),
  }),
];

function operationOf(served: AdminRoute): Json {
  const { id, tag, summary, access, params, query, body } = served;
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
    responses: { [served.status]: successOf(served), ...refusalsOf(served) },
  };
}

function successOf({ answer, text }: AdminRoute): Json {
  if (answer === undefined) return { description: 'Done' };
  if (text !== undefined) return { description: 'OK', content: { 'text/plain': { schema: { type: 'string' } } } };
  return { description: 'OK', content: { [JSON_TYPE]: { schema: schemaOf(answer) } } };
}

/** By status, with the codes that `title` may have. */
function refusalsOf({ access, errors = [] }: AdminRoute): Json {
  const codes = [...COMMON_ERRORS, ...(access === 'public' ? [] : GUARDED_ERRORS), ...errors];
  const byStatus = new Map<number, string[]>();
  for (const code of codes) addTo(byStatus, statusOf(code), code);
  for (const status of BODY_REFUSALS) addTo(byStatus, status, FRAMEWORK_REFUSALS[status].title);
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
    schema: withoutDialect(z.toJSONSchema(schema as z.ZodType, { io: 'output', override: sayOwnChecks })),
  }));
}

const reference = (id: string): string => `#/components/schemas/${id}`;

/** A component by its name, anything else as it is. */
function schemaOf(schema: z.ZodType): Json {
  const known = COMPONENTS.get(schema);
  return known === undefined
    ? withoutDialect(z.toJSONSchema(schema, { override: sayOwnChecks }))
    : { $ref: reference(known.id) };
}

function componentSchemas(): Json {
  const { schemas } = z.toJSONSchema(COMPONENTS, { uri: reference, io: 'input', override: sayOwnChecks });
  const named = Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(named.map(([id, schema]) => [id, withoutDialect(schema)]));
}

/** A check of our own brings its keywords of JSON Schema with it: what is held against no word of the document is no schema. */
function sayOwnChecks({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodType; jsonSchema: object }): void {
  for (const { _zod } of zodSchema._zod.def.checks ?? []) {
    const { check, params } = _zod.def as z.core.$ZodCustomDef;
    if (check !== 'custom') continue;
    assert(params !== undefined, 'a check of a schema of the admin REST says nothing to its document');
    Object.assign(jsonSchema, params);
  }
}

/** The document names the dialect for all of its schemas, and components are found by their place. */
function withoutDialect(schema: object): Json {
  const { $schema: _dialect, $id: _id, ...rest } = schema as Record<string, unknown>;
  return rest;
}
