// aws-chunked framing against the reference decoder, however the network cuts the bytes.
import { createHash, createHmac } from 'node:crypto';
import { AwsChunkedDecoder, deriveSigningKey } from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';
import { referenceDecode } from './chunked-reference.mjs';

const scope = { date: '20260524', region: 'us-east-1', service: 's3' };
const signing = {
  scope,
  signingKey: deriveSigningKey('a secret', scope),
  timestamp: '20260524T000000Z',
  seedSignature: '0123456789abcdef'.repeat(4),
};
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const tokens = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '0\r\n',
    '0\r\n\r\n',
    ';',
    ';chunk-signature=',
    '=',
    ':',
    'a',
    'F',
    '-1',
    '+1',
    '0x',
    ' ',
    '\t',
  ],
  ...[
    'ffffffffffff',
    '10000000000000000',
    'x-amz-checksum-crc32:AAAAAA==\r\n',
    'x-amz-trailer-signature:',
    '\0',
    '\u00ff',
  ],
];

function frame(chunks, { trailer, signing: signed }) {
  let previous = signing.seedSignature;
  const sign = (kind, covered) => {
    const text = `${kind}\n${signing.timestamp}\n${scope.date}/${scope.region}/s3/aws4_request\n${previous}\n${covered}`;
    previous = createHmac('sha256', signing.signingKey).update(text).digest('hex');
    return previous;
  };
  const framed = [...chunks, ''].map((chunk) => {
    const bytes = Buffer.from(chunk, 'latin1');
    const signature = signed
      ? `;chunk-signature=${sign('AWS4-HMAC-SHA256-PAYLOAD', `${sha256('')}\n${sha256(bytes)}`)}`
      : '';
    return `${chunk.length.toString(16)}${signature}\r\n${chunk === '' ? '' : `${chunk}\r\n`}`;
  });
  if (!trailer) return [...framed, '\r\n'];
  const line = 'x-amz-checksum-crc32:AAAAAA==';
  const proof = signed ? `x-amz-trailer-signature:${sign('AWS4-HMAC-SHA256-TRAILER', sha256(`${line}\n`))}\r\n` : '';
  return [...framed, `${line}\r\n${proof}\r\n`];
}

async function* cut(body, draw) {
  let at = 0;
  while (at < body.length) {
    const end = draw.chance(0.3) ? body.length : at + draw.between(1, 40);
    yield body.subarray(at, end);
    at = end;
  }
}

async function decode(body, draw, options) {
  const pieces = [];
  for await (const piece of new AwsChunkedDecoder(cut(body, draw), options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const flawed = (flaw) => async (body, draw, options) => {
  const decoded = referenceDecode(body, options, flaw);
  return decoded ?? decode(body, draw, options);
};

export const chunked = {
  name: 'aws-chunked',
  share: 22,
  subject: decode,
  planted: {
    'what follows a chunk is not looked at': flawed('line ends'),
    'signatures are not looked at': flawed('signatures'),
    'the announced length is not looked at': flawed('length'),
  },
  async trial(draw, trial, decodeBody) {
    const options = {
      trailer: draw.chance(0.5),
      ...(draw.chance(0.5) ? { signing } : {}),
    };
    options.trailerNames = options.trailer ? ['x-amz-checksum-crc32'] : [];
    const chunks = draw.several(4, () => 'xyz\r\n0;'.repeat(8).slice(0, draw.between(1, 50)));
    options.decodedLengthBytes = chunks.join('').length;
    let frames = frame(chunks, options);
    const kind = draw.below(6);
    if (kind === 1) frames = draw.shuffled(frames);
    if (kind === 2) frames = frames.filter(() => draw.chance(0.8));
    if (kind === 3) options.decodedLengthBytes += draw.between(-2, 2);
    const text = kind > 3 ? mutated(frames.join(''), draw, tokens, 20_000) : frames.join('');
    const body = Buffer.from(text, 'latin1');
    const decoded = await trial.outcomeOf(() => decodeBody(body, draw, options));
    const expected = referenceDecode(body, options)?.toString('latin1');
    expectSame(
      decoded.value?.toString('latin1'),
      expected,
      `the body ${JSON.stringify(text)} with ${JSON.stringify({ ...options, signing: options.signing !== undefined })}`,
    );
  },
};
