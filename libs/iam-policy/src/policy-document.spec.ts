import { describe, expect, it } from '@jest/globals';
import { parsePolicy } from './compiled-policy.js';
import { POLICY_BYTES_MAX, type PolicyKind } from './policy-document.js';
import { PolicyError } from './policy-error.js';

const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' };
const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const withField = (fields: object): string => policyOf({ ...statement, ...fields });

function refusalOf(text: string, kind?: PolicyKind): PolicyError {
  try {
    parsePolicy(text, kind);
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
  throw new Error('the policy was accepted');
}

describe('policy documents', () => {
  it('reads one statement or several, strings or arrays', () => {
    const one = parsePolicy(
      JSON.stringify({ Version: '2012-10-17', Id: 'x', Statement: { ...statement, Sid: 'Read' } }),
    );
    expect(one).toMatchObject({ version: '2012-10-17', hasVariables: true });
    expect(one.statements).toEqual([
      {
        sid: 'Read',
        effect: 'Allow',
        actions: ['s3:GetObject'],
        actionsInverted: false,
        resources: ['arn:aws:s3:::b/*'],
        resourcesInverted: false,
        conditions: [],
        place: 'Statement',
      },
    ]);
    const two = parsePolicy(
      policyOf(statement, { Effect: 'Deny', NotAction: ['*', 's3:*', 'S3:Get?bject'], NotResource: ['*'] }),
    );
    expect(two.statements[1]).toMatchObject({
      effect: 'Deny',
      actions: ['*', 's3:*', 'S3:Get?bject'],
      actionsInverted: true,
      resources: ['*'],
      resourcesInverted: true,
    });
  });

  it('takes the elements that AWS takes', () => {
    for (const fields of [
      { Sid: '' },
      { Condition: {} },
      { Condition: { Bool: { 'aws:SecureTransport': false }, NumericLessThan: { 's3:max-keys': 10 } } },
      { Condition: { 'ForAnyValue:StringLikeIfExists': { 's3:RequestObjectTagKeys': ['a*', '${aws:username}'] } } },
      { Resource: "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}/${*}" },
    ]) {
      expect(parsePolicy(withField(fields)).statements).toHaveLength(1);
    }
    const { hasVariables } = parsePolicy(
      JSON.stringify({ Statement: { ...statement, Resource: 'arn:aws:s3:::b/${' } }),
    );
    expect(hasVariables).toBe(false);
  });

  it.each([
    '*',
    { AWS: '*' },
    { AWS: 'tenant$1' },
    { AWS: ['111122223333', 'arn:aws:iam::s3tenant1:root', 'arn:aws:iam::111122223333:user/path/name'] },
    { AWS: 'arn:aws:sts::111122223333:federated-user/name' },
    { CanonicalUser: 'abc' },
    { Service: 'logging.s3.amazonaws.com' },
  ])('takes the principal %j in the policy of a resource', (principal) => {
    expect(parsePolicy(withField({ Principal: principal, Sid: 'Any text, spaces too' }), 'resource')).toMatchObject({
      statements: [{ sid: 'Any text, spaces too' }],
    });
  });

  it.each([
    [
      'a policy variable without its end',
      withField({ Resource: 'arn:aws:s3:::b/${aws:username' }),
      'malformed',
      'Statement[0].Resource',
    ],
    [
      'a policy variable without a service',
      withField({ Resource: 'arn:aws:s3:::b/${username}' }),
      'malformed',
      'Statement[0].Resource',
    ],
    ['an action and its opposite', withField({ NotAction: 's3:*' }), 'malformed', 'Statement[0].NotAction'],
    ['a resource and its opposite', withField({ NotResource: '*' }), 'malformed', 'Statement[0].NotResource'],
    ['a principal in an identity policy', withField({ Principal: '*' }), 'malformed', 'Statement[0].Principal'],
    [
      'an unknown operator',
      withField({ Condition: { StringIs: { a: 'b' } } }),
      'malformed',
      'Statement[0].Condition.StringIs',
    ],
    [
      'an operator in another case',
      withField({ Condition: { stringEquals: { 'aws:a': 'b' } } }),
      'malformed',
      'Statement[0].Condition.stringEquals',
    ],
    [
      'a Null of many',
      withField({ Condition: { 'ForAnyValue:Null': { 'aws:a': true } } }),
      'malformed',
      'Statement[0].Condition.ForAnyValue:Null',
    ],
    [
      'a Null if it exists',
      withField({ Condition: { NullIfExists: { 'aws:a': true } } }),
      'malformed',
      'Statement[0].Condition.NullIfExists',
    ],
    [
      'an operator without keys',
      withField({ Condition: { StringLike: {} } }),
      'malformed',
      'Statement[0].Condition.StringLike',
    ],
    [
      'a key without values',
      withField({ Condition: { StringLike: { 'aws:a': [] } } }),
      'malformed',
      'Statement[0].Condition.StringLike.aws:a',
    ],
    [
      'a key without a service',
      withField({ Condition: { StringLike: { a: '' } } }),
      'malformed',
      'Statement[0].Condition.StringLike.a',
    ],
    [
      'a value that is an object',
      withField({ Condition: { StringLike: { 'aws:a': ['', {}] } } }),
      'malformed',
      'Statement[0].Condition.StringLike.aws:a[1]',
    ],
    [
      'a value that is null',
      withField({ Condition: { StringLike: { 'aws:a': null } } }),
      'malformed',
      'Statement[0].Condition.StringLike.aws:a',
    ],
    [
      'a number that is none',
      withField({ Condition: { NumericEquals: { 'aws:a': ['1', 'x'] } } }),
      'malformed',
      'Statement[0].Condition.NumericEquals.aws:a[1]',
    ],
    [
      'a date that is none',
      withField({ Condition: { DateEquals: { 'aws:a': '2026-02-30' } } }),
      'malformed',
      'Statement[0].Condition.DateEquals.aws:a',
    ],
    [
      'a range that is none',
      withField({ Condition: { IpAddress: { 'aws:a': '10.0.0.0/33' } } }),
      'malformed',
      'Statement[0].Condition.IpAddress.aws:a',
    ],
    [
      'an ARN that is none',
      withField({ Condition: { ArnLike: { 'aws:a': 'arn:aws:*' } } }),
      'malformed',
      'Statement[0].Condition.ArnLike.aws:a',
    ],
    [
      'a bool that is none',
      withField({ Condition: { Bool: { 'aws:a': 'yes' } } }),
      'malformed',
      'Statement[0].Condition.Bool.aws:a',
    ],
    [
      'base64 that is none',
      withField({ Condition: { BinaryEquals: { 'aws:a': 'a' } } }),
      'malformed',
      'Statement[0].Condition.BinaryEquals.aws:a',
    ],
    [
      'an element twice',
      '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{},"C\\u006fndition":{}}}',
      'malformed',
      'Condition',
    ],
    ['an unknown element', withField({ Conditions: {} }), 'malformed', 'Statement[0].Conditions'],
    ['an element in another case', withField({ condition: {} }), 'malformed', 'Statement[0].condition'],
    ['an unknown element at the top', JSON.stringify({ Statement: statement, Extra: 1 }), 'malformed', 'Extra'],
    [
      '__proto__',
      '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","__proto__":{}}}',
      'malformed',
      'Statement.__proto__',
    ],
    ['no JSON', '{', 'malformed', 'document'],
    ['text behind the JSON', `${policyOf(statement)} x`, 'malformed', 'document'],
    ['an array', '[]', 'malformed', 'document'],
    ['null', 'null', 'malformed', 'document'],
    ['no statement', '{"Version":"2012-10-17"}', 'malformed', 'Statement'],
    ['an empty list of statements', policyOf(), 'malformed', 'Statement'],
    ['a statement that is a string', '{"Statement":["Allow"]}', 'malformed', 'Statement[0]'],
    ['an unknown version', JSON.stringify({ Version: '2012-10-18', Statement: statement }), 'malformed', 'Version'],
    ['a version that is a number', JSON.stringify({ Version: 2012, Statement: statement }), 'malformed', 'Version'],
    ['an effect in another case', withField({ Effect: 'allow' }), 'malformed', 'Statement[0].Effect'],
    ['no effect', withField({ Effect: undefined }), 'malformed', 'Statement[0].Effect'],
    ['no action', withField({ Action: undefined }), 'malformed', 'Statement[0].Action'],
    ['an empty list of actions', withField({ Action: [] }), 'malformed', 'Statement[0].Action'],
    ['an action without a service', withField({ Action: 'GetObject' }), 'malformed', 'Statement[0].Action'],
    [
      'an action with a wild service',
      withField({ Action: ['s3:*', '*:GetObject'] }),
      'malformed',
      'Statement[0].Action[1]',
    ],
    ['an action that is a number', withField({ Action: [7] }), 'malformed', 'Statement[0].Action[0]'],
    ['no resource', withField({ Resource: undefined }), 'malformed', 'Statement[0].Resource'],
    ['a resource that is no ARN', withField({ Resource: 'b/*' }), 'malformed', 'Statement[0].Resource'],
    ['an ARN of too few parts', withField({ Resource: 'arn:aws:s3*' }), 'malformed', 'Statement[0].Resource'],
    ['a control character', withField({ Resource: 'arn:aws:s3:::b/\u0000' }), 'malformed', 'Statement[0].Resource'],
    ['half a surrogate pair', withField({ Resource: 'arn:aws:s3:::b/\ud800' }), 'malformed', 'Statement[0].Resource'],
    ['half a surrogate pair in the text', `"${'\ud800'}"`, 'malformed', 'document'],
    ['a Sid with other characters', withField({ Sid: 'a b' }), 'malformed', 'Statement[0].Sid'],
    ['a Sid twice', policyOf({ ...statement, Sid: 'A' }, { ...statement, Sid: 'A' }), 'malformed', 'Statement[1].Sid'],
  ])('refuses %s', (_name, text, fault, place) => {
    expect(refusalOf(text)).toMatchObject({ fault, place, status: 400 });
  });

  it('XE5: refuses more than 20 KiB, counted in bytes, and takes 20 KiB', () => {
    const empty = withField({ Resource: 'arn:aws:s3:::' }).length;
    const exact = withField({ Resource: `arn:aws:s3:::${'x'.repeat(POLICY_BYTES_MAX - empty)}` });
    expect(exact).toHaveLength(POLICY_BYTES_MAX);
    expect(parsePolicy(exact).statements).toHaveLength(1);
    expect(refusalOf(`${exact} `)).toMatchObject({ fault: 'too-large', place: 'document' });
    expect(refusalOf(exact.replace('xx', 'é€'))).toMatchObject({ fault: 'too-large' });
  });

  it.each([
    ['no principal', {}, 'Statement[0].Principal'],
    ['both', { Principal: '*', NotPrincipal: '*' }, 'Statement[0].NotPrincipal'],
    ['an allow for all but one', { NotPrincipal: { AWS: '1' } }, 'Statement[0].NotPrincipal'],
    ['an empty object', { Principal: {} }, 'Statement[0].Principal'],
    ['an empty list', { Principal: { AWS: [] } }, 'Statement[0].Principal.AWS'],
    ['an unknown kind', { Principal: { Aws: '*' } }, 'Statement[0].Principal.Aws'],
    ['a part of a name', { Principal: { AWS: ['1', 'arn:aws:iam::1:user/*'] } }, 'Statement[0].Principal.AWS[1]'],
    ['another text', { Principal: 'arn:aws:iam::1:root' }, 'Statement[0].Principal'],
    ['a number', { Principal: { AWS: 111122223333 } }, 'Statement[0].Principal.AWS'],
  ])('refuses %s as the principal of the policy of a resource', (_name, fields, place) => {
    expect(refusalOf(withField(fields), 'resource')).toMatchObject({ code: 'MalformedPolicy', place });
  });
});
