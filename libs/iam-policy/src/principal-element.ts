import type { Caller } from '@holdfast/contracts';

/** How a statement names the one who asks. */
export type PrincipalMatch = 'session' | 'user' | 'everyone' | 'account';

/** Whom a statement of a resource's policy speaks of, or with NotPrincipal does not speak of. */
export interface PrincipalElement {
  readonly everyone: boolean;
  readonly accounts: ReadonlySet<string>;
  readonly canonicalIds: ReadonlySet<string>;
  /** ARNs of users, roles and sessions. */
  readonly arns: ReadonlySet<string>;
}

const KINDS = ['AWS', 'CanonicalUser', 'Service', 'Federated'];
const ROOT = /^arn:aws:iam::([^:*?\s]{1,64}):root$/;
const IDENTITY =
  /^arn:aws:(?:iam::[^:*?\s]{1,64}:(?:user|role)|sts::[^:*?\s]{1,64}:(?:assumed-role|federated-user|session))\/[^*?\s]+$/;
/** Accounts are named freely: twelve digits are AWS's habit. */
const ACCOUNT_ID = /^[^:*?\s/]{1,64}$/;

export interface PrincipalProblem {
  /** Behind the element: `.AWS[1]`. */
  readonly at: string;
  readonly problem: string;
}

/** `"*"`, or an object of kinds to one or several names. */
export function parsePrincipal(given: unknown): PrincipalElement | PrincipalProblem {
  const none = {
    everyone: false,
    accounts: new Set<string>(),
    canonicalIds: new Set<string>(),
    arns: new Set<string>(),
  };
  if (given === '*') return { ...none, everyone: true };
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return { at: '', problem: 'expected "*" or an object such as {"AWS": …}' };
  }
  const entries = Object.entries(given);
  if (entries.length === 0) return { at: '', problem: 'expected at least one principal' };
  let everyone = false;
  for (const [kind, value] of entries) {
    if (!KINDS.includes(kind)) return { at: `.${kind.slice(0, 64)}`, problem: `expected one of ${KINDS.join(', ')}` };
    const names: unknown[] = Array.isArray(value) ? value : [value];
    if (names.length === 0) return { at: `.${kind}`, problem: 'expected at least one principal' };
    for (const [index, name] of names.entries()) {
      const added = add(none, kind, name);
      const at = Array.isArray(value) ? `.${kind}[${index}]` : `.${kind}`;
      if (added === undefined)
        return { at, problem: 'expected a principal: an account id, or the ARN of a root, a user or a session' };
      everyone ||= added === 'everyone';
    }
  }
  return { ...none, everyone };
}

interface Names {
  readonly accounts: Set<string>;
  readonly canonicalIds: Set<string>;
  readonly arns: Set<string>;
}

/** @returns undefined for what names no principal */
function add(names: Names, kind: string, name: unknown): 'everyone' | 'added' | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  if (kind === 'CanonicalUser') {
    names.canonicalIds.add(name);
    return /[*?\s]/.test(name) ? undefined : 'added';
  }
  // There are no services and no providers here that could ask: such a principal is nobody.
  if (kind !== 'AWS') return name.includes('*') ? undefined : 'added';
  if (name === '*') return 'everyone';
  const account = ROOT.exec(name)?.[1] ?? (ACCOUNT_ID.test(name) ? name : undefined);
  if (account !== undefined) names.accounts.add(account);
  else if (IDENTITY.test(name)) names.arns.add(name);
  else return undefined;
  return 'added';
}

/** How the caller is named; undefined when it is not. The narrowest name counts: it grants most. */
export function namesCaller(element: PrincipalElement, caller: Caller): PrincipalMatch | undefined {
  if (caller.session !== undefined && element.arns.has(caller.session.arn)) return 'session';
  if (caller.kind === 'user' && element.arns.has(caller.arn)) return 'user';
  if (element.everyone) return 'everyone';
  if (caller.kind === 'anonymous') return undefined;
  return element.accounts.has(caller.accountId) || element.canonicalIds.has(caller.canonicalId) ? 'account' : undefined;
}

/**
 * NotPrincipal leaves out who is named themselves: the name of an account means its root, not its users. A session is left out
 * with its holder alone: its name is chosen by who makes it, and would lift a deny.
 */
export function leavesOut(element: PrincipalElement, caller: Caller): boolean {
  const match = namesCaller(element, { ...caller, session: undefined });
  return match !== undefined && (match !== 'account' || caller.kind === 'root');
}
