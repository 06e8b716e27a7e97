import { describe, expect, it } from '@jest/globals';
import { parsePolicy, POLICY_BYTES_MAX } from './policy-document.js';
import { PolicyError } from './policy-error.js';

const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::b/*' };
const policyOf = (...statements: object[]): string => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const withField = (fields: object): string => policyOf({ ...statement, ...fields });

function refusalOf(text: string): PolicyError {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof PolicyError) return error;
    throw error;
  }
  throw new Error('the policy was accepted');
}

describe('policy documents', () => {
  it('reads one statement or several, strings or arrays', () => {
    expect(
      parsePolicy(JSON.stringify({ Version: '2012-10-17', Id: 'x', Statement: { ...statement, Sid: 'Read' } })),
    ).toEqual({
      version: '2012-10-17',
      statements: [{ sid: 'Read', effect: 'Allow', actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/*'] }],
    });
    const two = parsePolicy(
      policyOf(statement, { Effect: 'Deny', Action: ['*', 's3:*', 'S3:Get?bject'], Resource: ['*'] }),
    );
    expect(two.statements[1]).toEqual({ effect: 'Deny', actions: ['*', 's3:*', 'S3:Get?bject'], resources: ['*'] });
  });

  it.each(['Condition', 'Principal', 'NotPrincipal', 'NotAction', 'NotResource'])(
    'refuses %s by name instead of ignoring it',
    (name) => {
      const error = refusalOf(policyOf(statement, { ...statement, [name]: {} }));
      expect(error).toMatchObject({
        fault: 'not-served',
        place: `Statement[1].${name}`,
        code: 'InvalidArgument',
        status: 400,
      });
    },
  );

  it.each([
    [
      'a policy variable',
      withField({ Resource: 'arn:aws:s3:::b/${aws:username}/*' }),
      'not-served',
      'Statement[0].Resource',
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
});
