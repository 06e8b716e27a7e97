import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { compilePolicy } from '@holdfast/iam-policy';
import { Deadline, ManualClock } from '@holdfast/stdx';
import { ANONYMOUS, judge, judgeInTurns, type Principal } from './principal.js';

const OWN = '111111111111';
const OTHER = '222222222222';
const all = compilePolicy('all', '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}');
const closed = compilePolicy('closed', '{"Statement":{"Effect":"Deny","Action":"iam:*","Resource":"*"}}');

function principal(kind: 'root' | 'user', ofFirstAccount: boolean, policies = [all]): Principal {
  const caller = {
    kind,
    accountId: OWN,
    canonicalId: 'c',
    displayName: 'd',
    userName: kind === 'user' ? 'u' : '',
    arn: 'a',
    userId: kind === 'user' ? 'id' : '',
  };
  return { caller, userId: kind === 'user' ? 'id' : '', ofFirstAccount, policies: kind === 'user' ? policies : [] };
}
const decide = (who: Principal, action: string, resource: string): string => judge(who, { action, resource }).decision;

describe('reach of principals', () => {
  const storeRoot = principal('root', true);
  const storeUser = principal('user', true);
  const tenantRoot = principal('root', false);
  const tenantUser = principal('user', false);
  const ownUser = `arn:aws:iam::${OWN}:user/x`;
  const otherUser = `arn:aws:iam::${OTHER}:user/x`;

  it.each([
    ['s3:GetObject', 'arn:aws:s3:::b/k', ['allow', 'allow', 'allow', 'allow']],
    ['S3:GetObject', 'arn:aws:s3:::b/k', ['allow', 'allow', 'allow', 'allow']],
    ['iam:CreateUser', ownUser, ['allow', 'allow', 'allow', 'allow']],
    ['iam:CreateUser', otherUser, ['allow', 'no-allow', 'no-allow', 'no-allow']],
    ['iam:CreateUser', '*', ['allow', 'allow', 'no-allow', 'no-allow']],
    ['iam:CreateUser', `x:aws:iam::${OWN}:user/x`, ['allow', 'allow', 'no-allow', 'no-allow']],
    ['IAM:createAccount', `arn:aws:iam::${OWN}:account`, ['allow', 'allow', 'no-allow', 'no-allow']],
    ['iam:ListAccounts', '*', ['allow', 'allow', 'no-allow', 'no-allow']],
    ['holdfast:StopNode', ownUser, ['allow', 'allow', 'no-allow', 'no-allow']],
    ['holdfast:GetBucket', `arn:aws:holdfast::${OWN}:bucket/b`, ['allow', 'allow', 'allow', 'allow']],
    ['holdfast:GetBucket', 'arn:aws:holdfast::999999999999:bucket/b', ['allow', 'allow', 'no-allow', 'no-allow']],
  ])('seed-3.3: %s on %s', (action, resource, expected) => {
    expect([storeRoot, storeUser, tenantRoot, tenantUser].map((who) => decide(who, action, resource))).toEqual(
      expected,
    );
  });

  it('seed-3.3: a deny stays a deny, also beyond the reach', () => {
    for (const resource of [ownUser, otherUser]) {
      expect(decide(principal('user', false, [all, closed]), 'iam:CreateUser', resource)).toBe('explicit-deny');
    }
  });

  it('seed-3.3: nobody is allowed nothing', () => {
    expect(decide({ ...ANONYMOUS, policies: [all] }, 's3:GetObject', 'arn:aws:s3:::b/k')).toBe('no-allow');
  });
});

describe('many checks', () => {
  const in10s = Deadline.in(10_000);
  afterEach(() => void jest.restoreAllMocks());
  const only = compilePolicy(
    'only',
    '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/even-*"}}',
  );
  const checks = Array.from({ length: 100 }, (_, index) => ({
    action: 's3:DeleteObject',
    resource: `arn:aws:s3:::b/${index % 2 === 0 ? 'even' : 'odd'}-${index}`,
  }));

  it('are judged one by one, in their order', async () => {
    const who = principal('user', false, [only]);
    expect(await judgeInTurns(who, checks, {}, in10s)).toEqual(checks.map((check) => judge(who, check)));
    expect(await judgeInTurns(who, [], {}, in10s)).toEqual([]);
  });

  it('let others have their turn while dear policies are judged', async () => {
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => (nowMs += 4));
    let turns = 0;
    let done = false;
    const count = (): void => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await judgeInTurns(principal('user', false, [only]), checks, {}, Deadline.in(10_000, new ManualClock()));
    done = true;
    expect(turns).toBeGreaterThan(20);
  });

  it('XE5: end with the deadline, not long after it', async () => {
    let nowMs = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => (nowMs += 4));
    const clock = new ManualClock();
    const deadline = Deadline.in(1, clock);
    const resources: string[] = [];
    const late = checks.map(({ action, resource }, index) => ({
      action,
      get resource() {
        resources.push(resource);
        if (index === 10) clock.advance(1);
        return resource;
      },
    }));
    await expect(judgeInTurns(principal('user', false, [only]), late, {}, deadline)).rejects.toMatchObject({
      code: 'ServiceUnavailable',
      message: expect.not.stringContaining('database'),
    });
    expect(new Set(resources).size).toBeLessThan(15);
  });

  it('XE5: a request that takes more work than it may is refused as a whole', async () => {
    const dear = compilePolicy(
      'dear',
      JSON.stringify({
        Statement: [
          { Effect: 'Allow', Action: '*', Resource: '*' },
          { Effect: 'Deny', Action: '*', Resource: Array(700).fill('arn:aws:s3:::b/*n?z*') },
        ],
      }),
    );
    const long = checks.map(({ action, resource }) => ({ action, resource: resource + 'n'.repeat(900) }));
    await expect(judgeInTurns(principal('user', false, [dear]), long, {}, in10s)).rejects.toMatchObject({
      code: 'AccessDenied',
    });
  });
});
