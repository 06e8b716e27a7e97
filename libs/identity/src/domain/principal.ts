import { setImmediate as others } from 'node:timers/promises';
import { HoldfastError, type AccessCheck, type Caller, type ConditionKeys } from '@holdfast/contracts';
import { judgePrincipal, JudgingWork, type CompiledPolicy, type Verdict } from '@holdfast/iam-policy';
import type { Deadline } from '@holdfast/stdx';

/** Whom a proof was found to be, with all that judges what they may do. Immutable, shared by concurrent requests. */
export interface Principal {
  readonly caller: Caller;
  /** Never given to another user; empty for the root of an account. */
  readonly userId: string;
  /** Of the first account, whose root administers the store. */
  readonly ofFirstAccount: boolean;
  /** Identity policies: own, of groups, managed. Root has none and needs none. */
  readonly policies: readonly CompiledPolicy[];
  /** Caps what the identity policies allow. */
  readonly boundary?: CompiledPolicy;
  /** Caps what this session may do. */
  readonly sessionPolicy?: CompiledPolicy;
}

export const ANONYMOUS: Principal = {
  caller: { kind: 'anonymous', accountId: '', canonicalId: '', displayName: '', userName: '', arn: '', userId: '' },
  userId: '',
  ofFirstAccount: false,
  policies: [],
};

/** Actions on the list of accounts: they belong to no single account. */
const STORE_ACTIONS = ['iam:createaccount', 'iam:deleteaccount', 'iam:listaccounts'];

/**
 * Judges one check. Policies speak for their own account alone, `Resource: "*"` too: of another account's users and keys
 * only the root of the first account disposes, and of the store as a whole (accounts, anything that is neither S3 nor of one
 * account) only principals of the first account. A bucket's name does not tell its account: there the caller
 * of `authorize` compares owners.
 * Errors: AccessDenied, when the request takes more work than it may.
 */
export function judge(
  principal: Principal,
  check: AccessCheck,
  context: ConditionKeys = {},
  work = new JudgingWork([check]),
): Verdict {
  const verdict = judgePrincipal(principal, check, context, work);
  return verdict.decision === 'allow' && !isWithinReach(principal, check) ? NOBODY : verdict;
}

/** No statement gives it. */
const NOBODY: Verdict = { decision: 'no-allow', reason: { layer: 'none' } };

/** So long the judging of many checks may keep everybody else waiting. */
const TURN_MS = 5;

/**
 * Judges the checks of one request. A tenant writes its own policies, and a thousand keys against dear ones are seconds of work:
 * it is done in turns, to a bound, and ends with the deadline. Errors: AccessDenied (more work than a request may take),
 * ServiceUnavailable (the deadline has passed).
 */
export async function judgeInTurns(
  principal: Principal,
  checks: readonly AccessCheck[],
  context: ConditionKeys | undefined,
  deadline: Deadline,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const work = new JudgingWork(checks);
  let turnBeganMs = performance.now();
  for (const check of checks) {
    if (performance.now() - turnBeganMs >= TURN_MS) {
      await others();
      if (deadline.passed) throw new HoldfastError('ServiceUnavailable', 'The request was not judged in time.');
      turnBeganMs = performance.now();
    }
    verdicts.push(judge(principal, check, context, work));
  }
  return verdicts;
}

function isWithinReach(principal: Principal, { action, resource }: AccessCheck): boolean {
  const name = action.toLowerCase();
  if (name.startsWith('s3:')) return true;
  if (STORE_ACTIONS.includes(name)) return principal.ofFirstAccount;
  const service = name.slice(0, name.indexOf(':'));
  const accountId = accountOf(resource, service);
  if (accountId === principal.caller.accountId) return true;
  if (service !== 'iam') return principal.ofFirstAccount;
  return principal.ofFirstAccount && (principal.caller.kind === 'root' || accountId === '');
}

/** The account in an ARN of the service (arn:partition:SERVICE:region:ACCOUNT:resource), empty where none is named. */
function accountOf(resource: string, service: string): string {
  const parts = resource.split(':', 6);
  return parts[0] === 'arn' && parts.length === 6 && parts[2] === service ? parts[4] : '';
}
