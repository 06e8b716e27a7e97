import { KIB, LONE_SURROGATE, parseStrictJson } from '@holdfast/stdx';
import type { ConditionValue } from './condition-operator.js';
import { parseOperator, type ConditionElement } from './condition.js';
import { PolicyError } from './policy-error.js';
import { parsePrincipal, type PrincipalElement } from './principal-element.js';

/**
 * Reads the JSON of a policy in AWS's grammar. What is not understood is refused, never skipped: a condition that is
 * silently ignored turns a narrow grant into a wide one.
 */
export const POLICY_BYTES_MAX = 20 * KIB;

/** Whose policy it is: that of a user, group or session, or that of a resource, which says whom it speaks of. */
export type PolicyKind = 'identity' | 'resource';

export interface PolicyStatement {
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  /** Of a policy of a resource. */
  readonly principal?: { readonly element: PrincipalElement; readonly inverted: boolean };
  /** `*` or `service:Name` with wildcards, as written; inverted: NotAction. */
  readonly actions: readonly string[];
  readonly actionsInverted: boolean;
  /** `*` or an ARN with wildcards and policy variables, as written; inverted: NotResource. */
  readonly resources: readonly string[];
  readonly resourcesInverted: boolean;
  readonly conditions: readonly ConditionElement[];
  /** Where in the document: `Statement[2]`. */
  readonly place: string;
}

export interface PolicyDocument {
  readonly version: string;
  /** Policy variables are of the newer version alone. */
  readonly hasVariables: boolean;
  readonly statements: readonly PolicyStatement[];
}

const DEFAULT_VERSION = '2008-10-17';
const VERSIONS = ['2012-10-17', DEFAULT_VERSION];
const ELEMENTS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const PRINCIPALS = ['Principal', 'NotPrincipal'];
const SIDS = { identity: /^[A-Za-z0-9]{0,128}$/, resource: /^[^\p{Cc}]{0,256}$/u };
const ACTION = /^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;
/** arn:partition:service:region:account:resource, wildcards anywhere. */
const ARN = /^arn(:[^:]*){4}:/;
const CONDITION_KEY = /^[A-Za-z0-9-]+:[^\p{Cc}]{1,256}$/u;
const CONTROL_CHARACTER = /\p{Cc}/u;

/** Errors: PolicyError. Values of conditions are read when the policy is compiled. */
export function readPolicy(text: string, kind: PolicyKind): PolicyDocument {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > POLICY_BYTES_MAX) {
    throw new PolicyError('too-large', 'document', `${sizeBytes} bytes are more than ${POLICY_BYTES_MAX}`);
  }
  const json = parseStrictJson(text);
  if ('problem' in json) {
    const place = json.repeated === undefined ? 'document' : json.repeated.slice(0, 64);
    throw malformed(place, json.problem);
  }
  const document = objectAt(json.value, 'document');
  refuseUnknown(document, ['Version', 'Id', 'Statement'], '');
  if (document.Id !== undefined) stringAt(document.Id, 'Id');
  const version = document.Version === undefined ? DEFAULT_VERSION : stringAt(document.Version, 'Version');
  if (!VERSIONS.includes(version)) throw malformed('Version', `expected one of ${VERSIONS.join(', ')}`);
  const several = Array.isArray(document.Statement);
  const given: unknown[] = Array.isArray(document.Statement) ? document.Statement : [document.Statement];
  if (given.length === 0) throw malformed('Statement', 'expected at least one statement');
  const statements = given.map((one, index) =>
    parseStatement(one, several ? `Statement[${index}]` : 'Statement', kind),
  );
  refuseRepeatedSids(statements);
  return { version, hasVariables: version !== DEFAULT_VERSION, statements };
}

function parseStatement(given: unknown, place: string, kind: PolicyKind): PolicyStatement {
  const statement = objectAt(given, place);
  refuseUnknown(statement, kind === 'resource' ? [...ELEMENTS, ...PRINCIPALS] : ELEMENTS, `${place}.`);
  const effect = statement.Effect;
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed(`${place}.Effect`, 'expected Allow or Deny');
  const [actionName, actionsInverted] = oneOfTwo(statement, 'Action', 'NotAction', place);
  const [resourceName, resourcesInverted] = oneOfTwo(statement, 'Resource', 'NotResource', place);
  const principal = kind === 'resource' ? principalOf(statement, effect, place) : undefined;
  const actions = listAt(statement[actionName], `${place}.${actionName}`, checkAction);
  const resources = listAt(statement[resourceName], `${place}.${resourceName}`, checkResource);
  const conditions = conditionsOf(statement.Condition, `${place}.Condition`);
  const sid = sidOf(statement.Sid, `${place}.Sid`, kind);
  return {
    ...(sid === '' ? {} : { sid }),
    effect,
    ...(principal === undefined ? {} : { principal }),
    ...{ actions, actionsInverted, resources, resourcesInverted, conditions, place },
  };
}

/** Exactly one of an element and its opposite has to be there. */
function oneOfTwo(
  statement: Record<string, unknown>,
  name: string,
  opposite: string,
  place: string,
): [string, boolean] {
  const inverted = statement[opposite] !== undefined;
  if (inverted && statement[name] !== undefined) {
    throw malformed(`${place}.${opposite}`, `${name} and ${opposite} exclude each other`);
  }
  return inverted ? [opposite, true] : [name, false];
}

function principalOf(
  statement: Record<string, unknown>,
  effect: PolicyStatement['effect'],
  place: string,
): PolicyStatement['principal'] {
  const [name, inverted] = oneOfTwo(statement, 'Principal', 'NotPrincipal', place);
  // It would allow everybody on earth but those few.
  if (inverted && effect === 'Allow') throw malformed(`${place}.NotPrincipal`, 'it goes with Deny alone');
  const element = parsePrincipal(statement[name]);
  if ('problem' in element) throw malformed(`${place}.${name}${element.at}`, element.problem);
  return { element, inverted };
}

function sidOf(given: unknown, place: string, kind: PolicyKind): string {
  if (given === undefined) return '';
  const sid = stringAt(given, place);
  if (SIDS[kind].test(sid)) return sid;
  throw malformed(
    place,
    kind === 'identity' ? 'expected up to 128 letters and digits' : 'expected up to 256 characters',
  );
}

/** An empty Condition asks nothing, as in AWS. */
function conditionsOf(given: unknown, place: string): ConditionElement[] {
  if (given === undefined) return [];
  return Object.entries(objectAt(given, place)).flatMap(([operator, keys]) => {
    const at = `${place}.${operator.slice(0, 64)}`;
    if (parseOperator(operator) === undefined) throw malformed(at, 'there is no such operator');
    const entries = Object.entries(objectAt(keys, at));
    if (entries.length === 0) throw malformed(at, 'expected at least one condition key');
    return entries.map(([key, values]) => conditionOf(operator, key, values, `${at}.${key.slice(0, 64)}`));
  });
}

function conditionOf(operator: string, key: string, given: unknown, place: string): ConditionElement {
  if (!CONDITION_KEY.test(key)) throw malformed(place, 'expected a condition key such as aws:SourceIp');
  const values: unknown[] = Array.isArray(given) ? given : [given];
  if (values.length === 0) throw malformed(place, 'expected at least one value');
  const read = values.map((value, index) => conditionValue(value, Array.isArray(given) ? `${place}[${index}]` : place));
  return { operator, key, values: read };
}

function conditionValue(given: unknown, place: string): ConditionValue {
  if (typeof given === 'boolean' || (typeof given === 'number' && Number.isFinite(given))) return given;
  return stringAt(given, place);
}

function checkAction(action: string, place: string): void {
  if (!ACTION.test(action)) throw malformed(place, 'expected * or service:Name, with wildcards in the name alone');
}

function checkResource(resource: string, place: string): void {
  if (resource !== '*' && !ARN.test(resource))
    throw malformed(place, 'expected * or arn:partition:service:region:account:resource');
  if (CONTROL_CHARACTER.test(resource)) throw malformed(place, 'expected no control characters');
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
    throw malformed(place, `unknown element; expected ${known.join(', ')}`);
  }
}

function objectAt(given: unknown, place: string): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw malformed(place, 'expected an object');
  return given as Record<string, unknown>;
}

function stringAt(given: unknown, place: string): string {
  if (typeof given !== 'string') throw malformed(place, 'expected a string');
  if (LONE_SURROGATE.test(given)) throw malformed(place, 'expected well-formed Unicode');
  return given;
}

function malformed(place: string, problem: string): PolicyError {
  return new PolicyError('malformed', place, problem);
}
