import type { Caller } from '@holdfast/contracts';
import type { CompiledPolicy, DecidingStatement } from './compiled-policy.js';
import type { PrincipalMatch } from './principal-element.js';
import type { RequestContext } from './request-context.js';

/** What one or more policies say of a request. `open…`: a statement that hangs on object tags not read yet. */
export interface PolicyFinding {
  readonly deny?: DecidingStatement;
  readonly allow?: DecidingStatement;
  readonly openDeny: boolean;
  readonly openAllow: boolean;
}

/** A statement that denies overrides any that allow, in any order and across policies: then nothing else counts. */
export function evaluatePolicies(policies: readonly CompiledPolicy[], context: RequestContext): PolicyFinding {
  let allow: DecidingStatement | undefined;
  let openAllow = false;
  let openDeny = false;
  for (const { statements } of policies) {
    for (const statement of statements) {
      if (!statement.denies && allow !== undefined) continue;
      const applies = statement.applies(context);
      if (applies === 'no') continue;
      if (applies === 'unread') {
        if (statement.denies) openDeny = true;
        else openAllow = true;
      } else if (statement.denies) return { deny: statement.decides, openAllow: false, openDeny: false };
      else allow = statement.decides;
    }
  }
  return allow === undefined ? { openAllow, openDeny } : { allow, openAllow: false, openDeny };
}

/** What the policy of a resource says of a caller. How an allow names the caller decides how far it reaches. */
export interface ResourceFinding {
  readonly deny?: DecidingStatement;
  readonly allows: ReadonlyMap<PrincipalMatch, DecidingStatement>;
  readonly openDeny: boolean;
  readonly openAllows: ReadonlySet<PrincipalMatch>;
}

export function evaluateResourcePolicy(
  policy: CompiledPolicy,
  caller: Caller,
  context: RequestContext,
): ResourceFinding {
  const allows = new Map<PrincipalMatch, DecidingStatement>();
  const openAllows = new Set<PrincipalMatch>();
  let openDeny = false;
  for (const statement of policy.statements) {
    const named = statement.speaksOf(caller);
    if (named === undefined || (!statement.denies && allows.has(named))) continue;
    const applies = statement.applies(context);
    if (applies === 'no') continue;
    if (applies === 'unread') {
      if (statement.denies) openDeny = true;
      else openAllows.add(named);
    } else if (statement.denies)
      return { deny: statement.decides, allows: new Map(), openDeny: false, openAllows: new Set() };
    else allows.set(named, statement.decides);
  }
  return { allows, openDeny, openAllows };
}
