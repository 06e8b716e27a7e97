import { KIB } from '@holdfast/stdx';
import { PolicyError } from './policy-error.js';

/**
 * Reads the JSON of an AWS identity policy. What is not understood is refused, never skipped: a condition that is silently
 * ignored turns a narrow grant into a wide one. Condition, Principal, NotAction, NotResource and policy variables are known
 * by name so that the refusal can say that they are not served yet.
 */
export const POLICY_BYTES_MAX = 20 * KIB;

export interface PolicyStatement {
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  /** `*` or `service:Name` with wildcards, as written. */
  readonly actions: readonly string[];
  /** `*` or an ARN with wildcards, as written. */
  readonly resources: readonly string[];
}

export interface PolicyDocument {
  readonly version: string;
  readonly statements: readonly PolicyStatement[];
}

const DEFAULT_VERSION = '2008-10-17';
const VERSIONS = ['2012-10-17', DEFAULT_VERSION];
const NOT_SERVED = ['Condition', 'Principal', 'NotPrincipal', 'NotAction', 'NotResource'];
const SID = /^[A-Za-z0-9]{1,128}$/;
const ACTION = /^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;
/** arn:partition:service:region:account:resource, wildcards anywhere. */
const ARN = /^arn(:[^:]*){4}:/;
const CONTROL_CHARACTER = /\p{Cc}/u;
/** Half of a character outside the basic plane: no encoding to UTF-8 keeps it. */
const LONE_SURROGATE = /\p{Cs}/u;

/** Errors: PolicyError. */
export function parsePolicy(text: string): PolicyDocument {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > POLICY_BYTES_MAX) {
    throw new PolicyError('too-large', 'document', `${sizeBytes} bytes are more than ${POLICY_BYTES_MAX}`);
  }
  const document = objectAt(parseJson(text), 'document');
  refuseUnknown(document, ['Version', 'Id', 'Statement'], '');
  if (document.Id !== undefined) stringAt(document.Id, 'Id');
  const version = document.Version === undefined ? DEFAULT_VERSION : stringAt(document.Version, 'Version');
  if (!VERSIONS.includes(version)) throw malformed('Version', `expected one of ${VERSIONS.join(', ')}`);
  const several = Array.isArray(document.Statement);
  const given: unknown[] = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  if (given.length === 0) throw malformed('Statement', 'expected at least one statement');
  const statements = given.map((one, index) => parseStatement(one, several ? `Statement[${index}]` : 'Statement'));
  refuseRepeatedSids(statements);
  return { version, statements };
}

function parseJson(text: string): unknown {
  if (LONE_SURROGATE.test(text)) throw malformed('document', 'expected well-formed Unicode');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed('document', `expected JSON (${error instanceof Error ? error.message : 'unreadable'})`);
  }
}

function parseStatement(given: unknown, place: string): PolicyStatement {
  const statement = objectAt(given, place);
  refuseUnknown(statement, ['Sid', 'Effect', 'Action', 'Resource'], `${place}.`);
  const effect = statement.Effect;
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed(`${place}.Effect`, 'expected Allow or Deny');
  const actions = listAt(statement.Action, `${place}.Action`, checkAction);
  const resources = listAt(statement.Resource, `${place}.Resource`, checkResource);
  if (statement.Sid === undefined) return { effect, actions, resources };
  const sid = stringAt(statement.Sid, `${place}.Sid`);
  if (!SID.test(sid)) throw malformed(`${place}.Sid`, 'expected 1 to 128 letters and digits');
  return { sid, effect, actions, resources };
}

function checkAction(action: string, place: string): void {
  if (!ACTION.test(action)) throw malformed(place, 'expected * or service:Name, with wildcards in the name alone');
}

function checkResource(resource: string, place: string): void {
  if (resource.includes('${')) throw new PolicyError('not-served', place, 'policy variables are not served yet');
  if (resource !== '*' && !ARN.test(resource))
    throw malformed(place, 'expected * or arn:partition:service:region:account:resource');
  if (CONTROL_CHARACTER.test(resource) || LONE_SURROGATE.test(resource)) {
    throw malformed(place, 'expected neither control characters nor halves of surrogate pairs');
  }
}

function listAt(given: unknown, place: string, check: (value: string, place: string) => void): string[] {
  if (given === undefined) throw malformed(place, 'expected a string or an array of strings');
  if (!Array.isArray(given)) {
    const value = stringAt(given, place);
    check(value, place);
    return [value];
  }
  if (given.length === 0) throw malformed(place, 'expected at least one string');
  return given.map((one, index) => {
    const value = stringAt(one, `${place}[${index}]`);
    check(value, `${place}[${index}]`);
    return value;
  });
}

function refuseRepeatedSids(statements: readonly PolicyStatement[]): void {
  const seen = new Set<string>();
  statements.forEach(({ sid }, index) => {
    if (sid === undefined) return;
    if (seen.has(sid)) throw malformed(`Statement[${index}].Sid`, `${sid} is the Sid of another statement`);
    seen.add(sid);
  });
}

function refuseUnknown(given: Record<string, unknown>, known: readonly string[], prefix: string): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    // A name from outside is shown shortened: it may be as long as the document.
    const place = `${prefix}${name.slice(0, 64)}`;
    if (NOT_SERVED.includes(name)) throw new PolicyError('not-served', place, 'this element is not served yet');
    throw malformed(place, `unknown element; expected ${known.join(', ')}`);
  }
}

function objectAt(given: unknown, place: string): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw malformed(place, 'expected an object');
  return given as Record<string, unknown>;
}

function stringAt(given: unknown, place: string): string {
  if (typeof given !== 'string') throw malformed(place, 'expected a string');
  return given;
}

function malformed(place: string, problem: string): PolicyError {
  return new PolicyError('malformed', place, problem);
}
