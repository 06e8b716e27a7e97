import { setImmediate as others } from 'node:timers/promises';
import type { Caller, Decision, AccessCheck } from '@holdfast/contracts';
import { evaluate, type CompiledPolicy } from '@holdfast/iam-policy';

/** Whom a proof was found to be, with all that judges what they may do. Immutable, shared by concurrent requests. */
export interface Principal {
  readonly caller: Caller;
  /** Never given to another user; empty for the root of an account. */
  readonly userId: string;
  /** Of the first account, whose root administers the store. */
  readonly ofFirstAccount: boolean;
  /** Identity policies; root has none and needs none. */
  readonly policies: readonly CompiledPolicy[];
}

export const ANONYMOUS: Principal = {
  caller: { kind: 'anonymous', accountId: '', canonicalId: '', displayName: '', userName: '', arn: '' },
  userId: '',
  ofFirstAccount: false,
  policies: [],
};

/** Actions on the list of accounts: they belong to no single account. */
const STORE_ACTIONS = ['iam:createaccount', 'iam:deleteaccount', 'iam:listaccounts'];

/**
 * Judges one check. Policies speak for their own account alone, `Resource: "*"` too: of another account's users and keys
 * only the root of the first account disposes, and of the store as a whole (accounts, anything that is neither S3 nor the
 * users of one account) only principals of the first account. A bucket's name does not tell its account: there the caller
 * of `authorize` compares owners.
 */
export function judge(principal: Principal, check: AccessCheck): Decision {
  const { kind } = principal.caller;
  if (kind === 'anonymous') return 'no-allow';
  const decision = kind === 'root' ? 'allow' : evaluate(principal.policies, check.action, check.resource).decision;
  return decision === 'allow' && !isWithinReach(principal, check) ? 'no-allow' : decision;
}

/** So long the judging of many checks may keep everybody else waiting. */
const TURN_MS = 10;

/** Judges many checks. A tenant writes its own policies, and a thousand keys against dear ones are seconds of work. */
export async function judgeInTurns(principal: Principal, checks: readonly AccessCheck[]): Promise<Decision[]> {
  const decisions: Decision[] = [];
  let turnBeganMs = performance.now();
  for (const check of checks) {
    if (performance.now() - turnBeganMs >= TURN_MS) {
      await others();
      turnBeganMs = performance.now();
    }
    decisions.push(judge(principal, check));
  }
  return decisions;
}

function isWithinReach(principal: Principal, { action, resource }: AccessCheck): boolean {
  const name = action.toLowerCase();
  if (name.startsWith('s3:')) return true;
  if (!name.startsWith('iam:') || STORE_ACTIONS.includes(name)) return principal.ofFirstAccount;
  const accountId = accountOf(resource);
  if (accountId === principal.caller.accountId) return true;
  return principal.ofFirstAccount && (principal.caller.kind === 'root' || accountId === '');
}

/** The account in an ARN (arn:partition:service:region:ACCOUNT:resource), empty where none is named. */
function accountOf(resource: string): string {
  const parts = resource.split(':', 6);
  return parts[0] === 'arn' && parts.length === 6 ? parts[4] : '';
}
