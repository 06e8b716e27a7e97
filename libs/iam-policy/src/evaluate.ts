import type { Decision } from '@holdfast/contracts';
import { parsePolicy, type PolicyDocument } from './policy-document.js';
import { compileWildcard, matchWildcard, type CompiledWildcard } from './wildcard.js';

interface CompiledStatement {
  readonly sid?: string;
  readonly denies: boolean;
  readonly actions: readonly CompiledWildcard[];
  readonly resources: readonly CompiledWildcard[];
}

/** A policy made ready to be asked many times. Immutable: one may be shared by all requests. */
export interface CompiledPolicy {
  readonly name: string;
  readonly statements: readonly CompiledStatement[];
}

/** The statement that decided. */
export interface DecidingStatement {
  readonly policyName: string;
  /** Place in the policy, from 0. */
  readonly index: number;
  readonly sid?: string;
}

export interface Evaluation {
  readonly decision: Decision;
  /** Absent for `no-allow`: no statement applied. */
  readonly statement?: DecidingStatement;
}

/** `document` is the policy's JSON text, or what `parsePolicy` made of it. Errors: PolicyError. */
export function compilePolicy(name: string, document: string | PolicyDocument): CompiledPolicy {
  const { statements } = typeof document === 'string' ? parsePolicy(document) : document;
  return {
    name,
    statements: statements.map(({ sid, effect, actions, resources }) => ({
      sid,
      denies: effect === 'Deny',
      // Names of actions are told apart without case, resources with it.
      actions: actions.map((action) => compileWildcard(action.toLowerCase())),
      resources: resources.map(compileWildcard),
    })),
  };
}

const NO_ALLOW: Evaluation = { decision: 'no-allow' };

/**
 * Judges `action` (`s3:GetObject`) on `resource` (an ARN) by all statements of all policies: one that denies overrides any
 * that allow, and what none allows is not allowed.
 */
export function evaluate(policies: readonly CompiledPolicy[], action: string, resource: string): Evaluation {
  const actionName = action.toLowerCase();
  let allowing: DecidingStatement | undefined;
  for (const policy of policies) {
    for (let index = 0; index < policy.statements.length; index++) {
      const statement = policy.statements[index];
      if (!statement.denies && allowing !== undefined) continue;
      if (!anyMatches(statement.actions, actionName) || !anyMatches(statement.resources, resource)) continue;
      const deciding = { policyName: policy.name, index, sid: statement.sid };
      if (statement.denies) return { decision: 'explicit-deny', statement: deciding };
      allowing = deciding;
    }
  }
  return allowing === undefined ? NO_ALLOW : { decision: 'allow', statement: allowing };
}

function anyMatches(patterns: readonly CompiledWildcard[], text: string): boolean {
  for (const pattern of patterns) if (matchWildcard(pattern, text)) return true;
  return false;
}
