import type { Reason } from '@holdfast/contracts';
import type { AccessJudgement } from './access-judgement.js';

/** Why one check of a request ended as it did. */
export interface ExplainedCheck {
  readonly action: string;
  readonly resource: string;
  readonly decision: string;
  /** Where the statement stands that decided: `none` where no statement applied, `root` where none was needed. */
  readonly layer: string;
  readonly policyName?: string;
  /** Place of the statement in the policy, from 0. */
  readonly statement?: number;
  readonly sid?: string;
}

/** What was decided of one request. Never a secret: names, and what the request asked for. */
export interface ExplainedDecision {
  readonly requestId: string;
  /** ARN of the caller, empty for anonymous. */
  readonly principal: string;
  /** Present for temporary credentials. */
  readonly session?: string;
  /** True when what the operation needs was allowed; each key of a DeleteObjects is decided by itself. */
  readonly allowed: boolean;
  /** Of many checks the first 32. */
  readonly checks: readonly ExplainedCheck[];
}

const CAPACITY = 16_384;
const CHECKS_MAX = 32;
/** Stands in no key, no name and no action. */
const SEPARATOR = '\0';
const FIELDS = 7;

/**
 * The last decisions of this process, in a ring of fixed size. Columns of text: objects that outlive their request are what
 * the garbage collector copies all day.
 */
export class DecisionLog {
  private readonly requestIds: string[] = [];
  private readonly principals: string[] = [];
  private readonly sessions: string[] = [];
  private readonly outcomes: boolean[] = [];
  private readonly details: string[] = [];
  private next = 0;

  constructor(private readonly capacity = CAPACITY) {}

  record(requestId: string, access: AccessJudgement): void {
    const at = this.next;
    this.requestIds[at] = requestId;
    this.principals[at] = access.caller.arn;
    this.sessions[at] = access.caller.session?.arn ?? '';
    this.outcomes[at] = access.isAllowed;
    this.details[at] = detailOf(access);
    this.next = at + 1 === this.capacity ? 0 : at + 1;
  }

  /** Undefined when the request was not judged here, or too many came after it. */
  find(requestId: string): ExplainedDecision | undefined {
    const at = this.requestIds.lastIndexOf(requestId);
    if (at === -1) return undefined;
    const session = this.sessions[at];
    return {
      requestId,
      principal: this.principals[at],
      ...(session === '' ? {} : { session }),
      allowed: this.outcomes[at],
      checks: checksOf(this.details[at]),
    };
  }
}

function detailOf({ checks, verdicts, later }: AccessJudgement): string {
  let detail = '';
  for (let index = 0; index < checks.length; index += 1) {
    const { decision, reason } = verdicts[index];
    detail += fieldsOf(checks[index].action, checks[index].resource, decision, reason);
  }
  for (let index = 0; index < later.length && checks.length + index < CHECKS_MAX; index += 1) {
    const { check, verdict } = later[index];
    detail += fieldsOf(check.action, check.resource, verdict.decision, verdict.reason);
  }
  return detail;
}

function fieldsOf(action: string, resource: string, decision: string, reason: Reason): string {
  const { layer, policyName = '', statement = '', sid = '' } = reason;
  return [action, resource, decision, layer, policyName, statement, sid, ''].join(SEPARATOR);
}

function checksOf(detail: string): ExplainedCheck[] {
  const fields = detail.split(SEPARATOR);
  const checks: ExplainedCheck[] = [];
  for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
    const [action, resource, decision, layer, policyName, statement, sid] = fields.slice(at, at + FIELDS);
    checks.push({
      ...{ action, resource, decision, layer },
      ...(policyName === '' ? {} : { policyName }),
      ...(statement === '' ? {} : { statement: Number(statement) }),
      ...(sid === '' ? {} : { sid }),
    });
  }
  return checks;
}
