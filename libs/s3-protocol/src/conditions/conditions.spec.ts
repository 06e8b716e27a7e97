import { describe, expect, it } from '@jest/globals';
import { HeaderList } from '../headers/header-list.js';
import { evaluateReadConditions, evaluateWriteConditions, parseWriteConditions } from './conditions.js';

const lastModifiedMs = Date.UTC(2024, 0, 10, 12, 0, 0, 400);
const state = { etag: 'abc', lastModifiedMs };
const before = 'Wed, 10 Jan 2024 11:59:59 GMT';
const same = 'Wed, 10 Jan 2024 12:00:00 GMT';
const after = 'Wed, 10 Jan 2024 12:00:01 GMT';
const read = (record: Record<string, string>) => evaluateReadConditions(HeaderList.from(record), state);

describe('evaluateReadConditions', () => {
  it.each([
    ['"abc"', 'proceed'],
    ['abc', 'proceed'],
    ['*', 'proceed'],
    ['"x", "abc"', 'proceed'],
    ['x,abc', 'proceed'],
    ['"x"', 'precondition-failed'],
    ['W/"abc"', 'precondition-failed'],
    ['', 'precondition-failed'],
  ])('If-Match: %s -> %s', (value, verdict) => {
    expect(read({ 'if-match': value })).toBe(verdict);
  });

  it.each([
    ['"abc"', 'not-modified'],
    ['abc', 'not-modified'],
    ['W/"abc"', 'not-modified'],
    ['"x", W/"abc"', 'not-modified'],
    ['*', 'not-modified'],
    ['"x"', 'proceed'],
    ['', 'proceed'],
  ])('If-None-Match: %s -> %s', (value, verdict) => {
    expect(read({ 'if-none-match': value })).toBe(verdict);
  });

  it('compares dates in whole seconds', () => {
    expect(read({ 'if-modified-since': before })).toBe('proceed');
    expect(read({ 'if-modified-since': same })).toBe('not-modified');
    expect(read({ 'if-modified-since': after })).toBe('not-modified');
    expect(read({ 'if-unmodified-since': before })).toBe('precondition-failed');
    expect(read({ 'if-unmodified-since': same })).toBe('proceed');
    expect(read({ 'if-unmodified-since': after })).toBe('proceed');
  });

  it('takes an unreadable date for none', () => {
    for (const date of ['yesterday', 'junk 1', '5', 'foo 2099']) {
      expect(read({ 'if-modified-since': date })).toBe('proceed');
      expect(read({ 'if-unmodified-since': date })).toBe('proceed');
    }
  });

  it('an ETag outweighs the date of its pair', () => {
    expect(read({ 'if-match': 'abc', 'if-unmodified-since': before })).toBe('proceed');
    expect(read({ 'if-none-match': 'x', 'if-modified-since': after })).toBe('proceed');
    expect(read({ 'if-none-match': 'abc', 'if-modified-since': before })).toBe('not-modified');
  });

  it('a failed If-Match comes before a matching If-None-Match', () => {
    expect(read({ 'if-match': 'x', 'if-none-match': 'abc' })).toBe('precondition-failed');
    expect(read({ 'if-match': 'abc', 'if-none-match': 'abc' })).toBe('not-modified');
  });

  it('no condition proceeds', () => {
    expect(read({})).toBe('proceed');
  });
});

describe('evaluateWriteConditions', () => {
  const write = (record: Record<string, string>, held: { etag: string } | undefined) =>
    evaluateWriteConditions(parseWriteConditions(HeaderList.from(record)), held);

  it('If-None-Match: * lets only the first one in', () => {
    expect(write({ 'if-none-match': '*' }, undefined)).toBe('proceed');
    expect(write({ 'if-none-match': '*' }, state)).toBe('precondition-failed');
    expect(write({ 'if-none-match': '"abc"' }, state)).toBe('precondition-failed');
    expect(write({ 'if-none-match': '"x"' }, state)).toBe('proceed');
  });

  it('If-Match replaces what the client saw', () => {
    expect(write({ 'if-match': '"abc"' }, state)).toBe('proceed');
    expect(write({ 'if-match': '"x"' }, state)).toBe('precondition-failed');
    expect(write({ 'if-match': '*' }, state)).toBe('proceed');
    expect(write({ 'if-match': '"abc"' }, undefined)).toBe('no-such-key');
    expect(write({ 'if-match': '*' }, undefined)).toBe('no-such-key');
  });

  it('no condition proceeds', () => {
    expect(write({}, state)).toBe('proceed');
    expect(parseWriteConditions(HeaderList.from({}))).toEqual({});
  });
});

it('If-None-Match of a write compares weakly, like one of a read', () => {
  const conditions = parseWriteConditions(HeaderList.from({ 'if-none-match': 'W/"abc", "x"', 'if-match': 'W/"abc"' }));
  expect(conditions).toEqual({ ifNoneMatch: ['abc', 'x'], ifMatch: ['W/"abc"'] });
});
