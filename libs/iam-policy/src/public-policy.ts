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
/** A range of addresses that is wider than this holds as good as everybody. */
const IPV4_PREFIX_MIN = 8;
const IPV6_PREFIX_MIN = 32;

/**
 * Whether a policy of a resource lets in people that nobody has named, as S3 tells public policies: one that allows
 * everybody, unless a condition fixes who or where they are. Errors: PolicyError.
 */
export function isPublicPolicy(text: string): boolean {
  return readPolicy(text, 'resource').statements.some(
    (statement) =>
      statement.effect === 'Allow' && statement.principal?.element.everyone === true && !isNarrowed(statement),
  );
}

function isNarrowed({ conditions }: PolicyStatement): boolean {
  return conditions.some(
    ({ operator, key, values }) =>
      NAMING_OPERATORS.has(operator) &&
      NARROWING_KEYS.has(key.toLowerCase()) &&
      values.every((value) => (operator === 'IpAddress' ? isNarrowRange(String(value)) : isFixed(String(value)))),
  );
}

/** Neither a wildcard nor a variable of the request. */
function isFixed(value: string): boolean {
  return value !== '' && !/[*?]|\$\{/.test(value);
}

function isNarrowRange(value: string): boolean {
  const range = parseIpRange(value);
  return range !== undefined && range.prefixLength >= (range.bits === 32 ? IPV4_PREFIX_MIN : IPV6_PREFIX_MIN);
}
