import {
  compileTokens,
  matchWildcard,
  ONE,
  wildcardTokens,
  type CompiledWildcard,
  type PatternToken,
} from './wildcard.js';
import type { RequestContext } from './request-context.js';

/** What a comparison found. `unresolved`: a policy variable has no value. `unread`: it hangs on object tags not read yet. */
export type Match = 'yes' | 'no' | 'unresolved' | 'unread';

interface Variable {
  /** In lower case. */
  readonly key: string;
  readonly fallback?: string;
}
type Part = PatternToken | Variable;

/** A text of a policy that may hold wildcards and policy variables. */
export interface PolicyText {
  readonly parts: readonly Part[];
  readonly hasVariables: boolean;
}

export interface PolicyTextOptions {
  /** Version 2012-10-17: in the older one `${` is text like any other. */
  readonly variables: boolean;
  readonly wildcards: boolean;
  readonly ignoreCase?: boolean;
}

const VARIABLE = /^([A-Za-z0-9-]+:[^${}*?,'"]+?)(?:\s*,\s*'([^']*)')?$/;

/** @returns undefined when a variable is not written as the grammar has it */
export function parsePolicyText(given: string, options: PolicyTextOptions): PolicyText | undefined {
  const text = options.ignoreCase === true ? given.toLowerCase() : given;
  const parts: Part[] = [];
  let at = 0;
  for (;;) {
    const start = options.variables ? text.indexOf('${', at) : -1;
    const plain = start === -1 ? text.slice(at) : text.slice(at, start);
    parts.push(...(options.wildcards ? wildcardTokens(plain) : [plain]));
    if (start === -1) break;
    const end = text.indexOf('}', start);
    if (end === -1) return undefined;
    const inner = text.slice(start + 2, end);
    const found = VARIABLE.exec(inner);
    if (inner === '*' || inner === '?' || inner === '$') parts.push(inner);
    else if (found === null) return undefined;
    else parts.push({ key: found[1].trim().toLowerCase(), ...(found[2] === undefined ? {} : { fallback: found[2] }) });
    at = end + 1;
  }
  return { parts, hasVariables: parts.some(isVariable) };
}

function isVariable(part: Part): part is Variable {
  return typeof part === 'object';
}

/** The text for this request. What a variable stands for is text, never a wildcard. */
export function resolve(text: PolicyText, context: RequestContext): readonly PatternToken[] | 'unresolved' | 'unread' {
  const tokens: PatternToken[] = [];
  for (const part of text.parts) {
    if (!isVariable(part)) {
      tokens.push(part);
      continue;
    }
    const values = context.get(part.key);
    if (values === 'unread') return 'unread';
    // A variable stands for one value: a key that has several has none for it.
    const value = values?.length === 1 ? values[0] : part.fallback;
    if (value === undefined) return 'unresolved';
    tokens.push(value);
  }
  return tokens;
}

/** Matches one text against many requests: compiled once unless a variable makes it differ. */
export class PolicyTextMatcher {
  private readonly compiled: CompiledWildcard | undefined;

  constructor(
    private readonly text: PolicyText,
    private readonly ignoreCase = false,
  ) {
    this.compiled = text.hasVariables
      ? undefined
      : compileTokens(text.parts.filter((part): part is PatternToken => !isVariable(part)));
  }

  match(given: string, context: RequestContext): Match {
    if (this.ignoreCase) context.work.spend(given.length);
    const value = this.ignoreCase ? given.toLowerCase() : given;
    if (this.compiled !== undefined) return matchWildcard(this.compiled, value, context.work) ? 'yes' : 'no';
    const tokens = resolve(this.text, context);
    if (typeof tokens === 'string') return tokens;
    const ready = this.ignoreCase
      ? tokens.map((token) => (typeof token === 'string' ? token.toLowerCase() : token))
      : tokens;
    return matchTokens(ready, value, context) ? 'yes' : 'no';
  }
}

/** What it takes to make a token of a pattern, and a letter of one, ready to be searched for. */
const TOKEN_STEPS = 100;
const LETTER_STEPS = 32;

/** Values can be long and variables many: what is longer than the text is not even put together. */
export function matchTokens(tokens: readonly PatternToken[], value: string, context: RequestContext): boolean {
  let length = 0;
  for (const token of tokens) length += typeof token === 'string' ? token.length : token === ONE ? 1 : 0;
  if (length > value.length) return false;
  // With question marks a piece has a table of its letters.
  const tableSteps = tokens.includes(ONE) ? LETTER_STEPS * length : 0;
  context.work.spend(TOKEN_STEPS * tokens.length + tableSteps);
  return matchWildcard(compileTokens(tokens), value, context.work);
}

/** What it takes to try a value, beside its search: most differ in their first letter. */
const TRY_STEPS = 8;

/** Whether one of several fits; what is open counts only when none does. Errors: AccessDenied, for too much work. */
export function anyOf<T>(items: readonly T[], matches: (item: T) => Match, context: RequestContext): Match {
  let found: Match = 'no';
  for (const item of items) {
    context.work.spend(TRY_STEPS);
    const match = matches(item);
    if (match === 'yes') return match;
    if (match === 'unread' || (match === 'unresolved' && found === 'no')) found = match;
  }
  return found;
}
