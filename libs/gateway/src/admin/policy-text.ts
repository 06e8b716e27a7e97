import { HoldfastError } from '@holdfast/contracts';

/** What the identity port takes. Identity itself allows less. */
const POLICY_CHARACTERS_MAX = 65_536;

/** A policy that a body holds, as text. Errors: InvalidArgument. */
export function policyTextOf(document: Record<string, unknown>, charactersMax = POLICY_CHARACTERS_MAX): string {
  return checkPolicyText(JSON.stringify(document), charactersMax);
}

/** Errors: InvalidArgument. */
export function checkPolicyText(text: string, charactersMax = POLICY_CHARACTERS_MAX): string {
  if (text.length <= charactersMax) return text;
  throw new HoldfastError('InvalidArgument', `The policy has more than ${charactersMax} characters.`);
}
