import type { Caller } from '@holdfast/contracts';
import { ArnPattern } from './arn-pattern.js';
import { compileCondition, parseOperator, type CompiledCondition, type ConditionElement } from './condition.js';
import { readPolicy, type PolicyDocument, type PolicyKind, type PolicyStatement } from './policy-document.js';
import { PolicyError } from './policy-error.js';
import { anyOf, type Match } from './policy-text.js';
import { leavesOut, namesCaller, type PrincipalMatch } from './principal-element.js';
import type { RequestContext } from './request-context.js';
import { compileWildcard, matchWildcard, type CompiledWildcard } from './wildcard.js';

/** The statement that decided. */
export interface DecidingStatement {
  readonly policyName: string;
  /** Place in the policy, from 0. */
  readonly index: number;
  readonly sid?: string;
}

/** A policy made ready to be asked many times. Immutable: one may be shared by all requests. */
export interface CompiledPolicy {
  readonly name: string;
  readonly statements: readonly CompiledStatement[];
}

/** Errors: PolicyError, for the values of conditions and the policy variables too. */
export function parsePolicy(text: string, kind: PolicyKind = 'identity'): PolicyDocument {
  const document = readPolicy(text, kind);
  compileDocument('', document);
  return document;
}

/** `document` is the policy's JSON text. Errors: PolicyError. */
export function compilePolicy(name: string, document: string, kind: PolicyKind = 'identity'): CompiledPolicy {
  return compileDocument(name, readPolicy(document, kind));
}

function compileDocument(name: string, document: PolicyDocument): CompiledPolicy {
  const statements = document.statements.map(
    (statement, index) => new CompiledStatement(statement, { policyName: name, index }, document.hasVariables),
  );
  return { name, statements };
}

const EVERYTHING = '*';

/** One statement, ready to be held against requests. */
export class CompiledStatement {
  readonly denies: boolean;
  readonly decides: DecidingStatement;
  private readonly actions: readonly CompiledWildcard[];
  /** Undefined where `*` stands among them. */
  private readonly resources: readonly ArnPattern[] | undefined;
  private readonly conditions: readonly CompiledCondition[];

  constructor(
    private readonly source: PolicyStatement,
    place: DecidingStatement,
    variables: boolean,
  ) {
    this.denies = source.effect === 'Deny';
    this.decides = source.sid === undefined ? place : { ...place, sid: source.sid };
    // Names of actions are told apart without case, resources with it.
    this.actions = source.actions.map((action) => compileWildcard(action.toLowerCase()));
    const resources = source.resources.map((resource, index) => arnPattern(resource, index, source, variables));
    this.resources = source.resources.includes(EVERYTHING) ? undefined : resources.filter((one) => one !== undefined);
    this.conditions = source.conditions.map((element) => condition(element, source, variables));
  }

  /** How the statement speaks of the caller; undefined when it does not. One without Principal speaks of its holder. */
  speaksOf(caller: Caller): PrincipalMatch | undefined {
    const { principal } = this.source;
    if (principal === undefined) return 'everyone';
    if (!principal.inverted) return namesCaller(principal.element, caller);
    return leavesOut(principal.element, caller) ? undefined : 'everyone';
  }

  /** Whether action, resource and conditions fit. */
  applies(context: RequestContext): Exclude<Match, 'unresolved'> {
    if (this.namesAction(context) === this.source.actionsInverted) return 'no';
    let found = this.namesResource(context);
    if (found === 'no') return found;
    for (const one of this.conditions) {
      const holds = context.holds(one);
      if (holds === 'no') return holds;
      if (holds === 'unread') found = holds;
    }
    return found;
  }

  private namesAction(context: RequestContext): boolean {
    context.work.spend(this.actions.length);
    for (const action of this.actions) if (matchWildcard(action, context.action, context.work)) return true;
    return false;
  }

  private namesResource(context: RequestContext): Exclude<Match, 'unresolved'> {
    const { resources } = this;
    const named =
      resources === undefined ? 'yes' : anyOf(resources, (one) => one.match(context.resource, context), context);
    if (named === 'unread') return named;
    if (!this.source.resourcesInverted) return named === 'yes' ? 'yes' : 'no';
    // What cannot be made names nothing. That may make a statement deny more, but never make one allow more.
    if (named === 'unresolved') return this.denies ? 'yes' : 'no';
    return named === 'yes' ? 'no' : 'yes';
  }
}

function arnPattern(
  resource: string,
  index: number,
  { place, resourcesInverted, resources }: PolicyStatement,
  variables: boolean,
): ArnPattern | undefined {
  if (resource === EVERYTHING) return undefined;
  const pattern = ArnPattern.parse(resource, variables);
  if (pattern !== undefined) return pattern;
  const name = `${place}.${resourcesInverted ? 'NotResource' : 'Resource'}`;
  throw new PolicyError(
    'malformed',
    resources.length === 1 ? name : `${name}[${index}]`,
    'expected policy variables as ${aws:username}',
  );
}

function condition(
  element: ConditionElement,
  { place, effect }: PolicyStatement,
  variables: boolean,
): CompiledCondition {
  const { operator, key, values } = element;
  const at = `${place}.Condition.${operator}.${key.slice(0, 64)}`;
  const name = parseOperator(operator);
  if (name === undefined) throw new PolicyError('malformed', at, 'there is no such operator');
  const compiled = compileCondition(element, name, { variables, denies: effect === 'Deny' });
  if ('holds' in compiled) return compiled;
  const { index, expected } = compiled;
  throw new PolicyError('malformed', values.length === 1 ? at : `${at}[${index}]`, `expected ${expected}`);
}
