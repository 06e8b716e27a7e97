import { setImmediate as others } from 'node:timers/promises';
import type { Clock } from '@holdfast/stdx';
import {
  HoldfastError,
  isHoldfastError,
  type AccessCheck,
  type BucketRecord,
  type Identity,
  type Metadata,
  type ObjectVersion,
} from '@holdfast/contracts';
import { judgeAccess, JudgingWork, type ResourceAuthority, type Verdict } from '@holdfast/iam-policy';
import { bucketOf, keyOf, withTagState, type JudgedCheck } from './access-judgement.js';
import { pairVerdicts } from './authorizer.js';
import { BucketPolicies, type BucketPolicy } from './bucket-policies.js';
import type { Exchange } from './exchange.js';

/** So old may a record be that chooses where bytes go: with the time to answer it stays below the 2 s of a revocation. */
const HINT_MS = 1500;
const HINTS_MAX = 10_000;
/** So long the judging of many checks may keep everybody else waiting. */
const TURN_MS = 10;
/** The root of the account that owns a bucket keeps these whatever its policy denies, or nobody could mend it. */
const POLICY_ACTIONS: ReadonlySet<string> = new Set([
  's3:GetBucketPolicy',
  's3:PutBucketPolicy',
  's3:DeleteBucketPolicy',
]);

/** The account that the client expects to own the bucket. */
type OwnerHeader = 'x-amz-expected-bucket-owner' | 'x-amz-source-expected-bucket-owner';

/**
 * allowResource: what the bucket's owner and its policy say to what identity has said. A remembered record is a hint that
 * saves a query: it may choose where bytes go, because the commit judges the record again under its lock; it never refuses
 * anybody.
 */
export class BucketAccess {
  private readonly hints = new Map<string, { readonly bucket: BucketRecord; readonly untilMs: number }>();
  readonly policies: BucketPolicies;

  constructor(
    private readonly metadata: Metadata,
    private readonly identity: Identity,
    private readonly clock: Clock,
  ) {
    this.policies = new BucketPolicies(metadata);
  }

  /**
   * Before an operation begins whose caller identity alone does not allow: lets it go on only if each bucket that it needs
   * does. Reads records of buckets and tags that conditions name. @throws HoldfastError NoSuchBucket, AccessDenied
   */
  async admit(exchange: Exchange): Promise<void> {
    const { access } = exchange.grant;
    for (const bucketName of access.buckets) {
      const { bucket } = await this.metadata.findBucket(exchange.controlCall(), { name: bucketName });
      const record = found(bucket, bucketName);
      try {
        await this.judge(exchange, record, undefined);
      } catch (error) {
        // What is there the operation refuses.
        if (isHoldfastError(error, 'AccessDenied') && (await this.mayLearnOfAbsence(exchange, record))) return;
        throw error;
      }
    }
    if (!access.isAllowed) throw new HoldfastError('AccessDenied');
  }

  /** The bucket of the request as it is now. @throws HoldfastError NoSuchBucket, AccessDenied */
  async current(exchange: Exchange): Promise<BucketRecord> {
    const { bucket } = await this.metadata.findBucket(exchange.controlCall(), { name: exchange.bucketName });
    return this.check(exchange, bucket);
  }

  /** The bucket of the request as it was at most `HINT_MS` ago. @throws HoldfastError NoSuchBucket, AccessDenied */
  async hinted(exchange: Exchange): Promise<BucketRecord> {
    const hint = this.hints.get(exchange.bucketName);
    if (
      hint !== undefined &&
      hint.untilMs > this.clock.monotonicMs() &&
      (await this.isAllowedBy(hint.bucket, exchange))
    ) {
      return hint.bucket;
    }
    return this.current(exchange);
  }

  /**
   * Judges the record that came with another answer.
   * @param version what was found of the object that is asked for, so that its tags are judged and no others
   * @throws HoldfastError NoSuchBucket, AccessDenied
   */
  check(exchange: Exchange, bucket: BucketRecord | undefined, version?: ObjectVersion): Promise<BucketRecord> {
    return this.checkNamed(exchange, exchange.bucketName, bucket, 'x-amz-expected-bucket-owner', version);
  }

  /**
   * The same for a key that is not there: who may not read it, but may list it, learns so.
   * @throws HoldfastError NoSuchBucket, AccessDenied
   */
  async checkAbsence(exchange: Exchange, bucket: BucketRecord | undefined): Promise<BucketRecord> {
    try {
      return await this.check(exchange, bucket);
    } catch (error) {
      if (bucket === undefined || !isHoldfastError(error, 'AccessDenied')) throw error;
      refuseUnexpectedOwner(exchange, bucket, 'x-amz-expected-bucket-owner');
      if (!(await this.mayLearnOfAbsence(exchange, bucket))) throw error;
      return bucket;
    }
  }

  /** Of a refused request: whether nothing denies it, and the listing of its key is allowed. */
  private async mayLearnOfAbsence(exchange: Exchange, bucket: BucketRecord): Promise<boolean> {
    const { access } = exchange.grant;
    if (!access.tellsAbsence || access.isDenied) return false;
    const index = access.requiredCount;
    const policy = await this.policyOf(exchange, bucket);
    const byIdentity = access.byIdentity[index];
    const verdict = await this.judgeCheck(exchange, bucket, policy, access.checks[index], byIdentity, undefined);
    access.verdicts[index] = verdict;
    return verdict.decision === 'allow';
  }

  /** Judges the record of the bucket that a copy reads from. @throws HoldfastError NoSuchBucket, AccessDenied */
  checkSource(
    exchange: Exchange,
    name: string,
    bucket: BucketRecord | undefined,
    version?: ObjectVersion,
  ): Promise<BucketRecord> {
    return this.checkNamed(exchange, name, bucket, 'x-amz-source-expected-bucket-owner', version);
  }

  private async checkNamed(
    exchange: Exchange,
    name: string,
    bucket: BucketRecord | undefined,
    expectedOwner: OwnerHeader,
    version: ObjectVersion | undefined,
  ): Promise<BucketRecord> {
    try {
      const record = found(bucket, name);
      refuseUnexpectedOwner(exchange, record, expectedOwner);
      await this.judge(exchange, record, version);
      this.remember(name, record);
      return record;
    } catch (error) {
      this.hints.delete(name);
      throw error;
    }
  }

  forget(name: string): void {
    this.hints.delete(name);
  }

  /** What identity says of checks that only the body named, such as the keys of DeleteObjects. */
  async byIdentity(exchange: Exchange, given: readonly AccessCheck[]): Promise<JudgedCheck[]> {
    const { caller, context } = exchange.grant.access;
    const checks = given.map(withTagState);
    const answer = await this.identity.decide(exchange.controlCall(), { caller, checks, context });
    const verdicts = pairVerdicts(checks.length, answer.decisions, answer.reasons);
    const judged = checks.map((check, index) => ({ check, verdict: verdicts[index] }));
    exchange.grant.access.later.push(...judged.filter(({ verdict }) => verdict.decision === 'explicit-deny'));
    return judged;
  }

  /** What the bucket says on top. @throws HoldfastError AccessDenied, ServiceUnavailable */
  async decide(exchange: Exchange, bucket: BucketRecord, judged: readonly JudgedCheck[]): Promise<Verdict[]> {
    const policy = await this.policyOf(exchange, bucket);
    const { deadline } = exchange.controlCall();
    const work = new JudgingWork(judged.map(({ check }) => check));
    let turnBeganMs = performance.now();
    const verdicts: Verdict[] = [];
    for (const { check, verdict } of judged) {
      if (performance.now() - turnBeganMs >= TURN_MS) {
        await others();
        if (deadline.passed) throw new HoldfastError('ServiceUnavailable', 'The request was not judged in time.');
        turnBeganMs = performance.now();
      }
      verdicts.push(await this.judgeCheck(exchange, bucket, policy, check, verdict, undefined, work));
    }
    return verdicts;
  }

  private async isAllowedBy(bucket: BucketRecord, exchange: Exchange): Promise<boolean> {
    try {
      refuseUnexpectedOwner(exchange, bucket, 'x-amz-expected-bucket-owner');
      await this.judge(exchange, bucket, undefined);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'AccessDenied') return false;
      throw error;
    }
  }

  /** Judges the checks that name this bucket. @throws HoldfastError AccessDenied, ServiceUnavailable */
  private async judge(exchange: Exchange, bucket: BucketRecord, version: ObjectVersion | undefined): Promise<void> {
    const { access } = exchange.grant;
    const asked = this.policyOf(exchange, bucket);
    const policy = asked === undefined ? undefined : await asked;
    const isClosed = policy === undefined && !owns(exchange, bucket);
    if (policy === undefined && !isClosed && access.allowedByIdentity) return;
    const work = new JudgingWork(access.checks);
    for (const [index, check] of access.checks.entries()) {
      if (bucketOf(check.resource) !== bucket.name) continue;
      const verdict = access.byIdentity[index];
      access.verdicts[index] = await this.judgeCheck(exchange, bucket, policy, check, verdict, version, work);
      if (index < access.requiredCount && access.verdicts[index].decision !== 'allow') {
        throw new HoldfastError('AccessDenied');
      }
    }
    if (isClosed) throw new HoldfastError('AccessDenied');
  }

  private async judgeCheck(
    exchange: Exchange,
    bucket: BucketRecord,
    policy: BucketPolicy | undefined,
    check: AccessCheck,
    byIdentity: Verdict,
    version: ObjectVersion | undefined,
    work = new JudgingWork([check]),
  ): Promise<Verdict> {
    const { caller, context } = exchange.grant.access;
    const resource = resourceAuthority(exchange, bucket, policy, check);
    const known = version === undefined || check.objectTags === undefined ? check : withTags(check, version.tags);
    const verdict = judgeAccess(byIdentity, caller, resource, known, context, work);
    if (verdict.decision !== 'needs-object-tags') return verdict;
    const ready = known === check ? withTags(check, await this.tagsOf(exchange, check)) : known;
    const again = byIdentity.decision === 'needs-object-tags' ? await this.askAgain(exchange, ready) : byIdentity;
    return judgeAccess(again, caller, resource, ready, context, work);
  }

  private async askAgain(exchange: Exchange, check: AccessCheck): Promise<Verdict> {
    const { caller, context } = exchange.grant.access;
    const answer = await this.identity.decide(exchange.controlCall(), { caller, checks: [check], context });
    return pairVerdicts(1, answer.decisions, answer.reasons)[0];
  }

  private async tagsOf(exchange: Exchange, { resource, keys }: AccessCheck): Promise<ObjectVersion['tags']> {
    const versionId = (keys?.['s3:versionid'] ?? exchange.grant.access.context['s3:versionid'])?.[0];
    const { version } = await this.metadata.findObject(exchange.controlCall(), {
      bucketName: bucketOf(resource),
      key: keyOf(resource),
      ...(versionId === undefined ? {} : { versionId: versionId.slice(0, 64) }),
    });
    return version?.tags;
  }

  private policyOf(exchange: Exchange, bucket: BucketRecord): Promise<BucketPolicy | undefined> | undefined {
    return bucket.configurations.includes('policy') ? this.policies.of(exchange.controlCall(), bucket) : undefined;
  }

  private remember(name: string, bucket: BucketRecord): void {
    const nowMs = this.clock.monotonicMs();
    const held = this.hints.get(name);
    if (held?.bucket.revision === bucket.revision && held.untilMs - nowMs > HINT_MS / 2) return;
    if (this.hints.size >= HINTS_MAX) this.hints.clear();
    this.hints.set(name, { bucket, untilMs: nowMs + HINT_MS });
  }
}

function found(bucket: BucketRecord | undefined, name: string): BucketRecord {
  if (bucket === undefined) throw new HoldfastError('NoSuchBucket', undefined, { BucketName: name });
  return bucket;
}

function owns({ caller }: Exchange, bucket: BucketRecord): boolean {
  return bucket.accountId !== '' && bucket.accountId === caller.accountId;
}

function refuseUnexpectedOwner(exchange: Exchange, bucket: BucketRecord, header: OwnerHeader): void {
  const expected = exchange.request.headers.get(header);
  if (expected !== undefined && expected !== bucket.accountId) throw new HoldfastError('AccessDenied');
}

function withTags(check: AccessCheck, tags: ObjectVersion['tags']): AccessCheck {
  return { ...check, objectTags: { state: 'read', tags: tags ?? {} } };
}

function resourceAuthority(
  exchange: Exchange,
  bucket: BucketRecord,
  policy: BucketPolicy | undefined,
  { action }: AccessCheck,
): ResourceAuthority {
  const { accountId } = bucket;
  if (policy === undefined) return { accountId };
  const isOwn = owns(exchange, bucket);
  const isRoot = isOwn && exchange.caller.kind === 'root';
  if (isRoot && !policy.removesSelf && POLICY_ACTIONS.has(action)) return { accountId };
  // RestrictPublicBuckets: what a public policy allows, it allows within the account.
  if (policy.isRestricted && !isOwn) return { accountId };
  return { accountId, policy: policy.compiled };
}
