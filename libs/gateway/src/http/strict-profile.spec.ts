import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { HoldfastError } from '@holdfast/contracts';
import { InMemoryPorts, RawConnection } from '@holdfast/testkit';
import { S3Listener } from './s3-listener.js';

const ports = new InMemoryPorts();
const { accessKeyId } = ports.memoryIdentity.addAccount('main');
const bearer = `Authorization: Bearer ${ports.memoryIdentity.tokenOf(accessKeyId)}`;
const edge = {
  acceptEdge: (_method: string, _path: string, headers: Record<string, unknown>) => {
    if (headers['x-holdfast-code'] !== 'right') throw new HoldfastError('Unauthenticated');
    return {
      requestId: 'FEEDFACE00000001',
      connection: '',
      clientAddress: '192.0.2.1',
      deadline: { leftMs: () => 1, passed: false } as never,
    };
  },
};
const listener = new S3Listener(ports, {
  edge,
  limits: { headerTimeoutMs: 300, bodyIdleTimeoutMs: 250, bodyGraceMs: 250 },
});
let port = 0;
let connection: RawConnection;

beforeAll(async () => {
  port = await listener.listen(0);
  const first = await RawConnection.open(port);
  first.send(request('PUT /bucket HTTP/1.1', bearer, 'Content-Length: 0'));
  expect((await first.answer()).status).toBe(200);
  first.destroy();
});
afterAll(() => listener.close());
beforeEach(async () => {
  connection = await RawConnection.open(port);
  ports.forgetCalls();
});
afterEach(() => connection.destroy());

const request = (line: string, ...headers: string[]): string =>
  `${[line, 'Host: localhost', ...headers].join('\r\n')}\r\n\r\n`;

async function answerTo(text: string) {
  connection.send(text);
  return connection.answer();
}

describe('requests that two parsers could read in two ways', () => {
  const bodyless = 'PUT /bucket/key HTTP/1.1';
  it.each([
    ['two Content-Length', request(bodyless, bearer, 'Content-Length: 1', 'Content-Length: 1')],
    ['a Content-Length list', request(bodyless, bearer, 'Content-Length: 1, 1')],
    [
      'Content-Length with Transfer-Encoding',
      `${request(bodyless, bearer, 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ],
    ['a coding before chunked', `${request(bodyless, bearer, 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`],
    ['a coding after chunked', `${request(bodyless, bearer, 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`],
    ['an unknown coding', `${request(bodyless, bearer, 'Transfer-Encoding: xchunked')}0\r\n\r\n`],
    [
      'Transfer-Encoding in HTTP/1.0',
      `${request('PUT /bucket/key HTTP/1.0', bearer, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ],
    ['two Host', request('GET /bucket HTTP/1.1', bearer, 'Host: elsewhere')],
    ['two Authorization', request('GET /bucket HTTP/1.1', bearer, bearer)],
    ['two Content-Type', request('GET /bucket HTTP/1.1', bearer, 'Content-Type: a/b', 'Content-Type: c/d')],
    ['two of an x-amz header', request('GET /bucket HTTP/1.1', bearer, 'x-amz-meta-a: 1', 'X-Amz-Meta-A: 2')],
    ['no Host', `GET /bucket HTTP/1.1\r\n${bearer}\r\n\r\n`],
    ['absolute form', request('GET http://localhost/bucket HTTP/1.1', bearer)],
    ['asterisk form', request('OPTIONS * HTTP/1.1', bearer)],
    ['an upgrade', request('GET /bucket HTTP/1.1', bearer, 'Connection: Upgrade', 'Upgrade: h2c')],
    ['a space before the colon', request('GET /bucket HTTP/1.1', 'x-amz-meta-a : 1')],
    ['a folded header', request('GET /bucket HTTP/1.1', 'x-amz-meta-a: 1\r\n folded')],
    ['a length with a sign', request(bodyless, bearer, 'Content-Length: +5')],
    ['a negative length', request(bodyless, bearer, 'Content-Length: -1')],
    ['an empty length', request(bodyless, bearer, 'Content-Length: ')],
    ['a hexadecimal length', request(bodyless, bearer, 'Content-Length: 0x5')],
    ['a length beyond 2^64', request(bodyless, bearer, 'Content-Length: 18446744073709551617')],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', 'GET /bucket\r\n\r\n'],
    ['101 headers', request('GET /bucket HTTP/1.1', ...Array.from({ length: 100 }, (_, index) => `x-${index}: 1`))],
    ['2500 headers', request('GET /bucket HTTP/1.1', ...Array.from({ length: 2500 }, () => 'a:'))],
    ['a header section of 17 KiB', request('GET /bucket HTTP/1.1', `x-long: ${'x'.repeat(17 * 1024)}`)],
  ])('%s: 400, the connection ends, nobody was called', async (_name, text) => {
    const { status, body, head } = await answerTo(text);
    expect(status).toBe(400);
    expect(body).toMatch(/<Code>(InvalidRequest|RequestHeaderSectionTooLarge|InvalidURI)<\/Code>/);
    const requestId = /x-amz-request-id: ([0-9A-F]{16})/i.exec(head)?.[1];
    expect(body).toContain(`<RequestId>${requestId}</RequestId>`);
    expect(ports.calls).toEqual([]);
  });

  it.each(['TRACE /bucket HTTP/1.1', 'CONNECT localhost:80 HTTP/1.1', 'PATCH /bucket/key HTTP/1.1'])(
    '%s: 405',
    async (line) => {
      expect((await answerTo(request(line, bearer))).status).toBe(405);
      expect(ports.backendCalls).toEqual([]);
    },
  );

  it('keeps a request of exactly 100 headers', async () => {
    const more = Array.from({ length: 98 }, (_, index) => `x-${index}: 1`);
    expect((await answerTo(request('GET /bucket HTTP/1.1', bearer, ...more))).status).toBe(200);
  });
});

describe('Expect', () => {
  it('asks for the body only when the request is authorised', async () => {
    connection.send(request('PUT /bucket/asked HTTP/1.1', bearer, 'Content-Length: 5', 'Expect: 100-continue'));
    expect((await connection.answer()).status).toBe(100);
    expect(ports.calls.map(({ name }) => name)).toContain('authorize');
    connection.send('hello');
    expect((await connection.answer()).status).toBe(200);
  });

  it('refuses without asking for the body', async () => {
    const refused = await answerTo(request('PUT /bucket/key HTTP/1.1', 'Content-Length: 5', 'Expect: 100-continue'));
    expect(refused.status).toBe(403);
    expect(refused.head.toLowerCase()).toContain('connection: close');
    expect(await connection.closed()).toBe(true);
    expect(ports.backendCalls).toEqual(['metadata.findBucket']);
  });

  it('refuses a length over 5 GiB without asking for the body', async () => {
    const length = `Content-Length: ${5 * 1024 ** 3 + 1}`;
    const refused = await answerTo(request('PUT /bucket/key HTTP/1.1', bearer, length, 'Expect: 100-continue'));
    expect(refused.status).toBe(400);
    expect(refused.body).toContain('<Code>EntityTooLarge</Code>');
    expect(ports.backendCalls).toEqual([]);
  });

  it('ignores an empty one and refuses any other', async () => {
    expect((await answerTo(request('GET /bucket HTTP/1.1', bearer, 'Expect: '))).status).toBe(200);
    const refused = await answerTo(request('GET /bucket?X-Amz-Signature=abc HTTP/1.1', bearer, 'Expect: a-miracle'));
    expect(refused.status).toBe(417);
    expect(refused.body).toContain('<Resource>/bucket</Resource>');
  });
});

describe('bodies', () => {
  it('asks for a length', async () => {
    const { status, body } = await answerTo(
      `${request('PUT /bucket/key HTTP/1.1', bearer, 'Transfer-Encoding: chunked')}1\r\nx\r\n0\r\n\r\n`,
    );
    expect(status).toBe(411);
    expect(body).toContain('<Code>MissingContentLength</Code>');
    expect(ports.backendCalls).toEqual([]);
  });

  it('asks for a length also where there is no body', async () => {
    expect((await answerTo(request('PUT /bucket/key HTTP/1.1', bearer))).status).toBe(411);
    expect(ports.backendCalls).toEqual([]);
  });

  it('gives up a body that does not come, and stores nothing', async () => {
    const { status, body } = await answerTo(
      `${request('PUT /bucket/slow HTTP/1.1', bearer, 'Content-Length: 10')}hell`,
    );
    expect(status).toBe(400);
    expect(body).toContain('<Code>RequestTimeout</Code>');
    expect(await connection.closed()).toBe(true);
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('gives up a body that comes byte by byte', async () => {
    connection.send(request('PUT /bucket/slow HTTP/1.1', bearer, 'Content-Length: 100000'));
    const timer = setInterval(() => connection.socket.writable && connection.send('x'), 50);
    const { status } = await connection.answer();
    clearInterval(timer);
    expect(status).toBe(400);
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('stores nothing of a body whose sender ends early', async () => {
    connection.send(`${request('PUT /bucket/short HTTP/1.1', bearer, 'Content-Length: 10')}hell`);
    connection.socket.end();
    const { status, body } = await connection.answer();
    expect(status).toBe(400);
    expect(body).toContain('<Code>IncompleteBody</Code>');
    expect(ports.backendCalls).not.toContain('metadata.commitObject');
  });

  it('answers before a large body that is refused, and closes', async () => {
    connection.send(request('PUT /bucket/key HTTP/1.1', 'Content-Length: 10000000'));
    connection.send(Buffer.alloc(300_000));
    const { status, head } = await connection.answer();
    expect(status).toBe(403);
    expect(head.toLowerCase()).toContain('connection: close');
    expect(await connection.closed()).toBe(true);
  });

  it('reads over a small one that is refused, and keeps the connection', async () => {
    const refused = await answerTo(`${request('PUT /bucket/key HTTP/1.1', 'Content-Length: 5')}hello`);
    expect(refused.status).toBe(403);
    const next = await answerTo(request('GET /bucket HTTP/1.1', bearer));
    expect(next.status).toBe(200);
  });

  it('authenticates each request of a connection for itself', async () => {
    connection.send(request('GET /bucket HTTP/1.1', bearer) + request('GET /bucket HTTP/1.1'));
    expect((await connection.answer()).status).toBe(200);
    expect((await connection.answer()).status).toBe(403);
  });
});

describe('the connection', () => {
  it('ends when the headers do not come', async () => {
    connection.send('GET /bucket HTTP/1.1\r\nHost: local');
    const { status, body } = await connection.answer();
    expect(status).toBe(400);
    expect(body).toContain('<Code>RequestTimeout</Code>');
    expect(await connection.closed()).toBe(true);
  });

  it('carries the headers of every answer', async () => {
    const { head } = await answerTo(request('GET /bucket/none HTTP/1.1', bearer));
    expect(head).toMatch(/x-amz-request-id: [0-9A-F]{16}\r\n/);
    expect(head).toMatch(/x-amz-id-2: \S+/);
    expect(head).toMatch(/Server: Holdfast/);
    expect(head).toMatch(/Date: .* GMT/);
  });

  it('answers HEAD without a body', async () => {
    const missing = await answerTo(request('HEAD /bucket/none HTTP/1.1', bearer));
    expect(missing.status).toBe(404);
    expect(missing.body).toBe('');
    expect((await answerTo(request('HEAD /bucket HTTP/1.1', bearer))).status).toBe(200);
    expect(connection.pending).toBe('');
  });

  it('takes the request id of the load balancer, and of nobody who only pretends', async () => {
    const headers = ['x-holdfast-call: 1', 'x-holdfast-code: right'];
    const passedOn = await answerTo(request('GET /bucket HTTP/1.1', bearer, ...headers));
    expect(passedOn.head).toContain('x-amz-request-id: FEEDFACE00000001');
    ports.forgetCalls();
    const pretended = await answerTo(
      request('GET /bucket HTTP/1.1', bearer, 'x-holdfast-call: 1', 'x-holdfast-code: wrong'),
    );
    expect(pretended.status).toBe(403);
    expect(pretended.head).not.toContain('FEEDFACE');
    expect(ports.calls).toEqual([]);
  });
});

describe('health', () => {
  it.each([
    '/_holdfast/health/live',
    '/_holdfast/health/ready',
    '/minio/health/live',
    '/minio/health/ready',
    '/minio/health/cluster',
  ])('%s', async (path) => {
    expect((await answerTo(request(`GET ${path} HTTP/1.1`))).status).toBe(200);
    expect(ports.calls).toEqual([]);
  });

  it('serves nothing else there', async () => {
    expect((await answerTo(request('GET /_holdfast/health/other HTTP/1.1', bearer))).status).toBe(400);
    expect((await answerTo(request('PUT /_holdfast/health/live HTTP/1.1', bearer, 'Content-Length: 0'))).status).toBe(
      405,
    );
    expect((await answerTo(request('GET /_holdfast HTTP/1.1', bearer))).body).toContain('InvalidBucketName');
  });

  it('is not ready when the application says so', async () => {
    const other = new S3Listener(ports, { isReady: async () => false });
    const client = await RawConnection.open(await other.listen(0));
    client.send(request('GET /_holdfast/health/ready HTTP/1.1'));
    expect((await client.answer()).status).toBe(503);
    await other.close();
  });

  it('drains: not ready but alive, finishes what is under way, then takes nothing more', async () => {
    const other = new S3Listener(ports);
    const otherPort = await other.listen(0);
    const upload = await RawConnection.open(otherPort);
    upload.send(`${request('PUT /bucket/drained HTTP/1.1', bearer, 'Content-Length: 5')}he`);
    const probe = await RawConnection.open(otherPort);
    probe.send(request('GET /_holdfast/health/ready HTTP/1.1'));
    expect((await probe.answer()).status).toBe(200);
    const drained = other.drain();
    probe.send(request('GET /_holdfast/health/ready HTTP/1.1'));
    expect((await probe.answer()).status).toBe(503);
    const live = await RawConnection.open(otherPort);
    live.send(request('GET /_holdfast/health/live HTTP/1.1'));
    expect((await live.answer()).status).toBe(200);
    upload.send('llo');
    const { status, head } = await upload.answer();
    expect(status).toBe(200);
    expect(head.toLowerCase()).toContain('connection: close');
    await drained;
    await expect(RawConnection.open(otherPort)).rejects.toThrow('ECONNREFUSED');
    await other.close();
  });

  it('waits at a shutdown no longer than its drain time for a request that does not end', async () => {
    const other = new S3Listener(ports, { drainMs: 50 });
    expect(other.takesRequests).toBe(false);
    const otherPort = await other.listen(0);
    const upload = await RawConnection.open(otherPort);
    upload.send(`${request('PUT /bucket/endless HTTP/1.1', bearer, 'Content-Length: 5')}he`);
    const probe = await RawConnection.open(otherPort);
    probe.send(request('GET /_holdfast/health/live HTTP/1.1'));
    await probe.answer();
    expect(other.metrics.inflightCount).toBe(1);
    expect(other.takesRequests).toBe(true);
    await Promise.all([other.drain(), other.onApplicationShutdown()]);
    expect(other.takesRequests).toBe(false);
    await expect(RawConnection.open(otherPort)).rejects.toThrow('ECONNREFUSED');
    expect((await upload.answer()).status).toBe(0);
  });
});
