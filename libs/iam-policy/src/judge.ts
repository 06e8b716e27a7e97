import type { AccessCheck, Caller, ConditionKeys, Decision, Reason } from '@holdfast/contracts';
import type { CompiledPolicy, DecidingStatement } from './compiled-policy.js';
import { evaluatePolicies, evaluateResourcePolicy, type ResourceFinding } from './evaluate.js';
import type { PrincipalMatch } from './principal-element.js';
import { JudgingWork } from './judging-work.js';
import { principalKeys, RequestContext } from './request-context.js';

/** What judges a principal, beside the policies of the resources that it asks for. */
export interface Authority {
  readonly caller: Caller;
  /** Identity policies. The root of an account needs none: it is allowed everything. */
  readonly policies: readonly CompiledPolicy[];
  /** Caps what the identity policies allow. */
  readonly boundary?: CompiledPolicy;
  /** Caps what the session may do. */
  readonly sessionPolicy?: CompiledPolicy;
}

export interface Verdict {
  readonly decision: Decision;
  readonly reason: Reason;
}

const NOBODY: Verdict = { decision: 'no-allow', reason: { layer: 'none' } };
const ROOT: Verdict = { decision: 'allow', reason: { layer: 'root' } };

type Layer = Reason['layer'];

/**
 * What identity policies, boundary and session policy say together; the policy of the resource comes on top.
 * `work` is that of the whole request. Errors: AccessDenied, when the request takes more work than it may.
 */
export function judgePrincipal(
  authority: Authority,
  check: AccessCheck,
  request: ConditionKeys,
  work = new JudgingWork([check]),
): Verdict {
  const { caller, policies, boundary, sessionPolicy } = authority;
  if (caller.kind === 'anonymous') return NOBODY;
  if (caller.kind === 'root' && sessionPolicy === undefined) return ROOT;
  const context = new RequestContext(check, request, principalKeys(caller), work);
  let verdict = ROOT;
  let open: Verdict | undefined;
  const add = (layer: Layer, given: readonly CompiledPolicy[], otherwise: Decision): Verdict | undefined => {
    const { deny, allow, openDeny, openAllow } = evaluatePolicies(given, context);
    if (deny !== undefined) return { decision: 'explicit-deny', reason: reasonOf(layer, deny) };
    if (openDeny || openAllow) open = { decision: 'needs-object-tags', reason: { layer } };
    if (allow === undefined) verdict = { decision: otherwise, reason: { layer: 'none' } };
    else if (layer === 'identity') verdict = { decision: 'allow', reason: reasonOf(layer, allow) };
    return undefined;
  };
  const denied =
    (caller.kind === 'user' ? add('identity', policies, 'no-allow') : undefined) ??
    (boundary === undefined ? undefined : add('boundary', [boundary], 'outside-boundary')) ??
    (sessionPolicy === undefined ? undefined : add('session', [sessionPolicy], 'outside-session'));
  return denied ?? open ?? verdict;
}

/** The policy of a resource, with the one who owns it. */
export interface ResourceAuthority {
  readonly accountId: string;
  readonly policy?: CompiledPolicy;
}

/**
 * The last word on one check: what the principal's own policies said, and the policy of the resource on top.
 * Within one account either side is enough: an allow of the resource for the session itself knows no cap, one for the user
 * no boundary, one for everybody both caps; one for the account only hands the question to the account's own policies.
 * From another account both sides have to allow; nobody in particular needs an allow for everybody.
 * The decision is `allow`, `explicit-deny`, `no-allow` or `needs-object-tags`.
 * `work` is that of the whole request. Errors: AccessDenied, when the request takes more work than it may.
 */
export function judgeAccess(
  verdict: Verdict,
  caller: Caller,
  resource: ResourceAuthority,
  check: AccessCheck,
  request: ConditionKeys,
  work = new JudgingWork([check]),
): Verdict {
  if (verdict.decision === 'explicit-deny') return verdict;
  const isOwn = caller.kind !== 'anonymous' && caller.accountId === resource.accountId;
  if (resource.policy === undefined) return isOwn ? openOrRefused(verdict) : NOBODY;
  const context = new RequestContext(check, request, principalKeys(caller), work);
  const found = evaluateResourcePolicy(resource.policy, caller, context);
  if (found.deny !== undefined) return { decision: 'explicit-deny', reason: reasonOf('resource', found.deny) };
  const granted = grant(verdict, found.allows, caller, isOwn);
  // A deny that hangs on the tags may stand on either side, and overrides every allow.
  const isOpen = found.openDeny || verdict.decision === 'needs-object-tags';
  if (granted !== undefined && !isOpen) return granted;
  return granted !== undefined || couldBeGranted(verdict, found, caller, isOwn) ? NEEDS_TAGS : NOBODY;
}

const NEEDS_TAGS: Verdict = { decision: 'needs-object-tags', reason: { layer: 'resource' } };

function openOrRefused(verdict: Verdict): Verdict {
  const { decision, reason } = verdict;
  return decision === 'allow' || decision === 'needs-object-tags' ? verdict : { decision: 'no-allow', reason };
}

type Allows = ReadonlyMap<PrincipalMatch, DecidingStatement>;

function grant({ decision, reason }: Verdict, allows: Allows, caller: Caller, isOwn: boolean): Verdict | undefined {
  const by = (named: PrincipalMatch): Verdict | undefined => {
    const statement = allows.get(named);
    return statement && { decision: 'allow', reason: reasonOf('resource', statement) };
  };
  if (caller.kind === 'anonymous') return by('everyone');
  if (!isOwn) {
    if (decision !== 'allow') return undefined;
    return by('session') ?? by('user') ?? by('everyone') ?? by('account');
  }
  if (decision === 'allow') return { decision, reason };
  const bySession = by('session');
  if (bySession !== undefined || decision === 'outside-session' || decision === 'needs-object-tags') return bySession;
  const byUser = by('user');
  if (byUser !== undefined || decision === 'outside-boundary') return byUser;
  return by('everyone');
}

const ANY_STATEMENT: DecidingStatement = { policyName: '', index: 0 };

/** Whether it would be allowed if all that is open turned out well. */
function couldBeGranted(verdict: Verdict, found: ResourceFinding, caller: Caller, isOwn: boolean): boolean {
  const hoped: Verdict = verdict.decision === 'needs-object-tags' ? { ...verdict, decision: 'allow' } : verdict;
  const allows = new Map(found.allows);
  for (const named of found.openAllows) allows.set(named, ANY_STATEMENT);
  return grant(hoped, allows, caller, isOwn) !== undefined;
}

function reasonOf(layer: Layer, { policyName, index, sid }: DecidingStatement): Reason {
  return { layer, policyName, statement: index, ...(sid === undefined ? {} : { sid }) };
}
