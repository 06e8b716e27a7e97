import { describe, expect, it } from '@jest/globals';
import { HeaderList } from './header-list.js';

describe('HeaderList', () => {
  const headers = new HeaderList(['Host', 'a', 'X-Amz-Meta-A', '1', 'x-amz-meta-a', '2', 'X-AMZ-META-A', '3']);

  it('finds headers by lower-case name, whatever the spelling on the wire', () => {
    expect(headers.get('host')).toBe('a');
    expect(headers.has('x-amz-meta-a')).toBe(true);
    expect(headers.get('absent')).toBeUndefined();
    expect(headers.joined('absent')).toBeUndefined();
  });

  it('keeps repeated lines in order', () => {
    expect(headers.count).toBe(4);
    expect(headers.get('x-amz-meta-a')).toBe('1');
    expect(headers.getAll('x-amz-meta-a')).toEqual(['1', '2', '3']);
    expect(headers.joined('x-amz-meta-a')).toBe('1,2,3');
    expect([...headers.names()]).toEqual(['host', 'x-amz-meta-a']);
  });

  it('is built from a record as well', () => {
    const built = HeaderList.from({ A: ['1', '2'], B: '3' });
    expect(built.getAll('a')).toEqual(['1', '2']);
    expect(built.get('b')).toBe('3');
    expect(built.get('__proto__')).toBeUndefined();
  });
});
