import { describe, expect, it } from '@jest/globals';
import { HoldfastError } from '@holdfast/contracts';
import { BUCKET_TAGS_MAX, decodeTagging, encodeTagging, OBJECT_TAGS_MAX, parseTaggingHeader } from './tag-set.js';

const tagging = (...tags: readonly (readonly [key: string, value: string])[]) =>
  `<Tagging><TagSet>${tags.map(([k, v]) => `<Tag><Key>${k}</Key><Value>${v}</Value></Tag>`).join('')}</TagSet></Tagging>`;
const decode = (xml: string, max = OBJECT_TAGS_MAX) => ({ ...decodeTagging(Buffer.from(xml), max) });
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'none';
};
const many = (count: number) => Array.from({ length: count }, (_, i): [string, string] => [`k${i}`, `${i}`]);

describe('a tag set', () => {
  it('of a document', () => {
    expect(decode(tagging(['colour', 'blue'], ['Größe 1', '']))).toEqual({ colour: 'blue', 'Größe 1': '' });
    expect(decode('<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet/></Tagging>')).toEqual({});
    expect(decode(tagging(['__proto__', 'x']))).toHaveProperty(['__proto__'], 'x');
  });

  it('of a header: pairs as in a query, a value may be missing', () => {
    expect({ ...parseTaggingHeader('foo=bar&bar', 10) }).toEqual({ foo: 'bar', bar: '' });
    expect({ ...parseTaggingHeader('a%20b=%C3%BC+1&c=d=e', 10) }).toEqual({ 'a b': 'ü 1', c: 'd=e' });
    expect({ ...parseTaggingHeader('&&', 10) }).toEqual({});
    for (const header of ['a=%zz', 'a=%ff', 'a%00=b']) {
      expect(codeOf(() => parseTaggingHeader(header, 10))).toBe('InvalidArgument');
    }
    for (const header of ['=b', 'a=1&a=2', 'aws:a=b', 'a=%3Cb%3E']) {
      expect(codeOf(() => parseTaggingHeader(header, 10))).toBe('InvalidTag');
    }
  });

  it.each([
    ['no tag set', '<Tagging></Tagging>'],
    ['another root', '<TagSet></TagSet>'],
    ['another element', '<Tagging><TagSet><Label/></TagSet></Tagging>'],
    ['a tag without a key', '<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>'],
    ['a tag without a value', '<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>'],
    ['two keys', '<Tagging><TagSet><Tag><Key>k</Key><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>'],
    ['no document', ''],
  ])('%s is MalformedXML', (_name, xml) => {
    expect(codeOf(() => decode(xml))).toBe('MalformedXML');
  });

  it('within its limits, counted in characters', () => {
    expect(codeOf(() => decode(tagging(...many(10))))).toBe('none');
    expect(codeOf(() => decode(tagging(...many(11))))).toBe('InvalidTag');
    expect(codeOf(() => decode(tagging(...many(50)), BUCKET_TAGS_MAX))).toBe('none');
    expect(codeOf(() => decode(tagging(...many(51)), BUCKET_TAGS_MAX))).toBe('InvalidTag');
    for (const letter of ['a', 'é', '𐐀']) {
      expect(codeOf(() => decode(tagging([letter.repeat(128), letter.repeat(256)])))).toBe('none');
      expect(codeOf(() => decode(tagging([letter.repeat(129), ''])))).toBe('InvalidTag');
      expect(codeOf(() => decode(tagging(['k', letter.repeat(257)])))).toBe('InvalidTag');
    }
    for (const key of ['', 'a*', 'a\u0007', 'AWS:x', 'a\u{1f388}']) {
      expect(codeOf(() => decode(tagging([key.replace('\u0007', '&#7;'), 'v'])))).toBe('InvalidTag');
    }
    expect(codeOf(() => decode(tagging(['k', '1'], ['k', '1'])))).toBe('InvalidTag');
  });

  it('is answered sorted by key, and is read back as it was', () => {
    const tags = { b: '<&"', a: '', '10': 'x', '9': 'y' };
    const xml = encodeTagging(tags);
    expect([...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key)).toEqual(['10', '9', 'a', 'b']);
    expect(encodeTagging({})).toContain('<TagSet></TagSet>');
    expect(decode(encodeTagging({ z: '1', y: 'é' }))).toEqual({ y: 'é', z: '1' });
  });
});
