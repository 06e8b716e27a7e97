import {
  HoldfastError,
  type CallContext,
  type Caller,
  type ConditionKeys,
  type Decision,
  type Identity,
  type TraceLog,
} from '@holdfast/contracts';
import type { Verdict } from '@holdfast/iam-policy';
import { chunkSigning, type ChunkSigning, type PayloadMode, type S3Operation } from '@holdfast/s3-protocol';
import { AccessJudgement, withTagState } from './access-judgement.js';
import type { Claim } from './authentication/authenticator.js';
import type { Exchange, Grant } from './exchange.js';
import type { AccessQuestion } from './operation.js';

/** Step 3 of each flow of the seed: the API service asks IAM. */
const ASK_IAM_STEP = 3;

const ANONYMOUS: Caller = {
  kind: 'anonymous',
  accountId: '',
  canonicalId: '',
  displayName: '',
  userName: '',
  arn: '',
  userId: '',
};

/** For what asks for no permission at all. */
export const NOBODY: Grant = {
  caller: ANONYMOUS,
  access: new AccessJudgement(ANONYMOUS, {}, [], [], 0),
  asked: [],
  payload: { kind: 'unsigned' },
};

/**
 * allowIdentity: one call to the identity service authenticates the claim and judges all that the operation needs. The grant
 * may lack an allow that the policy of a bucket can still give; an explicit deny ends the request in the pipeline: neither
 * metadata nor data has been called.
 * @throws HoldfastError what `Identity.authorize` throws
 */
export async function allowIdentity(
  identity: Identity,
  trace: TraceLog,
  call: CallContext,
  claim: Claim,
  question: AccessQuestion,
  context: ConditionKeys,
): Promise<Grant> {
  const { required, optional = [], tellsAbsence } = question;
  trace.step(call, ASK_IAM_STEP, required[0]?.action ?? '');
  const checks = [...required, ...optional].map(withTagState);
  const { caller, decisions, reasons, signingKey } = await identity.authorize(call, {
    proof: claim.proof,
    checks,
    context,
  });
  const verdicts = pairVerdicts(checks.length, decisions, reasons);
  const access = new AccessJudgement(caller, context, checks, verdicts, required.length, tellsAbsence);
  return new IdentityGrant(caller, access, claim.payload, signingOf(claim, signingKey));
}

/** A class: the runtime is slow at a literal with a getter, and each request has one. */
class IdentityGrant implements Grant {
  constructor(
    readonly caller: Caller,
    readonly access: AccessJudgement,
    readonly payload: PayloadMode,
    readonly chunkSigning: ChunkSigning | undefined,
  ) {}

  get asked(): readonly Decision[] {
    return this.access.asked;
  }
}

/**
 * Ends here what is denied, and what has no bucket that could allow it. Where identity alone does not allow, the buckets are
 * heard before the operation begins; where it does, the operation asks them with the record that it reads anyway.
 * @returns undefined when nobody needs to be waited for
 * @throws HoldfastError AccessDenied, NoSuchBucket
 */
export function allowResource(exchange: Exchange, row: S3Operation): Promise<void> | undefined {
  const { access } = exchange.grant;
  if (access.isDenied) throw new HoldfastError('AccessDenied');
  if (access.isAllowed && exchange.caller.kind !== 'anonymous') return undefined;
  if (row.level === 'service' || row.name === 'CreateBucket') throw new HoldfastError('AccessDenied');
  return exchange.services.buckets.admit(exchange);
}

function signingOf({ payload, credential }: Claim, signingKey: Buffer | undefined): ChunkSigning | undefined {
  if (payload.kind !== 'chunked' || !payload.signed || credential === undefined) return undefined;
  if (signingKey === undefined) {
    throw new HoldfastError('InternalError', 'the identity service gave no key for signed chunks');
  }
  return chunkSigning(credential, signingKey);
}

/** @throws HoldfastError InternalError for an answer that leaves a check out */
export function pairVerdicts(
  checkCount: number,
  decisions: readonly Verdict['decision'][],
  reasons: readonly Verdict['reason'][],
): Verdict[] {
  if (decisions.length !== checkCount || reasons.length !== checkCount) {
    throw new HoldfastError('InternalError', 'the identity service left a check unanswered');
  }
  return decisions.map((decision, index) => ({ decision, reason: reasons[index] }));
}
