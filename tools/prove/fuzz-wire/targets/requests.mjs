// Whole requests as bytes on a connection: whatever comes, the S3 port answers below 500 (or 501 by name), or closes.
import { connect } from 'node:net';
import 'reflect-metadata';
import { S3Listener } from '@holdfast/gateway';
import { configureLog } from '@holdfast/service-host';
import { InMemoryPorts } from '../../../../libs/testkit/dist/in-memory-ports.js';
import { mutated } from '../mutations.mjs';
import { Finding } from '../trial.mjs';

const ANSWER_MAX_MS = 10_000;
const complete =
  '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>';
const framed = [
  'x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'x-amz-decoded-content-length: 5',
  'x-amz-trailer: x-amz-checksum-crc32',
];
const seeds = [
  ['PUT /bucket/key', 'hello', ['x-amz-meta-a: 1', 'Content-Type: text/plain', 'If-None-Match: *']],
  ['PUT /bucket/key', '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n', framed],
  ['GET /bucket/key?response-content-type=a%2Fb&versionId=null', '', ['Range: bytes=0-1', 'If-Match: "x"']],
  ['HEAD /bucket/key', '', ['If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT']],
  ['GET /bucket?list-type=2&prefix=k&delimiter=/&max-keys=2&continuation-token=x&encoding-type=url', '', []],
  ['GET /bucket?marker=a&prefix=%C3%A9', '', []],
  ['GET /bucket?versions&key-marker=a', '', []],
  ['GET /bucket?uploads', '', []],
  [
    'POST /bucket?delete',
    '<Delete><Object><Key>key</Key></Object></Delete>',
    ['Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg=='],
  ],
  ['POST /bucket/big?uploads', '', ['x-amz-checksum-algorithm: CRC32']],
  ['POST /bucket/big?uploadId=AAAAAAAAAAAAAAAAAAAAAA', complete, []],
  ['PUT /bucket/big?partNumber=1&uploadId=AAAAAAAAAAAAAAAAAAAAAA', 'part', []],
  ['PUT /bucket/copied', '', ['x-amz-copy-source: /bucket/key?versionId=null', 'x-amz-metadata-directive: REPLACE']],
  ['PUT /bucket/key?tagging', '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>', []],
  ['PUT /bucket?versioning', '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>', []],
  ['PUT /bucket?policy', '{"Version":"2012-10-17","Statement":[]}', []],
  ['PUT /bucket?cors', '<CORSConfiguration/>', []],
  [
    'POST /bucket',
    '--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody\r\n--x--\r\n',
    ['Content-Type: multipart/form-data; boundary=x'],
  ],
  ['OPTIONS /bucket/key', '', ['Origin: http://a', 'Access-Control-Request-Method: PUT']],
  ['DELETE /bucket/gone', '', []],
  ['GET /', '', []],
  [
    'PUT /bucket',
    '<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>',
    [],
  ],
];
const tokens = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ': ',
    'Content-Length: 5\r\n',
    'Content-Length: -1\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: b\r\n',
  ],
  ...[
    'Expect: 100-continue\r\n',
    'Expect: x\r\n',
    'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    'x-holdfast-call: 1\r\n',
    'x-amz-acl: public-read\r\n',
  ],
  ...[
    '?',
    '&',
    '=',
    '%00',
    '%',
    '/',
    '//',
    '\u00ff',
    'versionId=',
    'uploadId=',
    'partNumber=0',
    'max-keys=-1',
    'Range: bytes=9-\r\n',
  ],
  ...[
    'Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n',
  ],
  ...[
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '<',
    '</',
    '<!DOCTYPE a>',
    '{',
    '"',
    '--x\r\n',
    '--x--',
    'HTTP/1.0',
    'HTTP/2.0',
  ],
];

function exchange(port, bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let answered = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Finding(`no answer and no end within ${ANSWER_MAX_MS} ms: ${JSON.stringify(bytes)}`));
    }, ANSWER_MAX_MS);
    socket.setEncoding('latin1').on('data', (text) => (answered += text));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answered);
    });
    socket.on('end', () => socket.destroy());
    socket.end(Buffer.from(bytes, 'latin1'));
  });
}

export const requests = {
  name: 'requests',
  share: 2,
  planted: { 'a listing below a prefix fails': undefined },
  async open(plant) {
    configureLog({ service: 'fuzz-wire', level: 'error' });
    // A fault is found in the answer; its log line would only hide the proof's own.
    process.stderr.write = () => true;
    const ports = new InMemoryPorts();
    const main = ports.memoryIdentity.addAccount('main');
    const bearer = ports.memoryIdentity.tokenOf(main.accessKeyId);
    await ports.memoryMetadata.createBucket({}, { name: 'bucket', accountId: main.account.accountId });
    const list = ports.memoryMetadata.listObjects;
    if (plant !== undefined)
      ports.memoryMetadata.listObjects = function failing(call, query) {
        if (query.prefix !== '') throw new TypeError('planted');
        return list.call(this, call, query);
      };
    const listener = new S3Listener(ports, { limits: { bodyIdleTimeoutMs: 500, headerTimeoutMs: 2000 } });
    return { listener, bearer, port: await listener.listen(0) };
  },
  close: ({ listener }) => listener.close(),
  async trial(draw, _trial, { bearer, port }) {
    const [line, body, headers] = draw.of(seeds);
    const length = body === '' && !line.startsWith('P') ? [] : [`Content-Length: ${body.length}`];
    const head = [`${line} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${bearer}`, ...length, ...headers].join(
      '\r\n',
    );
    const request = `${head}\r\n\r\n${body}`;
    const bytes = draw.chance(0.1) ? request : mutated(request, draw, tokens, 40_000);
    const answered = await exchange(port, bytes);
    for (const [, status] of answered.matchAll(/HTTP\/1\.1 (\d{3}) /g))
      if (Number(status) >= 500 && status !== '501')
        throw new Finding(`${status} for ${JSON.stringify(bytes)}: ${answered.slice(0, 600)}`);
  },
};
