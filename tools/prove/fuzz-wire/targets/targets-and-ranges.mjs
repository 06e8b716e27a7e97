// Request lines, queries, ranges and header lists against plain readings of the same.
import {
  HeaderList,
  parseRange,
  parseRequestTarget,
  parseTaggingHeader,
  readStrictHead,
  resolveOperation,
  responseOverrides,
  validateBucketName,
} from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const targets = [
  ...[
    '/',
    '/bucket',
    '/bucket/',
    '/bucket/key',
    '/bucket/a/../b',
    '/bucket//key',
    '/bucket/%2e%2e/x',
    '/bucket/%C3%A9',
    '/bucket/100%25%2541',
  ],
  ...['/bucket?list-type=2&prefix=a%20b+c&delimiter=/', '/bucket/key?versionId=null&response-content-type=a%2Fb'],
  ...[
    '/bucket/key?uploadId=u&partNumber=1',
    '/bucket?acl',
    '/bucket?policy&x-id=1',
    '/bucket/k%00',
    '/bucket/key?tagging=',
  ],
];
const targetTokens = [
  ...[
    '%',
    '%2',
    '%2F',
    '%00',
    '%ff',
    '%C3%28',
    '%ED%A0%80',
    '/',
    '//',
    '/../',
    '.',
    '?',
    '&',
    '=',
    '+',
    '#',
    ' ',
    '\t',
    '\u00e9',
  ],
  ...[
    'acl',
    'uploads',
    'uploadId',
    'X-Amz-Signature=',
    'http://a',
    '*',
    '__proto__',
    'a'.repeat(300),
    '%25',
    '\u007f',
    '\\',
    '&&',
    '==',
  ],
];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE'];

/** A target's bucket and key once more: the first segment, and all behind the next slash, each decoded once. */
function expectedTarget(url) {
  const path = url.split('?', 1)[0].replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  const [, first, ...rest] = path.split('/');
  return {
    bucket: decodeURIComponent(first),
    key: rest.length === 0 || rest.join('/') === '' ? undefined : decodeURIComponent(rest.join('/')),
  };
}

function checkTarget(draw, trial, { parseTarget }) {
  const url = draw.chance(0.1) ? draw.of(targets) : mutated(draw.of(targets), draw, targetTokens, 15_000);
  const { value: target } = trial.outcome(() => parseTarget(url));
  if (target === undefined) return;
  if (target.bucket !== undefined) {
    const { bucket, key } = target;
    expectSame({ bucket, key }, expectedTarget(url), `the target ${JSON.stringify(url)}`);
    trial.outcome(() => validateBucketName(bucket));
  }
  trial.outcome(() => responseOverrides(target.query));
  const headers = new HeaderList(
    draw.several(2, () => draw.of(['x-amz-copy-source', 'content-type', 'multipart/form-data; boundary=x'])),
  );
  trial.outcome(() => resolveOperation({ method: draw.of(METHODS), ...target, headers }));
}

const rangeTokens = [
  'bytes',
  '=',
  '-',
  ',',
  '0',
  '9',
  '99999999999999999999',
  ' ',
  '+',
  'e',
  '.',
  'x',
  '\t',
  'Bytes',
  '--',
  '١',
];

/** One range of a header once more, by cutting it at its marks; undefined for the whole, 'none' for nothing of it. */
function expectedRange(header, size) {
  const text = header.trim();
  if (header.length > 64 || text.slice(0, 6).toLowerCase() !== 'bytes=') return undefined;
  const ends = text.slice(6).split('-');
  if (ends.length !== 2 || !ends.every((end) => /^[0-9]*$/.test(end)) || ends.join('') === '') return undefined;
  if (ends[0] === '') {
    if (size === 0 || BigInt(ends[1]) === 0n) return 'none';
    const suffix = BigInt(ends[1]) > BigInt(size) ? size : Number(ends[1]);
    return { first: size - suffix, last: size - 1 };
  }
  if (ends[1] !== '' && BigInt(ends[0]) > BigInt(ends[1])) return undefined;
  if (BigInt(ends[0]) >= BigInt(size)) return 'none';
  const last = ends[1] === '' || BigInt(ends[1]) >= BigInt(size) ? size - 1 : Number(ends[1]);
  return { first: Number(ends[0]), last };
}

function checkRange(draw, trial, { readRange }) {
  const size = draw.of([0, 1, 2, 10, 1000, 5 * 1024 ** 4]);
  const end = () =>
    draw.of([
      '',
      '0',
      '1',
      '9',
      '10',
      '999',
      '1000',
      '5497558138879',
      '99999999999999999999',
      String(draw.below(1100)),
    ]);
  const plain = `bytes=${end()}-${end()}`;
  const header = draw.chance(0.5) ? plain : mutated(plain, draw, rangeTokens, 3000);
  const { value, refusal } = trial.outcome(() => readRange(header, size));
  const expected = expectedRange(header, size);
  // Beyond 2^53 two bounds may round to one: neither reading serves a byte that is not there.
  if (/\d{16}/.test(header) && expected === undefined && refusal === 'InvalidRange') return;
  expectSame(refusal === 'InvalidRange' ? 'none' : value, expected, `the range ${JSON.stringify(header)} of ${size}`);
}

const headerNames = [
  'host',
  'Host',
  'content-length',
  'Transfer-Encoding',
  'expect',
  'x-amz-meta-a',
  'X-Amz-Date',
  'authorization',
  'x-holdfast-call',
  'range',
  'connection',
  'x-a',
];
const headerValues = [
  '',
  'a',
  'chunked',
  'Chunked',
  'gzip, chunked',
  'chunked\t',
  '0',
  '5',
  '100-continue',
  '100-Continue',
  'close',
];

function checkHead(draw, trial, { readHead }) {
  const rawHeaders = draw.several(8, () => [draw.of(headerNames), draw.of(headerValues)]).flat();
  if (draw.chance(0.05)) rawHeaders.push('Content-Length', '5', 'Transfer-Encoding', 'chunked');
  if (draw.chance(0.02))
    for (let count = draw.of([90, 100, 101, 3000]); count > 0; count -= 1) rawHeaders.push(`x-${count}`, '1');
  const head = {
    method: draw.of(METHODS),
    url: draw.of(['/', '/a', '*', 'http://a/', '']),
    httpVersionMajor: draw.of([1, 1, 1, 2]),
    httpVersionMinor: draw.of([1, 1, 0]),
    rawHeaders,
  };
  const { value } = trial.outcome(() => readHead(head));
  if (value === undefined) return;
  const of = (name) => rawHeaders.filter((_, at) => at % 2 === 0 && rawHeaders[at].toLowerCase() === name).length;
  const [lengths, codings, hosts] = ['content-length', 'transfer-encoding', 'host'].map(of);
  expectSame(
    [lengths > 1, codings > 1, lengths + codings > 1, hosts > 1, head.url.startsWith('/')],
    [false, false, false, false, true],
    `the head ${JSON.stringify(head).slice(0, 300)}`,
  );
}

const tagTokens = ['&', '=', '%', '%00', '%ff', '+', 'a', 'key', '=&=', '__proto__', '%E2%82%AC', 'aws:'];

const TAGS_MAX = 10;

const real = { parseTarget: parseRequestTarget, readRange: parseRange, readHead: readStrictHead };

export const targetsAndRanges = {
  name: 'targets, queries, ranges, heads',
  share: 22,
  subject: real,
  planted: {
    'dots are taken out of a target': {
      ...real,
      parseTarget: (url) => parseRequestTarget(url.startsWith('/') ? url.replace(/\/[^/?]+\/\.\.\//, '/') : url),
    },
    'a key is decoded twice': {
      ...real,
      parseTarget: (url) => {
        const target = parseRequestTarget(url);
        return target.key === undefined ? target : { ...target, key: decodeURIComponent(target.key) };
      },
    },
    'the last byte of a suffix is one too far': {
      ...real,
      readRange: (header, size) => {
        const range = parseRange(header, size);
        return range !== undefined && /=-/.test(header) ? { ...range, last: range.last + 1 } : range;
      },
    },
    'a length beside chunks is let through': {
      ...real,
      readHead: (head) =>
        readStrictHead({
          ...head,
          rawHeaders: head.rawHeaders.filter((_, at, all) => all[at - (at % 2)].toLowerCase() !== 'content-length'),
        }),
    },
  },
  trial(draw, trial, subject) {
    const kind = draw.below(8);
    if (kind < 3) checkTarget(draw, trial, subject);
    else if (kind < 5) checkRange(draw, trial, subject);
    else if (kind < 7) checkHead(draw, trial, subject);
    else trial.outcome(() => parseTaggingHeader(mutated('a=b&c=d%20e', draw, tagTokens, 3000), TAGS_MAX));
  },
};
