import { HoldfastError, type CallContext, type Identity, type TraceLog } from '@holdfast/contracts';
import { chunkSigning } from '@holdfast/s3-protocol';
import type { Claim } from './authentication/authenticator.js';
import type { Grant } from './exchange.js';
import type { AccessQuestion } from './operation.js';

/** Step 3 of each flow of the seed: the API service asks IAM. */
const ASK_IAM_STEP = 3;

/**
 * allowIdentity: one call to the identity service authenticates the claim and judges all that the operation needs. An
 * explicit deny, or the lack of an allow, ends the request here: neither metadata nor data has been called.
 * @throws HoldfastError AccessDenied, and what `Identity.authorize` throws
 */
export async function allowIdentity(
  identity: Identity,
  trace: TraceLog,
  call: CallContext,
  claim: Claim,
  question: AccessQuestion,
): Promise<Grant> {
  const { required, optional = [] } = question;
  trace.step(call, ASK_IAM_STEP, required[0]?.action ?? '');
  const answer = await identity.authorize(call, { proof: claim.proof, checks: [...required, ...optional] });
  if (answer.decisions.length !== required.length + optional.length) {
    throw new HoldfastError('InternalError', 'the identity service left a check unanswered');
  }
  // Without bucket policies there is nothing that could let an anonymous caller in, whatever an operation requires.
  if (answer.caller.kind === 'anonymous') throw new HoldfastError('AccessDenied');
  for (let index = 0; index < required.length; index += 1) {
    if (answer.decisions[index] !== 'allow') throw new HoldfastError('AccessDenied');
  }
  const grant: Grant = {
    caller: answer.caller,
    asked: answer.decisions.slice(required.length),
    payload: claim.payload,
  };
  const { payload, credential } = claim;
  if (payload.kind !== 'chunked' || !payload.signed || credential === undefined) return grant;
  if (answer.signingKey === undefined) {
    throw new HoldfastError('InternalError', 'the identity service gave no key for signed chunks');
  }
  return { ...grant, chunkSigning: chunkSigning(credential, answer.signingKey) };
}
