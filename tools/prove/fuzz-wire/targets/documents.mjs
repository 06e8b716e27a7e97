// The XML documents of requests: well-formed ones mean exactly what they say, all others are refused in no time.
import * as protocol from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const escape = (text) => text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
const texts = [
  'key',
  '007',
  '1e3',
  'true',
  'null',
  ' padded ',
  '__proto__',
  'constructor',
  '&<>"\'',
  'é€😀',
  'a\nb',
  '0x1f',
  'k'.repeat(300),
  '\u202e',
];
const tokens = [
  ...[
    '<',
    '>',
    '</',
    '/>',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?xml ',
    '?>',
    '<!DOCTYPE x [',
    '<!ENTITY a "b">',
    ']>',
    '&a;',
  ],
  ...[
    '&amp;',
    '&#0;',
    '&#x10FFFF;',
    '&#x110000;',
    '&lt',
    ';',
    '"',
    "'",
    '=',
    ' a="1"',
    'Key',
    '<Object>',
    '</Object>',
    '<Key>',
  ],
  ...[
    '<Part>',
    '<PartNumber>',
    '0',
    '-1',
    '1e9',
    '99999999999999999999',
    '\0',
    '\u00c3\u0028',
    '\u00ef\u00bb\u00bf',
    '\r',
    ' ',
    'encoding="UTF-16"',
  ],
];

const seeds = {
  Delete(draw) {
    const keys = [draw.of(texts), ...draw.several(4, () => draw.of(texts))];
    const objects = keys.map((key) => `<Object><Key>${escape(key)}</Key></Object>`);
    return {
      text: `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects.join('')}<Quiet>false</Quiet></Delete>`,
      means: keys,
    };
  },
  CompleteMultipartUpload(draw) {
    const numbers = [draw.between(1, 10_000), ...draw.several(4, () => draw.between(1, 10_000))];
    const parts = numbers.map((number) => `<Part><PartNumber>${number}</PartNumber><ETag>"e"</ETag></Part>`);
    return {
      text: `<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUpload>${parts.join('\n')}</CompleteMultipartUpload>`,
      means: numbers,
    };
  },
  CreateBucketConfiguration: (draw) => {
    const region = draw.of(['us-east-1', 'default', 'EU', '007', 'true']);
    return {
      text: `<CreateBucketConfiguration><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`,
      means: region,
    };
  },
  Versioning: (draw) => {
    const status = draw.of(['Enabled', 'Suspended']);
    return { text: `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`, means: status };
  },
  Cors(draw) {
    const rules = [draw.of(['*', 'http://a', 'http://*.a']), ...draw.several(2, () => draw.of(['https://b', 'null']))];
    const elements = rules.map(
      (origin) =>
        `<CORSRule><AllowedOrigin>${origin}</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>007</MaxAgeSeconds></CORSRule>`,
    );
    return { text: `<CORSConfiguration>${elements.join('')}</CORSConfiguration>`, means: rules };
  },
  Tagging(draw) {
    const tags = draw
      .several(4, () => draw.of(['a', '007', 'true']))
      .map((value, index) => ({ key: `tag${index}`, value }));
    const set = tags.map(({ key, value }) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`);
    return { text: `<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`, means: undefined };
  },
};

const readers = {
  Delete: (body) => protocol.decodeDelete(body).objects.map(({ key }) => key),
  CompleteMultipartUpload: (body) => protocol.decodeCompleteMultipartUpload(body).map(({ partNumber }) => partNumber),
  CreateBucketConfiguration: (body) => protocol.decodeCreateBucketConfiguration(body).locationConstraint,
  Versioning: (body) => protocol.decodeVersioning(body),
  Cors: (body) => protocol.decodeCorsConfiguration(body).map(({ allowedOrigins }) => allowedOrigins[0]),
  Tagging: (body) => void protocol.decodeTagging(body, protocol.OBJECT_TAGS_MAX),
};

/** Rings of references and of nesting: what costs more than its bytes. */
const bombs = [
  (draw) => '<a>'.repeat(draw.between(1, 20_000)),
  (draw) => `<Delete>${'<!-- -->'.repeat(draw.between(1, 8000))}</Delete>`,
  (draw) => `<Delete><Object><Key>${'&amp;'.repeat(draw.between(1, 13_000))}</Key></Object></Delete>`,
  (draw) => `<Delete ${'a="1" '.repeat(draw.between(1, 10_000))}></Delete>`,
  (draw) => `<Delete><Object><Key>${'<![CDATA[x]]>'.repeat(draw.between(1, 5000))}</Key></Object></Delete>`,
  (draw) => `<Delete>${' '.repeat(draw.between(1, 60_000))}x</Delete>`,
];

const numbersBecome = (name) => ({
  ...readers,
  [name]: (body) =>
    readers[name](body).map((value) =>
      typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value)) ? String(Number(value)) : value,
    ),
});

export const documents = {
  name: 'xml',
  share: 20,
  subject: readers,
  planted: {
    'texts that look like numbers become numbers': numbersBecome('Delete'),
    'an unknown entity is an error of the reader itself': {
      ...readers,
      Delete(body) {
        if (/&\w+;/.test(body.toString('latin1').replace(/&(amp|lt|gt|quot|apos);/g, '')))
          throw new TypeError('unknown entity');
        return readers.Delete(body);
      },
    },
    'the letters of a key are tried in every grouping': {
      ...readers,
      Delete(body) {
        /^(k+)+x$/.test(/<Key>(k{0,27})/.exec(body.toString('latin1'))?.[1] ?? '');
        return readers.Delete(body);
      },
    },
  },
  trial(draw, trial, read) {
    const name = draw.of(Object.keys(seeds));
    const { text, means } = seeds[name](draw);
    if (draw.chance(0.2)) {
      const { value } = trial.outcome(() => read[name](Buffer.from(text)));
      expectSame(value, means, `the document ${text}`);
      return;
    }
    const bytes = Buffer.from(text).toString('latin1');
    const changed = draw.chance(0.01) ? draw.of(bombs)(draw) : mutated(bytes, draw, tokens);
    trial.outcome(() => read[name](Buffer.from(changed, 'latin1')));
  },
};
