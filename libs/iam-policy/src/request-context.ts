import type { AccessCheck, Caller, ConditionKeys } from '@holdfast/contracts';
import type { CompiledCondition } from './condition.js';
import { JudgingWork } from './judging-work.js';
import type { Match } from './policy-text.js';

const OBJECT_TAG = 's3:existingobjecttag/';

/** What conditions and variables of a policy may ask about one check. */
export class RequestContext {
  readonly action: string;
  readonly resource: string;
  /** A key was asked for that may have another value for another check of the request. */
  private hangsOnCheck = false;

  /**
   * @param own keys of the principal, see `principalKeys`
   * @param work of the whole request, shared by its checks
   */
  constructor(
    readonly check: AccessCheck,
    private readonly request: ConditionKeys,
    private readonly own: ConditionKeys,
    readonly work = new JudgingWork([check]),
  ) {
    work.beginCheck();
    this.action = check.action.toLowerCase();
    this.resource = check.resource;
  }

  /** Values of a key by its name in lower case. `unread`: a tag of an object that nobody has looked at. */
  get(key: string): readonly string[] | undefined | 'unread' {
    if (key.startsWith(OBJECT_TAG)) {
      this.hangsOnCheck = true;
      return this.objectTag(key.slice(OBJECT_TAG.length));
    }
    if (this.work.isOfCheck(key)) this.hangsOnCheck = true;
    const given = valueOf(this.own, key) ?? valueOf(this.check.keys, key) ?? valueOf(this.request, key);
    return given === undefined && key === 'aws:currenttime' ? this.currentTime() : given;
  }

  /** Whether a condition holds; one that hangs on no single check is judged once for all checks of a request. */
  holds(condition: CompiledCondition): Exclude<Match, 'unresolved'> {
    const known = this.work.sharedFinding(condition);
    if (known !== undefined) return known;
    this.hangsOnCheck = false;
    const found = condition.holds(this);
    if (!this.hangsOnCheck) this.work.shareFinding(condition, found);
    return found;
  }

  /** Names of keys are told apart without case, so one name may stand for two tags. */
  private objectTag(name: string): readonly string[] | undefined | 'unread' {
    const { objectTags } = this.check;
    if (objectTags?.state !== 'read') return objectTags?.state;
    const values = Object.entries(objectTags.tags).flatMap(([tag, value]) =>
      tag.toLowerCase() === name ? [value] : [],
    );
    return values.length === 0 ? undefined : values;
  }

  private currentTime(): readonly string[] | undefined {
    const seconds = valueOf(this.request, 'aws:epochtime')?.[0];
    return seconds === undefined ? undefined : [new Date(Number(seconds) * 1000).toISOString()];
  }
}

function valueOf(keys: ConditionKeys | undefined, key: string): readonly string[] | undefined {
  return keys !== undefined && Object.hasOwn(keys, key) && keys[key].length > 0 ? keys[key] : undefined;
}

/** The keys that tell who asks. A session asks as the one it was issued to. */
export function principalKeys(caller: Caller): ConditionKeys {
  switch (caller.kind) {
    case 'anonymous':
      return { 'aws:principaltype': ['Anonymous'], 'aws:userid': ['anonymous'] };
    case 'root':
      return { ...accountKeys(caller, 'Account'), 'aws:userid': [caller.accountId] };
    case 'user':
      return {
        ...accountKeys(caller, 'User'),
        'aws:userid': [caller.userId],
        'aws:username': [caller.userName],
      };
  }
}

function accountKeys({ accountId, arn }: Caller, type: string): ConditionKeys {
  return { 'aws:principaltype': [type], 'aws:principalaccount': [accountId], 'aws:principalarn': [arn] };
}
