import { createHash, createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { InMemoryPorts } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const keys = ports.memoryIdentity.addAccount('main');
const authorization = `Bearer ${ports.memoryIdentity.tokenOf(keys.accessKeyId)}`;
let host = '';

beforeAll(async () => {
  host = `127.0.0.1:${await listener.listen(0)}`;
  await fetch(`http://${host}/bucket`, { method: 'PUT', headers: { authorization } });
});
afterAll(() => listener.close());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** A PUT of `pieces` in signed chunks, as AWS describes them. `tamper` changes the frames after they were signed. */
async function put(pieces: readonly string[], tamper: (frames: string[]) => string[] = (frames) => frames) {
  const at = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${at.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const mode = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
  const decoded = String(pieces.join('').length);
  const headers = {
    host,
    'x-amz-content-sha256': mode,
    'x-amz-date': at,
    'x-amz-decoded-content-length': decoded,
  };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonical = `PUT\n/bucket/chunked\n\n${lines.join('')}\n${names}\n${mode}`;
  let key: Buffer = Buffer.from(`AWS4${keys.secretAccessKey}`);
  for (const part of scope.split('/')) key = hmac(key, part);
  let signature = hmac(key, `AWS4-HMAC-SHA256\n${at}\n${scope}\n${sha256(canonical)}`).toString('hex');
  const credential = `Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const frames = [...pieces, ''].map((piece) => {
    const text = `AWS4-HMAC-SHA256-PAYLOAD\n${at}\n${scope}\n${signature}\n${sha256('')}\n${sha256(piece)}`;
    signature = hmac(key, text).toString('hex');
    return `${piece.length.toString(16)};chunk-signature=${signature}\r\n${piece}\r\n`;
  });
  const { host: _host, ...sent } = headers;
  const answer = await fetch(`http://${host}/bucket/chunked`, {
    method: 'PUT',
    headers: { ...sent, authorization: `AWS4-HMAC-SHA256 ${credential}` },
    body: tamper(frames).join(''),
  });
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1] };
}

const stored = async (): Promise<string> =>
  (await fetch(`http://${host}/bucket/chunked`, { headers: { authorization } })).text();

it('takes a body of signed chunks and stores what was in them', async () => {
  const long = 'x'.repeat(100_000);
  expect((await put([long, 'tail'])).status).toBe(200);
  expect(await stored()).toBe(`${long}tail`);
});

it.each<[string, (frames: string[]) => string[], number]>([
  ['a byte changed', (frames) => [frames[0].replace('one', 'ONE'), ...frames.slice(1)], 403],
  ['two chunks swapped', ([a, b, end]) => [b, a, end], 403],
  ['a chunk left out', ([a, , end]) => [a, end], 403],
  ['the last chunk missing', ([a, b]) => [a, b], 400],
])('%s: refused, and the object stays as it was', async (_name, tamper, status) => {
  expect((await put(['before'])).status).toBe(200);
  expect((await put(['one', 'two'], tamper)).status).toBe(status);
  expect(await stored()).toBe('before');
});
