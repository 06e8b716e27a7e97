import type { HeaderList } from '../headers/header-list.js';
import { parseHttpDate } from '../time/http-date.js';

/** `etag` without quotes. */
export interface ObjectState {
  readonly etag: string;
  readonly lastModifiedMs: number;
}

/** `not-modified` is answered 304, `precondition-failed` 412. */
export type ConditionVerdict = 'proceed' | 'not-modified' | 'precondition-failed';

/** `no-such-key`: If-Match on a key that holds nothing, which S3 answers 404. */
export type WriteVerdict = 'proceed' | 'precondition-failed' | 'no-such-key';

/** ETags without quotes; `*` stands for any. Absent without the header. */
export interface WriteConditions {
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
}

const TAG_LIST_MAX_CHARACTERS = 8192;

/** Clients send ETags quoted and not. A weak tag keeps its `W/` here, because only If-None-Match may match it. */
function entityTags(header: string): readonly string[] {
  return header
    .slice(0, TAG_LIST_MAX_CHARACTERS)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map((item) => (item.length > 1 && item.startsWith('"') && item.endsWith('"') ? item.slice(1, -1) : item));
}

function strongMatch(tags: readonly string[], etag: string): boolean {
  return tags.some((tag) => tag === '*' || tag === etag);
}

function weakMatch(tags: readonly string[], etag: string): boolean {
  return tags.some((tag) => tag === '*' || tag === etag || tag === `W/"${etag}"`);
}

/** If-None-Match compares weakly, so that the commit need not know of weak tags. */
function withoutWeakness(tag: string): string {
  return /^W\/"(.*)"$/s.exec(tag)?.[1] ?? tag;
}

/** HTTP dates count seconds. An unreadable date is no condition. */
function parseSeconds(header: string | undefined): number | undefined {
  const atMs = header === undefined ? undefined : parseHttpDate(header);
  return atMs === undefined ? undefined : atMs / 1000;
}

/** If-Match before If-Unmodified-Since, then If-None-Match before If-Modified-Since: the order of RFC 9110, 13.2.2. */
export function evaluateReadConditions(headers: HeaderList, state: ObjectState): ConditionVerdict {
  const modifiedSeconds = Math.floor(state.lastModifiedMs / 1000);
  const ifMatch = headers.joined('if-match');
  if (ifMatch !== undefined) {
    if (!strongMatch(entityTags(ifMatch), state.etag)) return 'precondition-failed';
  } else {
    const unmodifiedSince = parseSeconds(headers.get('if-unmodified-since'));
    if (unmodifiedSince !== undefined && modifiedSeconds > unmodifiedSince) return 'precondition-failed';
  }
  const ifNoneMatch = headers.joined('if-none-match');
  if (ifNoneMatch !== undefined) return weakMatch(entityTags(ifNoneMatch), state.etag) ? 'not-modified' : 'proceed';
  const modifiedSince = parseSeconds(headers.get('if-modified-since'));
  return modifiedSince !== undefined && modifiedSeconds <= modifiedSince ? 'not-modified' : 'proceed';
}

/** The conditions of a PUT, a completion or a delete; they are judged where the key is locked. */
export function parseWriteConditions(headers: HeaderList): WriteConditions {
  const ifMatch = headers.joined('if-match');
  const ifNoneMatch = headers.joined('if-none-match');
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: entityTags(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: entityTags(ifNoneMatch).map(withoutWeakness) }),
  };
}

/** `state` undefined: the key holds nothing. */
export function evaluateWriteConditions(
  conditions: WriteConditions,
  state: { readonly etag: string } | undefined,
): WriteVerdict {
  if (conditions.ifMatch !== undefined) {
    if (state === undefined) return 'no-such-key';
    if (!strongMatch(conditions.ifMatch, state.etag)) return 'precondition-failed';
  }
  const refused =
    conditions.ifNoneMatch !== undefined && state !== undefined && weakMatch(conditions.ifNoneMatch, state.etag);
  return refused ? 'precondition-failed' : 'proceed';
}
