import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller, ConditionKeys } from '@holdfast/contracts';
import { oracleAllows, type OraclePolicy, type OracleQuestion } from '@holdfast/testkit';
import { compilePolicy } from './compiled-policy.js';
import { judgeAccess, judgePrincipal } from './judge.js';
import { JudgingWork } from './judging-work.js';
import { principalKeys } from './request-context.js';

const RUNS = 4_000;
const OWN = '111122223333';
const OTHER = 'tenant$x';

const caller = (kind: Caller['kind'], accountId: string, userName = '', sessionName?: string): Caller => ({
  kind,
  accountId,
  canonicalId: accountId === '' ? '' : `canonical-${accountId}`,
  displayName: '',
  userName,
  arn: accountId === '' ? '' : `arn:aws:iam::${accountId}:${userName === '' ? 'root' : `user/${userName}`}`,
  userId: userName === '' ? '' : `ID-${userName}`,
  ...(sessionName === undefined ? {} : { session: { arn: `arn:aws:sts::${accountId}:session/${sessionName}` } }),
});
const CALLERS = [
  caller('root', OWN),
  caller('user', OWN, 'ann'),
  caller('user', OWN, 'a*'),
  caller('user', OWN, 'ann', 's'),
  caller('root', OTHER),
  caller('user', OTHER, 'bob'),
  caller('user', OTHER, 'bob', 's'),
  caller('anonymous', ''),
];
const PRINCIPALS = [
  '*',
  { AWS: '*' },
  ...CALLERS.filter(({ arn }) => arn !== '')
    .map(({ arn }) => ({ AWS: arn }))
    .filter(({ AWS }) => !AWS.includes('*')),
  ...CALLERS.flatMap(({ session }) => (session === undefined ? [] : [{ AWS: ['1', session.arn] }])),
  { AWS: [OWN] },
  { AWS: [OTHER, `arn:aws:iam::${OWN}:user/ann`] },
  { CanonicalUser: `canonical-${OTHER}` },
  { Service: 'logging.s3.amazonaws.com' },
];

const ACTIONS = ['s3:GetObject', 's3:getobject', 's3:Get*', 's3:PutObject', 's3:?utObject', 's3:*', '*', 'iam:*'];
const KEYS = ['a', 'ann/x', 'a*/x', 'b:c', 'A'];
const RESOURCES = [
  '*',
  ...[
    'arn:aws:s3:::b/*',
    'arn:aws:s3:::b/a',
    'arn:aws:s3:::*/x',
    'arn:aws:s3:::b/?',
    'arn:*:s3:::b/a',
    'arn:aws:s*:::b/c',
  ],
  ...['arn:aws:s3:::b/${aws:username}/*', 'arn:aws:s3:::b/${aws:missing}/*', "arn:aws:s3:::b/${aws:missing, 'ann'}/x"],
  ...['arn:aws:s3:::b/a${*}/x', 'arn:aws:s3:::b/a${?}', 'arn:aws:s3:::c/*'],
];
const VALUES: Readonly<Record<string, readonly (string | number | boolean)[]>> = {
  String: ['', 'a', 'A', 'ann', 'a*', '?', '${aws:username}', '${aws:missing}', 'x${*}', "${aws:missing,'a'}"],
  Numeric: [1, '1', '2', -3, 2.5],
  Date: ['2026-11-21T10:00:00Z', '2026-11-21', '2026-11-21T11:00:00+01:00', '2027'],
  Bool: [true, false, 'true', 'false'],
  Binary: ['YQ==', 'YWI=', ''],
  Ip: ['10.0.0.0/8', '10.1.2.3', '0.0.0.0/0', '2001:db8::/32', '::1'],
  Arn: [
    'arn:aws:iam::*:user/ann',
    `arn:aws:iam::${OWN}:*`,
    '${aws:PrincipalArn}',
    'arn:aws:iam::${aws:missing}:x',
    'arn:*:*:*:*:*',
  ],
};
const GIVEN: Readonly<Record<string, readonly string[]>> = {
  String: ['', 'a', 'A', 'ann', 'a*', 'x*', '?'],
  Numeric: ['1', '2', '3', '-3'],
  Date: ['2026-11-21T10:00:00Z', '2026-11-22T00:00:00Z'],
  Bool: ['true', 'false'],
  Binary: ['YQ==', 'YWI='],
  Ip: ['10.1.2.3', '11.0.0.1', '2001:db8::7', '::1'],
  Arn: [`arn:aws:iam::${OWN}:user/ann`, 'arn:aws:iam::9:root', 'arn:aws:s3:::b/a:b'],
};
const COMPARES = ['Equals', 'NotEquals', 'LessThan', 'LessThanEquals', 'GreaterThan', 'GreaterThanEquals'];
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  String: ['Equals', 'NotEquals', 'EqualsIgnoreCase', 'NotEqualsIgnoreCase', 'Like', 'NotLike'].map(
    (one) => `String${one}`,
  ),
  Numeric: COMPARES.map((one) => `Numeric${one}`),
  Date: COMPARES.map((one) => `Date${one}`),
  Bool: ['Bool'],
  Binary: ['BinaryEquals'],
  Ip: ['IpAddress', 'NotIpAddress'],
  Arn: ['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'],
};
const KINDS = Object.keys(VALUES);

const some = <T>(items: readonly T[], max = 2) => fc.array(fc.constantFrom(...items), { minLength: 1, maxLength: max });
const conditions = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(...KINDS).chain((kind) =>
      fc
        .record({
          quantifier: fc.constantFrom('', '', '', 'ForAllValues:', 'ForAnyValue:'),
          operator: fc.constantFrom(...OPERATORS[kind]),
          suffix: fc.constantFrom('', '', 'IfExists'),
          values: some(VALUES[kind]),
        })
        .map(({ quantifier, operator, suffix, values }) => ({
          [quantifier + operator + suffix]: { [`aws:${kind}`]: values },
        })),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ kind: fc.constantFrom(...KINDS), value: fc.constantFrom(true, 'false', 'true') })
      .map(({ kind, value }) => ({
        Null: { [`AWS:${kind}`]: value },
      })),
  },
  { weight: 4, arbitrary: fc.constant({}) },
);
const body = fc.record({
  Effect: fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const),
  actions: fc.record({ name: fc.constantFrom('Action', 'Action', 'Action', 'NotAction'), values: some(ACTIONS) }),
  resources: fc.record({ name: fc.constantFrom('Resource', 'Resource', 'NotResource'), values: some(RESOURCES) }),
  Condition: conditions,
});
const statement = (isResource: boolean) =>
  fc
    .record({ body, principal: fc.constantFrom(...PRINCIPALS), inverted: fc.integer({ min: 0, max: 3 }) })
    .map(({ body: { Effect, actions, resources, Condition }, principal, inverted }) => ({
      Effect,
      [actions.name]: actions.values,
      [resources.name]: resources.values,
      Condition,
      ...(isResource ? { [inverted === 0 && Effect === 'Deny' ? 'NotPrincipal' : 'Principal']: principal } : {}),
    }));
/** In the older version this is no variable, and no ARN. */
const isSound = ({ Version, Statement }: { Version: string; Statement: unknown }): boolean =>
  Version === '2012-10-17' || !JSON.stringify(Statement).includes('"${aws:PrincipalArn}"');
const policy = (isResource = false) =>
  fc
    .record({
      Version: fc.constantFrom('2012-10-17', '2012-10-17', '2008-10-17'),
      Statement: fc.array(statement(isResource), { minLength: 1, maxLength: 3 }),
    })
    .filter(isSound) as fc.Arbitrary<OraclePolicy>;
const keys = fc.record(Object.fromEntries(KINDS.map((kind) => [`aws:${kind.toLowerCase()}`, some(GIVEN[kind])])), {
  requiredKeys: [],
}) as fc.Arbitrary<ConditionKeys>;
const question = fc.record({
  caller: fc.constantFrom(...CALLERS),
  identity: fc.array(policy(), { maxLength: 2 }),
  boundary: fc.option(policy(), { nil: undefined, freq: 3 }),
  session: fc.option(policy(), { nil: undefined, freq: 3 }),
  resource: fc.option(policy(true), { nil: undefined }),
  action: fc.constantFrom('s3:GetObject', 's3:PutObject', 'iam:GetUser'),
  key: fc.constantFrom(...KEYS),
  keys,
  keysOfAnother: keys,
});

const text = (document: OraclePolicy): string => JSON.stringify(document);

describe('the evaluator against an independent oracle', () => {
  it(`XC6: agrees with it on ${RUNS} random questions of every kind`, () => {
    const seen = { allow: 0, refused: 0 };
    fc.assert(
      fc.property(question, ({ caller: who, identity, boundary, session, resource, action, key, ...asks }) => {
        const { keys: given, keysOfAnother } = asks;
        const sessionPolicy = who.session === undefined ? undefined : session;
        const check = { action, resource: `arn:aws:s3:::b/${key}` };
        const asked: OracleQuestion = {
          identity,
          boundary,
          session: sessionPolicy,
          resource,
          ownerAccountId: OWN,
          principal: { ...who, ...(who.session === undefined ? {} : { sessionArn: who.session.arn }) },
          action,
          arn: check.resource,
          keys: { ...given, ...principalKeys(who) },
        };
        const expected = oracleAllows(asked);
        seen[expected ? 'allow' : 'refused'] += 1;
        const authority = {
          caller: who,
          policies: identity.map((one, index) => compilePolicy(`p${index}`, text(one))),
          ...(boundary === undefined || who.kind !== 'user'
            ? {}
            : { boundary: compilePolicy('boundary', text(boundary)) }),
          ...(sessionPolicy === undefined ? {} : { sessionPolicy: compilePolicy('session', text(sessionPolicy)) }),
        };
        const owner = {
          accountId: OWN,
          ...(resource === undefined ? {} : { policy: compilePolicy('bucket', text(resource), 'resource') }),
        };
        const verdict = judgeAccess(judgePrincipal(authority, check, given), who, owner, check, given);
        expect(verdict.decision === 'allow').toBe(expected);
        // Beside another check of the same request it is the same, whatever was found for that one.
        const another = { action, resource: 'arn:aws:s3:::b/another', keys: keysOfAnother };
        const work = new JudgingWork([another, check]);
        const [, beside] = [another, check].map((one) =>
          judgeAccess(judgePrincipal(authority, one, given, work), who, owner, one, given, work),
        );
        expect(beside).toEqual(verdict);
        if (verdict.decision === 'allow' || verdict.decision === 'explicit-deny')
          expect(verdict.reason.layer).not.toBe('none');
      }),
      { numRuns: RUNS },
    );
    // A comparison that only ever sees one answer compares nothing.
    expect(seen.allow).toBeGreaterThan(RUNS / 10);
    expect(seen.refused).toBeGreaterThan(RUNS / 10);
  });
});
