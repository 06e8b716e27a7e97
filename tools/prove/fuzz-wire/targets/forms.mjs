// Form uploads: fields and file come out as they went in, however the network cuts the bytes, and a policy is judged or refused.
import {
  decodePostPolicy,
  formAnswer,
  formHeaders,
  formKey,
  HeaderList,
  judgePostPolicy,
  readUploadForm,
  redirectLocation,
} from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const boundary = '----form';
const fieldNames = [
  ...[
    'key',
    'acl',
    'policy',
    'tagging',
    'Content-Type',
    'x-amz-meta-a',
    'success_action_status',
    'success_action_redirect',
  ],
  ...['__proto__', 'constructor', 'submit', 'x-amz-checksum-crc32', 'Content-MD5', 'redirect', 'filename'],
];
const values = [
  ...[
    '',
    'k',
    'a/${filename}',
    '007',
    'é€😀',
    '201',
    'http://a.test/?b=c',
    'javascript:alert(1)',
    '--',
    '----form',
    'a\r\nb',
  ],
  ...['<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>', '\r\n--', 'x'.repeat(1100), '\0'],
];
const tokens = [
  ...[
    '\r\n',
    '\r',
    '\n',
    '--',
    '------form',
    '------form--',
    '\r\n------form\r\n',
    'Content-Disposition: form-data; name="key"',
  ],
  ...[
    '; filename="f"',
    '"',
    '\\',
    ';',
    '=',
    'name=',
    '\0',
    '\u00ff',
    'Content-Type: x/y\r\n',
    '\r\n\r\n',
    '${filename}',
    'form-data',
  ],
];
const conditionTokens = [
  ...[
    '[',
    ']',
    '{',
    '}',
    '"',
    ',',
    ':',
    'null',
    '1e999',
    '-1',
    '"starts-with"',
    '"eq"',
    '"$key"',
    '"$',
    '["content-length-range",0,1]',
  ],
  ...[
    '"bucket"',
    '"__proto__"',
    '"expiration"',
    '"2026-11-21T11:00:00Z"',
    '"9999-99-99T99:99:99Z"',
    '\\u0000',
    '\\ud800',
    '"conditions"',
  ],
];

async function* cut(body, draw) {
  for (let at = 0; at < body.length;) {
    const end = at + (draw.chance(0.2) ? body.length : draw.between(1, 30));
    yield body.subarray(at, end);
    at = end;
  }
}

async function* whole(body) {
  yield body;
}

async function read(source, contentType, sizeBytes) {
  const form = await readUploadForm(source, contentType, sizeBytes);
  const pieces = [];
  for await (const piece of form.file()) pieces.push(piece);
  return { form, file: Buffer.concat(pieces).toString('latin1') };
}

function makeForm(draw) {
  const names = draw.shuffled(fieldNames).slice(0, draw.below(5));
  const fields = names.map((name) => [name, draw.of(values)]);
  const file = draw
    .several(3, () => draw.of(['x', '\r\n', '--', '------for', 'binary\0\u00ff', '\r\n------form', 'y'.repeat(50)]))
    .join('');
  const safe = [...fields.map(([, value]) => value), file].every((text) => !text.includes('\r\n------form'));
  const head = (name, fileName) =>
    `Content-Disposition: form-data; name="${name}"${fileName ? '; filename="f.txt"' : ''}`;
  // Some clients give every field a file name: the one called `file` is the file.
  const parts = fields.map(
    ([name, value]) => `${head(name, draw.chance(0.3))}\r\n\r\n${Buffer.from(value).toString('latin1')}`,
  );
  const text = `--${boundary}\r\n${[...parts, `${head('file', true)}\r\n\r\n${file}`].join(`\r\n--${boundary}\r\n`)}\r\n--${boundary}--\r\n`;
  return { text, fields, file, safe };
}

const shown = ({ value, refusal }) =>
  value === undefined
    ? { refusal }
    : { file: value.file, fields: [...value.form.fields].map(([name, field]) => [name, field.value]) };

function checkPolicy(draw, trial) {
  const document = JSON.stringify({
    expiration: '2026-11-21T11:00:00Z',
    conditions: [
      { bucket: 'bucket' },
      ['starts-with', '$key', 'a'],
      ['eq', '$acl', 'private'],
      ['content-length-range', 1, 100],
    ],
  });
  const changed = draw.chance(0.2) ? document : mutated(document, draw, conditionTokens, 10_000);
  const base64 = Buffer.from(changed, 'latin1').toString('base64');
  const { value: policy } = trial.outcome(() =>
    decodePostPolicy(draw.chance(0.1) ? mutated(base64, draw, ['=', '-', '\n', '!']) : base64),
  );
  const fields = new Map(
    draw.several(3, () => [draw.of(['key', 'acl', 'x-a']), { name: 'key', value: draw.of(values) }]),
  );
  if (policy !== undefined) trial.outcome(() => judgePostPolicy(policy, { fields }, 'bucket', Date.UTC(2026, 10, 21)));
}

export const forms = {
  name: 'forms',
  share: 12,
  subject: read,
  planted: {
    'a part with a file name is the file': async (source, contentType, sizeBytes) => {
      const pieces = [];
      for await (const piece of source) pieces.push(piece);
      const renamed = Buffer.concat(pieces)
        .toString('latin1')
        .replace(/name="[^"]*"; filename/, 'name="file"; filename');
      return read(whole(Buffer.from(renamed, 'latin1')), contentType, sizeBytes);
    },
    'a boundary that the network cuts is overlooked': (source, contentType, sizeBytes) =>
      read(
        (async function* () {
          for await (const piece of source) yield piece[0] === 0x2d ? piece.subarray(1) : piece;
        })(),
        contentType,
        sizeBytes,
      ),
    'an error of the reader itself': (source, contentType, sizeBytes) =>
      read(source, contentType, sizeBytes).catch((error) => {
        throw new TypeError(error.message);
      }),
  },
  async trial(draw, trial, readForm) {
    if (draw.chance(0.3)) return checkPolicy(draw, trial);
    const made = makeForm(draw);
    const wellFormed = draw.chance(0.4);
    const body = Buffer.from(wellFormed ? made.text : mutated(made.text, draw, tokens, 30_000), 'latin1');
    const contentType = `multipart/form-data; boundary=${wellFormed || draw.chance(0.9) ? boundary : mutated(boundary, draw, tokens, 200)}`;
    const atOnce = await trial.outcomeOf(() => readForm(whole(body), contentType, body.length));
    const inPieces = await trial.outcomeOf(() => readForm(cut(body, draw), contentType, body.length));
    expectSame(shown(inPieces), shown(atOnce), `the form ${JSON.stringify(body.toString('latin1'))} in pieces`);
    if (wellFormed && made.safe) {
      const fields = made.fields.map(([name, value]) => [
        name.toLowerCase(),
        name === 'policy' ? value : value.replaceAll('${filename}', 'f.txt'),
      ]);
      expectSame(shown(atOnce), { file: made.file, fields }, `the form ${JSON.stringify(made.text)}`);
    }
    const form = atOnce.value?.form;
    if (form === undefined) return undefined;
    trial.outcome(() => formKey(form));
    trial.outcome(() => formHeaders(form, new HeaderList(['host', 'a']), ['host']));
    const { value: answer } = trial.outcome(() => formAnswer(form));
    if (answer?.redirect !== undefined)
      trial.outcome(() => redirectLocation(answer.redirect, 'bucket', 'k\u00e9', '"e"'));
    return undefined;
  },
};
