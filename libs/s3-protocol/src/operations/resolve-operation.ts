/**
 * From a request to its row, by rules compiled once. What would surprise:
 * - a sub-resource (`?acl`, `?uploads`) never falls through to the plain operation of its path, known or not: a request
 *   for an ACL must not be answered with the object's bytes;
 * - parameters that no rule names and that have a value, or a name without a letter (`?12345`, for caches), are ignored, as
 *   S3 ignores them;
 * - `versionId` and `partNumber` are refused by rows that do not take them: a DELETE of a part must not delete the object;
 * - `versionId` changes no row: whoever serves the row decides what permission and what answer a version takes.
 */
import { HoldfastError } from '@holdfast/contracts';
import type { HeaderList } from '../headers/header-list.js';
import type { QueryParameters } from '../target/query-parameters.js';
import { ABOUT_PARAMETERS, type AboutParameter, type S3Operation } from './operation-row.js';
import { S3_OPERATIONS, type NamedOperation } from './operation-table.js';

export interface OperationRequest {
  readonly method: string;
  readonly bucket?: string;
  readonly key?: string;
  readonly query: QueryParameters;
  readonly headers: HeaderList;
}

/** Parameters that rows match on without being sub-resources of their own. */
const MATCHED_PARAMETERS = new Set(['list-type', 'x-id', 'id', 'partNumber', 'select-type', 'annotationName']);

/** Parameters of operations; they may come without a value. Everything `x-amz-…` and `response-…` belongs here too. */
const OPERATION_PARAMETERS = new Set([
  ...MATCHED_PARAMETERS,
  ...['prefix', 'delimiter', 'marker', 'max-keys', 'encoding-type', 'continuation-token', 'start-after', 'fetch-owner'],
  ...['key-marker', 'version-id-marker', 'upload-id-marker', 'max-uploads', 'max-parts', 'part-number-marker'],
  ...['versionId', 'max-buckets', 'bucket-region', 'max-directory-buckets'],
  ...['AWSAccessKeyId', 'Signature', 'Expires'],
]);

/** Sub-resources that have no row of their own, from the past of S3 and from its extensions. */
const OTHER_SUB_RESOURCES = ['append', 'policyLock', 'requester', 'requestLog', 'versionsLock', 'object-lambda'];

/** What no name of a sub-resource is without. */
const LETTER = /[A-Za-z]/;

const SUB_RESOURCES: ReadonlySet<string> = new Set([
  ...S3_OPERATIONS.flatMap((row) => Object.keys(row.query ?? {})).filter((name) => !MATCHED_PARAMETERS.has(name)),
  ...OTHER_SUB_RESOURCES,
]);

const REFUSALS: Readonly<Record<AboutParameter, string>> = {
  versionId: 'This operation does not accept a version-id.',
  partNumber: 'This operation does not accept a part number; a PUT of a part needs its uploadId as well.',
};

const METHODS: ReadonlySet<string> = new Set(S3_OPERATIONS.map((row) => row.method));

/** A row with its conditions as lists, so that matching allocates nothing. */
interface MatchRule {
  readonly row: NamedOperation;
  readonly query: readonly (readonly [name: string, value: true | string])[];
  readonly headers: readonly string[];
  readonly refused: readonly AboutParameter[];
}

const RULES = compileRules();

function ruleKey(level: S3Operation['level'], method: string, subResource: string): string {
  return `${level} ${method} ${subResource}`;
}

/** Most conditions first, so that the first match is the most specific one. */
function compileRules(): ReadonlyMap<string, readonly MatchRule[]> {
  const rules = new Map<string, MatchRule[]>();
  for (const row of S3_OPERATIONS) {
    const query = Object.entries(row.query ?? {});
    const subResource = query.map(([name]) => name).find((name) => SUB_RESOURCES.has(name)) ?? '';
    const key = ruleKey(row.level, row.method, subResource);
    const held = rules.get(key) ?? [];
    const refused = ABOUT_PARAMETERS.filter((name) => row.query?.[name] === undefined && !row.takes?.includes(name));
    held.push({ row, query, headers: row.headers ?? [], refused });
    held.sort((a, b) => b.query.length + b.headers.length - (a.query.length + a.headers.length));
    rules.set(key, held);
  }
  return rules;
}

/**
 * The most specific row of a request. A `planned` row is returned as well: the caller answers 501 by its name.
 * @throws HoldfastError MethodNotAllowed, NotImplemented (a sub-resource without a row), InvalidArgument (two
 *   sub-resources, a version or a part where none is meant), PreconditionFailed (a POST to a bucket that is no form)
 */
export function resolveOperation(request: OperationRequest): NamedOperation {
  const { method, query } = request;
  const level = request.bucket === undefined ? 'service' : request.key === undefined ? 'bucket' : 'object';
  if (!METHODS.has(method)) throw methodNotAllowed(method);
  // A preflight asks about a request to come: its parameters are not its own.
  const subResource = method === 'OPTIONS' ? '' : subResourceOf(query);
  const rules = RULES.get(ruleKey(level, method, subResource)) ?? [];
  for (const rule of rules) if (ruleMatches(rule, request)) return checkedRow(rule, query);
  throw noRow(request, level, subResource);
}

function subResourceOf(query: QueryParameters): string {
  let found = '';
  for (const { name, value } of query.pairs) {
    if (SUB_RESOURCES.has(name)) {
      if (found !== '' && found !== name) {
        throw new HoldfastError('InvalidArgument', `Conflicting query string parameters: ${found}, ${name}`, {
          ArgumentName: 'ResourceType',
          ArgumentValue: found,
        });
      }
      found = name;
    } else if (value === '' && LETTER.test(name) && !isOperationParameter(name)) {
      throw new HoldfastError('NotImplemented', 'The sub-resource of the request is not known.');
    }
  }
  return found;
}

function isOperationParameter(name: string): boolean {
  if (OPERATION_PARAMETERS.has(name) || name.startsWith('response-')) return true;
  return name.length > 6 && name.slice(0, 6).toLowerCase() === 'x-amz-';
}

function ruleMatches(rule: MatchRule, request: OperationRequest): boolean {
  for (const [name, wanted] of rule.query) {
    const value = request.query.get(name);
    if (value === undefined || (wanted !== true && value !== wanted)) return false;
  }
  for (const name of rule.headers) if (!hasHeader(name, request)) return false;
  return rule.row.body !== 'form' || isFormUpload(request.headers);
}

/** A presigning SDK moves `x-amz-*` headers into the query; there they name the operation just the same. */
function hasHeader(lowerName: string, { headers, query }: OperationRequest): boolean {
  if (headers.has(lowerName)) return true;
  if (query.pairs.length === 0 || !query.has('X-Amz-Signature')) return false;
  return query.pairs.some((pair) => pair.name.toLowerCase() === lowerName);
}

function checkedRow({ row, refused }: MatchRule, query: QueryParameters): NamedOperation {
  for (const name of refused) {
    if (query.has(name)) throw new HoldfastError('InvalidArgument', REFUSALS[name], { ArgumentName: name });
  }
  return row;
}

function noRow(request: OperationRequest, level: S3Operation['level'], subResource: string): HoldfastError {
  if (level === 'bucket' && request.method === 'POST' && subResource === '') {
    return new HoldfastError('PreconditionFailed', undefined, {
      Condition: 'Bucket POST must be of the enclosure-type multipart/form-data',
    });
  }
  if (subResource === '') return methodNotAllowed(request.method);
  if (RULES.has(ruleKey(level, request.method, subResource))) {
    return new HoldfastError('InvalidArgument', `The request is missing a parameter that goes with ${subResource}.`);
  }
  for (const method of METHODS) {
    if (RULES.has(ruleKey(level, method, subResource))) return methodNotAllowed(request.method);
  }
  return new HoldfastError('NotImplemented', `The sub-resource ${subResource} is not known here.`);
}

function methodNotAllowed(method: string): HoldfastError {
  return new HoldfastError('MethodNotAllowed', undefined, { Method: method.slice(0, 32) });
}

/** True for the body of an HTML form with a file: a POST of one to a bucket is PostObject. */
export function isFormUpload(headers: HeaderList): boolean {
  return /^multipart\/form-data\s*(?:;|$)/i.test(headers.get('content-type') ?? '');
}
