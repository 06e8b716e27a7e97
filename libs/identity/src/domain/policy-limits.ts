import { parsePolicy } from '@holdfast/iam-policy';
import { invalid, LIMITS } from './entity-names.js';

/** What AWS takes as the policy of a session. */
const SESSION_POLICY_CHARACTERS_MAX = 2_048;

/** Errors: PolicyError. */
export function checkIdentityPolicy(document: string): void {
  parsePolicy(document);
}

/** Errors: PolicyError, InvalidArgument. */
export function checkManagedPolicy(document: string): void {
  parsePolicy(document);
  const max = LIMITS.managedPolicyCharacters;
  if (document.replace(/\s/g, '').length > max) {
    throw invalid('PolicyDocument', `a managed policy has at most ${max} characters, blanks not counted`);
  }
}

/** Errors: PolicyError, InvalidArgument. */
export function checkSessionPolicy(document: string): void {
  parsePolicy(document);
  if (document.length > SESSION_POLICY_CHARACTERS_MAX) {
    throw invalid('SessionPolicy', `the policy of a session has at most ${SESSION_POLICY_CHARACTERS_MAX} characters`);
  }
}
