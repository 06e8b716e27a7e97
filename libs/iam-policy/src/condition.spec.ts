import { describe, expect, it } from '@jest/globals';
import type { ConditionKeys, ObjectTags } from '@holdfast/contracts';
import { compilePolicy } from './compiled-policy.js';
import { POLICY_BYTES_MAX } from './policy-document.js';
import { JudgingWork } from './judging-work.js';
import { RequestContext } from './request-context.js';

const ARN = 'arn:aws:s3:::b/k';
interface Fields {
  readonly Effect?: string;
  readonly Resource?: unknown;
  readonly NotResource?: unknown;
  readonly Condition?: unknown;
}
function applies(fields: Fields, keys: ConditionKeys = {}, objectTags?: ObjectTags, resource = ARN): string {
  const named = fields.NotResource === undefined ? { Resource: '*' } : {};
  const Statement = { Effect: 'Allow', Action: '*', ...named, ...fields };
  const { statements } = compilePolicy('p', JSON.stringify({ Version: '2012-10-17', Statement }));
  const check = { action: 's3:GetObject', resource, ...(objectTags === undefined ? {} : { objectTags }) };
  return statements[0].applies(new RequestContext(check, keys, {}));
}
const holds = (operator: string, wanted: unknown, given?: string[], effect = 'Allow'): string =>
  applies(
    { Effect: effect, Condition: { [operator]: { 'aws:K': wanted } } },
    given === undefined ? {} : { 'aws:k': given },
  );

describe('conditions', () => {
  // Which way an operator turns when the key is absent, when it is there without a value, when one or all of several fit.
  it.each([
    ['StringEquals', 'no', 'no', 'yes', 'yes'],
    ['StringNotEquals', 'yes', 'yes', 'no', 'no'],
    ['StringEqualsIfExists', 'yes', 'no', 'yes', 'yes'],
    ['StringNotEqualsIfExists', 'yes', 'yes', 'no', 'no'],
    ['ForAllValues:StringEquals', 'yes', 'yes', 'no', 'yes'],
    ['ForAllValues:StringNotEquals', 'yes', 'yes', 'no', 'no'],
    ['ForAnyValue:StringEquals', 'no', 'no', 'yes', 'yes'],
    ['ForAnyValue:StringNotEquals', 'no', 'yes', 'yes', 'no'],
    ['ForAllValues:StringEqualsIfExists', 'yes', 'yes', 'no', 'yes'],
    ['ForAnyValue:StringEqualsIfExists', 'yes', 'no', 'yes', 'yes'],
    ['ForAnyValue:StringNotEqualsIfExists', 'yes', 'yes', 'yes', 'no'],
  ])('XC6: %s: absent %s, empty %s, one of two %s, all %s', (operator, absent, empty, one, all) => {
    const found = [undefined, [''], ['a', 'x'], ['a', 'b']].map((given) => holds(operator, ['a', 'b'], given));
    expect(found).toEqual([absent, empty, one, all]);
    expect(holds(operator, ['a', 'b'], [])).toBe(absent);
  });

  it.each([
    ['StringEquals', 'a*', 'ab', 'no'],
    ['StringEquals', 'a*', 'a*', 'yes'],
    ['StringEqualsIgnoreCase', 'ÄB', 'äb', 'yes'],
    ['StringLike', 'a?c*', 'abcd', 'yes'],
    ['StringLike', 'a${*}', 'ab', 'no'],
    ['StringLike', 'a${*}', 'a*', 'yes'],
    ['StringLike', '${?}${$}', '?$', 'yes'],
    ['NumericEquals', '10', '10.0', 'yes'],
    ['NumericLessThanEquals', 10, '10', 'yes'],
    ['NumericLessThan', 10, 'x', 'no'],
    ['NumericNotEquals', 10, 'x', 'yes'],
    ['DateGreaterThan', '2026-11-21T10:00:00Z', '2026-11-21T11:00:00.5+00:30', 'yes'],
    ['DateEquals', 1_795_255_200, '2026-11-21T10:00:00Z', 'yes'],
    ['DateLessThan', '2027', '2026-12-31T23:59:59Z', 'yes'],
    ['Bool', 'TRUE', 'true', 'yes'],
    ['Bool', false, 'x', 'no'],
    ['BinaryEquals', 'YQ==', 'YQ==', 'yes'],
    ['IpAddress', '10.0.0.0/8', '10.255.0.1', 'yes'],
    ['IpAddress', '10.0.0.0/8', '::ffff:10.1.1.1', 'yes'],
    ['IpAddress', '2001:db8::/32', '2001:db8:1::', 'yes'],
    ['IpAddress', '2001:db8::/32', '2001:db9::', 'no'],
    ['IpAddress', '::/0', '10.0.0.1', 'no'],
    ['NotIpAddress', '10.0.0.1', '10.0.0.2', 'yes'],
    ['ArnLike', 'arn:aws:iam::*:user/a*', 'arn:aws:iam::1:user/ab', 'yes'],
    ['ArnLike', 'arn:aws:iam::*:user/a*', 'arn:aws:iam:::x:user/ab', 'no'],
    ['ArnNotEquals', 'arn:aws:iam::1:root', 'arn:aws:iam::2:root', 'yes'],
  ])('%s %j against %j: %s', (operator, wanted, given, expected) => {
    expect(holds(operator, wanted, [given])).toBe(expected);
  });

  it('Null asks for presence alone', () => {
    const found = [undefined, [''], ['a']].map((given) => [holds('Null', true, given), holds('Null', 'false', given)]);
    expect(found).toEqual([
      ['yes', 'no'],
      ['no', 'yes'],
      ['no', 'yes'],
    ]);
  });

  it('names keys without case, and asks all of them', () => {
    const Condition = {
      StringEquals: { 'AWS:UserName': 'a', 'aws:X': ['1', '2'] },
      Bool: { 'aws:SecureTransport': 'true' },
    };
    const keys = { 'aws:username': ['a'], 'aws:x': ['2'], 'aws:securetransport': ['true'] };
    expect(applies({ Condition }, keys)).toBe('yes');
    for (const name of Object.keys(keys)) expect(applies({ Condition }, { ...keys, [name]: ['z'] })).toBe('no');
  });

  it('the time stands for both of its keys', () => {
    const keys = { 'aws:epochtime': ['1795255200'] };
    const Condition = {
      DateLessThan: { 'aws:CurrentTime': '2026-11-21T10:00:01Z' },
      NumericEquals: { 'aws:EpochTime': 1_795_255_200 },
    };
    expect(applies({ Condition }, keys)).toBe('yes');
    expect(applies({ Condition }, { 'aws:epochtime': ['1795255201'] })).toBe('no');
  });
});

describe('policy variables', () => {
  const home = { Resource: 'arn:aws:s3:::b/${aws:username}/*' };
  it('XC6: stand for text: a wildcard in a name is a letter', () => {
    expect(applies(home, { 'aws:username': ['a'] }, undefined, 'arn:aws:s3:::b/a/x')).toBe('yes');
    expect(applies(home, { 'aws:username': ['*'] }, undefined, 'arn:aws:s3:::b/a/x')).toBe('no');
    expect(applies(home, { 'aws:username': ['*'] }, undefined, 'arn:aws:s3:::b/*/x')).toBe('yes');
    expect(applies(home, { 'aws:username': ['a/../b'] }, undefined, 'arn:aws:s3:::b/b/x')).toBe('no');
  });

  it('XC6: without a value they match nothing, and never make a statement allow', () => {
    expect(applies(home, {}, undefined, 'arn:aws:s3:::b//x')).toBe('no');
    expect(applies(home, { 'aws:username': ['a', 'b'] }, undefined, 'arn:aws:s3:::b/a/x')).toBe('no');
    const tag = '${aws:PrincipalTag/team}';
    expect(holds('StringEquals', tag, ['x'])).toBe('no');
    expect(holds('StringNotEquals', tag, ['x'])).toBe('no');
    expect(holds('StringNotEquals', tag, ['x'], 'Deny')).toBe('yes');
    expect(holds('StringNotEquals', [tag, 'x'], ['x'], 'Deny')).toBe('no');
    expect(applies({ NotResource: `arn:aws:s3:::b/${tag}` })).toBe('no');
    expect(applies({ Effect: 'Deny', NotResource: `arn:aws:s3:::b/${tag}` })).toBe('yes');
    expect(holds('StringEquals', "${aws:PrincipalTag/team, 'x'}", ['x'])).toBe('yes');
  });

  it('are text like any other in the older version', () => {
    const Statement = { Effect: 'Allow', Action: '*', Resource: 'arn:aws:s3:::b/${aws:username}' };
    const { statements } = compilePolicy('p', JSON.stringify({ Version: '2008-10-17', Statement }));
    const at = (resource: string): string =>
      statements[0].applies(new RequestContext({ action: 's3:GetObject', resource }, { 'aws:username': ['a'] }, {}));
    expect([at('arn:aws:s3:::b/a'), at('arn:aws:s3:::b/${aws:username}')]).toEqual(['no', 'yes']);
  });
});

describe('tags of the object', () => {
  const Condition = { StringEquals: { 's3:ExistingObjectTag/Security': 'public' } };
  const read = (tags: Record<string, string>): ObjectTags => ({ state: 'read', tags });
  it('are asked for where a condition names them, and only there', () => {
    expect(applies({ Condition }, {}, { state: 'unread' })).toBe('unread');
    expect(applies({ Condition, Resource: 'arn:aws:s3:::c/*' }, {}, { state: 'unread' })).toBe('no');
    expect(applies({ Condition: { ...Condition, Bool: { 'aws:K': true } } }, {}, { state: 'unread' })).toBe('no');
    expect(applies({ Resource: 'arn:aws:s3:::b/${s3:ExistingObjectTag/owner}' }, {}, { state: 'unread' })).toBe(
      'unread',
    );
  });
  it('decide once they are known', () => {
    expect(applies({ Condition }, {}, read({ Security: 'public' }))).toBe('yes');
    expect(applies({ Condition }, {}, read({ security: 'public' }))).toBe('yes');
    expect(applies({ Condition }, {}, read({ Security: 'private' }))).toBe('no');
    expect(applies({ Condition }, {}, read({}))).toBe('no');
  });
  it('do not exist where S3 offers no such key, nor in a client header of that name', () => {
    expect(applies({ Condition })).toBe('no');
    expect(applies({ Condition }, { 's3:existingobjecttag/security': ['public'] })).toBe('no');
  });
});

describe('XE5: a hostile policy of 20 KiB costs steps in proportion to its length', () => {
  const text = 'a'.repeat(1024);
  const room = POLICY_BYTES_MAX - 600;
  it.each([
    ['2,000 wildcards in one resource', { Resource: `arn:aws:s3:::b/${'*?'.repeat(2_000)}b` }],
    ['20 KiB of them', { Resource: `arn:aws:s3:::b/${'*?'.repeat(room / 2)}` }],
    ['2,000 wildcards in one condition', { Condition: { StringLike: { 'aws:K': `${'*a?'.repeat(2_000)}*b` } } }],
    ['many resources', { Resource: Array.from({ length: 700 }, () => 'arn:aws:s3:::b/*a?*b') }],
    [
      'many values',
      { Condition: { 'ForAnyValue:StringNotLike': { 'aws:K': Array.from({ length: 2_000 }, () => '*a?*b') } } },
    ],
    ['many variables', { Resource: `arn:aws:s3:::b/${'*${aws:one}'.repeat(1_200)}b` }],
    ['a wildcard in each part of an ARN', { Resource: `arn:${'*?'.repeat(500)}:*:*:*:${'*?'.repeat(500)}b` }],
  ])('%s', (_name, fields) => {
    const Statement = { Effect: 'Deny', Action: ['s3:*', `s3:${'*?'.repeat(200)}X`], ...{ Resource: '*' }, ...fields };
    const document = JSON.stringify({ Version: '2012-10-17', Statement });
    expect(document.length).toBeLessThanOrEqual(POLICY_BYTES_MAX);
    const [statement] = compilePolicy('p', document).statements;
    const check = { action: 's3:GetObject', resource: `arn:aws:s3:::b/${text}` };
    const work = new JudgingWork([check]);
    statement.applies(new RequestContext(check, { 'aws:k': [text, `${text}c`], 'aws:one': ['a'] }, {}, work));
    // Five steps per letter of the request for each of the patterns, plus one per 32 letters of pattern and letter of text.
    const patterns = (document.match(/[*?]"/g) ?? []).length + (document.match(/b"/g) ?? []).length;
    expect(work.steps).toBeLessThanOrEqual(document.length + 2 * text.length * (3 * patterns + document.length / 32));
  });
});
