import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HoldfastError, TraceLog } from '@holdfast/contracts';
import { InternalAuthenticator } from '@holdfast/service-host';
import { problemRefusal } from './refusal.js';
import { ReverseProxy, type ReverseProxyOptions } from './reverse-proxy.js';

const auth = new InternalAuthenticator(Buffer.alloc(32, 1));
const open: { close: () => Promise<void> | void }[] = [];

interface FakeApi {
  readonly address: string;
  readonly port: number;
  readonly server: Server;
  bodies: number;
  requests: number;
  ready: boolean;
}

/** A server that counts requests and the bodies that it was sent. */
async function fakeApi(
  answer: (request: IncomingMessage, response: ServerResponse, api: FakeApi) => void,
  port = 0,
): Promise<FakeApi> {
  const server = createServer();
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    if (incoming.url === '/ready') return void outgoing.writeHead(api.ready ? 200 : 503).end();
    api.requests += 1;
    answer(incoming, outgoing, api);
  };
  server.on('request', onRequest);
  server.on('checkContinue', onRequest);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  const api: FakeApi = { address: `127.0.0.1:${bound}`, port: bound, server, bodies: 0, requests: 0, ready: true };
  open.push({ close: () => void (server.closeAllConnections(), server.close()) });
  return api;
}

const trace = new TraceLog('load-balancer');
async function balancer(
  apis: readonly { address: string }[],
  limits: ReverseProxyOptions['limits'] = {},
  domains: readonly string[] = [],
): Promise<{ port: number; proxy: ReverseProxy }> {
  const proxy = new ReverseProxy({
    host: '127.0.0.1',
    port: 0,
    addresses: apis.map((api) => api.address),
    healthPath: '/ready',
    auth,
    trace,
    connectTimeoutMs: 500,
    checkIntervalMs: 50,
    ownHealthPaths: ['/_holdfast/health/live', '/_holdfast/health/ready'],
    limits,
    domains,
  });
  const port = await proxy.listen();
  open.push({ close: () => proxy.drain(100) });
  return { port, proxy };
}

function send(
  port: number,
  method: string,
  path: string,
  body?: Buffer | string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        headers: body === undefined ? headers : { 'content-length': String(Buffer.byteLength(body)), ...headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** Asks for the body, reads it, answers its length. */
function readAll(incoming: IncomingMessage, outgoing: ServerResponse, api: FakeApi): void {
  if (incoming.headers.expect) outgoing.writeContinue();
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => (bytes += chunk.length));
  incoming.on('end', () => {
    api.bodies += 1;
    outgoing.end(String(bytes));
  });
}

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

describe('load balancer', () => {
  it('seed-3.1: spreads N requests over M servers within one, and skips a dead one', async () => {
    const apis = await Promise.all([fakeApi(readAll), fakeApi(readAll), fakeApi(readAll)]);
    const { port } = await balancer(apis);
    await Promise.all(Array.from({ length: 31 }, (_, i) => send(port, 'GET', `/b/${i}`)));
    const counts = apis.map((api) => api.requests);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    apis[1].server.closeAllConnections();
    await new Promise((resolve) => apis[1].server.close(resolve));
    const before = apis.map((api) => api.requests);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => send(port, 'PUT', `/b/${i}`, 'body')));
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
    expect(apis[1].requests).toBe(before[1]);
    expect(Math.abs(apis[0].requests - before[0] - (apis[2].requests - before[2]))).toBeLessThanOrEqual(2);
  });

  it('streams a body both ways and keeps method, raw path, host and duplicate-free headers', async () => {
    let seen: { url?: string; host?: string; forwarded?: string; internal?: string } = {};
    const api = await fakeApi((incoming, outgoing) => {
      seen = {
        url: incoming.url,
        host: incoming.headers.host,
        forwarded: incoming.headers['x-forwarded-for'] as string,
        internal: incoming.headers['x-holdfast-role'] as string,
      };
      if (incoming.headers.expect) outgoing.writeContinue();
      outgoing.writeHead(200, { 'x-amz-meta-a': 'b' });
      incoming.pipe(outgoing);
    });
    const { port } = await balancer([api]);
    const body = Buffer.alloc(3_000_000, 'x');
    const answer = await send(port, 'PUT', '/b/a%2Fb/../c%20d?x=1&x=2', body, {
      host: 'example.test',
      'x-forwarded-for': '6.6.6.6',
      'x-holdfast-role': 'root',
    });
    expect(answer.body.length).toBe(body.length);
    expect(answer.headers['x-amz-meta-a']).toBe('b');
    expect(seen).toEqual({
      url: '/b/a%2Fb/../c%20d?x=1&x=2',
      host: 'example.test',
      forwarded: '127.0.0.1',
      internal: undefined,
    });
  });

  it('promise: a body that was begun is never sent twice', async () => {
    const dying = await fakeApi((incoming, outgoing) => {
      outgoing.writeContinue();
      incoming.once('data', () => incoming.socket.destroy());
    });
    const healthy = await fakeApi(readAll);
    const { port } = await balancer([dying, healthy]);
    const answer = await send(port, 'PUT', '/b/k', Buffer.alloc(1_000_000));
    expect(answer.status).toBe(502);
    expect([dying.requests, healthy.requests]).toEqual([1, 0]);
  });

  it('gives a request whose body was not begun to the next server', async () => {
    const dying = await fakeApi((incoming) => void incoming.socket.destroy());
    const healthy = await fakeApi(readAll);
    const { port } = await balancer([dying, healthy]);
    const answer = await send(port, 'PUT', '/b/k', Buffer.alloc(100_000));
    expect([answer.status, answer.body, healthy.bodies]).toEqual([200, '100000', 1]);
    expect((await send(port, 'POST', '/b/k', '')).status).toBe(200);
  });

  it('destroys the connection when a server is lost after the head', async () => {
    const api = await fakeApi((_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '1000' });
      outgoing.write('half');
      setTimeout(() => outgoing.destroy(), 20);
    });
    const { port } = await balancer([api]);
    await expect(send(port, 'GET', '/b/k')).rejects.toThrow();
  });

  it('answers an early refusal without having sent the body', async () => {
    const api = await fakeApi(
      (_incoming, outgoing) => void outgoing.writeHead(403, { 'content-length': '6' }).end('denied'),
    );
    const { port } = await balancer([api]);
    const answer = await send(port, 'PUT', '/b/k', Buffer.alloc(200_000));
    expect([answer.status, answer.body]).toEqual([403, 'denied']);
  });

  it('answers 503 when no server is ready, and its own health', async () => {
    const api = await fakeApi(readAll);
    api.ready = false;
    const { port } = await balancer([api]);
    expect((await send(port, 'GET', '/b/k')).status).toBe(503);
    expect((await send(port, 'GET', '/_holdfast/health/live')).status).toBe(200);
    expect((await send(port, 'GET', '/_holdfast/health/ready')).status).toBe(503);
    api.ready = true;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await send(port, 'GET', '/b/k')).status).toBe(200);
  });

  it('drains: what is under way finishes, nothing new is taken', async () => {
    const api = await fakeApi((_incoming, outgoing) => void setTimeout(() => outgoing.end('done'), 200));
    const { port, proxy } = await balancer([api]);
    const slow = send(port, 'GET', '/b/slow');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const drained = proxy.drain(2000);
    await expect(send(port, 'GET', '/b/new')).rejects.toThrow();
    expect((await slow).body).toBe('done');
    await drained;
  });

  it('XF6: a client that takes nothing of an answer is given up, one that waits for it is not', async () => {
    const large = Buffer.alloc(16 * 1024 * 1024);
    const api = await fakeApi((incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': String(incoming.url === '/b/large' ? large.length : 4) });
      if (incoming.url === '/b/large') return void outgoing.end(large);
      outgoing.flushHeaders();
      setTimeout(() => outgoing.end('late'), 500);
    });
    const { port, proxy } = await balancer([api], { writeIdleTimeoutMs: 150 });
    expect((await send(port, 'GET', '/b/waits')).body).toBe('late');
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /b/large HTTP/1.1\r\nHost: a\r\n\r\n'));
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(proxy.requestsInFlight).toBe(0);
    socket.destroy();
  });

  it.each([
    ['two hosts', 'GET /b/k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['gzip, chunked', 'PUT /b/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [
      'length and chunked',
      'PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['absolute form', 'GET http://other/b/k HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('refuses a head that two parsers could read in two ways: %s', async (_name, head) => {
    const api = await fakeApi(readAll);
    const { port } = await balancer([api]);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.write(head));
      let text = '';
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(api.requests).toBe(0);
  });

  it('XH7: the door of the admin port refuses in the words of the admin port', async () => {
    const refused = problemRefusal(new HoldfastError('ServiceUnavailable'), 'id', { status: 502 });
    expect(refused.contentType).toBe('application/problem+json');
    expect(JSON.parse(refused.body)).toMatchObject({ type: 'about:blank', title: 'ServiceUnavailable', status: 502 });
    const internal = problemRefusal(new Error('secret path'), 'id');
    expect([internal.status, internal.body.includes('secret')]).toEqual([500, false]);
  });

  it('emits the first, second and last step of a flow, and passes its request id on with a code', async () => {
    let requestId = '';
    const api = await fakeApi((incoming, outgoing) => {
      const call = auth.acceptEdge(incoming.method ?? '', incoming.url ?? '', incoming.headers);
      requestId = call.requestId;
      outgoing.end('ok');
    });
    const { port } = await balancer([api]);
    await send(port, 'GET', '/bucket/key');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(trace.find(requestId).map((event) => [event.flow, event.step])).toEqual([
      ['object-download', 1],
      ['object-download', 2],
      ['object-download', 15],
    ]);
  });

  it('below the Host of a bucket every path is a key: its flow is that of an object, and health is asked elsewhere', async () => {
    let requestId = '';
    const api = await fakeApi((incoming, outgoing) => {
      requestId = auth.acceptEdge(incoming.method ?? '', incoming.url ?? '', incoming.headers).requestId;
      outgoing.end(incoming.headers.host);
    });
    const { port } = await balancer([api], {}, ['s3.test']);
    const host = 'bucket.s3.test:80';
    expect((await send(port, 'PUT', '/key', '', { host })).body).toBe(host);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(trace.find(requestId).map((event) => event.flow)).toContain('object-creation');
    expect((await send(port, 'GET', '/_holdfast/health/live', undefined, { host })).body).toBe(host);
    expect((await send(port, 'GET', '/_holdfast/health/live', undefined, { host: 's3.test' })).body).toContain('ok');
    // What is no Host is for the API to refuse.
    expect((await send(port, 'GET', '/key', undefined, { host: 'a:b:c' })).body).toBe('a:b:c');
  });
});
