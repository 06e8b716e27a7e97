import { readPolicy, type PolicyStatement } from './policy-document.js';
import { parseIpRange } from './ip-range.js';

/** Conditions on these, with values that stay the same, keep a grant to everybody from being public. */
const NARROWING_KEYS: ReadonlySet<string> = new Set([
  ...['aws:principalorgid', 'aws:principalorgpaths', 'aws:principalaccount', 'aws:principalarn', 'aws:userid'],
  ...['aws:sourceaccount', 'aws:sourcearn', 'aws:sourceowner', 'aws:sourcevpc', 'aws:sourcevpce', 'aws:sourceip'],
  ...['s3:dataaccesspointaccount', 's3:dataaccesspointarn'],
]);
/** Of a condition that has to name what is allowed: negated ones and those that hold without the key name nothing. */
const NAMING_OPERATORS: ReadonlySet<string> = new Set([
  ...['StringEquals', 'StringEqualsIgnoreCase', 'StringLike', 'ArnEquals', 'ArnLike', 'IpAddress'],
  ...['StringEquals', 'StringEqualsIgnoreCase', 'StringLike', 'ArnEquals', 'ArnLike'].map(
    (name) => `ForAnyValue:${name}`,
  ),
]);
/** A range of addresses that is wider than this holds as good as everybody, and so do more than this many such ranges. */
const IPV4_PREFIX_MIN = 8;
const IPV6_PREFIX_MIN = 32;
const WIDEST_RANGES_MAX = 16;
/** What `aws:userid` is of one who has not said who it is. */
const NOBODY = 'anonymous';

/**
 * Whether a policy of a resource lets in people that nobody has named, as S3 tells public policies: one that allows
 * everybody, unless a condition fixes who or where they are. Errors: PolicyError.
 */
export function isPublicPolicy(text: string): boolean {
  let held = 0;
  for (const { effect, principal, conditions } of readPolicy(text, 'resource').statements)
    if (effect === 'Allow' && principal?.element.everyone === true) held += rangesOpened(conditions);
  return held > WIDEST_RANGES_MAX;
}

type Condition = PolicyStatement['conditions'][number];

/** How much of all addresses a grant to everybody is open to, in ranges of the widest kind; 0 when it names who they are. */
function rangesOpened(conditions: readonly Condition[]): number {
  let least = Infinity;
  for (const { operator, key, values } of conditions) {
    if (!NAMING_OPERATORS.has(operator) || !NARROWING_KEYS.has(key.toLowerCase())) continue;
    if (operator === 'IpAddress') least = Math.min(least, rangesIn(values));
    else if (values.every((value) => namesSomebody(String(value)))) least = 0;
  }
  return least;
}

/** Neither a wildcard nor a variable of the request, nor the name that everybody without one has. */
function namesSomebody(value: string): boolean {
  return value !== '' && !/[*?]|\$\{/.test(value) && value.toLowerCase() !== NOBODY;
}

function rangesIn(values: Condition['values']): number {
  let sum = 0;
  for (const value of values) {
    const range = parseIpRange(String(value));
    if (range === undefined) return Infinity;
    const beyond = range.prefixLength - (range.bits === 32 ? IPV4_PREFIX_MIN : IPV6_PREFIX_MIN);
    sum += beyond < 0 ? Infinity : 2 ** -beyond;
  }
  return sum;
}
