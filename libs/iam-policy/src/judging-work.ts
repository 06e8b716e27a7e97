import { HoldfastError, type AccessCheck } from '@holdfast/contracts';
import type { CompiledCondition } from './condition.js';
import type { Match } from './policy-text.js';
import type { MatchWork } from './wildcard.js';

/** Of one check, which nobody interrupts. A step takes two to five nanoseconds; honest policies of a user are far below. */
const CHECK_STEPS_MAX = 2_000_000;
/** What a request with many checks may take for each beside: what hangs on none of them alone is judged once. */
const STEPS_PER_CHECK = 50_000;

/**
 * What judging one request has taken so far, over all its checks and policies. Tenants write policies and clients what they are
 * held against: a request that takes more than it may is refused, so that neither holds up the others.
 */
export class JudgingWork implements MatchWork {
  steps = 0;
  private readonly requestStepsMax: number;
  /** Where the check that is being judged has to end. */
  private stepsMax = 0;
  /** Names of the condition keys that checks bring themselves, in lower case. */
  private readonly keysOfChecks: Set<string> | undefined;
  private readonly sharedFindings: Map<CompiledCondition, Exclude<Match, 'unresolved'>> | undefined;

  constructor(checks: readonly AccessCheck[]) {
    this.requestStepsMax = CHECK_STEPS_MAX + STEPS_PER_CHECK * checks.length;
    if (checks.length < 2) return;
    this.sharedFindings = new Map();
    this.keysOfChecks = new Set(checks.flatMap(({ keys = {} }) => Object.keys(keys)));
  }

  beginCheck(): void {
    this.stepsMax = Math.min(this.requestStepsMax, this.steps + CHECK_STEPS_MAX);
  }

  /** Errors: AccessDenied, when the check or the request has taken more than it may. */
  spend(steps: number): void {
    this.steps += steps;
    if (this.steps > this.stepsMax) {
      throw new HoldfastError('AccessDenied', 'The policies take more work to judge than one request may cost.');
    }
  }

  /** Whether a condition key may have another value for another check of the request. */
  isOfCheck(key: string): boolean {
    return this.keysOfChecks?.has(key) === true;
  }

  /** What was found of a condition that hangs on no single check. */
  sharedFinding(condition: CompiledCondition): Exclude<Match, 'unresolved'> | undefined {
    return this.sharedFindings?.get(condition);
  }

  shareFinding(condition: CompiledCondition, found: Exclude<Match, 'unresolved'>): void {
    this.sharedFindings?.set(condition, found);
  }
}
