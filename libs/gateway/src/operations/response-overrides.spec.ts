import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InMemoryPorts, presignRequest, sendRequest, signRequest, type PlainRequest } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const ports = new InMemoryPorts();
const main = ports.memoryIdentity.addAccount('main');
const listener = new S3Listener(ports);
let port = 0;

const OVERRIDES: Readonly<Record<string, string>> = {
  'content-type': 'text/x; charset=utf-8',
  'content-language': 'de',
  expires: 'Thu, 01 Dec 1994 16:00:00 GMT',
  'cache-control': 'no-store',
  'content-disposition': 'attachment; filename="a b.txt"',
  'content-encoding': 'x-none',
};
const encodedQuery = Object.entries(OVERRIDES)
  .map(([name, value]) => `response-${name}=${encodeURIComponent(value)}`)
  .join('&');

beforeAll(async () => {
  port = await listener.listen(0);
  expect((await signed({ method: 'PUT', path: '/bucket' })).status).toBe(200);
  const stored = { 'content-type': 'text/plain', 'cache-control': 'max-age=1' };
  const put = { method: 'PUT', path: '/bucket/key', body: 'the body', headers: stored };
  expect((await signed(put)).status).toBe(200);
  const policy = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::bucket/*' };
  const body = JSON.stringify({ Version: '2012-10-17', Statement: [policy] });
  expect((await signed({ method: 'PUT', path: '/bucket?policy', body })).status).toBe(204);
});
afterAll(() => listener.close());

const host = (): string => `127.0.0.1:${port}`;

function signed(request: PlainRequest) {
  return sendRequest(port, { ...request, headers: signRequest(request, main, { host: host() }) });
}

describe.each(['GET', 'HEAD'])('response-… parameters of a %s', (method) => {
  const path = `/bucket/key?${encodedQuery}`;

  it('stand in the answer in the place of what was stored, whole or in part', async () => {
    const presigned = presignRequest({ method, path }, main, { host: host() });
    for (const answer of [await signed({ method, path }), await sendRequest(port, { method, path: presigned })]) {
      expect(answer.status).toBe(200);
      for (const [name, value] of Object.entries(OVERRIDES)) expect(answer.headers[name]).toBe(value);
    }
    const part = await signed({
      method,
      path: '/bucket/key?response-content-type=a%2Fb',
      headers: { range: 'bytes=0-2' },
    });
    expect([part.status, part.headers['content-type'], part.headers['cache-control']]).toEqual([
      206,
      'a/b',
      'max-age=1',
    ]);
  });

  it('need a signature: 400 InvalidRequest to who may read without one', async () => {
    const plain = await sendRequest(port, { method, path: '/bucket/key' });
    expect([plain.status, plain.headers['content-type']]).toEqual([200, 'text/plain']);
    const answer = await sendRequest(port, { method, path });
    expect([answer.status, answer.code]).toEqual([400, method === 'GET' ? 'InvalidRequest' : '']);
    expect(answer.headers['content-disposition']).toBeUndefined();
  });

  it('XE8: with a line end are 400 InvalidArgument', async () => {
    for (const name of Object.keys(OVERRIDES)) {
      for (const end of ['%0D%0A', '%0A', '%0D', '%0B']) {
        const answer = await signed({ method, path: `/bucket/key?response-${name}=a${end}b` });
        expect([answer.status, answer.code]).toEqual([400, method === 'GET' ? 'InvalidArgument' : '']);
      }
    }
  });

  it('say nothing of an error, nor of an answer without a body', async () => {
    const missing = await signed({ method, path: `/bucket/none?${encodedQuery}` });
    expect([missing.status, missing.headers['content-type']]).toEqual([404, 'application/xml']);
    expect(missing.headers['content-disposition']).toBeUndefined();
    const { etag } = (await signed({ method, path: '/bucket/key' })).headers;
    const unchanged = await signed({ method, path, headers: { 'if-none-match': etag ?? '' } });
    expect([unchanged.status, unchanged.headers['content-disposition']]).toEqual([304, undefined]);
  });
});
