import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeCompleteMultipartUpload, decodeCreateBucketConfiguration, decodeDelete } from './request-decoders.js';
import { escapeXml } from './xml-writer.js';

const DECODERS = [decodeDelete, decodeCompleteMultipartUpload, decodeCreateBucketConfiguration] as const;

/** True when the decoder gave a result or MalformedXML; anything else fails the test. */
function answers(body: Buffer): void {
  for (const decoder of DECODERS) {
    try {
      decoder(body);
    } catch (error) {
      expect(error).toMatchObject({ name: 'HoldfastError', code: 'MalformedXML' });
    }
  }
}

const token = fc.constantFrom(
  ...[
    '<Delete>',
    '</Delete>',
    '<Object>',
    '</Object>',
    '<Key>',
    '</Key>',
    '<Key/>',
    '<CompleteMultipartUpload>',
    '<Part>',
    '</Part>',
  ],
  ...[
    '<?xml version="1.0"?>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<!DOCTYPE a>',
    '<!ENTITY',
    '&amp;',
    '&#1;',
    '&x;',
    '&',
    '<',
    '>',
    '/>',
  ],
  ...[
    ' a="b"',
    '__proto__',
    '<__proto__>',
    '</__proto__>',
    '<constructor>',
    'text',
    ' ',
    '\0',
    '\ufeff',
    '"',
    "'",
    '=',
    'é',
  ],
);

describe('XML on any bytes', () => {
  it('token soup is a result or MalformedXML', () => {
    fc.assert(
      fc.property(fc.array(token, { maxLength: 25 }), (tokens) => answers(Buffer.from(tokens.join('')))),
      { numRuns: 1000 },
    );
    expect(({} as Record<string, unknown>)['Key']).toBeUndefined();
  });

  it('a damaged document is a result or MalformedXML', () => {
    const body = Buffer.from(
      '<?xml version="1.0"?><Delete xmlns="x"><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet></Delete>',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }), (changes) => {
        const damaged = Buffer.from(body);
        for (const [at, byte] of changes) damaged[at % damaged.length] = byte;
        answers(damaged);
      }),
      { numRuns: 500 },
    );
  });

  it('XE2: every key comes back as it was written', () => {
    const unit = fc.constantFrom(
      '<',
      '>',
      '&',
      '"',
      "'",
      ']',
      ']]>',
      'a',
      '0',
      ' ',
      '\n',
      '\r',
      '\t',
      '\u0001',
      'é',
      '😀',
      '&amp;',
      '__proto__',
    );
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1, maxLength: 12 }), (key) => {
        const body = `<Delete><Object><Key>${escapeXml(key)}</Key></Object></Delete>`;
        expect(decodeDelete(Buffer.from(body)).objects).toEqual([{ key }]);
      }),
      { numRuns: 500 },
    );
  });
});
