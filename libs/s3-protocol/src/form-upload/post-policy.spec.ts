import { describe, expect, it } from '@jest/globals';
import { decodePostPolicy, judgePostPolicy, type PostPolicy } from './post-policy.js';
import type { UploadForm } from './upload-form.js';

const code = (name: string) => expect.objectContaining({ code: name });
const NOW = Date.UTC(2026, 10, 21, 10, 0, 0);
const BUCKET = { bucket: 'b' };

const encoded = (text: string): string => Buffer.from(text).toString('base64');

function policyOf(conditions: unknown, expiration: unknown = '2026-11-21T10:00:01.000Z', more = {}): PostPolicy {
  return decodePostPolicy(encoded(JSON.stringify({ expiration, conditions, ...more })));
}

function formOf(fields: Record<string, string>): UploadForm {
  const entries = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), { name, value }] as const);
  return { fields: new Map(entries), fileBytesMax: 0, file: async function* () {} };
}

function judge(conditions: readonly unknown[], fields: Record<string, string>, nowMs = NOW): () => void {
  return () => judgePostPolicy(policyOf([BUCKET, ...conditions]), formOf(fields), 'b', nowMs);
}

describe('the policy document of a form', () => {
  it.each([
    ['no JSON', () => decodePostPolicy(encoded('{'))],
    ['no object', () => decodePostPolicy(encoded('[]'))],
    ['null', () => decodePostPolicy(encoded('null'))],
    ['no expiration', () => decodePostPolicy(encoded('{"conditions":[]}'))],
    ['no conditions', () => decodePostPolicy(encoded('{"expiration":"2026-11-21T10:00:01Z"}'))],
    [
      'conditions in another case',
      () => decodePostPolicy(encoded('{"expiration":"2026-11-21T10:00:01Z","CONDITIONS":[]}')),
    ],
    [
      'expiration in another case',
      () => decodePostPolicy(encoded('{"EXPIRATION":"2026-11-21T10:00:01Z","conditions":[]}')),
    ],
    ['a member of another name', () => policyOf([], undefined, { Version: '1' })],
    ['conditions that are no list', () => policyOf({ bucket: 'b' })],
    ['an empty condition', () => policyOf([{}])],
    ['an empty list as condition', () => policyOf([[]])],
    ['a text as condition', () => policyOf(['eq'])],
    ['null as condition', () => policyOf([null])],
    ['a value that is no text', () => policyOf([{ success_action_status: 201 }])],
    ['a nested value', () => policyOf([{ key: { eq: 'a' } }])],
    ['an unknown operator', () => policyOf([['ends-with', '$key', 'x']])],
    ['a field without a dollar', () => policyOf([['eq', 'key', 'x']])],
    ['a dollar without a field', () => policyOf([['eq', '$', 'x']])],
    ['too few values', () => policyOf([['eq', '$key']])],
    ['too many values', () => policyOf([['eq', '$key', 'a', 'b']])],
    ['a range without an end', () => policyOf([['content-length-range', 0]])],
    ['a range below zero', () => policyOf([['content-length-range', -1, 0]])],
    ['a range that ends before it begins', () => policyOf([['content-length-range', 2, 1]])],
    ['a range with a fraction', () => policyOf([['content-length-range', 0, 1.5]])],
    ['a range of texts', () => policyOf([['content-length-range', 'a', 'b']])],
    ['a range of three', () => policyOf([['content-length-range', 0, 1, 2]])],
    ...[
      '2026-11-21 10:00:01+00:00',
      '2026-11-21T10:00:01',
      '2026-02-31T10:00:00Z',
      '',
      5,
      null,
      '2026-13-01T00:00:00Z',
    ].map((expiration) => [`expiration ${String(expiration)}`, () => policyOf([], expiration)] as const),
  ])('XB7: %s: 400 InvalidPolicyDocument', (_name, decode) => {
    expect(decode).toThrow(code('InvalidPolicyDocument'));
  });

  it('expires at its second', () => {
    expect(judge([], {}, NOW + 1000)).not.toThrow();
    expect(judge([], {}, NOW + 1001)).toThrow(code('AccessDenied'));
    expect(policyOf([], '2026-11-21T10:00:01.123456Z').expiresAtMs).toBe(NOW + 1000);
  });

  it('a dollar may be escaped, as no other JSON has it', () => {
    const text = String.raw`{"expiration":"2026-11-21T10:00:01Z","conditions":[{"bucket":"b"},["eq","$key","\$a\\$b\\\$"]]}`;
    const policy = decodePostPolicy(encoded(text));
    expect(() => judgePostPolicy(policy, formOf({ key: String.raw`$a\$b\$` }), 'b', NOW)).not.toThrow();
  });

  it('ranges of the size narrow each other', () => {
    const ranges = [
      ['content-length-range', 0, 100],
      ['Content-Length-Range', '10', '500'],
    ];
    expect(policyOf(ranges).size).toEqual({ minBytes: 10, maxBytes: 100 });
    expect(policyOf([]).size).toEqual({ minBytes: 0, maxBytes: Number.MAX_SAFE_INTEGER });
  });
});

describe('a form held against its policy', () => {
  it.each<[string, readonly unknown[], Record<string, string>]>([
    ['an exact match in a map', [{ key: 'k' }], { key: 'k' }],
    ['several in one map', [{ key: 'k', acl: 'private' }], { key: 'k', acl: 'private' }],
    ['eq', [['eq', '$key', 'k']], { key: 'k' }],
    ['starts-with', [['starts-with', '$key', 'user/']], { key: 'user/k' }],
    ['an empty starts-with', [['starts-with', '$key', '']], { key: 'anything' }],
    ['an empty value', [['starts-with', '$x-amz-meta-a', '']], { 'x-amz-meta-a': '' }],
    [
      'names and operators in any case',
      [['StArTs-WiTh', '$KeY', 'k'], { AcL: 'private' }],
      { kEy: 'k', aCl: 'private' },
    ],
    ['a list of types', [['starts-with', '$Content-Type', 'image/']], { 'Content-Type': 'image/png, image/jpeg' }],
    [
      'what needs no condition',
      [],
      { policy: 'p', AWSAccessKeyId: 'a', signature: 's', 'x-amz-signature': 's', 'x-ignore-a': '' },
    ],
  ])('%s holds', (_name, conditions, fields) => {
    expect(judge(conditions, fields)).not.toThrow();
  });

  it.each<[string, readonly unknown[], Record<string, string>]>([
    ['another value', [{ key: 'k' }], { key: 'l' }],
    ['a value in another case', [{ key: 'k' }], { key: 'K' }],
    ['another beginning', [['starts-with', '$key', 'user/']], { key: 'user' }],
    ['a condition without its field', [['starts-with', '$x-amz-meta-a', '']], {}],
    ['a field without a condition', [{ key: 'k' }], { key: 'k', 'x-amz-meta-a': '' }],
    ['a proof field of version 4 without a condition', [], { 'x-amz-credential': 'a' }],
    ['a checksum without a condition', [], { 'x-amz-checksum-crc32': 'a' }],
    [
      'one of two conditions',
      [
        ['starts-with', '$key', 'a'],
        ['starts-with', '$key', 'ab'],
      ],
      { key: 'ac' },
    ],
    [
      'a list of types with another one',
      [['starts-with', '$Content-Type', 'image/']],
      { 'Content-Type': 'image/png,text/html' },
    ],
    ['__proto__', [], { ['__proto__x']: 'a' }],
  ])('XB7: %s: 403 AccessDenied', (_name, conditions, fields) => {
    expect(judge(conditions, fields)).toThrow(code('AccessDenied'));
  });

  it('XB7: another bucket, none, and one that only a field names', () => {
    const hold =
      (conditions: readonly unknown[], fields = {}) =>
      () =>
        judgePostPolicy(policyOf(conditions), formOf(fields), 'b', NOW);
    expect(hold([{ bucket: 'c' }])).toThrow(code('AccessDenied'));
    expect(hold([])).toThrow(code('AccessDenied'));
    expect(hold([['starts-with', '$bucket', '']])).not.toThrow();
    expect(hold([{ bucket: 'c' }], { bucket: 'c' })).toThrow(code('AccessDenied'));
    expect(hold([BUCKET], { bucket: 'c' })).not.toThrow();
  });
});
