import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '@holdfast/contracts';
import { compilePolicy, type CompiledPolicy } from './compiled-policy.js';
import { judgeAccess, judgePrincipal, type Verdict } from './judge.js';
import { PolicyError } from './policy-error.js';
import { POLICY_BYTES_MAX } from './policy-document.js';

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: string | string[];
}
const compiled = (name: string, ...statements: Statement[]) =>
  compilePolicy(name, JSON.stringify({ Version: '2012-10-17', Statement: statements }));
const USER: Caller = {
  kind: 'user',
  accountId: '111122223333',
  canonicalId: 'c',
  displayName: 'd',
  userName: 'u',
  arn: 'arn:aws:iam::111122223333:user/u',
  userId: 'id',
};
const evaluate = (policies: CompiledPolicy[], action: string, resource: string): Verdict =>
  judgePrincipal({ caller: USER, policies }, { action, resource }, {});
const allow = (action: string | string[], resource: string | string[], sid?: string): Statement => ({
  Sid: sid,
  Effect: 'Allow',
  Action: action,
  Resource: resource,
});
const deny = (action: string | string[], resource: string | string[], sid?: string): Statement => ({
  ...allow(action, resource, sid),
  Effect: 'Deny',
});

describe('evaluation of policies', () => {
  it('seed-3.3: denies by default', () => {
    expect(evaluate([], 's3:GetObject', 'arn:aws:s3:::b/k')).toEqual({
      decision: 'no-allow',
      reason: { layer: 'none' },
    });
    const other = compiled('other', allow('s3:PutObject', '*'), allow('s3:GetObject', 'arn:aws:s3:::b2/*'));
    expect(evaluate([other], 's3:GetObject', 'arn:aws:s3:::b/k').decision).toBe('no-allow');
  });

  it('seed-3.3, XC6: a statement that denies overrides those that allow, in any order and across policies', () => {
    const wide = compiled('wide', allow('*', '*', 'All'));
    const narrow = compiled('narrow', allow('s3:List*', '*'), deny('s3:Delete*', 'arn:aws:s3:::b/*', 'Keep'));
    const denied = {
      decision: 'explicit-deny',
      reason: { layer: 'identity', policyName: 'narrow', statement: 1, sid: 'Keep' },
    };
    expect(evaluate([wide, narrow], 's3:DeleteObject', 'arn:aws:s3:::b/k')).toEqual(denied);
    expect(evaluate([narrow, wide], 's3:DeleteObject', 'arn:aws:s3:::b/k')).toEqual(denied);
    expect(evaluate([narrow, wide], 's3:DeleteObject', 'arn:aws:s3:::c/k')).toEqual({
      decision: 'allow',
      reason: { layer: 'identity', policyName: 'wide', statement: 0, sid: 'All' },
    });
  });

  describe('a session that the policy of the bucket names', () => {
    const { accountId, arn } = USER;
    const sessionArn = `arn:aws:sts::${accountId}:federated-user/s`;
    const session: Caller = { ...USER, session: { arn: sessionArn } };
    const everything = compiled('all', allow('s3:*', '*'));
    const decisionOf = (caller: Caller, policies: CompiledPolicy[], statement: object, check: object): string => {
      const asked = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/k', ...check };
      const text = JSON.stringify({
        Version: '2012-10-17',
        Statement: { Action: 's3:*', Resource: '*', ...statement },
      });
      const bucket = { accountId, policy: compilePolicy('bucket', text, 'resource') };
      return judgeAccess(judgePrincipal({ caller, policies }, asked, {}), caller, bucket, asked, {}).decision;
    };

    it('XC6: is denied by the tags of an object, whoever allows it beside', () => {
      const Condition = { StringEquals: { 's3:ExistingObjectTag/class': 'secret' } };
      const secret = compiled('secret', { ...deny('s3:GetObject', '*'), Condition } as Statement);
      const named = { Effect: 'Allow', Principal: { AWS: sessionArn } };
      const asked = (objectTags: object): string => decisionOf(session, [everything, secret], named, { objectTags });
      expect(asked({ state: 'unread' })).toBe('needs-object-tags');
      expect(asked({ state: 'read', tags: { class: 'secret' } })).toBe('explicit-deny');
      expect(asked({ state: 'read', tags: { class: 'other' } })).toBe('allow');
    });

    it('XC6: is left out of a deny with its holder alone, for it chose its name', () => {
      const unless = (...AWS: string[]) => ({ Effect: 'Deny', NotPrincipal: { AWS } });
      expect(decisionOf(session, [everything], unless(sessionArn), {})).toBe('explicit-deny');
      expect(decisionOf(session, [everything], unless(arn), {})).toBe('allow');
      expect(decisionOf(USER, [everything], unless(arn), {})).toBe('allow');
    });
  });

  it('tells actions apart without case and resources with it', () => {
    const policy = compiled('p', allow('S3:getOBJECT', 'arn:aws:s3:::Bucket/*'));
    expect(evaluate([policy], 's3:GetObject', 'arn:aws:s3:::Bucket/k').decision).toBe('allow');
    expect(evaluate([policy], 's3:GetObject', 'arn:aws:s3:::bucket/k').decision).toBe('no-allow');
  });

  it.each([
    ['s3:*', 's3:GetObject', 'allow'],
    ['s3:*', 'iam:GetUser', 'no-allow'],
    ['*', 'iam:GetUser', 'allow'],
    ['s3:Get*', 's3:GetObject', 'allow'],
    ['s3:Get*', 's3:PutObject', 'no-allow'],
    ['s3:?etObject', 's3:GetObject', 'allow'],
    ['s3:GetObject', 's3:GetObjectAcl', 'no-allow'],
  ])('action %s for %s: %s', (pattern, action, decision) => {
    expect(evaluate([compiled('p', allow(pattern, '*'))], action, 'arn:aws:s3:::b/k').decision).toBe(decision);
  });

  it('XC6: gives the same answer as a naive reading of the grammar', () => {
    const wild = (letters: string[]) => fc.string({ unit: fc.constantFrom(...letters, '*', '?'), maxLength: 5 });
    const actions = wild(['G', 'g', 'P']).map((name) => `s3:${name === '' ? 'X' : name}`);
    const resources = wild(['k', 'K', '/']).map((name) => `arn:aws:s3:::${name}`);
    const statements = fc.record({
      Effect: fc.constantFrom('Allow', 'Deny'),
      Action: fc.array(actions, { minLength: 1, maxLength: 3 }),
      Resource: fc.array(resources, { minLength: 1, maxLength: 3 }),
    });
    const policies = fc.array(fc.array(statements, { minLength: 1, maxLength: 3 }), { maxLength: 3 });
    const action = fc.string({ unit: fc.constantFrom('G', 'g', 'P', 'p'), minLength: 1, maxLength: 4 });
    const resource = fc.string({ unit: fc.constantFrom('k', 'K', '/'), maxLength: 4 });
    const matches = (pattern: string, text: string, flags: string): boolean => {
      const escaped = pattern.replaceAll(/[/:]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
      return new RegExp(`^${escaped}$`, flags).test(text);
    };
    fc.assert(
      fc.property(policies, action, resource, (given, name, key) => {
        const asked = { action: `s3:${name}`, resource: `arn:aws:s3:::${key}` };
        const applying = given
          .flat()
          .filter(
            (one) =>
              one.Action.some((pattern) => matches(pattern, asked.action, 'is')) &&
              one.Resource.some((pattern) => matches(pattern, asked.resource, 's')),
          );
        const denied = applying.some((one) => one.Effect === 'Deny');
        const expected = denied ? 'explicit-deny' : applying.length > 0 ? 'allow' : 'no-allow';
        const ready = given.map((one, index) => compiled(`p${index}`, ...one));
        expect(evaluate(ready, asked.action, asked.resource).decision).toBe(expected);
      }),
      { numRuns: 3_000 },
    );
  });

  it('XE5: judges a policy of 20 KiB with thousands of wildcards', () => {
    const room = POLICY_BYTES_MAX - 200;
    const hostile = compiled('hostile', deny('s3:*', `arn:aws:s3:::${'*?'.repeat(room / 2)}b`), allow('*', '*'));
    expect(evaluate([hostile], 's3:GetObject', `arn:aws:s3:::b/${'a'.repeat(1024)}`).decision).toBe('allow');
    const matching = compiled('matching', deny('s3:*', `arn:aws:s3:::${'*?'.repeat(500)}*`), allow('*', '*'));
    expect(evaluate([matching], 's3:GetObject', `arn:aws:s3:::b/${'a'.repeat(1024)}`).decision).toBe('explicit-deny');
  });

  it('refuses a policy that is not understood when it is compiled', () => {
    expect(() => compilePolicy('p', '{"Statement":{"Effect":"Allow"}}')).toThrow(PolicyError);
  });
});
