import { KIB } from '@holdfast/stdx';
import { HoldfastError } from '@holdfast/contracts';
import { isHeaderName } from '../headers/header-value.js';
import { childrenOf, malformedXml, readXml, textOf, type ReadElement, type XmlLimits } from '../xml/xml-reader.js';
import { xmlDocument, xmlElement } from '../xml/xml-writer.js';

export const CORS_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'] as const;
export type CorsMethod = (typeof CORS_METHODS)[number];

/** What pages of some origins may do with a bucket. Origins and allowed headers may hold one `*` each. */
export interface CorsRule {
  readonly id?: string;
  readonly allowedHeaders: readonly string[];
  readonly allowedMethods: readonly CorsMethod[];
  readonly allowedOrigins: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
}

export const CORS_BODY_MAX_BYTES = 64 * KIB;
const RULES_MAX = 100;
const ID_CHARACTERS_MAX = 255;
const MAX_AGE_SECONDS_MAX = 2 ** 31 - 1;
const LIMITS: XmlLimits = { sizeMaxBytes: CORS_BODY_MAX_BYTES, depthMax: 3, marksMax: 2 * 3000 + 100 };
const RULE_FIELDS = new Set(['ID', 'AllowedHeader', 'AllowedMethod', 'AllowedOrigin', 'ExposeHeader', 'MaxAgeSeconds']);
/** An origin is answered in a header: printable, without blanks. */
const ORIGIN = /^[\x21-\x7e]{1,1024}$/;

/**
 * The document of PutBucketCors.
 * @throws HoldfastError MalformedXML, InvalidRequest (a method, a wildcard, a header or an ID that S3 does not allow)
 */
export function decodeCorsConfiguration(body: Buffer): readonly CorsRule[] {
  const elements = childrenOf(readXml(body, 'CORSConfiguration', LIMITS));
  if (elements.length === 0) throw malformedXml();
  if (elements.length > RULES_MAX) {
    throw new HoldfastError(
      'InvalidRequest',
      `The number of CORS rules should not exceed allowed limit of ${RULES_MAX} rules.`,
    );
  }
  const rules = elements.map(decodeRule);
  const ids = rules.flatMap(({ id }) => id ?? []);
  if (new Set(ids).size !== ids.length)
    throw new HoldfastError('InvalidRequest', 'The ID of a CORS rule must be unique.');
  return rules;
}

function decodeRule(element: ReadElement): CorsRule {
  if (element.name !== 'CORSRule') throw malformedXml();
  const children = childrenOf(element);
  if (children.some(({ name }) => !RULE_FIELDS.has(name))) throw malformedXml();
  const texts = (name: string): string[] =>
    children.filter((child) => child.name === name).map((child) => textOf(child)?.trim() ?? '');
  const only = (name: string): string | undefined => {
    const values = texts(name);
    if (values.length > 1) throw malformedXml();
    return values[0];
  };
  const allowedMethods = texts('AllowedMethod').map(methodOf);
  const allowedOrigins = texts('AllowedOrigin').map(originOf);
  if (allowedMethods.length === 0 || allowedOrigins.length === 0) throw malformedXml();
  const id = idOf(only('ID'));
  const maxAgeSeconds = maxAgeOf(only('MaxAgeSeconds'));
  return {
    ...(id === undefined ? {} : { id }),
    allowedHeaders: texts('AllowedHeader').map(allowedHeaderOf),
    allowedMethods,
    allowedOrigins,
    exposeHeaders: texts('ExposeHeader').map(exposeHeaderOf),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
  };
}

function methodOf(text: string): CorsMethod {
  const method = CORS_METHODS.find((known) => known === text);
  if (method !== undefined) return method;
  throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${text.slice(0, 32)}`);
}

function originOf(text: string): string {
  if (!ORIGIN.test(text)) throw malformedXml();
  return oneWildcard('AllowedOrigin', text);
}

function allowedHeaderOf(text: string): string {
  if (!isHeaderName(text.toLowerCase())) throw invalid(`AllowedHeader "${text.slice(0, 64)}" is no header name.`);
  return oneWildcard('AllowedHeader', text);
}

/** Answered to every page: a line break in it would split the answer. */
function exposeHeaderOf(text: string): string {
  if (text.includes('*')) {
    throw invalid(
      `ExposeHeader "${text.slice(0, 64)}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
    );
  }
  if (isHeaderName(text.toLowerCase())) return text;
  throw invalid(`ExposeHeader "${text.slice(0, 64)}" is no header name.`);
}

function oneWildcard(field: string, text: string): string {
  if (text.indexOf('*') === text.lastIndexOf('*')) return text;
  throw invalid(`${field} "${text.slice(0, 64)}" can not have more than one wildcard.`);
}

function idOf(text: string | undefined): string | undefined {
  if (text === undefined || [...text].length <= ID_CHARACTERS_MAX) return text;
  throw invalid(`The ID of a CORS rule must not be longer than ${ID_CHARACTERS_MAX} characters.`);
}

function maxAgeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds <= MAX_AGE_SECONDS_MAX)) throw malformedXml();
  return seconds;
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('InvalidRequest', message);
}

export function encodeCorsConfiguration(rules: readonly CorsRule[]): string {
  const list = (name: string, values: readonly string[]) => values.map((value) => xmlElement(name, value));
  const elements = rules.map(({ id, maxAgeSeconds, ...rule }) =>
    xmlElement('CORSRule', [
      id === undefined ? undefined : xmlElement('ID', id),
      ...list('AllowedHeader', rule.allowedHeaders),
      ...list('AllowedMethod', rule.allowedMethods),
      ...list('AllowedOrigin', rule.allowedOrigins),
      ...list('ExposeHeader', rule.exposeHeaders),
      maxAgeSeconds === undefined ? undefined : xmlElement('MaxAgeSeconds', maxAgeSeconds),
    ]),
  );
  return xmlDocument('CORSConfiguration', elements);
}
