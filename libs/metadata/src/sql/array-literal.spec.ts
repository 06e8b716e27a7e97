import { describe, expect, it } from '@jest/globals';
import { bytesArray, plainArray, textArray } from './array-literal.js';

const same = <T>(value: T): T => value;

describe('array literals of Postgres', () => {
  it('quote texts, and what is special in them', () => {
    expect(textArray(['a', '', 'say "x"', 'back\\slash', 'both "\\"', 'a,{b}', 'NULL', null, undefined], same)).toBe(
      '{"a","","say \\"x\\"","back\\\\slash","both \\"\\\\\\"","a,{b}","NULL",NULL,NULL}',
    );
    expect(textArray([], same)).toBe('{}');
  });

  it('name bytes in hex', () => {
    expect(bytesArray(['00ff', Buffer.from([1, 0xab]), null], same)).toBe('{"\\\\x00ff","\\\\x01ab",NULL}');
  });

  it('leave numbers and booleans as they are', () => {
    expect(plainArray([1n, 2.5, false, null], same)).toBe('{1,2.5,false,NULL}');
  });

  it('take of each item what they are asked for', () => {
    expect(textArray([{ name: 'a' }, { name: 'b' }], ({ name }) => name)).toBe('{"a","b"}');
  });
});
