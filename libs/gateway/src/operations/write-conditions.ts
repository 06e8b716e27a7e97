import { HoldfastError, type AccessCheck, type DeleteConditions, type WriteConditions } from '@holdfast/contracts';
import { parseHttpDate, parseWriteConditions, type HeaderList } from '@holdfast/s3-protocol';
import { resourceOf } from '../pipeline/operation.js';
import type { S3Request } from '../pipeline/request.js';
import { invalidArgument } from './request-arguments.js';

const TAGS_MAX = 100;
const TAG_CHARACTERS_MAX = 256;

/** If-Match and If-None-Match of a write, within what the metadata service takes. Errors: InvalidArgument. */
export function writeConditionsOf(headers: HeaderList): WriteConditions {
  const { ifMatch, ifNoneMatch } = parseWriteConditions(headers);
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: bounded(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: bounded(ifNoneMatch) }),
  };
}

/** An empty list would be no condition at all, which is not what was asked for. */
function bounded(tags: readonly string[]): string[] {
  if (tags.length === 0 || tags.length > TAGS_MAX || tags.some((tag) => tag.length > TAG_CHARACTERS_MAX)) {
    throw new HoldfastError('InvalidArgument', 'The list of entity tags is empty or too long.');
  }
  return [...tags];
}

/** Who asks whether an object has an ETag needs the permission to read it; whether there is one says the write itself. */
export function matchChecks(request: S3Request): AccessCheck[] {
  const { ifMatch } = parseWriteConditions(request.headers);
  if (ifMatch === undefined || ifMatch.every((tag) => tag === '*')) return [];
  return [{ action: 's3:GetObject', resource: resourceOf(request) }];
}

export const DELETE_CONDITION_PREFIX = 'x-amz-if-match-';

/** If-Match and the two conditions beside it. Errors: InvalidArgument. */
export function deleteConditionsOf(headers: HeaderList): DeleteConditions {
  const { ifMatch } = writeConditionsOf(headers);
  const modified = headers.get('x-amz-if-match-last-modified-time');
  const size = headers.get('x-amz-if-match-size');
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(modified === undefined ? {} : { ifModifiedAtSeconds: dateOf(modified) }),
    ...(size === undefined ? {} : { ifSizeBytes: sizeOf(size) }),
  };
}

const XML_DATE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z$/;

/** A date of HTTP or of XML, counted in whole seconds; undefined for what is none. */
export function secondsOf(text: string): number | undefined {
  const atMs = parseHttpDate(text) ?? xmlDateMs(text);
  return atMs !== undefined && atMs >= 0 ? atMs / 1000 : undefined;
}

function xmlDateMs(text: string): number | undefined {
  const wholeSeconds = XML_DATE.exec(text)?.[1];
  if (wholeSeconds === undefined) return undefined;
  const atMs = Date.parse(`${wholeSeconds}Z`);
  // Date.parse moves 30 February into March.
  return !Number.isNaN(atMs) && new Date(atMs).toISOString().startsWith(wholeSeconds) ? atMs : undefined;
}

function dateOf(text: string): number {
  return secondsOf(text) ?? invalidArgument('x-amz-if-match-last-modified-time', text, 'The date is not valid.');
}

function sizeOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) invalidArgument('x-amz-if-match-size', text, 'The size is not valid.');
  return Number(text);
}
