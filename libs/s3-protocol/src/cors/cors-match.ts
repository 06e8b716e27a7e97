/**
 * What pages of another origin may see. What would surprise:
 * - the first rule that fits decides, as in S3;
 * - a lone `*` is answered as `*`, every other pattern with the origin itself;
 * - only an origin that a rule names letter by letter is told that credentials are allowed: with a wildcard, the pages of
 *   whoever can take a fitting name would act with what the browser knows of the user.
 */
import { HoldfastError } from '@holdfast/contracts';
import { isHeaderName } from '../headers/header-value.js';
import type { HeaderList } from '../headers/header-list.js';
import { CORS_METHODS, type CorsRule } from './cors-configuration.js';

/** A browser's question before the request itself. */
export interface Preflight {
  readonly origin: string;
  readonly method: string;
  /** Lower-case. */
  readonly headers: readonly string[];
}

/** Names and values in turn, as an answer has them. */
type FlatHeaders = readonly string[];

const VARY: FlatHeaders = ['Vary', 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method'];
const HEADERS_MAX = 100;

/** @throws HoldfastError BadRequest (no preflight, or one that asks for no method of S3) */
export function parsePreflight(headers: HeaderList): Preflight {
  const origin = headers.get('origin') ?? '';
  if (origin === '') throw new HoldfastError('BadRequest', 'Insufficient information. Origin request header needed.');
  const method = headers.get('access-control-request-method') ?? '';
  if (!CORS_METHODS.some((known) => known === method)) {
    throw new HoldfastError('BadRequest', `Invalid Access-Control-Request-Method: ${method.slice(0, 32) || 'null'}`);
  }
  const asked = (headers.joined('access-control-request-headers') ?? '').split(',');
  const names = asked.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  return { origin, method, headers: names };
}

/**
 * The headers of the answer to a preflight.
 * @param rules undefined: the bucket has none
 * @throws HoldfastError AccessForbidden
 */
export function answerPreflight(
  rules: readonly CorsRule[] | undefined,
  preflight: Preflight,
  resourceType: 'BUCKET' | 'OBJECT',
): FlatHeaders {
  const { origin, method, headers } = preflight;
  const details = { Method: method, ResourceType: resourceType };
  if (rules === undefined) {
    throw new HoldfastError('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.', details);
  }
  const rule = rules.find((candidate) => allows(candidate, origin, method) && allowsHeaders(candidate, headers));
  if (rule === undefined) throw new HoldfastError('AccessForbidden', undefined, details);
  const answer = [...originHeaders(rule, origin), 'Access-Control-Allow-Methods', rule.allowedMethods.join(', ')];
  if (headers.length > 0) answer.push('Access-Control-Allow-Headers', headers.join(', '));
  if (rule.maxAgeSeconds !== undefined) answer.push('Access-Control-Max-Age', String(rule.maxAgeSeconds));
  return [...answer, ...exposed(rule), ...VARY];
}

/**
 * What is added to the answer to any other request, an error too: nothing but `Vary` where no rule fits.
 * @param method of the request; one that asks for another method by Access-Control-Request-Method is judged by that
 */
export function crossOriginHeaders(rules: readonly CorsRule[], headers: HeaderList, method: string): FlatHeaders {
  const origin = headers.get('origin') ?? '';
  if (origin === '') return [];
  const asked = headers.get('access-control-request-method') ?? method;
  const rule = rules.find((candidate) => allows(candidate, origin, asked));
  if (rule === undefined) return VARY;
  return [...originHeaders(rule, origin), 'Access-Control-Allow-Methods', asked, ...exposed(rule), ...VARY];
}

function allows(rule: CorsRule, origin: string, method: string): boolean {
  if (!rule.allowedMethods.some((allowed) => allowed === method)) return false;
  return rule.allowedOrigins.some((pattern) => fits(pattern, origin));
}

function allowsHeaders({ allowedHeaders }: CorsRule, asked: readonly string[]): boolean {
  if (asked.length > HEADERS_MAX) return false;
  const patterns = allowedHeaders.map((pattern) => pattern.toLowerCase());
  return asked.every((name) => isHeaderName(name) && patterns.some((pattern) => fits(pattern, name)));
}

/** A pattern with at most one `*`, which may stand for nothing. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text;
  if (text.length < pattern.length - 1) return false;
  return text.startsWith(pattern.slice(0, star)) && text.endsWith(pattern.slice(star + 1));
}

function originHeaders({ allowedOrigins }: CorsRule, origin: string): string[] {
  if (allowedOrigins.includes(origin) && origin !== '*') {
    return ['Access-Control-Allow-Origin', origin, 'Access-Control-Allow-Credentials', 'true'];
  }
  return ['Access-Control-Allow-Origin', allowedOrigins.includes('*') ? '*' : origin];
}

function exposed({ exposeHeaders }: CorsRule): FlatHeaders {
  return exposeHeaders.length === 0 ? [] : ['Access-Control-Expose-Headers', exposeHeaders.join(', ')];
}
