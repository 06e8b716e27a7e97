import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HoldfastError } from '@holdfast/contracts';
import { InMemoryPorts, RawConnection } from '@holdfast/testkit';
import { S3Listener } from '../http/s3-listener.js';

const MIB = 1024 * 1024;
const ports = new InMemoryPorts();
const listener = new S3Listener(ports);
const { accessKeyId } = ports.memoryIdentity.addAccount('main');
const authorization = `Bearer ${ports.memoryIdentity.tokenOf(accessKeyId)}`;
let port = 0;

beforeAll(async () => {
  port = await listener.listen(0);
  expect((await send('PUT', '/bucket')).status).toBe(200);
});
afterAll(() => listener.close());
beforeEach(() => {
  ports.forgetCalls();
  jest.restoreAllMocks();
});

async function send(method: string, path: string, body?: string | Buffer) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { authorization },
    body: typeof body === 'string' || body === undefined ? body : new Uint8Array(body),
  });
  const text = await answer.text();
  return { status: answer.status, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '', text };
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`;
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !holds(); tries += 1) await wait(20);
  expect(holds()).toBe(true);
}

/** Reads of 4 MiB stop after the first of them until they are released. */
function gatedRead(): { isFinished: () => boolean; release: () => void } {
  let finished = false;
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
    try {
      yield Buffer.alloc(MIB);
      await gate;
      for (let sent = 1; sent < 4; sent += 1) yield Buffer.alloc(MIB);
    } finally {
      finished = true;
    }
  });
  return { isFinished: () => finished, release: () => release() };
}

describe('answers of objects', () => {
  it('seed-3.17: a client that goes away frees what its GET held', async () => {
    await send('PUT', '/bucket/left', Buffer.alloc(16 * MIB));
    let finished = false;
    jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
      try {
        for (let sent = 0; sent < 16; sent += 1) yield Buffer.alloc(MIB);
      } finally {
        finished = true;
      }
    });
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    connection.send(`GET /bucket/left HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    await wait(100);
    expect(finished).toBe(false);
    connection.destroy();
    for (let tries = 0; tries < 50 && !finished; tries += 1) await wait(20);
    expect(finished).toBe(true);
    expect(listener.metrics.inflightCount).toBe(0);
  });

  it('seed-3.17: a client that goes away while data is read frees what its GET held', async () => {
    await send('PUT', '/bucket/left', Buffer.alloc(4 * MIB));
    const { isFinished, release } = gatedRead();
    const connection = await RawConnection.open(port);
    connection.send(get('/bucket/left'));
    await wait(100);
    connection.destroy();
    await wait(50);
    release();
    await eventually(isFinished);
    expect(listener.metrics.inflightCount).toBe(0);
  });

  it('serves requests of one connection one after the other, and a client that goes away frees all', async () => {
    await send('PUT', '/bucket/left', Buffer.alloc(16 * MIB));
    await send('PUT', '/bucket/small', 'small');
    ports.forgetCalls();
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    connection.send(get('/bucket/left') + get('/bucket/left'));
    await wait(200);
    expect(ports.backendCalls).toEqual(['metadata.findObject', 'data.read']);
    expect(listener.metrics.inflightCount).toBe(1);
    connection.destroy();
    await eventually(() => listener.metrics.inflightCount === 0);
    const other = await RawConnection.open(port);
    other.send(get('/bucket/small') + get('/bucket/left') + get('/bucket/small'));
    await eventually(() => ports.backendCalls.filter((name) => name === 'data.read').length === 4);
    await eventually(() => other.pending.length > 16 * MIB);
    expect(other.pending).toMatch(/^HTTP[^]{0,500}\r\n\r\nsmallHTTP/);
    await eventually(() => /\r\n\r\nsmall$/.test(other.pending));
    other.destroy();
  });

  it('gives up a connection with too many requests ahead of their answers', async () => {
    await send('PUT', '/bucket/left', Buffer.alloc(16 * MIB));
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    connection.send(get('/bucket/left').repeat(66));
    await wait(200);
    await eventually(() => listener.metrics.inflightCount === 0);
    connection.socket.resume();
    expect(await connection.closed()).toBe(true);
  });

  it.each([
    ['the middle', 64 * MIB, MIB],
    ['the end', 16 * MIB, 16 * MIB],
  ])('a client that never takes %s of its answer is sent away', async (_part, sizeBytes, pieceBytes) => {
    await send('PUT', '/bucket/untaken', Buffer.alloc(sizeBytes));
    jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
      for (let sent = 0; sent < sizeBytes; sent += pieceBytes) yield Buffer.alloc(pieceBytes);
    });
    const impatient = new S3Listener(ports, { limits: { writeIdleTimeoutMs: 300 } });
    const connection = await RawConnection.open(await impatient.listen(0));
    connection.socket.pause();
    connection.send(get('/bucket/untaken'));
    await wait(1000);
    expect(impatient.metrics.inflightCount).toBe(0);
    connection.socket.resume();
    expect(await connection.closed()).toBe(true);
    expect(connection.pending.length).toBeLessThan(sizeBytes);
    await impatient.close();
  });

  it('a client that has closed its own side gets the whole answer', async () => {
    await send('PUT', '/bucket/half', Buffer.alloc(4 * MIB));
    const { release } = gatedRead();
    const connection = await RawConnection.open(port);
    connection.socket.end(get('/bucket/half'));
    await wait(100);
    release();
    expect(await connection.closed()).toBe(true);
    const received = connection.pending;
    expect(received).toMatch(/^HTTP\/1.1 200 /);
    expect(received.length - received.indexOf('\r\n\r\n') - 4).toBe(4 * MIB);
  });

  it('a failure after the first byte destroys the connection', async () => {
    await send('PUT', '/bucket/breaks', Buffer.alloc(2 * MIB));
    jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
      yield Buffer.alloc(MIB);
      throw new HoldfastError('DataUnreadable');
    });
    const connection = await RawConnection.open(port);
    connection.send(`GET /bucket/breaks HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    expect(await connection.closed()).toBe(true);
    expect(connection.pending.length).toBeLessThan(2 * MIB);
    const requestId = /x-amz-request-id: (\w+)/.exec(connection.pending)?.[1] ?? '';
    expect(ports.trace.find(requestId).map(({ step }) => step)).toEqual([1, 2, 3, 5, 7]);
  });

  it.each([
    ['o', 1],
    ['\x00garbage\r\n\r\n', 1],
    ['GET / HTTP/1.1\r\nHost : x\r\n\r\n', 1],
    [`\x00garbage`, 2],
  ])('what follows a whole request costs it nothing but the connection: %j', async (garbage, requests) => {
    await send('PUT', '/bucket/followed', Buffer.alloc(4 * MIB));
    const { release } = gatedRead();
    const connection = await RawConnection.open(port);
    connection.send(get('/bucket/followed').repeat(requests) + garbage);
    await wait(50);
    connection.send('more of it');
    await wait(50);
    release();
    expect(await connection.closed()).toBe(true);
    const answers = connection.pending.split('HTTP/1.1 ').slice(1);
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(Array.from({ length: requests }, () => '200'));
    const last = answers.at(-1) ?? '';
    expect(last.length - last.indexOf('\r\n\r\n') - 4).toBe(4 * MIB);
    expect(listener.metrics.inflightCount).toBe(0);
  });

  it('garbage behind a request never lands in the answer to it', async () => {
    const body = Buffer.alloc(32 * MIB, 'a');
    await send('PUT', '/bucket/pure', body);
    const connection = await RawConnection.open(port);
    connection.socket.pause();
    const head = `GET /bucket/pure HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`;
    connection.send(head);
    await wait(100);
    connection.send('\x00garbage\r\n\r\n');
    await wait(100);
    connection.socket.resume();
    expect(await connection.closed()).toBe(true);
    const received = connection.pending;
    expect(received.slice(received.indexOf('\r\n\r\n') + 4)).toMatch(/^a*$/);
  });

  it('a failure before the first byte is an ordinary error', async () => {
    await send('PUT', '/bucket/right', 'right');
    jest.spyOn(ports.memoryData, 'read').mockImplementation(async function* () {
      yield* [];
      throw new HoldfastError('DataUnreadable', 'set 3');
    });
    const answer = await send('GET', '/bucket/right');
    expect(answer).toMatchObject({ status: 500, code: 'InternalError' });
    expect(answer.text).not.toContain('set 3');
  });

  it('a range counts only while If-Range names the state of the object', async () => {
    await send('PUT', '/bucket/ranged', '0123456789');
    const read = (ifRange: string) =>
      fetch(`http://127.0.0.1:${port}/bucket/ranged`, {
        headers: { authorization, range: 'bytes=2-3', 'if-range': ifRange },
      });
    const head = await fetch(`http://127.0.0.1:${port}/bucket/ranged`, { method: 'HEAD', headers: { authorization } });
    const modified = head.headers.get('last-modified') ?? '';
    for (const same of [head.headers.get('etag') ?? '', modified]) expect((await read(same)).status).toBe(206);
    const earlier = new Date(Date.parse(modified) - 1000).toUTCString();
    for (const other of ['"x"', earlier, 'foo 2099', '2099']) {
      const answer = await read(other);
      expect([answer.status, await answer.text()]).toEqual([200, '0123456789']);
    }
  });

  it('asks data for nothing of an empty object', async () => {
    await send('PUT', '/bucket/empty', '');
    ports.forgetCalls();
    expect(await send('GET', '/bucket/empty')).toMatchObject({ status: 200, text: '' });
    expect(ports.backendCalls).toEqual(['metadata.findObject']);
  });
});
