import { ArnPattern } from './arn-pattern.js';
import { parseDate } from './condition-date.js';
import { isInRange, parseIpRange } from './ip-range.js';
import { parsePolicyText, PolicyTextMatcher, type Match } from './policy-text.js';
import type { RequestContext } from './request-context.js';

/** Holds one value of a request against one value of a policy. */
export type ValueTest = (given: string, context: RequestContext) => Match;

/** What may stand in a policy as a value. */
export type ConditionValue = string | number | boolean;

export interface ConditionOperator {
  /** `…NotEquals` and its like: true when none of the values fits. */
  readonly negated: boolean;
  /** What a value has to look like. */
  readonly expected: string;
  /** @returns undefined for a value that is not as expected */
  compile(value: ConditionValue, variables: boolean): ValueTest | undefined;
}

/** About what it takes to read a value, beside its length. */
const READING_STEPS = 200;
const ADDRESS_STEPS = 1_000;

/** A test that reads the value of the request. */
function reading(holds: (given: string) => boolean, steps = READING_STEPS): ValueTest {
  return (given, { work }) => {
    work.spend(steps + given.length);
    return holds(given) ? 'yes' : 'no';
  };
}

function strings(negated: boolean, options: { wildcards: boolean; ignoreCase?: boolean }): ConditionOperator {
  return {
    negated,
    expected: 'a string, with policy variables as ${aws:username}',
    compile(value, variables) {
      const text = parsePolicyText(String(value), { ...options, variables });
      if (text === undefined) return undefined;
      const matcher = new PolicyTextMatcher(text, options.ignoreCase);
      return (given, context) => matcher.match(given, context);
    },
  };
}

type Compare = (given: number, wanted: number) => boolean;

function numbers(compare: Compare, negated = false): ConditionOperator {
  return {
    negated,
    expected: 'a number',
    compile(value) {
      const wanted = parseNumber(String(value));
      if (wanted === undefined || typeof value === 'boolean') return undefined;
      return reading((given) => {
        const number = parseNumber(given);
        return number !== undefined && compare(number, wanted);
      });
    },
  };
}

function parseNumber(text: string): number | undefined {
  const number = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : undefined;
}

function dates(compare: Compare, negated = false): ConditionOperator {
  return {
    negated,
    expected: 'an ISO 8601 date or seconds since 1970',
    compile(value) {
      const wanted = parseDate(String(value));
      if (wanted === undefined || typeof value === 'boolean') return undefined;
      return reading((given) => {
        const date = parseDate(given);
        return date !== undefined && compare(date, wanted);
      });
    },
  };
}

const BOOL: ConditionOperator = {
  negated: false,
  expected: 'true or false',
  compile(value) {
    const wanted = String(value).toLowerCase();
    if (wanted !== 'true' && wanted !== 'false') return undefined;
    return reading((given) => given.toLowerCase() === wanted);
  },
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const BINARY: ConditionOperator = {
  negated: false,
  expected: 'base64',
  compile(value) {
    if (typeof value !== 'string' || !BASE64.test(value)) return undefined;
    const wanted = Buffer.from(value, 'base64');
    return reading((given) => BASE64.test(given) && wanted.equals(Buffer.from(given, 'base64')));
  },
};

function addresses(negated: boolean): ConditionOperator {
  return {
    negated,
    expected: 'an IP address or a range in CIDR notation',
    compile(value) {
      const range = typeof value === 'string' ? parseIpRange(value) : undefined;
      return range && reading((given) => isInRange(range, given), ADDRESS_STEPS);
    },
  };
}

function arns(negated: boolean): ConditionOperator {
  return {
    negated,
    expected: 'an ARN, with wildcards and policy variables',
    compile(value, variables) {
      const pattern = typeof value === 'string' ? ArnPattern.parse(value, variables) : undefined;
      return pattern && ((given, context) => pattern.match(given, context));
    },
  };
}

/** By the names of AWS, which are told apart with case. `Null` asks for presence and stands apart. */
export const CONDITION_OPERATORS: ReadonlyMap<string, ConditionOperator> = new Map(
  Object.entries({
    StringEquals: strings(false, { wildcards: false }),
    StringNotEquals: strings(true, { wildcards: false }),
    StringEqualsIgnoreCase: strings(false, { wildcards: false, ignoreCase: true }),
    StringNotEqualsIgnoreCase: strings(true, { wildcards: false, ignoreCase: true }),
    StringLike: strings(false, { wildcards: true }),
    StringNotLike: strings(true, { wildcards: true }),
    NumericEquals: numbers((given, wanted) => given === wanted),
    NumericNotEquals: numbers((given, wanted) => given === wanted, true),
    NumericLessThan: numbers((given, wanted) => given < wanted),
    NumericLessThanEquals: numbers((given, wanted) => given <= wanted),
    NumericGreaterThan: numbers((given, wanted) => given > wanted),
    NumericGreaterThanEquals: numbers((given, wanted) => given >= wanted),
    DateEquals: dates((given, wanted) => given === wanted),
    DateNotEquals: dates((given, wanted) => given === wanted, true),
    DateLessThan: dates((given, wanted) => given < wanted),
    DateLessThanEquals: dates((given, wanted) => given <= wanted),
    DateGreaterThan: dates((given, wanted) => given > wanted),
    DateGreaterThanEquals: dates((given, wanted) => given >= wanted),
    Bool: BOOL,
    BinaryEquals: BINARY,
    IpAddress: addresses(false),
    NotIpAddress: addresses(true),
    ArnEquals: arns(false),
    ArnLike: arns(false),
    ArnNotEquals: arns(true),
    ArnNotLike: arns(true),
  }),
);
