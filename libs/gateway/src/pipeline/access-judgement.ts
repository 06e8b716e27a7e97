import type { AccessCheck, Caller, ConditionKeys, Decision, ObjectTags } from '@holdfast/contracts';
import type { Verdict } from '@holdfast/iam-policy';

/** A check with what is said of it. */
export interface JudgedCheck {
  readonly check: AccessCheck;
  readonly verdict: Verdict;
}

/** What is known so far of whether one request may do what it asks for: filled by identity, then by the buckets' side. */
export class AccessJudgement {
  /** Per check, the last word so far. */
  readonly verdicts: Verdict[];
  /** Checks that only the body named, once they are judged. */
  readonly later: JudgedCheck[] = [];
  /** True where identity allows each check: then only the bucket's side is left to be heard. */
  readonly allowedByIdentity: boolean;

  /** @param byIdentity one verdict a check; the first `requiredCount` must all be allowed in the end */
  constructor(
    readonly caller: Caller,
    readonly context: ConditionKeys,
    readonly checks: readonly AccessCheck[],
    readonly byIdentity: readonly Verdict[],
    readonly requiredCount: number,
    /** As `AccessQuestion.tellsAbsence`. */
    readonly tellsAbsence = false,
  ) {
    this.verdicts = [...byIdentity];
    this.allowedByIdentity = byIdentity.every(({ decision }) => decision === 'allow');
  }

  /** The required checks, as far as they are judged. */
  get isAllowed(): boolean {
    for (let index = 0; index < this.requiredCount; index += 1) {
      if (this.verdicts[index].decision !== 'allow') return false;
    }
    return true;
  }

  get isDenied(): boolean {
    for (let index = 0; index < this.requiredCount; index += 1) {
      if (this.verdicts[index].decision === 'explicit-deny') return true;
    }
    return false;
  }

  /** Decisions on the optional checks, in their order. */
  get asked(): Decision[] {
    return this.verdicts.slice(this.requiredCount).map(({ decision }) => decision);
  }

  /** Buckets that the required checks name. */
  get buckets(): Set<string> {
    return new Set(this.checks.slice(0, this.requiredCount).map(({ resource }) => bucketOf(resource)));
  }
}

const ARN = 'arn:aws:s3:::';
const UNREAD: ObjectTags = { state: 'unread' };

/** Actions on an object that is there: S3 offers `s3:ExistingObjectTag/…` for these alone. */
const ON_EXISTING_OBJECTS: ReadonlySet<string> = new Set(
  ['Get', 'Put', 'Delete'].flatMap((verb) =>
    ['Object', 'ObjectVersion'].flatMap((object) => {
      const aspects = ['Tagging', ...(verb === 'Delete' ? [] : ['Acl'])];
      return [...(verb === 'Get' ? ['', 'Attributes', ...aspects] : aspects)].map(
        (aspect) => `s3:${verb}${object}${aspect}`,
      );
    }),
  ),
);

/** The check as the identity service gets it: it says when tags of the object matter. */
export function withTagState(check: AccessCheck): AccessCheck {
  return ON_EXISTING_OBJECTS.has(check.action) ? { ...check, objectTags: UNREAD } : check;
}

/** The bucket in `arn:aws:s3:::bucket/key`. */
export function bucketOf(resource: string): string {
  const end = resource.indexOf('/');
  return resource.slice(ARN.length, end === -1 ? undefined : end);
}

export function keyOf(resource: string): string {
  return resource.slice(resource.indexOf('/') + 1);
}
