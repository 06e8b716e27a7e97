import { describe, expect, it } from '@jest/globals';
import { JSON_DEPTH_MAX, parseStrictJson } from './strict-json.js';

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    for (const text of ['null', '"a:{"', '{"a":{"a":[{"a":1},{"a":2}]},"b":"\\"a\\":"}', '[]', '-1.5e3'])
      expect(parseStrictJson(text)).toEqual({ value: JSON.parse(text) });
  });

  it('refuses a name that stands twice in one object, however it is written', () => {
    for (const text of ['{"a":1,"a":1}', '[{"a":1,"b":{},"\\u0061":2}]', '{"x":{"a":{"a":1},"a":[]}}'])
      expect(parseStrictJson(text)).toEqual({ problem: expect.stringContaining('twice'), repeated: 'a' });
  });

  it('refuses what is nested deeper than anybody should walk', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseStrictJson(nested(JSON_DEPTH_MAX))).toHaveProperty('value');
    for (const depth of [JSON_DEPTH_MAX + 1, 60_000])
      expect(parseStrictJson(nested(depth))).toEqual({ problem: expect.stringContaining('nesting') });
  });

  it('refuses what is no JSON, and half of a character', () => {
    for (const text of ['', '{', "{'a':1}", '{"a":1,}']) expect(parseStrictJson(text)).toHaveProperty('problem');
    expect(parseStrictJson('"\ud800"')).toHaveProperty('problem', 'expected well-formed Unicode');
  });
});
