/**
 * The policy of a form: what its signer allows to be uploaded. What would surprise:
 * - the names `expiration` and `conditions` have exactly this case, all others and the kinds of conditions have none;
 * - a field that no condition speaks of is refused, and so is a condition on a field that was not sent;
 * - a dollar may be written `\$`, which is no JSON.
 */
import { HoldfastError } from '@holdfast/contracts';
import type { UploadForm } from './upload-form.js';

interface FieldCondition {
  readonly kind: 'eq' | 'starts-with';
  /** Lower-case. */
  readonly field: string;
  readonly value: string;
}

/** Sizes of the file in bytes, both included. */
export interface SizeRange {
  readonly minBytes: number;
  readonly maxBytes: number;
}

export interface PostPolicy {
  readonly expiresAtMs: number;
  readonly conditions: readonly FieldCondition[];
  /** What all conditions on the size have in common. */
  readonly size: SizeRange;
}

const EXPIRATION = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z$/;
const ANY_SIZE: SizeRange = { minBytes: 0, maxBytes: Number.MAX_SAFE_INTEGER };
/** What no policy has to speak of. */
const EXEMPT = new Set(['policy', 'file', 'signature', 'x-amz-signature', 'awsaccesskeyid']);
const EXEMPT_PREFIX = 'x-ignore-';

/**
 * @param base64 as the form has it
 * @throws HoldfastError InvalidPolicyDocument
 */
export function decodePostPolicy(base64: string): PostPolicy {
  const document = parseJson(base64);
  if (!isObject(document)) throw invalidPolicy('It is no JSON object.');
  for (const name of Object.keys(document)) {
    if (name !== 'expiration' && name !== 'conditions') throw invalidPolicy(`Unexpected: '${name.slice(0, 64)}'.`);
  }
  const { expiration, conditions } = document;
  if (expiration === undefined) throw invalidPolicy('Policy missing expiration.');
  if (!Array.isArray(conditions)) throw invalidPolicy('Policy missing conditions.');
  const expiresAtMs = expirationMs(expiration);
  const onFields: FieldCondition[] = [];
  let size = ANY_SIZE;
  for (const condition of conditions as readonly unknown[]) {
    if (isObject(condition)) onFields.push(...exactMatches(condition));
    else if (!Array.isArray(condition)) throw invalidCondition();
    else if (isSizeRange(condition)) size = intersection(size, sizeRange(condition));
    else onFields.push(fieldCondition(condition));
  }
  return { expiresAtMs, conditions: onFields, size };
}

/**
 * Holds a form against its policy; what it says about the size is for whoever reads the file.
 * @throws HoldfastError AccessDenied
 */
export function judgePostPolicy(policy: PostPolicy, { fields }: UploadForm, bucket: string, nowMs: number): void {
  if (nowMs > policy.expiresAtMs) throw notAllowed('Policy expired.');
  const covered = new Set<string>();
  for (const condition of policy.conditions) {
    const value = condition.field === 'bucket' ? bucket : fields.get(condition.field)?.value;
    if (value === undefined || !holds(condition, value))
      throw notAllowed(`Policy Condition failed: ${shown(condition)}`);
    covered.add(condition.field);
  }
  if (!covered.has('bucket')) throw notAllowed('The bucket is not named by a condition.');
  for (const [lowerName, { name }] of fields) {
    if (covered.has(lowerName) || EXEMPT.has(lowerName) || lowerName.startsWith(EXEMPT_PREFIX)) continue;
    throw notAllowed(`Extra input fields: ${name.slice(0, 128)}`);
  }
}

function holds({ kind, field, value: wanted }: FieldCondition, value: string): boolean {
  if (kind === 'eq') return value === wanted;
  // A list of types is allowed when each of them is.
  if (field === 'content-type') return value.split(',').every((type) => type.trim().startsWith(wanted));
  return value.startsWith(wanted);
}

function shown({ kind, field, value }: FieldCondition): string {
  return JSON.stringify([kind, `$${field}`, value]).slice(0, 512);
}

function parseJson(base64: string): unknown {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  try {
    return JSON.parse(text.replace(/\\[\s\S]/g, (escape) => (escape === '\\$' ? '$' : escape))) as unknown;
  } catch {
    throw invalidPolicy('Invalid JSON.');
  }
}

function expirationMs(expiration: unknown): number {
  const match = typeof expiration === 'string' ? EXPIRATION.exec(expiration) : null;
  if (match === null) throw invalidPolicy("Invalid 'expiration' value.");
  const [, year, month, day, hour, minute, second] = match.map(Number);
  const atMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // A 31st of February is no date.
  if (!match[0].startsWith(new Date(atMs).toISOString().slice(0, 19)))
    throw invalidPolicy("Invalid 'expiration' value.");
  return atMs;
}

function exactMatches(condition: Readonly<Record<string, unknown>>): FieldCondition[] {
  const matches = Object.entries(condition).map(([name, value]) => {
    if (name === '' || typeof value !== 'string') throw invalidCondition();
    return { kind: 'eq', field: name.toLowerCase(), value } as const;
  });
  if (matches.length === 0) throw invalidCondition();
  return matches;
}

function fieldCondition(condition: readonly unknown[]): FieldCondition {
  const [operator, variable, value] = condition;
  const kind = typeof operator === 'string' ? operator.toLowerCase() : '';
  const wellFormed = condition.length === 3 && typeof variable === 'string' && typeof value === 'string';
  if (!wellFormed || !/^\$./.test(variable) || (kind !== 'eq' && kind !== 'starts-with')) throw invalidCondition();
  return { kind, field: variable.slice(1).toLowerCase(), value };
}

function isSizeRange(condition: readonly unknown[]): boolean {
  return typeof condition[0] === 'string' && condition[0].toLowerCase() === 'content-length-range';
}

function sizeRange(condition: readonly unknown[]): SizeRange {
  const [minBytes, maxBytes] = condition.slice(1).map(sizeOf);
  if (condition.length !== 3 || minBytes > maxBytes) throw invalidCondition();
  return { minBytes, maxBytes };
}

function sizeOf(size: unknown): number {
  const bytes = typeof size === 'string' && /^\d{1,16}$/.test(size) ? Number(size) : size;
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) throw invalidCondition();
  return bytes;
}

function intersection(a: SizeRange, b: SizeRange): SizeRange {
  return { minBytes: Math.max(a.minBytes, b.minBytes), maxBytes: Math.min(a.maxBytes, b.maxBytes) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalidPolicy(reason: string): HoldfastError {
  return new HoldfastError('InvalidPolicyDocument', `Invalid Policy: ${reason}`);
}

function invalidCondition(): HoldfastError {
  return invalidPolicy('Invalid condition.');
}

function notAllowed(reason: string): HoldfastError {
  return new HoldfastError('AccessDenied', `Invalid according to Policy: ${reason}`);
}
