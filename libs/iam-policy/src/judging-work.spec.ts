import { describe, expect, it } from '@jest/globals';
import type { AccessCheck, Caller } from '@holdfast/contracts';
import { compilePolicy, type CompiledPolicy } from './compiled-policy.js';
import { judgeAccess, judgePrincipal, type Verdict } from './judge.js';
import { JudgingWork } from './judging-work.js';

const ACCOUNT = '111122223333';
const USER: Caller = {
  kind: 'user',
  accountId: ACCOUNT,
  canonicalId: 'c',
  displayName: 'd',
  userName: 'u',
  arn: `arn:aws:iam::${ACCOUNT}:user/u`,
  userId: 'id',
};
const policyOf = (...statements: object[]): CompiledPolicy =>
  compilePolicy(
    'p',
    JSON.stringify({
      Version: '2012-10-17',
      Statement: statements.map((one) => ({ Effect: 'Allow', Action: 's3:*', Resource: '*', ...one })),
    }),
  );
const checksOf = (count: number, key = 'k'): AccessCheck[] =>
  Array.from({ length: count }, (_, index) => ({
    action: 's3:DeleteObject',
    resource: `arn:aws:s3:::b/${key}${index}`,
  }));
const judgeAll = (
  policies: CompiledPolicy[],
  checks: readonly AccessCheck[],
  keys = {},
  work = new JudgingWork(checks),
) => checks.map((check) => judgePrincipal({ caller: USER, policies }, check, keys, work));
const decisions = (verdicts: Verdict[]): Set<string> => new Set(verdicts.map(({ decision }) => decision));

/** What the longest pattern against the longest text takes: it is not stopped within. */
const PATTERN_STEPS_MAX = 3_000_000;

describe('XE5: what one request costs to judge', () => {
  const dearValues = Array.from({ length: 20 }, (_, index) => `*${'a?'.repeat(480)}b${index}*`);
  const dear = policyOf({ Condition: { StringLike: { 'aws:UserAgent': dearValues } } });
  const userAgent = { 'aws:useragent': ['a'.repeat(2048)] };

  it('a dear condition on the request is judged once for all of its keys', () => {
    const once = new JudgingWork(checksOf(1));
    judgeAll([dear], checksOf(1), userAgent, once);
    expect(once.steps).toBeGreaterThan(1_000_000);
    const checks = checksOf(1_000);
    const often = new JudgingWork(checks);
    expect(decisions(judgeAll([dear], checks, userAgent, often))).toEqual(new Set(['no-allow']));
    expect(often.steps).toBeLessThan(once.steps + 200 * checks.length);
  });

  it.each([
    ['a deny', { Effect: 'Deny' }],
    ['an allow', {}],
  ])('%s by dear conditions is refused beyond the bound, never allowed', (_name, effect) => {
    const many = Array.from({ length: 5 }, () =>
      policyOf({ ...effect, Condition: { StringLike: { 'aws:UserAgent': dearValues } } }),
    );
    const [check] = checksOf(1);
    const work = new JudgingWork([check]);
    const judging = () => judgePrincipal({ caller: USER, policies: [...many, policyOf({})] }, check, userAgent, work);
    expect(judging).toThrow(expect.objectContaining({ code: 'AccessDenied', status: 403 }));
    expect(work.steps).toBeLessThan(2_000_000 + PATTERN_STEPS_MAX);
  });

  it('a single key of many takes no more in one go than a request for it alone', () => {
    const many = Array.from({ length: 5 }, () =>
      policyOf({ Condition: { StringLike: { 'aws:UserAgent': dearValues } } }),
    );
    const checks = checksOf(1_000);
    const work = new JudgingWork(checks);
    expect(() => judgeAll(many, checks.slice(0, 1), userAgent, work)).toThrow(
      expect.objectContaining({ code: 'AccessDenied' }),
    );
    expect(work.steps).toBeLessThan(2_000_000 + PATTERN_STEPS_MAX);
  });

  it.each<[string, object]>([
    ['resources', { Resource: `arn:aws:s3:::b/*${'a?'.repeat(400)}b*` }],
    ['many resources', { Resource: Array.from({ length: 700 }, (_, index) => `arn:aws:s3:::b/*a?z${index}*`) }],
    [
      'numbers',
      { Condition: { NumericEquals: { 's3:versionid': Array.from({ length: 2_000 }, (_, index) => index) } } },
    ],
    ['addresses', { Condition: { IpAddress: { 's3:versionid': Array(900).fill('11.0.0.0/8') } } }],
    [
      'variables',
      { Resource: Array.from({ length: 150 }, () => `arn:aws:s3:::b/*\${s3:versionid}${'a?'.repeat(40)}*b`) },
    ],
    ['without case', { Condition: { StringEqualsIgnoreCase: { 's3:versionid': Array(900).fill('x'.repeat(9)) } } }],
  ])('a thousand keys against dear %s are refused once the bound is reached', (_name, fields) => {
    const checks = checksOf(1_000, 'a'.repeat(900)).map((check) => ({
      ...check,
      keys: { 's3:versionid': ['10.1.2.3'] },
    }));
    const work = new JudgingWork(checks);
    expect(() =>
      judgeAll(
        Array.from({ length: 5 }, () => policyOf(fields)),
        checks,
        {},
        work,
      ),
    ).toThrow(expect.objectContaining({ code: 'AccessDenied' }));
    expect(work.steps).toBeLessThan(52_000_000 + PATTERN_STEPS_MAX);
  });

  it('the policy of a bucket counts as well', () => {
    const [check] = checksOf(1, 'a'.repeat(1_000));
    const Statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: 's3:*',
      Resource: Array(700).fill('arn:aws:s3:::b/*a?z*'),
    };
    const policy = compilePolicy('bucket', JSON.stringify({ Version: '2012-10-17', Statement }), 'resource');
    const none: Verdict = { decision: 'no-allow', reason: { layer: 'none' } };
    const checks = Array.from({ length: 100 }, () => check);
    const work = new JudgingWork(checks);
    expect(() => checks.map((one) => judgeAccess(none, USER, { accountId: ACCOUNT, policy }, one, {}, work))).toThrow(
      expect.objectContaining({ code: 'AccessDenied' }),
    );
  });

  it('a thousand keys against all that honest policies say are far below', () => {
    const statements = Array.from({ length: 70 }, (_, index) => ({
      Resource: [
        `arn:aws:s3:::bucket-${index}`,
        `arn:aws:s3:::bucket-${index}/home/\${aws:username}/*`,
        `arn:aws:s3:::b/*/${index}.jpg`,
      ],
      Condition: {
        IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.168.0.0/16'] },
        StringLike: { 'aws:UserAgent': '*aws*' },
      },
    }));
    const checks = checksOf(1_000, 'photos/2026/11/21/');
    const keys = { 'aws:sourceip': ['10.1.2.3'], 'aws:useragent': ['Mozilla/5.0 '.repeat(10)], 'aws:username': ['u'] };
    const work = new JudgingWork(checks);
    const found = judgeAll([policyOf(...statements), policyOf({ Resource: 'arn:aws:s3:::b/*' })], checks, keys, work);
    expect(decisions(found)).toEqual(new Set(['allow']));
    expect(work.steps).toBeLessThan(50_000_000);
  });
});

describe('conditions of a request with many checks', () => {
  const checks = ['1', '2'].map((versionId) => ({
    action: 's3:DeleteObjectVersion',
    resource: 'arn:aws:s3:::b/k',
    keys: { 's3:versionid': [versionId] },
  }));
  const tagged = ['1', '2'].map((value) => ({
    action: 's3:GetObject',
    resource: 'arn:aws:s3:::b/k',
    objectTags: { state: 'read' as const, tags: { a: value } },
  }));

  it.each<[string, AccessCheck[], object]>([
    ['a key of the check', checks, { StringEquals: { 's3:VersionId': '2' } }],
    [
      'a key that only one of the checks has',
      [{ ...checks[0], keys: {} }, checks[1]],
      { Null: { 's3:VersionId': 'false' } },
    ],
    ['a variable', checks, { StringEquals: { 'aws:UserAgent': '\${s3:VersionId}' } }],
    ['tags of an object', tagged, { StringEquals: { 's3:ExistingObjectTag/a': '2' } }],
    ['a variable of tags', tagged, { StringEquals: { 'aws:UserAgent': '\${s3:ExistingObjectTag/a}' } }],
  ])('that hang on %s are judged for each', (_name, given, Condition) => {
    const found = judgeAll([policyOf({ Condition })], given, { 'aws:useragent': ['2'] });
    expect(found.map(({ decision }) => decision)).toEqual(['no-allow', 'allow']);
  });
});
