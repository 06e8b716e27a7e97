// The signature canonicaliser against the SDK's signer: a request is accepted with the signature of another one exactly when
// the SDK signs both alike.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import {
  canonicalRequest,
  deriveSigningKey,
  HeaderList,
  parseCredential,
  parseRequestTarget,
  signatureMatches,
  signatureOf,
  stringToSign,
} from '@holdfast/s3-protocol';
import { mutated } from '../mutations.mjs';
import { expectSame } from '../trial.mjs';

const secret = 'a/secret=with+marks';
const signingDate = new Date('2026-05-24T00:00:00Z');

/** What the SDK's signer asks of a hash. */
class Sha256 {
  constructor(key) {
    this.hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return this.hash.digest();
  }
}

const signer = new SignatureV4({
  service: 's3',
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKID', secretAccessKey: secret },
  sha256: Sha256,
  uriEscapePath: false,
});

const pieces = [
  ...[
    '/',
    '//',
    '..',
    '.',
    '+',
    ' ',
    '%',
    '~',
    '*',
    "'",
    '(',
    ')',
    '!',
    '=',
    '&',
    '%2F',
    '%20',
    ';',
    ':',
    '@',
    ',',
    '$',
  ],
  ...['?', '#', 'é', '€', '😀', '\t', '\u007f', 'a', 'Z', '0', '-', '_', 'key', '%25', 'A=b', '\u00a0'],
];
const names = ['a', 'b', 'prefix', 'versionId', 'x-id', 'a~', 'a b', 'é', 'A', 'response-content-type', 'list-type'];
const valuePieces = ['a', 'b', ' ', '  ', '\t', ',', ';', ':', '=', '"', 'é', '0', 'Z'];

const escaped = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
const text = (draw, most = 4) => draw.several(most, () => draw.of(pieces)).join('');
const headerValue = (draw) => draw.several(5, () => draw.of(valuePieces)).join('');

function request(draw) {
  const key = text(draw, 5);
  const path = draw.chance(0.3) ? escaped(key) : key.split('/').map(escaped).join('/');
  const query = {};
  for (let count = draw.below(4); count > 0; count -= 1)
    query[draw.of(names)] = draw.chance(0.2) ? [text(draw), text(draw)] : text(draw);
  const headers = {};
  for (let count = draw.below(3); count > 0; count -= 1)
    headers[`x-amz-meta-${draw.of(['a', 'b', 'long-name'])}`] = headerValue(draw);
  return { method: draw.of(['GET', 'PUT', 'DELETE', 'POST', 'HEAD']), path: `/bucket/${path}`, query, headers };
}

const changes = [
  (plain, draw) => ({ ...plain, method: draw.of(['GET', 'PUT', 'DELETE']) }),
  (plain, draw) => {
    const at = draw.between(8, plain.path.length);
    const safe = /^(?:[^%]|%[0-9A-F]{2})*$/.test(plain.path.slice(0, at)) ? at : plain.path.length;
    return {
      ...plain,
      path:
        plain.path.slice(0, safe) + draw.of(['/', '//', '.', '/..', 'x', '%2F', '%20', '~']) + plain.path.slice(safe),
    };
  },
  (plain, draw) => ({
    ...plain,
    path: plain.path.replace('/bucket/', draw.of(['/other/', '/bucket//', '/bucket/./'])),
  }),
  (plain, draw) => ({ ...plain, query: { ...plain.query, [draw.of(names)]: text(draw) } }),
  (plain, draw) => {
    const { [draw.of(Object.keys(plain.query).concat('a'))]: _dropped, ...query } = plain.query;
    return { ...plain, query };
  },
  (plain, draw) => {
    const headers = { ...plain.headers };
    for (const name of Object.keys(headers))
      headers[name] = draw.chance(0.5) ? `  ${headers[name].replaceAll(' ', '   ')} ` : headerValue(draw);
    return { ...plain, headers };
  },
  (plain, draw) => ({
    ...plain,
    headers: { ...plain.headers, [`x-amz-meta-${draw.of(['a', 'c'])}`]: headerValue(draw) },
  }),
  (plain, draw) => {
    const { [draw.of(Object.keys(plain.headers).concat('x'))]: _dropped, ...headers } = plain.headers;
    return { ...plain, headers };
  },
  // Says the same in other words.
  (plain, draw) => ({ ...plain, query: Object.fromEntries(draw.shuffled(Object.entries(plain.query))) }),
];

const base = { protocol: 'http:', hostname: 'localhost', port: 9000 };
const withHost = ({ headers }) => ({ host: 'localhost:9000', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', ...headers });

const modes = {
  async header(plain) {
    const signed = await signer.sign({ ...base, ...plain, headers: withHost(plain) }, { signingDate });
    const { authorization, 'x-amz-date': date } = signed.headers;
    return {
      signature: authorization,
      apply: (other) => ({ ...other, headers: { ...withHost(other), authorization, 'x-amz-date': date } }),
    };
  },
  async query(plain) {
    const unhoistableHeaders = new Set(Object.keys(plain.headers));
    const unsigned = { ...base, ...plain, headers: withHost(plain) };
    const signed = await signer.presign(unsigned, { signingDate, expiresIn: 60, unhoistableHeaders });
    const proof = Object.fromEntries(
      Object.entries(signed.query).filter(([name]) => name.toLowerCase().startsWith('x-amz-')),
    );
    return {
      signature: proof['X-Amz-Signature'],
      apply: (other) => ({
        ...other,
        headers: { host: 'localhost:9000', ...other.headers },
        query: { ...other.query, ...proof },
      }),
    };
  },
};

/** As it arrives: parameters in any order, blanks as plus or escaped, values as the bytes of their UTF-8. */
function received({ method, path, query, headers }, draw) {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${escaped(name)}=${escaped(value)}`),
  );
  const joined = draw.shuffled(pairs).join('&');
  const target = parseRequestTarget(`${path}?${draw.chance(0.2) ? joined.replaceAll('%20', '+') : joined}`);
  const onWire = Object.entries(headers).flatMap(([name, value]) => [
    draw.chance(0.2) ? name.toUpperCase() : name,
    Buffer.from(value).toString('latin1'),
  ]);
  return { method, rawPath: target.rawPath, query: target.query, headers: new HeaderList(onWire) };
}

function verifies(request, canonicalise) {
  const credential = parseCredential(request, { region: 'us-east-1' });
  if (credential.kind !== 'header-v4' && credential.kind !== 'query-v4') return false;
  const told = stringToSign(canonicalise(request, credential), credential);
  return signatureMatches(signatureOf(told, deriveSigningKey(secret, credential.scope)), credential.signature);
}

const authorizationTokens = [
  ...[
    'AWS4-HMAC-SHA256 ',
    'Credential=',
    'SignedHeaders=',
    'Signature=',
    ',',
    '/',
    ';',
    '=',
    'host',
    's3',
    'aws4_request',
  ],
  ...['us-east-1', '20260524', 'Bearer ', 'AWS ', ' ', '\t', 'AKID', '%', '\u00e9', '0'.repeat(64)],
];

export const signature = {
  name: 'signature',
  share: 16,
  subject: canonicalRequest,
  planted: {
    'parameters are not sorted': (request, credential) =>
      canonicalRequest(request, credential).replace(
        /\n([^\n]+)\n/,
        () =>
          `\n${request.query.pairs
            .filter(({ name }) => name !== 'X-Amz-Signature')
            .map(({ name, value }) => `${escaped(name)}=${escaped(value)}`)
            .join('&')}\n`,
      ),
    'dots are taken out of the path': (request, credential) =>
      canonicalRequest({ ...request, rawPath: new URL(`http://a${request.rawPath}`).pathname }, credential),
    'a signed header that changed is not looked at': (request, credential) =>
      canonicalRequest(request, credential).replace(/x-amz-meta-a:[^\n]*/, 'x-amz-meta-a:'),
  },
  async trial(draw, trial, canonicalise) {
    const plain = request(draw);
    const sign = modes[draw.chance(0.3) ? 'query' : 'header'];
    const signed = await sign(plain);
    const accepted = trial.outcome(() => verifies(received(signed.apply(plain), draw), canonicalise));
    expectSame(accepted, { value: true }, `the SDK's signature of ${JSON.stringify(plain)}`);
    const other = draw.of(changes)(plain, draw);
    const alike = (await sign(other)).signature === signed.signature;
    const onOther = trial.outcome(() => verifies(received(signed.apply(other), draw), canonicalise));
    expectSame(onOther.value === true, alike, `the signature of ${JSON.stringify(plain)} on ${JSON.stringify(other)}`);
    const { headers } = signed.apply(plain);
    const broken = {
      ...plain,
      headers: { ...headers, authorization: mutated(headers.authorization ?? '', draw, authorizationTokens, 4000) },
    };
    trial.outcome(() => verifies(received(broken, draw), canonicalise));
  },
};
